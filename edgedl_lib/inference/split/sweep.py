"""Measure every cut, and predict every cut from what was known before: layer profiles, the link and a ping.

The prediction for cut j is ``k * sum(device[:j]) + overhead + link(frame bytes) + sum(server[j:])``, and for the last
cut the first term alone.  None of its inputs comes from the sweep.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.split.client import SplitResult, SplitRunner
from edgedl_lib.inference.split.network import random_image
from edgedl_lib.inference.split.profile import profile_cold
from edgedl_lib.inference.split.shaper import Shaper
from edgedl_lib.inference.split.wire import frame_bytes

PINGS = 5
PROFILE_PASSES = 12


@dataclass(frozen=True, eq=False)
class SplitSweep:
    """Predicted and measured end-to-end latency of the N + 1 cuts of one network.

    Attributes
    ----------
    names : tuple of str
        "input", then the last layer on the device.
    predicted : numpy.ndarray, shape (N + 1,), s
    measured : numpy.ndarray, shape (repeats, N + 1), s
    device, transfer, server : numpy.ndarray, shape (N + 1,), s
        Medians of the measured parts.
    frame_bytes : numpy.ndarray, shape (N + 1,)
        Bytes on the link; 0 for the last cut.
    overhead : float
        Seconds of a ping beyond the link's own time.
    fallbacks : tuple of str
        Reasons of queries that the device finished alone; such a sweep measures something else.
    """

    names: tuple[str, ...]
    predicted: np.ndarray
    measured: np.ndarray
    device: np.ndarray
    transfer: np.ndarray
    server: np.ndarray
    frame_bytes: np.ndarray
    overhead: float
    fallbacks: tuple[str, ...] = ()

    @property
    def latency(self) -> np.ndarray:
        """Median measured latency of each cut, shape (N + 1,), s."""
        return np.median(self.measured, axis=0)

    @property
    def relative_error(self) -> np.ndarray:
        """Of the prediction, against the median measurement, shape (N + 1,)."""
        return np.abs(self.predicted / self.latency - 1)

    @property
    def median_relative_error(self) -> float:
        """Median over all cuts."""
        return float(np.median(self.relative_error))

    @property
    def best_measured(self) -> int:
        """The cut with the least median latency."""
        return int(np.argmin(self.latency))

    @property
    def best_predicted(self) -> int:
        """The cut that the prediction would choose."""
        return int(np.argmin(self.predicted))

    @property
    def best_cut_excess(self) -> float:
        """How much longer the predicted best cut takes than the measured best one, as a fraction."""
        return float(self.latency[self.best_predicted] / self.latency[self.best_measured] - 1)


def predict_latency(
    device_latency: np.ndarray, server_latency: np.ndarray, sent_bytes: np.ndarray, link: Shaper, *,
    device_slowdown: float = 1.0, overhead: float = 0.0, trace_start: float = 0.0,
) -> np.ndarray:  # fmt: skip
    """End-to-end latency of each cut.

    Parameters
    ----------
    device_latency, server_latency : numpy.ndarray, shape (N,)
        Seconds of each layer in either process; the device then takes `device_slowdown` times as long.
    sent_bytes : numpy.ndarray, shape (N + 1,)
        Frame at each cut; that of the last is not sent.
    link : Shaper
    overhead : float
        Fixed seconds of each exchange.
    trace_start : float
        Trace time (s) at which a query begins: a late transfer may meet another rate.

    Returns
    -------
    numpy.ndarray, shape (N + 1,), s

    Raises
    ------
    ValueError
        If the lengths do not fit.

    Examples
    --------
    >>> predict_latency([0.1, 0.1], [0.1, 0.1], [2000, 500, 80], Shaper(8e4), device_slowdown=3.0).round(3).tolist()
    [0.4, 0.45, 0.6]
    """
    ours, theirs, sizes = (np.asarray(a, dtype=float) for a in (device_latency, server_latency, sent_bytes))
    if ours.shape != theirs.shape or sizes.shape != (ours.size + 1,):
        raise ValueError(f"profiles of {ours.size} and {theirs.size} layers do not fit {sizes.size} cuts; N need N + 1")
    device = device_slowdown * np.concatenate([[0.0], np.cumsum(ours)])  # (N + 1,), before each cut
    server = np.append(np.cumsum(theirs[::-1])[::-1], 0.0)  # (N + 1,), after each cut
    transfer = [link.transfer_time(size, trace_start + t) for size, t in zip(sizes, device, strict=True)]
    exchange = overhead + np.array(transfer) + server
    exchange[-1] = 0.0  # nothing is sent, nobody answers
    return device + exchange


def sent_bytes(runner: SplitRunner, dtype: np.typing.DTypeLike = np.uint8) -> np.ndarray:
    """Frame bytes at each cut, headers included, shape (N + 1,): `dtype` at cut 0, float32 behind it, 0 at cut N."""
    network = runner.network
    sizes = [frame_bytes(network.boundary_shape(cut), np.float32) for cut in range(network.layer_count)]
    return np.array([frame_bytes(network.boundary_shape(0), dtype), *sizes[1:], 0])


def profile_in_turn(runner: SplitRunner, passes: int = PROFILE_PASSES) -> tuple[np.ndarray, np.ndarray]:
    """Median latency of each layer on the device and on the server, two arrays of shape (N,) in s, not slowed down.

    The two processes take turns, as in a split run, and so push each other's weights out of the shared cache: a profile
    of one process alone comes out a fifth too short.
    """
    turns = [(profile_cold(runner.network, rounds=1), runner.profile_server(passes=1)) for _ in range(passes)]
    device, server = np.median(turns, axis=0)
    return device, server


def measure_overhead(runner: SplitRunner, pings: int = PINGS) -> float:
    """Median seconds that a ping takes beyond the link's own time: waking processes, copying, the way back."""
    runner.ping()  # opens the connection
    bare = runner.shaper.transfer_time(frame_bytes((1,), np.float32))
    return max(0.0, float(np.median([runner.ping() for _ in range(pings)]) - bare))


