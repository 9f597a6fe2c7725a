"""GPU, FPGA and CPU at the edge: throughput, latency and energy by batch (Biookaghazadeh, Zhao, Ren 2018 [171]).

A GPU pays a launch for every layer and then handles a wave of items at once: it needs a batch.  An FPGA pipeline takes
one item after another at its initiation interval: it does not care.  These are models with recalled parameters
(``data/edge_accelerators.csv``) and peaks of the catalogue; nothing here is a measurement of such a card.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.zoo import model
from edgedl_lib.offloading.platform.facts import facts
from edgedl_lib.system import catalogue
from edgedl_lib.system.queueing import deterministic, poisson_arrivals, simulate_queue

GPU_NAME, FPGA_NAME, CPU_NAME = "Tesla K40m", "Arria 10 GX1150", "Core i7-5930K"
BATCHES = tuple(2**power for power in range(11))  # 1 to 1024
#: A training step costs the forward pass and about twice that for the backward pass.
TRAINING_FACTOR = 3


@dataclass(frozen=True)
class Accelerator:
    """A machine whose time for a batch is ``setup + ceil(batch / width) * wave``.

    Attributes
    ----------
    name : str
    setup : float
        Seconds before the first result and after none: launches and copies, or the fill of a pipeline.
    wave : float
        Seconds for each group of up to `width` items; with width 1 the initiation interval.
    width : int
    power : float
        Watts while busy.
    """

    name: str
    setup: float
    wave: float
    width: int
    power: float

    def latency(self, batch: ArrayLike) -> np.ndarray | float:
        """Seconds until the whole batch is done."""
        batch = np.asarray(batch)
        if np.any(batch < 1):
            raise ValueError(f"a batch holds at least one item, not {batch.min()}")
        seconds = self.setup + np.ceil(batch / self.width) * self.wave
        return seconds if seconds.ndim else float(seconds)

    def throughput(self, batch: ArrayLike) -> np.ndarray | float:
        """Items per second of a batch that comes alone: launches, copies or the fill of the pipeline included."""
        return np.asarray(batch) / self.latency(batch)

    def energy_per_item(self, batch: ArrayLike) -> np.ndarray | float:
        """Joules per item of a batch that comes alone."""
        return self.power * self.latency(batch) / np.asarray(batch)


def gpu(graph: LayerGraph | None = None, *, work_factor: float = 1.0) -> Accelerator:
    """A Tesla K40m that runs a network (LeNet-5 by default), one launch a layer and one copy each way."""
    graph, card = _network(graph), facts("edge_accelerators", "gpu")
    threads = max(layer.output_elements for layer in graph.layers)
    width = max(1, int(card["resident_threads"] // threads))
    rate = card["compute_efficiency"] * _peak(GPU_NAME)
    setup = card["launch_overhead"] * len(graph.layers) * work_factor + 2 * card["copy_latency"]
    return Accelerator(GPU_NAME, setup, width * graph.flop * work_factor / rate, width, card["power"])


def fpga(graph: LayerGraph | None = None, *, work_factor: float = 1.0) -> Accelerator:
    """An Arria 10 that streams items through one pipeline stage a layer; items arrive at its own network port."""
    graph, card = _network(graph), facts("edge_accelerators", "fpga")
    fill = card["fill_cycles_per_layer"] * len(graph.layers) * work_factor / card["clock"]
    interval = graph.flop * work_factor / (card["compute_efficiency"] * _peak(FPGA_NAME))
    return Accelerator(FPGA_NAME, fill, interval, 1, card["power"])


def cpu(graph: LayerGraph | None = None) -> Accelerator:
    """One core of a desktop processor: no launch, no fill, one item after another."""
    graph, card = _network(graph), facts("edge_accelerators", "cpu")
    rate = card["compute_efficiency"] * _peak(CPU_NAME) * card["cores_used"] / card["cores"]
    return Accelerator(CPU_NAME, 0.0, graph.flop / rate, 1, card["power"])


@dataclass(frozen=True)
class AcceleratorStudy:
    """A GPU and an FPGA over batches.

    Attributes
    ----------
    batches : numpy.ndarray, shape (B,)
    gpu, fpga : Accelerator
    """

    batches: np.ndarray
    gpu: Accelerator
    fpga: Accelerator

    @property
    def fpga_variation(self) -> float:
        """Coefficient of variation of the FPGA's throughput over the batches."""
        rates = self.fpga.throughput(self.batches)
        return float(np.std(rates) / np.mean(rates))

    @property
    def gpu_variation(self) -> float:
        """Largest over smallest GPU throughput over the batches."""
        rates = self.gpu.throughput(self.batches)
        return float(rates.max() / rates.min())

    @property
    def concurrency_share(self) -> float:
        """FPGA throughput at the largest batch, its fill paid once, over the pipeline's limit."""
        return float(self.fpga.throughput(self.batches[-1]) * self.fpga.wave)

    @property
    def crossover_batch(self) -> int | None:
        """Smallest batch at which the GPU delivers more items per second, or None."""
        every = np.arange(1, self.batches[-1] + 1)
        ahead = self.gpu.throughput(every) > self.fpga.throughput(every)
        return int(every[ahead][0]) if ahead.any() else None

    @property
    def latency_ratio(self) -> float:
        """GPU over FPGA latency of a single item."""
        return self.gpu.latency(1) / self.fpga.latency(1)

    @property
    def power_ratio(self) -> float:
        """GPU over FPGA power."""
        return self.gpu.power / self.fpga.power

    @property
    def energy_ratio(self) -> np.ndarray:
        """GPU over FPGA energy per item, shape (B,)."""
        return self.gpu.energy_per_item(self.batches) / self.fpga.energy_per_item(self.batches)

    @property
    def energy_fall(self) -> float:
        """Energy ratio at the largest batch over that at the smallest."""
        return float(self.energy_ratio[-1] / self.energy_ratio[0])

    def mean_energy_ratio(self, largest: int = 64) -> float:
        """Mean energy ratio over the batches up to `largest`."""
        return float(self.energy_ratio[self.batches <= largest].mean())


