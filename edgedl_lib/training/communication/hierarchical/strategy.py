"""Hierarchical averaging on the federated engine: clusters average in every round and meet in every H-th.

Dense links and any local training; the sparse links of [202], one gradient an iteration, stand in :mod:`.learning`.
"""

from __future__ import annotations

from edgedl_lib.training.models import Arrays
from edgedl_lib.training.strategy import ClientUpdate, FederatedAveraging, weighted_mean


class HierarchicalAveraging(FederatedAveraging):
    """Federated averaging with a model for each cluster.

    Parameters
    ----------
    cluster_of : sequence of int
        Cluster of each client.
    period : int
        Rounds between two meetings.
    """

    def __init__(self, *, cluster_of, period: int, **settings) -> None:
        super().__init__(**settings)
        if period < 1:
            raise ValueError(f"period {period} must be at least 1")
        self.cluster_of, self.period = tuple(cluster_of), period
        self.models: dict[int, Arrays] = {}

    def outgoing(self, server_round: int, client: int, arrays: Arrays) -> Arrays:
        """The model of the client's cluster."""
        return self.models.get(self.cluster_of[client], arrays)

    def aggregate(self, server_round: int, arrays: Arrays, updates: list[ClientUpdate]) -> Arrays:
        """Mean of each cluster; what the server tests is the mean of the clusters, by examples."""
        sizes = {}
        for cluster in sorted({self.cluster_of[each.client] for each in updates}):
            own = [each for each in updates if self.cluster_of[each.client] == cluster]
            self.models[cluster] = weighted_mean([each.arrays for each in own], [each.examples for each in own])
            sizes[cluster] = sum(each.examples for each in own)
        together = weighted_mean([self.models[cluster] for cluster in sizes], list(sizes.values()))
        if server_round % self.period == 0:
            self.models = {}
        return together
