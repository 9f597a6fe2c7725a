"""The link of a phone that moves: between nothing and 10 Mbit/s, made up or recorded."""

from __future__ import annotations

import os

import numpy as np

from edgedl_lib.system.trace import Trace, load_trace, synthetic_trace, trace_names

DURATION = 120.0  # s
INTERVAL = 1.0  # s between two decisions
LOWEST, HIGHEST = 0.05e6, 10e6  # bit/s while connected
OUTAGES, OUTAGE_LENGTH = 2, 5.0  # s each


def moving_phone(seed: int) -> Trace:
    """Two minutes of an uplink between 0.05 and 10 Mbit/s that breaks off twice.

    Examples
    --------
    >>> trace = moving_phone(0)
    >>> len(trace.rate), float(trace.rate.min()), bool(trace.rate.max() <= 10e6)
    (120, 0.0, True)
    """
    generator = np.random.default_rng(seed)
    walk = synthetic_trace(generator, LOWEST, HIGHEST, DURATION, INTERVAL, correlation=0.9)
    rate = walk.rate.copy()
    for start in generator.uniform(0, DURATION - OUTAGE_LENGTH, OUTAGES):
        rate[(walk.time >= start) & (walk.time < start + OUTAGE_LENGTH)] = 0.0
    return Trace("moving phone", walk.time, rate)


def recorded_phones(path: str | os.PathLike) -> list[Trace]:
    """All recordings of a trace file that last two minutes.

    A recording of throughput is the rate of a link only in the direction that was kept busy.  Those of Riiser et al.
    2013 are downloads over 3G; they stand for an uplink of that kind.

    Raises
    ------
    ValueError
        If the file holds none.
    """
    recordings = [load_trace(name, path) for name in trace_names(path)]
    long = [trace for trace in recordings if trace.duration >= DURATION]
    if not long:
        raise ValueError(
            f"{os.fspath(path)} holds no recording of two minutes among {len(recordings)}: use another file"
        )
    return long


def decisions(trace: Trace) -> np.ndarray:
    """Bandwidth (bit/s) at the start of every interval of the first two minutes, shape (T,)."""
    return np.asarray(trace.rate_at(np.arange(0, DURATION, INTERVAL)))
