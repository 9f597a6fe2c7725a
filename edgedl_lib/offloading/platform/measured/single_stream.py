"""Single-stream latency as MLPerf Mobile defines it: one query at a time, reported at the 90th percentile.

The mean hides what a user of an interactive application notices; the 90th percentile does not. A run lasts for a
minimum number of queries *and* a minimum time, so that neither a slow model nor a fast one escapes with a handful of
samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

MLPERF_QUERIES = 1024  # minimum of MLPerf Mobile v0.7's task files
MLPERF_SECONDS = 60.0  # likewise; the quick profile runs shorter and says so


@dataclass(frozen=True)
class SingleStream:
    """Latencies of consecutive queries (s), in order.

    Examples
    --------
    >>> SingleStream((0.1,) * 9 + (1.0,)).percentile(90) < 1.0
    True
    """

    latencies: tuple[float, ...]

    def percentile(self, share: float = 90.0) -> float:
        """Latency (s) that `share` percent of the queries stay below."""
        return float(np.percentile(self.latencies, share))

    @property
    def mean(self) -> float:
        """Mean latency (s)."""
        return float(np.mean(self.latencies))

    @property
    def queries(self) -> int:
        """Queries answered."""
        return len(self.latencies)


def single_stream(
    query: Callable[[], object],
    *,
    minimum_queries: int = MLPERF_QUERIES,
    minimum_seconds: float = MLPERF_SECONDS,
    clock: Callable[[], float] = perf_counter,
) -> SingleStream:
    """Send one query after the other until both minima are reached.

    Parameters
    ----------
    query : function without arguments
        One inference, with everything that a deployed system would execute.
    minimum_queries : int
    minimum_seconds : float
        Measured time, warm-up excluded (s).
    clock : function
        Replaceable, so that the harness itself can be tested without waiting.

    Raises
    ------
    ValueError
        If a minimum is not positive.
    """
    if minimum_queries < 1 or minimum_seconds < 0:
        raise ValueError(f"a run of {minimum_queries} queries and {minimum_seconds} s is no run; ask for at least one")
    query()
    latencies: list[float] = []
    begin = clock()
    while len(latencies) < minimum_queries or clock() - begin < minimum_seconds:
        start = clock()
        query()
        latencies.append(clock() - start)
    return SingleStream(tuple(latencies))
