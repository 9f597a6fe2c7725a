"""What partitioning does for the data centre: fewer seconds of server time per query (Kang et al. 2017 [12]).

Phones of two kinds, 30 % with a GPU and 70 % with a CPU, ask the eight applications equally often.  The server's
service time is its part of the query alone, so its highest throughput is one over the mean of that part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.chain import stage_times
from edgedl_lib.inference.studies.neurosurgeon_alexnet import upload_rate
from edgedl_lib.inference.studies.neurosurgeon_cases import LayerTimes, application_costs, cloud_latency, run_case
from edgedl_lib.system.queueing import QueueRun, poisson_arrivals, simulate_queue

GPU_PHONES = 0.3


@dataclass(frozen=True)
class ServerWork:
    """Server seconds per query of A applications: everything sent, and after partitioning.

    Attributes
    ----------
    network : str
    gpu_phones : share of phones with a GPU
    cloud_only, from_gpu_phones, from_cpu_phones : (A,) s
    """

    network: str
    gpu_phones: float
    cloud_only: tuple[float, ...]
    from_gpu_phones: tuple[float, ...]
    from_cpu_phones: tuple[float, ...]

    @property
    def mean_before(self) -> float:
        """Mean server time of a query when everything is sent (s)."""
        return float(np.mean(self.cloud_only))

    @property
    def mean_after(self) -> float:
        """Mean server time of a query after partitioning (s)."""
        gpu, cpu = np.mean(self.from_gpu_phones), np.mean(self.from_cpu_phones)
        return float(self.gpu_phones * gpu + (1 - self.gpu_phones) * cpu)

    @property
    def gain(self) -> float:
        """Throughput over that of cloud-only; infinite if no work reaches the server."""
        return np.inf if self.mean_after == 0 else self.mean_before / self.mean_after


def server_seconds(times: LayerTimes, network: str, phone: str) -> float:
    """Server time of one query after Neurosurgeon's decision, by measured layer times (s)."""
    cut = run_case(times, network, phone).cut
    stages = stage_times(application_costs(times.application, times.measured, phone), upload_rate(network))
    return float(stages.server[0, cut])


def server_work(profiles: Sequence[LayerTimes], network: str, gpu_phones: float = GPU_PHONES) -> ServerWork:
    """Server work of all applications on one network.

    Parameters
    ----------
    profiles : layer times in AlexNets
    gpu_phones : share of phones with a GPU, in [0, 1]

    Raises
    ------
    ValueError
        If the share lies outside [0, 1].
    """
    if not 0 <= gpu_phones <= 1:
        raise ValueError(f"gpu_phones is {gpu_phones}: give a share between 0 and 1")
    return ServerWork(
        network,
        gpu_phones,
        cloud_only=tuple(float(cloud_latency(times.measured).sum()) for times in profiles),
        from_gpu_phones=tuple(server_seconds(times, network, "phone GPU") for times in profiles),
        from_cpu_phones=tuple(server_seconds(times, network, "phone CPU") for times in profiles),
    )


def drawn_services(work: ServerWork, queries: int, seed: int, *, partitioned: bool = True) -> np.ndarray:
    """Server times of random queries, (queries,) s: application uniform, phone by its share."""
    rng = np.random.default_rng(seed)
    application = rng.integers(len(work.cloud_only), size=queries)
    has_gpu = rng.random(queries) < work.gpu_phones
    if not partitioned:
        return np.array(work.cloud_only)[application]
    return np.where(has_gpu, np.array(work.from_gpu_phones)[application], np.array(work.from_cpu_phones)[application])


def simulate_server(services: np.ndarray, rate: float, seed: int) -> QueueRun:
    """Send queries with the given service times to one server, `rate` queries/s, in SimPy."""
    remaining = iter(services.tolist())
    arrivals = poisson_arrivals(rate, len(services), seed)
    return simulate_queue(arrivals, lambda batch, generator: next(remaining))
