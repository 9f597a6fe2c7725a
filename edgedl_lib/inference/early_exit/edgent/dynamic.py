"""Edgent on a link that changes: a stream of queries, each decided by the rate that was seen when it was asked.

The journal version (Li et al. 2020, "Edge AI") adds what a fast-changing link needs: a *configuration map* from
bandwidth states to plans, made in advance, and a change-point detector, so that a plan changes when the state does and
not with every wiggle of the measured rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.early_exit.edgent.baselines import BASELINES, POLICIES, policy_tables
from edgedl_lib.inference.early_exit.edgent.optimiser import NONE, ExitCosts, choose
from edgedl_lib.inference.partition.validation import checked_rates, checked_scalar
from edgedl_lib.system.trace import Trace

LEAST_RATE = 1e3  # bit/s, that a probe can tell from nothing


@dataclass(frozen=True, eq=False)
class StreamRun:
    """What became of Q queries; arrays (Q,).

    Attributes
    ----------
    start : s
    seen_rate : bit/s that the decision relied on
    exit, split : the plan; -1 where the policy gave up
    latency : s, infinite where it gave up
    deadline : s
    accuracy : of the exit taken, 0 where it gave up
    """

    start: np.ndarray
    seen_rate: np.ndarray
    exit: np.ndarray
    split: np.ndarray
    latency: np.ndarray
    deadline: float
    accuracy: np.ndarray

    @property
    def in_time(self) -> np.ndarray:
        """(Q,), whether the answer came before the deadline."""
        return self.latency <= self.deadline

    @property
    def met_share(self) -> float:
        """Share of the queries answered in time."""
        return float(self.in_time.mean())

    @property
    def mean_accuracy(self) -> float:
        """Mean accuracy of the answers that came in time, 0 without any."""
        return float(self.accuracy[self.in_time].mean()) if self.in_time.any() else 0.0

    @property
    def useful_share(self) -> float:
        """Expected share of the queries whose answer is right and in time."""
        return float(np.mean(self.accuracy * self.in_time))

    @property
    def switches(self) -> int:
        """How often the plan changes from one query to the next."""
        return int(np.sum((np.diff(self.exit) != 0) | (np.diff(self.split) != 0)))


def run_stream(
    policy: str, exits: Sequence[ExitCosts], trace: Trace, start: np.ndarray, deadline: float, seen_rate=None
) -> StreamRun:
    """Answer queries over a trace; each has the link and both computers to itself.

    Parameters
    ----------
    policy : one of ``baselines.POLICIES``
    start : (Q,) s, when queries are asked
    deadline : s
    seen_rate : (Q,) bit/s, what the decision relies on; by default the trace's rate when the query is asked
    """
    deadline = checked_scalar("deadline", deadline)
    start = np.asarray(start, dtype=float)
    seen_rate = checked_rates(trace.rate_at(start) if seen_rate is None else seen_rate)
    if seen_rate.shape != start.shape:
        raise ValueError(f"{start.size} queries but {seen_rate.size} seen rates: give one for each")
    accuracies = [each.accuracy for each in exits]
    plan = choose(policy_tables(policy, exits, seen_rate), accuracies, seen_rate, deadline)
    exit_index, split = plan.exit[:, 0], plan.split[:, 0]
    latency = stream_latency(exits, exit_index, split, trace, start)
    return StreamRun(start, seen_rate, exit_index, split, latency, deadline, plan.accuracy[:, 0])


def run_policies(exits: Sequence[ExitCosts], trace: Trace, deadline: float, every: float = 2.0) -> dict[str, StreamRun]:
    """The same stream, a query each `every` s over the whole trace, under Edgent and each baseline."""
    start = np.arange(trace.time[0], trace.time[-1], checked_scalar("every", every, positive=True))
    return {policy: run_stream(policy, exits, trace, start, deadline) for policy in POLICIES}


def gain(runs: dict[str, StreamRun]) -> float:
    """Edgent's share of answers right and in time minus that of its best baseline."""
    return runs["Edgent"].useful_share - max(runs[policy].useful_share for policy in BASELINES)


def measured_rates(trace: Trace, start: np.ndarray, seed: int, noise: float = 0.3) -> np.ndarray:
    """What a bandwidth probe reports when each query is asked: the rate times log-normal noise, (Q,) bit/s.

    A link that is down reports the least that a probe can tell, 1 kbit/s.
    """
    noise = checked_scalar("noise", noise)
    factor = np.exp(np.random.default_rng(seed).normal(0.0, noise, len(start)))
    return np.maximum(trace.rate_at(start), LEAST_RATE) * factor


