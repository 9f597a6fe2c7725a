"""Learning in clusters with four sparse links: users, small stations, one macro station (Abad et al. 2020 [202]).

One iteration is one gradient of every user.  Flat learning is the same code with a single cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.codecs.codec import kept_count
from edgedl_lib.training.communication.dgc import network
from edgedl_lib.training.communication.dgc.compression import Ingredients, Memory, compress
from edgedl_lib.training.communication.hierarchical.latency import DENSE, SPARSE, Sparsity


@dataclass(frozen=True)
class Hierarchy:
    """Who learns with whom.

    Attributes
    ----------
    clusters, users_per_cluster : int
    period : int
        Iterations between two meetings of the clusters, H in the paper; one cluster never meets anybody.
    sparsity : Sparsity
        Of the four links.
    discount : float
        What a station keeps of the entries that it did not send, in [0, 1].
    """

    train: Split
    test: Split
    clusters: int = 7
    users_per_cluster: int = 4
    period: int = 4
    sparsity: Sparsity = SPARSE
    discount: float = 0.5
    widths: tuple[int, ...] = (64, 64, 10)
    batch_size: int = 16
    learning_rate: float = 0.05
    momentum: float = 0.9
    iterations: int = 200

    def __post_init__(self) -> None:
        if min(self.clusters, self.users_per_cluster, self.period) < 1:
            raise ValueError("clusters, users in each and period must be at least 1; leave an empty cluster out")
        if self.clusters * self.users_per_cluster > len(self.train):
            raise ValueError(
                f"{len(self.train)} samples are too few for {self.clusters * self.users_per_cluster} users"
            )

    def flat(self) -> Hierarchy:
        """The same users under one station."""
        return replace(self, clusters=1, users_per_cluster=self.clusters * self.users_per_cluster)

    def dense(self) -> Hierarchy:
        """Nothing is left out."""
        return replace(self, sparsity=DENSE)


@dataclass(frozen=True)
class Learnt:
    """One finished training.

    Attributes
    ----------
    curve : numpy.ndarray, shape (evaluations, 2)
        Iteration and test accuracy (%) of the mean of the clusters' models.
    spread : float
        Largest distance between a cluster's weights and their mean, at the end.
    weights : list of Tensor
        Their mean.
    """

    curve: np.ndarray
    spread: float
    weights: network.Weights

    @property
    def accuracy(self) -> float:
        """Percent of the test set, mean of the last three evaluations."""
        return float(self.curve[-3:, 1].mean())

    def iterations_to(self, target: float) -> float:
        """First iteration with this accuracy (%), interpolated; inf if it is never reached."""
        best = np.maximum.accumulate(self.curve[:, 1])
        if best[-1] < target:
            return float("inf")
        return float(np.interp(target, *_rising(best, self.curve[:, 0])))


def learn(hierarchy: Hierarchy, seed: int, evaluate_every: int = 10) -> Learnt:
    """Train; everything random depends on `seed` alone."""
    run = _Run(hierarchy, seed)
    curve = []
    for iteration in range(1, hierarchy.iterations + 1):
        run.step()
        if hierarchy.clusters > 1 and iteration % hierarchy.period == 0:
            run.meet()
        if iteration % evaluate_every == 0:
            test = hierarchy.test
            curve.append((iteration, network.evaluate(run.mean(), test.inputs, test.targets)[1]))
    middle = run.mean()
    gaps = sum((each - centre).square().flatten(1).sum(1) for each, centre in zip(run.models, middle, strict=True))
    return Learnt(np.array(curve), float(gaps.max().sqrt()), middle)


def send_largest(values: Tensor, error: Tensor, sparsity: float, discount: float) -> Tensor:
    """The largest entries of values and discounted error, per row; what is left becomes the error (in place)."""
    pile = values + discount * error
    if sparsity == 0:
        error.zero_()
        return pile
    positions = pile.abs().topk(kept_count(1 - sparsity, pile.shape[1]), dim=1, sorted=False).indices
    sent = torch.zeros_like(pile).scatter_(1, positions, pile.gather(1, positions))
    error.copy_(pile - sent)
    return sent


class _Run:
    """Models of the clusters (as their users hold them), and what everybody has not sent yet."""

    def __init__(self, hierarchy: Hierarchy, seed: int) -> None:
        self.hierarchy, self.rng = hierarchy, np.random.default_rng(seed)
        start = network.initial_weights(hierarchy.widths, seed)
        rows = hierarchy.clusters * hierarchy.users_per_cluster
        self.agreed = [each.clone() for each in start]
        self.models = [each.expand(hierarchy.clusters, *each.shape).clone() for each in start]
        self.memories = [Memory.empty(rows, each.numel()) for each in start]
        self.errors = [
            {
                "down": torch.zeros(hierarchy.clusters, each.numel()),
                "up": torch.zeros(hierarchy.clusters, each.numel()),
                "macro": torch.zeros(1, each.numel()),
            }
            for each in start
        ]
        self.parts = np.array_split(self.rng.permutation(len(hierarchy.train)), rows)

    def step(self) -> None:
        """Users to their station, and back."""
        plan = self.hierarchy
        rows = np.stack([self.rng.choice(part, plan.batch_size) for part in self.parts])
        own = [each.repeat_interleave(plan.users_per_cluster, 0) for each in self.models]
        found = network.gradients(own, plan.train.inputs[rows], plan.train.targets[rows])
        for index, gradient in enumerate(found):
            density = 1.0 if index % 2 else 1 - plan.sparsity.user_to_small  # biases travel whole
            use = Ingredients(clipping=False, warm_up=False, masking=density < 1)
            message = compress(gradient.flatten(1), self.memories[index], density, use, plan.momentum)
            sums = torch.zeros(len(gradient), message.entries).scatter_(1, message.positions, message.values)
            mean = sums.view(plan.clusters, plan.users_per_cluster, -1).mean(1)
            sparsity = 0.0 if index % 2 else plan.sparsity.small_to_user
            change = send_largest(-plan.learning_rate * mean, self.errors[index]["down"], sparsity, plan.discount)
            self.models[index] += change.view_as(self.models[index])

    def meet(self) -> None:
        """Stations to the macro station, and back to the users: all hold the same model afterwards."""
        plan = self.hierarchy
        for index, (agreed, errors) in enumerate(zip(self.agreed, self.errors, strict=True)):
            up, down = (0.0, 0.0) if index % 2 else (plan.sparsity.small_to_macro, plan.sparsity.macro_to_small)
            drift = (self.models[index] - agreed).flatten(1)
            arrived = send_largest(drift, errors["up"], up, plan.discount).mean(0, keepdim=True)
            agreed += send_largest(arrived, errors["macro"], down, plan.discount).view_as(agreed)
            self.models[index] = agreed.expand_as(self.models[index]).clone()

    def mean(self) -> network.Weights:
        """Mean of the clusters' models."""
        return [each.mean(0) for each in self.models]


def _rising(best: np.ndarray, iterations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points at which the running maximum rises, so that it can be inverted."""
    rises = np.flatnonzero(np.diff(best, prepend=-np.inf) > 0)
    return best[rises], iterations[rises]
