"""Queries while the network is on its way over the same link: what a query sends slows the upload, and the reverse.

`timeline` leaves that out, as the paper's own figures for the plans do.  Here both share one simulated WLAN.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import simpy

from edgedl_lib.offloading.partial.ionn.profile import UnitProfile
from edgedl_lib.offloading.partial.ionn.timeline import UploadTimeline
from edgedl_lib.system.simulator.parts import Channel


@dataclass(frozen=True, eq=False)
class ContendedRun:
    """Back-to-back queries during an upload over the same link.

    Attributes
    ----------
    start, latency : (Q,) s
    arrival : (P,) s, when each step of the upload had arrived
    """

    start: np.ndarray
    latency: np.ndarray
    arrival: np.ndarray

    @property
    def total(self) -> float:
        """Seconds until the upload was complete."""
        return float(self.arrival[-1]) if self.arrival.size else 0.0

    def started_until(self, time: float) -> int:
        """Queries that had started before `time` (s)."""
        return int(np.sum(self.start < time))


def query_steps(profile: UnitProfile, on_server: np.ndarray) -> list[tuple[str, float]]:
    """What one query does in turn: ("client", s), ("link", bytes) and ("server", s).

    >>> two = UnitProfile(("a", "b"), [4, 4], [1, 1], [0, 0], [1e6, 3e6], [2e6, 4e6], input_bytes=9e6)
    >>> query_steps(two, np.array([False, True]))
    [('client', 4.0), ('link', 1000000.0), ('server', 1.0), ('link', 3000000.0)]
    """
    steps, away = [], False
    sizes = [profile.input_bytes, *profile.output_bytes]
    for i, remote in enumerate([*on_server, False]):
        if remote != away:
            steps.append(("link", float(sizes[i])))
            away = remote
        if i < len(profile):
            place = ("server", profile.server_time) if remote else ("client", profile.client_time)
            _extend(steps, place[0], float(place[1][i]))
    return steps


def simulate_upload(profile: UnitProfile, rate: float, upload: UploadTimeline) -> ContendedRun:
    """Run the upload and back-to-back queries over one link of `rate` bit/s, shared equally among its transfers.

    A query keeps the plan with which it starts; while nothing has arrived it runs on the client.

    Raises
    ------
    ValueError
        If the rate is not a positive finite number: the upload would never end, or at once.
    """
    if not 0 < rate < math.inf:
        raise ValueError(f"rate {rate} bit/s must be positive and finite: the queries run until the upload has ended")
    environment = simpy.Environment()
    link = Channel(environment, "WLAN", rate, discipline="sharing")
    plans = [query_steps(profile, chosen) for chosen in (np.zeros(len(profile), bool), *upload.plans)]
    arrivals, queries = [], []
    uploading = environment.process(_upload(environment, link, upload.sent_bytes, arrivals))
    environment.process(_ask(environment, link, plans, arrivals, queries))
    environment.run(uploading)
    start, latency = np.array(queries or np.empty((0, 2))).T
    return ContendedRun(start, latency, np.array(arrivals))


def _upload(environment: simpy.Environment, link: Channel, sizes: np.ndarray, arrivals: list[float]) -> Iterator:
    for size in sizes:
        yield link.send(float(size))
        arrivals.append(environment.now)


def _ask(environment, link: Channel, plans: list, arrivals: list[float], queries: list[list[float]]) -> Iterator:
    while True:
        begun = environment.now
        queries.append([begun, math.nan])
        for place, amount in plans[len(arrivals)]:
            yield link.send(amount) if place == "link" else environment.timeout(amount)
        queries[-1][1] = environment.now - begun


def _extend(steps: list[tuple[str, float]], place: str, seconds: float) -> None:
    if steps and steps[-1][0] == place:
        seconds += steps.pop()[1]
    steps.append((place, seconds))
