"""IONN on a network that is measured here: this machine is the client, the server a stated number of times as fast."""

from __future__ import annotations

from dataclasses import dataclass

from edgedl_lib.inference.split.network import wide_alexnet
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.profile import measure_layers
from edgedl_lib.offloading.partial.ionn.contention import ContendedRun, simulate_upload
from edgedl_lib.offloading.partial.ionn.profile import UnitProfile, unit_profile
from edgedl_lib.offloading.partial.ionn.timeline import incremental_upload, upload_at_once

SERVER_FACTOR = 20.0
UPLOAD_QUERIES = 30.0  # the whole network's upload lasts as long as this many local queries, as at the authors' 80 Mb/s


@dataclass(frozen=True)
class Comparison:
    """The same queries during both uploads, over one link of `rate` bit/s."""

    profile: UnitProfile
    rate: float
    steps: ContendedRun
    at_once: ContendedRun

    @property
    def upload_ratio(self) -> float:
        """Time of the upload in steps over that at once."""
        return self.steps.total / self.at_once.total

    @property
    def query_ratio(self) -> float:
        """Queries started before the upload at once would end: in steps over at once."""
        window = self.at_once.total
        return self.steps.started_until(window) / self.at_once.started_until(window)


def compare_uploads(profile: UnitProfile, rate: float) -> Comparison:
    """Simulate both uploads with back-to-back queries on the same link."""
    uploads = (incremental_upload(profile, rate), upload_at_once(profile, rate))
    return Comparison(profile, rate, *(simulate_upload(profile, rate, upload) for upload in uploads))


def measured_profile(
    graph: LayerGraph | None = None, *, budget: float = 1.5, server_factor: float = SERVER_FACTOR
) -> UnitProfile:
    """Profile with this machine's layer times as the client's.

    Parameters
    ----------
    graph : by default AlexNet on small pictures with dense layers of full width
    budget : s for the measurement
    server_factor : how many times as fast the server is
    """
    graph = wide_alexnet() if graph is None else graph
    client = measure_layers(graph, budget=budget).latency
    return unit_profile(graph, client, client / server_factor)


def rate_for(profile: UnitProfile, queries: float = UPLOAD_QUERIES) -> float:
    """Rate (bit/s) at which the whole network's upload lasts as long as `queries` local queries."""
    return 8 * profile.model_bytes / (queries * profile.local_time)