def mapped_rates(rates, states) -> np.ndarray:
    """The state of the configuration map that answers for each rate: the highest not above it, or the lowest.

    Parameters
    ----------
    rates : (Q,) bit/s
    states : (K,) bit/s, increasing: the map holds one plan for each

    Raises
    ------
    ValueError
        If the states do not increase.

    Examples
    --------
    >>> mapped_rates([40e3, 99e3, 1e6], [50e3, 100e3, 200e3]).tolist()
    [50000.0, 50000.0, 200000.0]
    """
    states = checked_rates(states)
    if (np.diff(states) <= 0).any():
        raise ValueError(f"the {states.size} states of a configuration map must increase")
    return states[np.maximum(np.searchsorted(states, checked_rates(rates), side="right") - 1, 0)]


def noisy_streams(
    exits: Sequence[ExitCosts], trace: Trace, states, deadline: float, seed: int, every: float = 2.0
) -> tuple[StreamRun, StreamRun]:
    """Edgent on a noisy probe, through the configuration map: by the newest measurement, and by the detected state."""
    start = np.arange(trace.time[0], trace.time[-1], every)
    probed = measured_rates(trace, start, seed)
    seen = (mapped_rates(each, states) for each in (probed, detect_states(probed)))
    newest, detected = (run_stream("Edgent", exits, trace, start, deadline, rates) for rates in seen)
    return newest, detected


def switch_ratio(newest: StreamRun, detected: StreamRun) -> float:
    """Plan changes by the detected state over those by the newest measurement.

    Raises
    ------
    ValueError
        If the newest measurement never changes the plan.
    """
    if newest.switches == 0:
        raise ValueError("the plan never changes on this trace: choose a link that crosses a decision")
    return detected.switches / newest.switches


def stream_latency(
    exits: Sequence[ExitCosts], exit_index: np.ndarray, split: np.ndarray, trace: Trace, start: np.ndarray
) -> np.ndarray:
    """Latency (Q,) in s of plans already chosen, on the link as it really is: up, server, down, device."""
    latency = np.full(len(start), np.inf)
    for index, split_point in sorted(set(zip(exit_index.tolist(), split.tolist(), strict=True)) - {(NONE, NONE)}):
        rows = (exit_index == index) & (split == split_point)
        chain = exits[index].chain
        device = chain.device_latency[split_point:].sum()
        if split_point == 0:
            latency[rows] = device
            continue
        up = trace.transfer_time(chain.transfer_bytes[0], start[rows])
        server = chain.server_latency[:split_point].sum()
        with np.errstate(invalid="ignore"):
            down = trace.transfer_time(chain.transfer_bytes[split_point], start[rows] + np.where(up < np.inf, up, 0))
        latency[rows] = up + server + down + device
    return latency


def detect_states(rates, threshold: float = 2.0, drift: float = 0.25) -> np.ndarray:
    """Bandwidth state behind noisy measured rates: their geometric mean since the last change point, (Q,), bit/s.

    A change point is where the cumulative deviation of the logarithm of the rate from the state's mean, less `drift`
    each time, passes `threshold` in either direction (Page's CUSUM test stands in for the paper's Bayesian detector).
    Only measurements up to the present one are used.

    >>> detect_states([1e6, 1e6, 1e6, 1e5, 1e5]).round(-3).tolist()
    [1000000.0, 1000000.0, 1000000.0, 100000.0, 100000.0]

    Raises
    ------
    ValueError
        If a rate is not positive, or threshold or drift is negative.
    """
    logs = np.log(_positive(rates))
    threshold, drift = checked_scalar("threshold", threshold), checked_scalar("drift", drift)
    states, total, count, rise, fall = np.empty(logs.size), 0.0, 0, 0.0, 0.0
    for position, value in enumerate(logs.tolist()):
        deviation = value - total / count if count else 0.0
        rise, fall = max(0.0, rise + deviation - drift), max(0.0, fall - deviation - drift)
        if max(rise, fall) > threshold:
            total, count, rise, fall = 0.0, 0, 0.0, 0.0
        total, count = total + value, count + 1
        states[position] = np.exp(total / count)
    return states


def _positive(rates) -> np.ndarray:
    rates = checked_rates(rates)
    if not ((rates > 0) & np.isfinite(rates)).all():
        raise ValueError("a bandwidth state needs measured rates above 0 and below infinity: leave out the gaps")
    return rates
