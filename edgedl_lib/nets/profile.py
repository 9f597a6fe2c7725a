"""Measure a model on this machine, layer by layer and whole: one thread, warm caches, medians."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas
import torch
from torch import Tensor

from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.torch_model import TorchModel, to_torch

WARM_UP_ROUNDS = 10  # the first calls choose kernels, allocate and fill caches
WARM_UP_SHARE = 0.3  # of the time budget, for models so slow that ten rounds do not fit
FEWEST_ROUNDS = 3  # measured rounds, even if the budget is spent


@dataclass(frozen=True)
class LayerProfile:
    """Measured latency of every layer of a graph.

    Attributes
    ----------
    graph : LayerGraph
    latency, minimum : ndarray, shape (N,)
        Median and smallest over the rounds, seconds per query (whole batch).
    rounds, warm_up : int
        Measured rounds and unmeasured ones before them.
    """

    graph: LayerGraph
    latency: np.ndarray
    minimum: np.ndarray
    rounds: int
    warm_up: int

    @property
    def total(self) -> float:
        """Sum of the median layer latencies, seconds."""
        return float(self.latency.sum())

    def table(self) -> pandas.DataFrame:
        """One row per layer: kind, FLOP, bytes, latency (s) and achieved FLOP/s."""
        graph = self.graph
        columns = {
            "layer": graph.layer_names,
            "kind": [layer.kind for layer in graph],
            "flop": graph.flop_per_layer(),
            "output_bytes": graph.output_bytes_per_layer(),
            "parameter_bytes": graph.parameter_bytes_per_layer(),
            "latency": self.latency,
            "flop_per_s": graph.flop_per_layer() / self.latency,
        }
        return pandas.DataFrame(columns)


@dataclass(frozen=True)
class WholeProfile:
    """Measured latency of a whole model: median and minimum, seconds per query (whole batch)."""

    graph: LayerGraph
    latency: float
    minimum: float
    rounds: int
    warm_up: int


def measure_layers(
    graph: LayerGraph, *, budget: float = 3.0, model: TorchModel | None = None, seed: int = 0, rounds: int = 1000
) -> LayerProfile:
    """Median latency of each layer, measured in rounds through the whole model.

    Each round runs all layers in order and times each, so that a layer finds the caches as it does in real execution: a
    dense layer timed alone in a loop would keep its weights in cache and look faster than it is.

    Parameters
    ----------
    graph : LayerGraph
        Runs with its own ``batch``.
    budget : float
        Seconds for warm-up and measurement; at least three rounds are measured.
    model : TorchModel, optional
        Built from ``graph``; otherwise built with ``seed``.
    rounds : int
        At most this many measured rounds.
    """
    model = to_torch(graph, seed) if model is None else model
    image = _random_input(graph, seed)
    times, warm_up = _measure_rounds(lambda: _time_layers(model, image), budget, rounds)
    return LayerProfile(graph, np.median(times, axis=0), times.min(axis=0), len(times), warm_up)


def measure_whole(
    graph: LayerGraph, *, budget: float = 2.0, model: TorchModel | None = None, seed: int = 0, rounds: int = 1000
) -> WholeProfile:
    """Median latency of the whole model in one call; arguments as of :func:`measure_layers`."""
    model = to_torch(graph, seed) if model is None else model
    image = _random_input(graph, seed)
    times, warm_up = _measure_rounds(lambda: _time_call(model, image), budget, rounds)
    return WholeProfile(graph, float(np.median(times)), float(times.min()), len(times), warm_up)


@contextmanager
def single_thread() -> Iterator[None]:
    """Run PyTorch on one thread, without garbage collection or gradients; restores all three afterwards."""
    threads, collecting = torch.get_num_threads(), gc.isenabled()
    torch.set_num_threads(1)
    gc.disable()
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(threads)
        if collecting:
            gc.enable()


def _measure_rounds(run: Callable[[], list[float]], budget: float, rounds: int) -> tuple[np.ndarray, int]:
    if not budget > 0 or rounds < 1:
        raise ValueError(f"budget {budget} s and rounds {rounds} must be positive")
    start, warm_up, times = time.perf_counter(), 0, []
    with single_thread():
        while warm_up < 1 or (warm_up < WARM_UP_ROUNDS and time.perf_counter() - start < WARM_UP_SHARE * budget):
            run()
            warm_up += 1
        while len(times) < min(rounds, FEWEST_ROUNDS) or (len(times) < rounds and time.perf_counter() - start < budget):
            times.append(run())
    return np.array(times), warm_up


def _time_layers(model: TorchModel, image: Tensor) -> list[float]:
    tensors, times, clock = {"input": image}, [], time.perf_counter
    for name in model.graph.layer_names:
        inputs = [tensors[source] for source in model.graph.predecessors(name) or ("input",)]
        start = clock()
        tensors[name] = model.run_layer(name, *inputs)
        times.append(clock() - start)
    return times


def _time_call(model: TorchModel, image: Tensor) -> list[float]:
    start = time.perf_counter()
    model(image)
    return [time.perf_counter() - start]


def _random_input(graph: LayerGraph, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((graph.batch, *graph.input_shape), generator=generator)
