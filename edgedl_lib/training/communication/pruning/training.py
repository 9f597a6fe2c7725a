"""PruneFL and what it is compared with, in plain arrays: all clients of a round train in one program.

The unpruned case equals federated averaging on the engine; :mod:`.strategy` is the method as a Flower strategy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from edgedl_lib.training.communication.dgc import network
from edgedl_lib.training.communication.pruning.selection import adjust
from edgedl_lib.training.data import FederatedData
from edgedl_lib.training.local import LocalTraining, batches

Masks = list[np.ndarray]  # of the prunable matrices


@dataclass(frozen=True)
class Clock:
    """Seconds of a round: a constant, and for every weight kept its computing and sending."""

    constant: float = 0.05
    per_weight: float = 1e-5

    def seconds(self, kept: int) -> float:
        """Of a round with so many weights and biases."""
        return self.constant + self.per_weight * kept


@dataclass(frozen=True)
class Plan:
    """What is trained. The last layer and the biases are never pruned."""

    data: FederatedData
    widths: tuple[int, ...] = (64, 300, 100, 10)
    training: LocalTraining = field(default_factory=lambda: LocalTraining(0.5, batch_size=20, steps=5))
    clock: Clock = field(default_factory=Clock)
    rounds: int = 80
    interval: int = 10
    stop_change: float = 0.1
    stop_times: int = 5
    longest_start: int = 200

    @property
    def prunable(self) -> range:
        """Places of the prunable matrices among the weights."""
        return range(0, 2 * (len(self.widths) - 2), 2)

    def full(self) -> Masks:
        """Masks that keep everything."""
        return [np.ones((self.widths[i], self.widths[i + 1]), dtype=bool) for i in range(len(self.widths) - 2)]

    def kept(self, masks: Masks) -> int:
        """Weights and biases that remain."""
        last = self.widths[-2] * self.widths[-1] + sum(self.widths[1:])
        return last + sum(int(mask.sum()) for mask in masks)


@dataclass(frozen=True)
class Pruned:
    """One finished training.

    Attributes
    ----------
    accuracy : numpy.ndarray, shape (rounds + 1,)
        Percent of the test set, before the first round and after each.
    seconds, density : numpy.ndarray, shape (rounds + 1,)
        Modelled time so far, and share of the prunable weights kept.
    payload : numpy.ndarray, shape (rounds + 1,)
        Bytes of one update so far, summed.
    work : numpy.ndarray, shape (rounds + 1,)
        Multiplications for one sample so far, summed, if pruned ones are not done.
    """

    accuracy: np.ndarray
    seconds: np.ndarray
    density: np.ndarray
    payload: np.ndarray
    work: np.ndarray
    weights: network.Weights
    masks: Masks

    @property
    def final(self) -> float:
        """Mean accuracy (%) of the last five rounds."""
        return float(self.accuracy[-5:].mean())

    def until(self, target: float, of: np.ndarray) -> float:
        """A running total when the running maximum of the accuracy reaches the target (%); inf if it never does."""
        best = np.maximum.accumulate(self.accuracy)
        place = int(np.argmax(best >= target))
        if best[place] < target:
            return float("inf")
        if place == 0:
            return float(of[0])
        share = (target - best[place - 1]) / (best[place] - best[place - 1])
        return float(of[place - 1] + share * (of[place] - of[place - 1]))


def payload_bytes(plan: Plan, masks: Masks) -> int:
    """Bytes of one update: 32-bit values, and a bitmap for every matrix that is pruned at all."""
    bitmaps = sum(-(-mask.size // 8) for mask in masks if not mask.all())
    return 4 * plan.kept(masks) + bitmaps


def train(plan: Plan, seed: int, masks: Masks | None = None, *, adapt: bool = False, start=None) -> Pruned:
    """Federated training within masks; with `adapt` they change every `interval` rounds (the second stage).

    Parameters
    ----------
    masks : list of numpy.ndarray, optional
        None keeps everything.
    start : list of Tensor, optional
        First weights; by default drawn from `seed`.
    """
    weights = [each.clone() for each in (start or network.initial_weights(plan.widths, seed))]
    masks = plan.full() if masks is None else [mask.copy() for mask in masks]
    apply_masks(plan, weights, masks)
    rows, collected = [_measure(plan, weights, masks, (0.0, 0.0, 0.0))], _nothing(weights)
    for server_round in range(1, plan.rounds + 1):
        rngs = [np.random.default_rng([seed, server_round, client]) for client in range(len(plan.data.clients))]
        weights, squares = one_round(plan, weights, masks, rngs)
        collected = [a + b for a, b in zip(collected, squares, strict=True)]
        if adapt and server_round % plan.interval == 0:
            masks = adjusted(plan, weights, masks, collected, server_round)
            apply_masks(plan, weights, masks)
            collected = _nothing(weights)
        rows.append(_measure(plan, weights, masks, rows[-1][2:]))
    accuracy, density, seconds, payload, work = np.array(rows).T
    return Pruned(accuracy, seconds, density, payload, work, weights, masks)


def one_round(plan: Plan, weights: network.Weights, masks: Masks, rngs) -> tuple[network.Weights, list[np.ndarray]]:
    """All clients train; their models are averaged, and so are their squared sums of gradients.

    Gradients are taken of every weight, kept or not: how else could one grow again?
    """
    clients = plan.data.clients[: len(rngs)]
    local = [each.expand(len(rngs), *each.shape).clone() for each in weights]
    limits = _limits(plan, weights, masks)
    sums = [torch.zeros_like(each) for each in local]
    steps = zip(*(batches(len(each), plan.training, rng) for each, rng in zip(clients, rngs, strict=True)), strict=True)
    for rows in steps:
        inputs = torch.stack([each.inputs[chosen] for each, chosen in zip(clients, rows, strict=True)])
        targets = torch.stack([each.targets[chosen] for each, chosen in zip(clients, rows, strict=True)])
        for index, gradient in enumerate(network.gradients(local, inputs, targets)):
            sums[index] += gradient
            step = gradient if limits[index] is None else gradient.mul_(limits[index])
            local[index].sub_(step, alpha=plan.training.learning_rate)
    share = torch.tensor([len(each) for each in clients], dtype=torch.float32)
    share /= share.sum()
    mean = [torch.tensordot(share, each, 1) for each in local]
    return mean, [torch.tensordot(share, each.square(), 1).numpy() for each in sums]


def adjusted(plan: Plan, weights, masks: Masks, squares: list[np.ndarray], server_round: int) -> Masks:
    """Masks after an adjustment with the importance collected since the last one."""
    rest = [index for index in range(len(weights)) if index not in plan.prunable]
    fixed = sum(weights[index].numel() for index in rest)
    return adjust(
        [weights[index].numpy() for index in plan.prunable],
        masks,
        [squares[index] for index in plan.prunable],
        [plan.clock.per_weight] * len(masks),
        plan.clock.seconds(fixed),
        float(sum(squares[index].sum() for index in rest)),
        server_round,
    )


def first_stage(plan: Plan, seed: int, client: int = 0) -> tuple[Masks, int]:
    """Masks found at one client with its own data, and the rounds it took.

    It ends when the density has changed by less than a tenth five adjustments in a row.
    """
    weights, masks = network.initial_weights(plan.widths, seed), plan.full()
    split = plan.data.clients[client]
    alone = FederatedData(plan.data.name, (split,), split, plan.data.classes)
    lonely = Plan(**{**vars(plan), "data": alone})
    collected, calm, started = _nothing(weights), 0, False
    for server_round in range(1, plan.longest_start + 1):
        weights, squares = one_round(lonely, weights, masks, [np.random.default_rng([seed, 0, server_round])])
        collected = [a + b for a, b in zip(collected, squares, strict=True)]
        if server_round % plan.interval:
            continue
        accuracy = network.evaluate(weights, split.inputs, split.targets)[1]
        started = started or accuracy >= 150 / plan.data.classes
        if started:
            before = density(masks)
            masks = adjusted(plan, weights, masks, collected, server_round)
            apply_masks(plan, weights, masks)
            calm = calm + 1 if abs(density(masks) / before - 1) < plan.stop_change else 0
        collected = _nothing(weights)
        if calm == plan.stop_times:
            break
    return masks, server_round


def density(masks: Masks) -> float:
    """Share of the prunable weights that is kept."""
    return sum(int(mask.sum()) for mask in masks) / sum(mask.size for mask in masks)


def apply_masks(plan: Plan, weights: network.Weights, masks: Masks) -> None:
    """Set pruned weights to zero, in place."""
    for index, mask in zip(plan.prunable, masks, strict=True):
        weights[index].mul_(torch.from_numpy(mask))


def prune_fl(plan: Plan, seed: int, first: Callable = first_stage) -> Pruned:
    """Both stages; the second starts from fresh weights within the first one's masks."""
    return train(plan, seed, first(plan, seed)[0], adapt=True)


def _measure(plan: Plan, weights, masks: Masks, before) -> tuple[float, ...]:
    test = plan.data.test
    accuracy = network.evaluate(weights, test.inputs, test.targets)[1]
    kept = plan.kept(masks)
    totals = (plan.clock.seconds(kept), payload_bytes(plan, masks), kept - sum(plan.widths[1:]))
    return accuracy, density(masks), *(a + b for a, b in zip(before, totals, strict=True))


def _limits(plan: Plan, weights, masks: Masks) -> list[torch.Tensor | None]:
    limits = [None] * len(weights)
    for index, mask in zip(plan.prunable, masks, strict=True):
        if not mask.all():
            limits[index] = torch.from_numpy(mask).float()
    return limits


def _nothing(weights: network.Weights) -> list[np.ndarray]:
    return [np.zeros(tuple(each.shape), dtype=np.float32) for each in weights]
