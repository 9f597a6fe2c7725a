"""Upload, then processing: the two-stage flow shop and Johnson's rule (Johnson 1954; LAVEA's task queue [106])."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations

import numpy as np


@dataclass(frozen=True)
class Jobs:
    """K jobs of two stages.

    Attributes
    ----------
    upload, processing : numpy.ndarray, shape (K,)
        Seconds on the link and on the server.
    """

    upload: np.ndarray
    processing: np.ndarray

    def __post_init__(self) -> None:
        for name in ("upload", "processing"):
            seconds = np.asarray(getattr(self, name), dtype=float)
            if seconds.ndim != 1 or not np.all(np.isfinite(seconds) & (seconds >= 0)):
                raise ValueError(f"{name} times must be a list of finite seconds, zero or more, not {seconds}")
            object.__setattr__(self, name, seconds)
        if self.upload.shape != self.processing.shape:
            raise ValueError(f"{self.upload.size} upload times for {self.processing.size} processing times: one each")


def johnson_order(jobs: Jobs) -> np.ndarray:
    """Order of smallest makespan, shape (K,): short uploads open, short processing closes.

    Jobs that upload faster than they compute come first, by rising upload; the others follow by falling processing.

    Examples
    --------
    >>> johnson_order(Jobs([3, 1, 4], [2, 5, 4])).tolist()
    [1, 2, 0]
    """
    opens = jobs.upload < jobs.processing
    first, last = np.flatnonzero(opens), np.flatnonzero(~opens)
    by_upload = first[np.argsort(jobs.upload[first], kind="stable")]
    by_processing = last[np.argsort(-jobs.processing[last], kind="stable")]
    return np.concatenate([by_upload, by_processing])


def completion_times(jobs: Jobs, orders: np.ndarray) -> np.ndarray:
    """Seconds at which the job in each position is done, shape of `orders` (..., K).

    Both stages serve in the same order: ``done[k] = max(uploaded[k], done[k - 1]) + processing[k]``.
    """
    orders = np.asarray(orders)
    processing = jobs.processing[orders]
    uploaded = np.cumsum(jobs.upload[orders], axis=-1)
    served = np.cumsum(processing, axis=-1)
    return served + np.maximum.accumulate(uploaded - (served - processing), axis=-1)


def makespan(jobs: Jobs, orders: np.ndarray) -> np.ndarray:
    """Seconds until the last job is done, one per order."""
    return completion_times(jobs, orders)[..., -1]


def best_makespan(jobs: Jobs) -> float:
    """Smallest makespan over all K! orders, for small K."""
    if jobs.upload.size > 8:
        raise ValueError(f"{jobs.upload.size} jobs have too many orders to try: use johnson_order, or at most 8 jobs")
    return float(makespan(jobs, all_orders(jobs.upload.size)).min())


def all_orders(count: int) -> np.ndarray:
    """All permutations of `count` jobs, shape (count!, count)."""
    return np.array(list(permutations(range(count))), dtype=int).reshape(-1, count)


Rule = Callable[[float, float], tuple]


def by_arrival(upload: float, processing: float) -> tuple:
    """First come, first served."""
    return ()


def by_johnson(upload: float, processing: float) -> tuple:
    """Key that sorts waiting jobs as :func:`johnson_order` does."""
    return (0, upload) if upload < processing else (1, -processing)


def by_total(upload: float, processing: float) -> tuple:
    """Shortest job first."""
    return (upload + processing,)


def by_processing(upload: float, processing: float) -> tuple:
    """Shortest processing first."""
    return (processing,)


RULES: dict[str, Rule] = {
    "first come": by_arrival,
    "Johnson": by_johnson,
    "shortest job": by_total,
}


def stream_latencies(arrivals: np.ndarray, jobs: Jobs, rule: Rule) -> np.ndarray:
    """Seconds from arrival to end of jobs that arrive over time, shape (K,).

    Whenever the link becomes free, the waiting job that the rule prefers is uploaded; when the server becomes free, it
    takes the uploaded job that the rule prefers.  Nothing that has begun is interrupted.

    Parameters
    ----------
    arrivals : numpy.ndarray, shape (K,)
        Seconds, not decreasing.
    """
    uploads, services = jobs.upload.tolist(), jobs.processing.tolist()
    keys = [(*rule(a, b), index) for index, (a, b) in enumerate(zip(uploads, services, strict=True))]
    uploaded = _serve(np.asarray(arrivals, dtype=float), uploads, keys)
    return _serve(uploaded, services, keys) - arrivals


def _serve(ready: np.ndarray, seconds: list[float], keys: list[tuple]) -> np.ndarray:
    """End of service at one server that always takes the ready job of the smallest key."""
    order = np.argsort(ready, kind="stable").tolist()
    times, finish, waiting = ready.tolist(), np.empty(len(order)), []
    now, position = 0.0, 0
    for _ in order:
        if not waiting:
            now = max(now, times[order[position]])
        while position < len(order) and times[order[position]] <= now:
            heapq.heappush(waiting, (keys[order[position]], order[position]))
            position += 1
        job = heapq.heappop(waiting)[1]
        now += seconds[job]
        finish[job] = now
    return finish