def accelerator_study(graph: LayerGraph | None = None, batches: Sequence[int] = BATCHES) -> AcceleratorStudy:
    """GPU against FPGA for a network (LeNet-5 by default) over batches."""
    return AcceleratorStudy(np.asarray(batches), gpu(graph), fpga(graph))


def training_ratio(batch: int = 1024, graph: LayerGraph | None = None) -> float:
    """GPU over FPGA throughput of training steps in bulk: three times the work and the launches of an inference."""
    machines = (build(graph, work_factor=TRAINING_FACTOR) for build in (gpu, fpga))
    on_gpu, on_fpga = (machine.throughput(batch) for machine in machines)
    return on_gpu / on_fpga


def gpu_kept(chain: float, items: int) -> float:
    """Share of its throughput that a GPU keeps when part of each item's work is a chain of dependent operations.

    Parameters
    ----------
    chain : float
        Share of the operations in the chain, in [0, 1]; it runs on one lane an item.
    items : int
        Independent items in flight, which share the lanes.
    """
    idle = facts("edge_accelerators", "gpu")["lanes"] / min(items, facts("edge_accelerators", "gpu")["lanes"])
    return 1 / ((1 - _share(chain)) + chain * idle)


def fpga_kept(chain: float) -> float:
    """Share of its throughput that an FPGA pipeline keeps: a dependent operation waits for the one before it."""
    return 1 / ((1 - _share(chain)) + chain * facts("edge_accelerators", "fpga")["dependent_interval"])


def dependency_ratio(chain: float = 0.5, items: int = 64) -> float:
    """Throughput that the FPGA keeps over that the GPU keeps."""
    return fpga_kept(chain) / gpu_kept(chain, items)


@dataclass(frozen=True)
class ServingStudy:
    """Single-item requests of a Poisson process: latencies in seconds, shape (J,), on the GPU and on the FPGA."""

    rate: float
    gpu_latency: np.ndarray
    fpga_latency: np.ndarray

    @property
    def latency_ratio(self) -> float:
        """Mean GPU over mean FPGA latency."""
        return float(self.gpu_latency.mean() / self.fpga_latency.mean())


def serving_study(
    load: float = 0.5, requests: int = 2000, seed: int = 0, graph: LayerGraph | None = None
) -> ServingStudy:
    """Serve the same requests on both, simulated in SimPy.

    Parameters
    ----------
    load : float
        Arrival rate over the GPU's single-item rate, in (0, 1).
    requests : int
    seed : int
    graph : LayerGraph, optional
        LeNet-5 by default.

    Returns
    -------
    ServingStudy
        The GPU takes what waits as one batch (one wave at most); the FPGA admits an item every interval.
    """
    study = accelerator_study(graph)
    rate = load / study.gpu.latency(1)
    arrivals = poisson_arrivals(rate, requests, seed)
    wave = deterministic(study.gpu.latency(1))
    on_gpu = simulate_queue(arrivals, wave, largest_batch=study.gpu.width).latency
    on_fpga = simulate_queue(arrivals, study.fpga.wave).latency + study.fpga.setup
    return ServingStudy(rate, on_gpu, on_fpga)


def _network(graph: LayerGraph | None) -> LayerGraph:
    return model("lenet5") if graph is None else graph


def _peak(name: str) -> float:
    return catalogue.specification(name, "peak_gflops_fp32").value * 1e9


def _share(value: float) -> float:
    if not 0 <= value <= 1 or math.isnan(value):
        raise ValueError(f"the dependent share must lie in [0, 1], not {value}")
    return value
