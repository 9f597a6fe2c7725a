"""What partitioning does for the data centre: fewer seconds of server time per query (Kang et al. 2017 [12]).

Phones of two kinds, 30 % with a GPU and 70 % with a CPU, ask the eight applications.  Each application claims the same
share of the cloud-only server time, so the gain is one over the mean share of the work that still reaches the server.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.chain import stage_times
from edgedl_lib.inference.studies.neurosurgeon_alexnet import upload_rate
from edgedl_lib.inference.studies.neurosurgeon_cases import LayerTimes, application_costs, run_case

GPU_PHONES = 0.3


@dataclass(frozen=True)
class ServerWork:
    """Server seconds per query of each application when everything is sent, and after partitioning.

    Attributes
    ----------
    cloud_only : (A,) s
    partitioned : (A,) s, mean over the two kinds of phone
    """

    network: str
    cloud_only: tuple[float, ...]
    partitioned: tuple[float, ...]

    @property
    def kept(self) -> float:
        """Share of the server's work that is left, every application weighing the same."""
        return float(np.mean(np.divide(self.partitioned, self.cloud_only)))

    @property
    def gain(self) -> float:
        """Throughput over that of cloud-only; infinite if no work reaches the server."""
        return np.inf if self.kept == 0 else 1 / self.kept


def server_seconds(times: LayerTimes, network: str, phone: str) -> float:
    """Server time of one query after Neurosurgeon's decision, by measured layer times (s)."""
    cut = run_case(times, network, phone).cut
    stages = stage_times(application_costs(times.application, times.measured, phone), upload_rate(network))
    return float(stages.server[0, cut])


def server_work(profiles: Sequence[LayerTimes], network: str, gpu_phones: float = GPU_PHONES) -> ServerWork:
    """Server work of all applications on one network.

    Parameters
    ----------
    gpu_phones : share of phones with a GPU, in [0, 1]

    Raises
    ------
    ValueError
        If the share lies outside [0, 1].
    """
    if not 0 <= gpu_phones <= 1:
        raise ValueError(f"gpu_phones is {gpu_phones}: give a share between 0 and 1")
    shares = {"phone GPU": gpu_phones, "phone CPU": 1 - gpu_phones}
    partitioned = [
        sum(share * server_seconds(times, network, phone) for phone, share in shares.items()) for times in profiles
    ]
    cloud_only = [
        float(application_costs(times.application, times.measured, "phone GPU").server_latency.sum())
        for times in profiles
    ]
    return ServerWork(network, tuple(cloud_only), tuple(partitioned))


def simulated_throughput(work: ServerWork, partitioned: bool, queries: int, seed: int) -> float:
    """Queries per second of a saturated server, by a SimPy simulation of its queue.

    Each application is asked in inverse proportion to its cloud-only time, so that all claim the same share of it.
    """
    import simpy

    rng = np.random.default_rng(seed)
    weights = 1 / np.array(work.cloud_only)
    asked = rng.choice(len(weights), size=queries, p=weights / weights.sum())
    service = np.array(work.partitioned if partitioned else work.cloud_only)[asked]
    environment = simpy.Environment()
    server = simpy.Resource(environment, capacity=1)

    def query(seconds):
        with server.request() as turn:
            yield turn
            yield environment.timeout(seconds)

    for seconds in service:
        environment.process(query(seconds))
    environment.run()
    return queries / environment.now
