"""Random layers and whole applications, measured on this machine: Neurosurgeon's deployment phase, and its judge.

None of the random layers occurs in the networks that the regressions are judged on.  All are timed in turn, round by
round, so that they meet the same disturbances, and none finds its weights in the cache from the call before.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from edgedl_lib.inference.partition.configurations import random_layer_configurations, single_layer_graph
from edgedl_lib.inference.studies.neurosurgeon_cases import Application, LayerTimes
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.profile import single_thread
from edgedl_lib.nets.torch_model import TorchModel, to_torch

TYPES = ("conv", "dense", "conv", "pool", "activation", "dense", "conv", "local", "norm", "dense", "dropout", "softmax")
LARGEST_BATCH = {"conv": 128, "pool": 128, "dense": 640, "activation": 640}
SINGLE_SHARE = 0.5  # of the samples of a type that is ever batched; the others run in batches, log-uniform
LARGEST_FLOP = 1.5e9  # of a whole call
LARGEST_ELEMENTS = 4e6  # of the input and output of a whole call
LARGEST_PARAMETER_COUNT = 6e7


@dataclass(frozen=True, eq=False)
class LayerSamples:
    """S layers, their batches (S,), and once measured their median latencies (S,) in s."""

    layers: tuple[Layer, ...]
    batches: np.ndarray
    latency: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Measurements:
    """The samples, and the layer latencies (N,) in s of each application."""

    samples: LayerSamples
    applications: tuple[Application, ...]
    latency: tuple[np.ndarray, ...]

    def layer_times(self, model) -> tuple[LayerTimes, ...]:
        """What was measured beside what a fitted latency `model` predicts, for each application, in s."""
        return tuple(
            LayerTimes(application, measured, model.predict(application.graph.layers, application.graph.batch))
            for application, measured in zip(self.applications, self.latency, strict=True)
        )


def draw_batches(layers: Sequence[Layer], rng: np.random.Generator) -> np.ndarray:
    """A batch for each layer, (S,): 1, or log-uniform up to what services of its type send at once."""
    batches = np.ones(len(layers), dtype=int)
    for position, layer in enumerate(layers):
        elements = layer.input_elements + layer.output_elements
        limits = (LARGEST_BATCH.get(layer.kind, 1), LARGEST_FLOP / max(layer.flop, 1), LARGEST_ELEMENTS / elements)
        if min(limits) > 1 and rng.random() > SINGLE_SHARE:
            batches[position] = round(np.exp(rng.uniform(0, np.log(min(limits)))))
    return batches


def draw_samples(seed: int, count: int, applications: Sequence[Application]) -> LayerSamples:
    """Draw `count` layers that no application contains, and their batches; nothing is measured yet."""
    rng = np.random.default_rng(seed)
    layers = random_layer_configurations(
        rng,
        count,
        types=TYPES,
        excluding=[application.graph for application in applications],
        largest_flop=LARGEST_FLOP,
        largest_parameter_count=LARGEST_PARAMETER_COUNT,
    )
    return LayerSamples(layers, draw_batches(layers, rng))


def measure(
    samples: LayerSamples, applications: Sequence[Application], *, rounds: int = 4, seed: int = 0
) -> Measurements:
    """Time every sample and every layer of every application once in each round, after a round that is not counted.

    Parameters
    ----------
    samples : drawn, not measured
    applications : A networks
    seed : of the weights
    """
    pairs = zip(samples.layers, samples.batches.tolist(), strict=True)
    graphs = [single_layer_graph(layer, batch) for layer, batch in pairs]
    graphs += [application.graph for application in applications]
    times = measure_in_turn(graphs, rounds, seed)
    count = len(samples.layers)
    latency = np.array([layer_times[-1] for layer_times in times[:count]])
    measured = LayerSamples(samples.layers, samples.batches, latency)
    return Measurements(measured, tuple(applications), tuple(times[count:]))


def measure_in_turn(graphs: Sequence[LayerGraph], rounds: int, seed: int = 0) -> list[np.ndarray]:
    """Median latency of every layer of every graph, one (N,) array each, in s.

    Raises
    ------
    ValueError
        If there is no round.
    """
    if rounds < 1:
        raise ValueError(f"rounds is {rounds}: measure at least one")
    models = [to_torch(graph, seed) for graph in graphs]
    with single_thread():
        times = [[layer_seconds(model) for model in models] for _ in range(rounds + 1)]
    return [np.median(each, axis=0) for each in zip(*times[1:], strict=True)]


def layer_seconds(model: TorchModel) -> list[float]:
    """Run a model once on a grey input and time each layer (s)."""
    graph, clock = model.graph, time.perf_counter
    tensors, seconds = {"input": torch.full((graph.batch, *graph.input_shape), 0.5)}, []
    for name in graph.layer_names:
        inputs = [tensors[source] for source in graph.predecessors(name) or ("input",)]
        start = clock()
        tensors[name] = model.run_layer(name, *inputs)
        seconds.append(clock() - start)
    return seconds