def sweep_cuts(
    runner: SplitRunner, values: np.ndarray | None = None, *, repeats: int = 3, seed: int = 0,
    profile_passes: int = PROFILE_PASSES, trace_start: float = 0.0,
) -> SplitSweep:  # fmt: skip
    """Predict and measure every cut.

    Each round first profiles the layers and pings the server, then queries all cuts in a random order.  Prediction and
    measurement are medians over rounds, so that both see the same weather on a machine that has other work to do; yet
    neither knows the other's figures.

    Parameters
    ----------
    runner : SplitRunner
        Entered.
    values : numpy.ndarray, optional
        The query; by default a uint8 image of noise.
    repeats : int
        Rounds.
    seed : int
        Of the orders.
    profile_passes : int
        Passes of each layer profile, in each round and on either side.
    trace_start : float
        Trace time (s) at which every query begins.
    """
    values = random_image(runner.network.graph, seed) if values is None else values
    generator = np.random.default_rng(seed)
    runner.run(values, 0, trace_start=trace_start)  # warms both processes up
    rounds = [_round(runner, values, profile_passes, generator, trace_start) for _ in range(repeats)]
    sizes = sent_bytes(runner, np.asarray(values).dtype)
    overhead = float(np.median([one.overhead for one in rounds]))
    predicted = predict_latency(
        np.median([one.device_latency for one in rounds], axis=0),
        np.median([one.server_latency for one in rounds], axis=0), sizes, runner.shaper,
        device_slowdown=runner.device_slowdown, overhead=overhead, trace_start=trace_start,
    )  # fmt: skip
    device, transfer, server, total = (_seconds(rounds, part) for part in ("device", "transfer", "server", "total"))
    return SplitSweep(
        names=("input", *runner.network.graph.layer_names), predicted=predicted, measured=total,
        device=np.median(device, axis=0), transfer=np.median(transfer, axis=0), server=np.median(server, axis=0),
        frame_bytes=sizes, overhead=overhead,
        fallbacks=tuple(result.reason for one in rounds for result in one.results if result.fell_back),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Round:
    device_latency: np.ndarray  # (N,) s, not slowed down
    server_latency: np.ndarray  # (N,) s
    overhead: float  # s
    results: list[SplitResult]  # of cuts 0 to N


def _round(
    runner: SplitRunner, values: np.ndarray, profile_passes: int, generator: np.random.Generator, trace_start: float
) -> _Round:
    network = runner.network
    profiles = profile_in_turn(runner, profile_passes)
    overhead = measure_overhead(runner)
    order = generator.permutation(network.layer_count + 1).tolist()
    results = {cut: runner.run(values, cut, trace_start=trace_start) for cut in order}
    return _Round(*profiles, overhead, [results[cut] for cut in sorted(results)])


def _seconds(rounds: list[_Round], part: str) -> np.ndarray:
    return np.array([[getattr(result, f"{part}_seconds") for result in one.results] for one in rounds])
