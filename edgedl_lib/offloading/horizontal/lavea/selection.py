"""Which tasks leave their client when all clients share one uplink (LAVEA, Yi et al. 2017 [106]).

With tasks placed, the best shares of the uplink have a closed form: minimising ``sum b_i / r_i`` under ``sum r_i <= R``
gives ``r_i ~ sqrt(b_i)`` and a total of ``(sum sqrt(b_i))^2 / R``.  What remains is a choice of bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgedl_lib.system.link import bits

MOST_BINARIES = 12
SOFTENING = 1e-9  # of a square root at zero, relative to the largest upload


@dataclass(frozen=True)
class SelectionProblem:
    """V tasks of several clients.

    Attributes
    ----------
    client : numpy.ndarray, shape (V,)
        Index of each task's client.
    local_seconds, edge_seconds : numpy.ndarray, shape (V,)
        On the client and at the edge.
    sources : numpy.ndarray, shape (E,)
        Task that each datum comes from; -1 for the camera, which stays on the client.
    targets : numpy.ndarray, shape (E,)
        Task that the datum goes to.
    size_bytes : numpy.ndarray, shape (E,)
        Bytes that cross the radio if source and target are on different sides.
    uplink : float
        bit/s that all clients share.
    """

    client: np.ndarray
    local_seconds: np.ndarray
    edge_seconds: np.ndarray
    sources: np.ndarray
    targets: np.ndarray
    size_bytes: np.ndarray
    uplink: float

    def __post_init__(self) -> None:
        if not self.uplink > 0:
            raise ValueError(f"the shared uplink must have a positive rate in bit/s, not {self.uplink}")
        if not len(self.client) == len(self.local_seconds) == len(self.edge_seconds):
            raise ValueError("every task needs a client, seconds on the client and seconds at the edge")

    @property
    def tasks(self) -> int:
        """Number of binary decisions V."""
        return len(self.client)

    @cached_property
    def size_bits(self) -> np.ndarray:
        """Bits of each datum, shape (E,)."""
        return bits(self.size_bytes)

    @cached_property
    def owner(self) -> np.ndarray:
        """Client of each datum, shape (E,)."""
        return self.client[self.targets]

    @cached_property
    def owners(self) -> np.ndarray:
        """The same as a matrix of zeros and ones, shape (E, clients)."""
        return (self.owner[:, None] == np.arange(self.client.max() + 1)).astype(float)


def crossing_bits(problem: SelectionProblem, selections: np.ndarray) -> np.ndarray:
    """Bits that each client sends or receives, shape (..., clients); a fractional selection counts by its square."""
    selections = np.asarray(selections, dtype=float)
    pinned = np.concatenate([selections, np.zeros((*selections.shape[:-1], 1))], axis=-1)  # -1 finds the camera
    crossed = (pinned[..., problem.targets] - pinned[..., problem.sources]) ** 2 * problem.size_bits
    return crossed @ problem.owners


def total_response(problem: SelectionProblem, selections: np.ndarray) -> np.ndarray:
    """Sum of all clients' response times in seconds, one per selection (..., V), with the best shares of the uplink."""
    selections = np.asarray(selections, dtype=float)
    computing = (1 - selections) @ problem.local_seconds + selections @ problem.edge_seconds
    return computing + np.sqrt(crossing_bits(problem, selections)).sum(axis=-1) ** 2 / problem.uplink


def uplink_shares(problem: SelectionProblem, selection: np.ndarray) -> np.ndarray:
    """Rate of each client in bit/s: the shares that minimise the sum of the transfer times."""
    roots = np.sqrt(crossing_bits(problem, selection))
    return problem.uplink * roots / roots.sum() if roots.sum() else np.zeros_like(roots)


def exhaustive_selection(problem: SelectionProblem) -> np.ndarray:
    """The selection of smallest total response, shape (V,), by trying all 2^V at once.

    Raises
    ------
    ValueError
        More than twelve tasks.
    """
    if problem.tasks > MOST_BINARIES:
        raise ValueError(
            f"{problem.tasks} binary decisions are too many to try them all: use relaxed_selection, or at most "
            f"{MOST_BINARIES}"
        )
    every = (np.arange(2**problem.tasks)[:, None] >> np.arange(problem.tasks)) & 1
    return every[np.argmin(total_response(problem, every))].astype(bool)


def relaxed_selection(problem: SelectionProblem) -> np.ndarray:
    """Convex relaxation, then the best rounding, shape (V,).

    A binary equals its square, so ``(I_v - I_u)^2`` may stand for a crossing; that makes the objective convex in
    fractions, and a lower bound.  Its optimum is rounded at every threshold: all-local and all-edge are among the
    candidates, so the result is never worse than either.
    """
    fractions = relaxation(problem)
    ranked = np.argsort(-fractions, kind="stable")
    candidates = np.zeros((problem.tasks + 1, problem.tasks), dtype=bool)
    for count in range(problem.tasks + 1):
        candidates[count, ranked[:count]] = True
    return candidates[np.argmin(total_response(problem, candidates))]


def relaxation(problem: SelectionProblem) -> np.ndarray:
    """Fractions in [0, 1] that minimise the convexified total response, shape (V,)."""
    from scipy.optimize import minimize

    start = np.full(problem.tasks, 0.5)
    bounds = [(0.0, 1.0)] * problem.tasks
    solution = minimize(_convex_response, start, (problem,), jac=True, bounds=bounds, method="TNC")
    return np.clip(solution.x, 0.0, 1.0)


def _convex_response(fractions: np.ndarray, problem: SelectionProblem) -> tuple[float, np.ndarray]:
    """Objective and gradient; each square root is softened so that it has a slope at zero."""
    pinned = np.append(fractions, 0.0)
    steps = pinned[problem.targets] - pinned[problem.sources]
    roots = np.sqrt((problem.size_bits * steps**2) @ problem.owners + SOFTENING * problem.size_bits.max())
    total = roots.sum()
    pull = 2 * total / problem.uplink * problem.size_bits * steps / roots[problem.owner]
    slope = np.bincount(problem.targets, pull, problem.tasks + 1)
    slope -= np.bincount(np.mod(problem.sources, problem.tasks + 1), pull, problem.tasks + 1)
    saved = problem.edge_seconds - problem.local_seconds
    value = problem.local_seconds.sum() + saved @ fractions + total**2 / problem.uplink
    return float(value), saved + slope[:-1]


def selfish_selection(problem: SelectionProblem) -> np.ndarray:
    """Every client decides as if the whole uplink were its own: what sharing the uplink is compared with."""
    chosen = np.zeros(problem.tasks, dtype=bool)
    for client in range(problem.client.max() + 1):
        own = np.flatnonzero(problem.client == client)
        candidates = np.zeros((2 ** len(own), problem.tasks), dtype=bool)
        candidates[:, own] = (np.arange(2 ** len(own))[:, None] >> np.arange(len(own))) & 1
        computing = candidates @ (problem.edge_seconds - problem.local_seconds)
        sending = crossing_bits(problem, candidates).sum(axis=-1) / problem.uplink
        chosen |= candidates[np.argmin(computing + sending)]
    return chosen
