"""How fast a query is while the network is still on its way: IONN's stairs, and the single step of all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.transfer import transfer_time
from edgedl_lib.offloading.partial.ionn.planner import (
    BASE,
    Partition,
    everything,
    plan,
    query_time,
)
from edgedl_lib.offloading.partial.ionn.profile import UnitProfile

MOST_QUERIES = 1_000_000


@dataclass(frozen=True, eq=False)
class UploadTimeline:
    """What a query takes from the moment the upload begins.

    Attributes
    ----------
    plans : one boolean per unit for every step
    arrival : (P,) s, when each step has arrived
    latency : (P + 1,) s of a query before the first step, then behind each
    sent_bytes : (P,) bytes of each step
    """

    plans: tuple[np.ndarray, ...]
    arrival: np.ndarray
    latency: np.ndarray
    sent_bytes: np.ndarray

    @property
    def total(self) -> float:
        """Seconds until everything that is uploaded at all has arrived; 0 if nothing is."""
        return float(self.arrival[-1]) if self.arrival.size else 0.0

    def latency_at(self, time) -> np.ndarray:
        """Latency (s) of a query that starts at `time` (s); it keeps the plan with which it starts."""
        return self.latency[np.searchsorted(self.arrival, time, side="right")]

    def query_starts(self, until: float | None = None) -> np.ndarray:
        """Starts (s) of back-to-back queries before `until` (s), by default the end of the upload.

        Raises
        ------
        ValueError
            If queries take no time, or `until` never comes.
        """
        until = self.total if until is None else until
        starts, now = [], 0.0
        while now < until:
            starts.append(now)
            now += float(self.latency_at(now))
            if len(starts) > MOST_QUERIES:
                raise ValueError(f"more than {MOST_QUERIES} queries in {until} s: give queries that take time")
        return np.array(starts)


def incremental_upload(profile: UnitProfile, rate: float, *, base: float = BASE) -> UploadTimeline:
    """IONN's upload, without contention: queries do not slow it down.

    >>> from edgedl_lib.offloading.partial.ionn.profile import alexnet_profile
    >>> timeline = incremental_upload(alexnet_profile(), 80 * 2**20)
    >>> timeline.arrival.round(2), timeline.latency.round(3), len(timeline.query_starts())
    (array([ 0.13,  0.89, 23.26]), array([0.822, 0.61 , 0.376, 0.061]), 61)
    """
    return timeline_of(profile, rate, plan(profile, rate, base=base))


def upload_at_once(profile: UnitProfile, rate: float) -> UploadTimeline:
    """The baseline: nothing runs on the server before the whole network has arrived."""
    whole = everything(profile)
    return timeline_of(profile, rate, (Partition(0, whole, whole),))


def timeline_of(profile: UnitProfile, rate: float, partitions: Sequence[Partition]) -> UploadTimeline:
    """Timeline of any sequence of partitions over a link of `rate` bit/s."""
    sent = np.array([profile.parameter_bytes[step.new].sum() for step in partitions])
    latency = [profile.local_time, *(query_time(profile, rate, step.on_server) for step in partitions)]
    arrival = np.cumsum(transfer_time(sent, rate))
    return UploadTimeline(tuple(step.on_server for step in partitions), arrival, np.array(latency), sent)
