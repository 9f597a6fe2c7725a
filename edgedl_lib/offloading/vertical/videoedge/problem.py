"""One configuration for every query under shared capacities: VideoEdge's binary program (Hung et al. 2018 [109])."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

ROUNDING = 1e-9  # relative: sums of demands in another order must not make a full resource overfull


class InfeasiblePlan(ValueError):
    """No choice of configurations fits the capacities."""


@dataclass(frozen=True)
class PlanProblem:
    """Q queries with N configurations in all, over L resources.

    Attributes
    ----------
    query : numpy.ndarray of int, shape (N,)
        Query of each configuration, not decreasing; every query has at least one.
    accuracy : numpy.ndarray, shape (N,)
        Of one query, or the sum over merged ones.
    demand : numpy.ndarray, shape (N, L)
        In the unit of the resource.
    capacity : numpy.ndarray, shape (L,)
    resources : tuple of str
    members : int
        Queries that the mean accuracy is taken over; with merging more than Q.
    """

    query: np.ndarray
    accuracy: np.ndarray
    demand: np.ndarray
    capacity: np.ndarray
    resources: tuple[str, ...]
    members: int = field(default=0)

    def __post_init__(self) -> None:
        count, resources = self.demand.shape
        if not (len(self.query) == len(self.accuracy) == count and len(self.capacity) == resources):
            raise ValueError(
                f"{count} x {resources} demands do not fit {len(self.query)} configurations and "
                f"{len(self.capacity)} capacities"
            )
        if not count or np.any(np.diff(self.query) < 0) or np.any(np.diff(np.unique(self.query)) != 1):
            raise ValueError("configurations must be sorted by query and every query needs at least one")
        if not (np.all(self.demand >= 0) and np.all(self.capacity >= 0) and np.all(np.isfinite(self.demand))):
            raise ValueError("demands and capacities are zero or positive, and demands are finite")
        if not self.members:
            object.__setattr__(self, "members", self.queries)

    @property
    def queries(self) -> int:
        """Number of queries Q that are planned separately."""
        return int(self.query[-1]) + 1

    @cached_property
    def first(self) -> np.ndarray:
        """Index of each query's first configuration, shape (Q,)."""
        return np.searchsorted(self.query, np.arange(self.queries))

    @cached_property
    def share(self) -> np.ndarray:
        """Demand as a share of the capacity, shape (N, L); what is not there is an infinite share."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.demand > 0, self.demand / self.capacity, 0.0)

    @cached_property
    def dominant(self) -> np.ndarray:
        """Dominant demand of each configuration: the largest share of any resource, shape (N,)."""
        return self.share.max(axis=1)

    def used(self, chosen: np.ndarray) -> np.ndarray:
        """Demand of chosen configurations, shape (L,)."""
        return self.demand[chosen].sum(axis=0)

    def mean_accuracy(self, chosen: np.ndarray) -> float:
        """Mean over all queries, merged ones counted each."""
        return float(self.accuracy[chosen].sum() / self.members)

    def fits(self, chosen: np.ndarray) -> bool:
        """Whether the chosen configurations respect every capacity."""
        return bool(np.all(self.used(chosen) <= self.capacity * (1 + ROUNDING)))

    def best_of(self, values: np.ndarray) -> np.ndarray:
        """For each query the configuration of largest value, shape (Q,); the first of equals."""
        top = np.maximum.reduceat(values, self.first)
        hits = np.flatnonzero(values == top[self.query])
        return hits[np.searchsorted(self.query[hits], np.arange(self.queries))]

    def keep(self, kept: np.ndarray) -> PlanProblem:
        """The same problem with some of the configurations only, a boolean of shape (N,)."""
        parts = self.query[kept], self.accuracy[kept], self.demand[kept]
        return PlanProblem(*parts, self.capacity, self.resources, self.members)

    def with_capacity(self, capacity: np.ndarray) -> PlanProblem:
        """The same queries over other capacities."""
        return PlanProblem(self.query, self.accuracy, self.demand, capacity, self.resources, self.members)

    def with_nobody(self) -> PlanProblem:
        """The same problem in which a query may also go unserved: accuracy 0, demand 0."""
        order = np.argsort(np.concatenate([np.arange(self.queries), self.query]), kind="stable")
        accuracy = np.concatenate([np.zeros(self.queries), self.accuracy])[order]
        nothing = np.zeros((self.queries, len(self.capacity)))
        demand = np.concatenate([nothing, self.demand])[order]
        query = np.concatenate([np.arange(self.queries), self.query])[order]
        return PlanProblem(query, accuracy, demand, self.capacity, self.resources, self.members)
