"""Links whose rate changes: piecewise-constant throughput traces, recorded or synthetic.

Between two samples the rate is that of the earlier one, so the bits delivered are a piecewise-linear function of time.
Transfer times come from inverting that function exactly, never from stepping through time.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from edgedl_lib.system.link import bits

BIT_PER_MEGABIT = 1e6

#: A transfer that ends on a sample, but for rounding, ends there: it does not wait for the next rate, which may be 0.
ROUNDING = 8 * np.finfo(float).eps

#: Column of a trace file that holds the rate, by direction; files with one direction call it `throughput_mbps`.
DIRECTION_COLUMNS = {"downlink": ("downlink_mbps", "throughput_mbps"), "uplink": ("uplink_mbps", "throughput_mbps")}


@dataclass(frozen=True, eq=False)
class Trace:
    """A piecewise-constant rate.

    Attributes
    ----------
    name : str
    time : numpy.ndarray, shape (S,)
        Seconds, strictly increasing.
    rate : numpy.ndarray, shape (S,)
        bit/s from ``time[i]`` until ``time[i + 1]``; the last rate holds for ever.

    Examples
    --------
    >>> trace = Trace("step", time=[0, 10], rate=[8e6, 0.8e6])  # 1 MB/s for ten seconds, then 0.1 MB/s
    >>> trace.rate_at(12)
    800000.0
    >>> trace.transfer_time(2_000_000, start=9)  # one second at 1 MB/s, ten seconds at 0.1 MB/s
    11.0
    """

    name: str
    time: np.ndarray
    rate: np.ndarray
    _delivered: np.ndarray = field(init=False, repr=False, compare=False)  # bits until each sample, (S,)

    def __post_init__(self) -> None:
        time = np.array(self.time, dtype=float, ndmin=1)
        rate = np.array(self.rate, dtype=float, ndmin=1)
        _require_samples(self.name, time, rate)
        delivered = np.concatenate([[0.0], np.cumsum(np.diff(time) * rate[:-1])])
        for label, array in (("time", time), ("rate", rate), ("_delivered", delivered)):
            array.flags.writeable = False
            object.__setattr__(self, label, array)

    @property
    def duration(self) -> float:
        """Seconds between the first and the last sample."""
        return float(self.time[-1] - self.time[0])

    @property
    def mean_rate(self) -> float:
        """Time-weighted mean rate (bit/s) over the recording."""
        return float(self._delivered[-1] / self.duration) if self.duration else float(self.rate[0])

    def rate_at(self, t: ArrayLike) -> np.ndarray | float:
        """Rate (bit/s) at time `t` (s, any shape)."""
        return _plain(self.rate[self._segment(t)])

    def delivered_until(self, t: ArrayLike) -> np.ndarray | float:
        """Bits that a sender busy since the first sample has delivered by time `t` (s, any shape)."""
        segment = self._segment(t)
        return _plain(self._delivered[segment] + (np.asarray(t, dtype=float) - self.time[segment]) * self.rate[segment])

    def transfer_time(self, size_bytes: ArrayLike, start: ArrayLike = 0.0) -> np.ndarray | float:
        """Seconds that a transfer begun at `start` takes.

        Parameters
        ----------
        size_bytes : array_like
            Bytes; broadcast against `start`.
        start : array_like
            Seconds, not before the first sample.

        Returns
        -------
        numpy.ndarray or float
            Seconds; infinite if the trace ends at rate 0 before the last byte.

        Raises
        ------
        ValueError
            If a size is negative or NaN, or a start lies before the trace.
        """
        payload, start = np.broadcast_arrays(bits(size_bytes), np.asarray(start, dtype=float))
        goal = self.delivered_until(start) + payload
        reached = goal * (1 - ROUNDING)
        segment = np.maximum(np.searchsorted(self._delivered, reached, side="left") - 1, self._segment(start))
        begun = np.maximum(self.time[segment], start)
        missing = goal - self.delivered_until(begun)
        with np.errstate(divide="ignore", invalid="ignore"):
            end = begun + np.where(missing > 0, missing / self.rate[segment], 0.0)
        return _plain(np.where(payload > 0, end - start, 0.0))

    def _segment(self, t: ArrayLike) -> np.ndarray:
        t = np.asarray(t, dtype=float)
        if not np.all(t >= self.time[0]):
            raise ValueError(f"trace {self.name!r} begins at {self.time[0]} s: no rate is known at {np.min(t)} s")
        return np.searchsorted(self.time, t, side="right") - 1


def trace_names(path: str | os.PathLike) -> list[str]:
    """Names of the traces in a trace file, in the file's order."""
    return list(dict.fromkeys(row["trace"] for row in _rows(path)))


