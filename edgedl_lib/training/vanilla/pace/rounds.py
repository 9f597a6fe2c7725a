"""One round as the server sees it: selection, configuration, reporting; committed or abandoned ([199], section 2).

Nothing here waits: a round is decided by the times at which devices check in and report, and every outcome has a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RoundRules:
    """What a server decides before a round.

    Attributes
    ----------
    target : int
        Reports that the round wants.
    chosen : int
        Seats: devices that are told to train; more than the target where drop-outs are expected.
    fewest : int
        Check-ins and reports below which the round is abandoned.
    selection_seconds, reporting_seconds : float
        Time limits of the two phases.
    """

    target: int
    chosen: int
    fewest: int
    selection_seconds: float = 60.0
    reporting_seconds: float = 120.0

    def __post_init__(self) -> None:
        if not 1 <= self.fewest <= self.target <= self.chosen:
            counts = f"fewest {self.fewest}, target {self.target}, chosen {self.chosen}"
            raise ValueError(f"{counts}: a round needs 1 <= fewest <= target <= chosen")


@dataclass(frozen=True)
class Outcome:
    """How a round ended.

    Attributes
    ----------
    committed : bool
    reason : str
        Why it was abandoned; empty if it was not.
    seconds : float
        From the first moment of selection to the decision.
    seats : numpy.ndarray of int
        Devices that were told to train.
    counted : numpy.ndarray of int
        Devices whose update is in the model, in the order in which they reported.
    """

    committed: bool
    reason: str
    seconds: float
    seats: np.ndarray
    counted: np.ndarray


def hold_round(
    arrivals: np.ndarray,
    durations: np.ndarray,
    rules: RoundRules,
    generator: np.random.Generator,
    choose=None,
) -> Outcome:
    """Decide a round.

    Parameters
    ----------
    arrivals : numpy.ndarray, shape (devices,)
        When each device checks in (s), infinite for never; only those within the selection window count.
    durations : numpy.ndarray, shape (devices,)
        Training and upload of each (s); infinite for a device that drops out.
    choose : callable, optional
        From (arrival order, seats, generator) to the seats taken; reservoir sampling if not given.
    """
    order = np.argsort(arrivals, kind="stable")
    present = order[arrivals[order] <= rules.selection_seconds]
    nobody = np.array([], dtype=int)
    if len(present) < rules.fewest:
        reason = f"{len(present)} devices checked in, {rules.fewest} are needed"
        return Outcome(False, reason, rules.selection_seconds, nobody, nobody)
    seats = np.asarray((choose or reservoir)(present, rules.chosen, generator))
    by_report = seats[np.argsort(durations[seats], kind="stable")]
    in_time = by_report[durations[by_report] <= rules.reporting_seconds][: rules.target]
    whole = rules.selection_seconds + rules.reporting_seconds
    if len(in_time) < rules.fewest:
        reason = f"{len(in_time)} of {len(seats)} devices reported, {rules.fewest} are needed"
        return Outcome(False, reason, whole, seats, nobody)
    full = len(in_time) == rules.target
    return Outcome(True, "", rules.selection_seconds + durations[in_time[-1]] if full else whole, seats, in_time)


def reservoir(arrivals: np.ndarray, seats: int, generator: np.random.Generator) -> np.ndarray:
    """A fair draw from a stream whose length nobody knows: after each arrival all so far have the same chance.

    Examples
    --------
    >>> reservoir(np.arange(3), 5, np.random.default_rng(0)).tolist()
    [0, 1, 2]
    """
    taken: list = []
    for count, device in enumerate(arrivals, 1):
        if len(taken) < seats:
            taken.append(device)
        elif (place := int(generator.integers(count))) < seats:
            taken[place] = device
    return np.array(taken, dtype=int)


def first_come(arrivals: np.ndarray, seats: int, generator: np.random.Generator) -> np.ndarray:
    """The first ones get the seats: quick to say, and biased towards whoever comes early."""
    return np.asarray(arrivals[:seats], dtype=int)