def load_trace(name: str, path: str | os.PathLike, *, direction: str = "downlink") -> Trace:
    """Read one recorded trace from a CSV file.

    Two formats are known: ``trace, time_s, throughput_mbps`` (Riiser et al. 2013, 3G, downlink, Mb/s) and
    ``trace, time_s, mode, downlink_mbps, uplink_mbps, speed_kmh`` (Raca et al. 2020, LTE and 5G).  Time is shifted to
    begin at 0; samples with the same time stamp are averaged.

    Parameters
    ----------
    name : str
        Trace name, or its last path component.
    path : path
    direction : {"downlink", "uplink"}
        A file with a single throughput column serves both.

    Raises
    ------
    ValueError
        If the file is missing a column or holds a value that is not a number.
    KeyError
        If the file has no trace of that name.
    FileNotFoundError
        If there is no such file.
    """
    if direction not in DIRECTION_COLUMNS:
        raise ValueError(f"direction {direction!r} is unknown: use 'downlink' or 'uplink'")
    rows = [row for row in _rows(path) if name in (row["trace"], row["trace"].rsplit("/", 1)[-1])]
    if not rows:
        raise KeyError(f"no trace {name!r} in {os.fspath(path)}: trace_names() lists what it holds")
    column = _rate_column(path, rows[0], direction)
    return _averaged(name, _numbers(path, rows, "time_s"), BIT_PER_MEGABIT * _numbers(path, rows, column))


def synthetic_trace(
    seed: int | np.random.Generator,
    low: float = 0.5e6,
    high: float = 8e6,
    duration: float = 600.0,
    step: float = 1.0,
    correlation: float = 0.95,
) -> Trace:
    """LTE-like trace: an autoregressive walk of the logarithm of the rate, kept in [`low`, `high`].

    Parameters
    ----------
    seed : int or numpy.random.Generator
    low, high : float
        bit/s.
    duration, step : float
        Seconds.
    correlation : float
        Of consecutive samples, in [0, 1).

    Returns
    -------
    Trace
        ``ceil(duration / step)`` samples.

    Examples
    --------
    >>> trace = synthetic_trace(seed=0, duration=60)
    >>> len(trace.rate), bool(trace.rate.min() >= 0.5e6), bool(trace.rate.max() <= 8e6)
    (60, True, True)
    """
    if not (0 < low <= high < np.inf and duration > 0 and step > 0 and 0 <= correlation < 1):
        raise ValueError(
            f"a synthetic trace needs 0 < low <= high, positive duration and step, and a correlation in [0, 1), "
            f"not {low}, {high}, {duration}, {step}, {correlation}"
        )
    time = np.arange(0.0, duration, step)
    walk = _autoregressive(np.random.default_rng(seed), len(time), correlation)
    share = 0.5 + 0.5 * np.tanh(walk)  # into (0, 1) without piling up at the bounds
    return Trace("synthetic", time, np.clip(low * (high / low) ** share, low, high))


def _autoregressive(generator: np.random.Generator, count: int, correlation: float) -> np.ndarray:
    shocks = generator.standard_normal(count)
    shocks[1:] *= np.sqrt(1 - correlation**2)  # unit variance throughout
    walk = np.empty(count)
    state = 0.0
    for index, shock in enumerate(shocks):
        state = correlation * state + shock
        walk[index] = state
    return walk


def _require_samples(name: str, time: np.ndarray, rate: np.ndarray) -> None:
    if time.size == 0 or time.shape != rate.shape or time.ndim != 1:
        raise ValueError(
            f"trace {name!r} needs one rate per time and at least one sample, not {time.size} and {rate.size}"
        )
    if not (np.all(np.isfinite(time)) and np.all(np.diff(time) > 0)):
        raise ValueError(f"the times of trace {name!r} must be finite and strictly increasing")
    if not (np.all(np.isfinite(rate)) and np.all(rate >= 0)):
        wrong = rate[~(np.isfinite(rate) & (rate >= 0))][0]
        raise ValueError(f"the rates of trace {name!r} must be finite and not negative, not {wrong} bit/s")


def _rows(path: str | os.PathLike) -> list[dict[str, str]]:
    if not Path(path).is_file():
        raise FileNotFoundError(f"no trace file {os.fspath(path)}: give the path of a recorded-trace CSV file")
    with open(path, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or not {"trace", "time_s"} <= rows[0].keys():
        raise ValueError(f"{os.fspath(path)} is no trace file: its columns must include trace and time_s")
    return rows


def _rate_column(path: str | os.PathLike, row: dict[str, str], direction: str) -> str:
    for column in DIRECTION_COLUMNS[direction]:
        if column in row:
            return column
    raise ValueError(f"{os.fspath(path)} has no {direction} column: need one of {DIRECTION_COLUMNS[direction]}")


def _numbers(path: str | os.PathLike, rows: list[dict[str, str]], column: str) -> np.ndarray:
    try:
        return np.array([float(row[column]) for row in rows])
    except (TypeError, ValueError) as error:
        raise ValueError(f"column {column} of {os.fspath(path)} holds a value that is no number: {error}") from error


def _averaged(name: str, time: np.ndarray, rate: np.ndarray) -> Trace:
    stamps, position, count = np.unique(time, return_inverse=True, return_counts=True)
    return Trace(name, stamps - stamps[0], np.bincount(position, weights=rate) / count)


def _plain(array: np.ndarray) -> np.ndarray | float:
    return array if np.ndim(array) else float(array)
