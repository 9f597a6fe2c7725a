"""One LeNet from training to its compressed file: what the chapter repeats for every seed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import nn

from edgedl_lib.inference.compression.sparsity.pruning import magnitude_prune
from edgedl_lib.inference.compression.sparsity.retraining import RETRAINING, SurvivorCount
from edgedl_lib.inference.compression.sparsity.trade_off import (
    PruningCurve,
    SizeCurve,
    prune_at_once,
    prune_in_rounds,
    prune_only,
    pruned_sizes,
    shared_sizes,
)
from edgedl_lib.inference.compression.storage.deep_compression import CompressedModel, code
from edgedl_lib.inference.compression.storage.published import PublishedNetwork
from edgedl_lib.inference.compression.storage.sharing import fine_tune_code_books, share_weights
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.nets.training import build, error, train


@dataclass(frozen=True)
class Effort:
    """How long everything is trained and which points are measured.

    Attributes
    ----------
    training, round, sharing, sharing_curves : int
        Epochs of the first training, of retraining after a pruning round, of training the code books of the compressed
        network and of the other points.
    plain : tuple of float
        Reductions without retraining.
    rounds : tuple of float
        Reductions of the successive rounds; 12 stands for the published one.
    alone_bits : tuple of int
        Bits of sharing without pruning.
    together_bits : int
        Bits of sharing after more than the published pruning.
    """

    training: int = 10
    round: int = 3
    sharing: int = 2
    sharing_curves: int = 1
    plain: tuple[float, ...] = (1.5, 2, 3, 4, 6, 8, 12, 24)
    rounds: tuple[float, ...] = (5, 12, 36)
    alone_bits: tuple[int, ...] = (1, 2)
    together_bits: int = 5


@dataclass(frozen=True)
class LenetStudy:
    """Results for one seed; errors in percent."""

    reference: nn.Module
    unpruned: float
    plain: PruningCurve
    rounds: PruningCurve
    at_once: np.ndarray  # pruned at once to the published densities, after one, two ... rounds' worth of retraining
    published: int  # position of the published reduction in ``rounds``
    compressed: CompressedModel
    error: float  # of the compressed network
    alone: dict[str, SizeCurve]  # "pruned", "shared"
    together: SizeCurve

    @property
    def one_shot_loss(self) -> float:
        """Points that pruning to the published densities without retraining adds."""
        return self.plain.error_at(self.rounds.reductions[self.published]) - self.unpruned

    @property
    def half_loss(self) -> float:
        """Points that dropping the smaller half adds."""
        return self.plain.error_at(2) - self.unpruned

    @property
    def pruned_loss(self) -> float:
        """Points that pruning in rounds to the published densities adds."""
        return float(self.rounds.errors[self.published]) - self.unpruned

    @property
    def iterative_gain(self) -> float:
        """Error of pruning at once minus error of pruning in rounds, both retrained for as long in all."""
        return float(self.at_once[-1] - self.rounds.errors[self.published])

    @property
    def equal_round_gain(self) -> float:
        """The same with pruning at once retrained no longer than one round."""
        return float(self.at_once[0] - self.rounds.errors[self.published])

    @property
    def alone_worse(self) -> float:
        """Error at 4 % of the size: the better of the stages alone minus both together."""
        return min(curve.at_most(4) for curve in self.alone.values()) - self.together.at_most(4)


def run_lenet(
    make: Callable[[], nn.Module], data: Dataset, network: PublishedNetwork, seed: int, effort: Effort, bits: object = 6
) -> LenetStudy:
    """Train, prune in every way, share, write the files.

    Parameters
    ----------
    make : callable
        Builds the untrained network whose layers ``network`` describes.
    bits : int or mapping
        Of a code in the full pipeline.
    """
    reference = build(make, seed)
    train(reference, data.train, epochs=effort.training, seed=seed, **RETRAINING)
    steps = tuple(_exact(step, network) for step in effort.rounds)
    rounds = prune_in_rounds(reference, data, network, steps, epochs=effort.round, seed=seed)
    published = effort.rounds.index(12)
    compressed = code(rounds.models[published], bits, data, seed, share_epochs=effort.sharing)
    further = rounds.models[published + 1 :]
    sharing = {"epochs": effort.sharing_curves, "seed": seed}
    alone = [reference] * len(effort.alone_bits)
    beyond = shared_sizes(further, [effort.together_bits] * len(further), data, **sharing)
    return LenetStudy(
        reference,
        error(reference, data.test),
        prune_only(reference, data, network, [_exact(step, network) for step in effort.plain]),
        rounds,
        prune_at_once(reference, data, network, parts=published + 1, epochs=effort.round, seed=seed),
        published,
        compressed,
        error(compressed.module, data.test),
        {"pruned": pruned_sizes(rounds), "shared": shared_sizes(alone, effort.alone_bits, data, **sharing)},
        beyond.with_point(100 / compressed.rate("shared"), error(compressed.module, data.test)),
    )


def _exact(step: float, network: PublishedNetwork) -> float:
    """The published reduction for 12, which is what the paper rounds it to."""
    return network.reduction if step == 12 else step


def mean_limit(studies: list[LenetStudy], curve: str, points: float = 1.0) -> float:
    """Largest reduction up to which the mean error of a curve stays within ``points`` of the unpruned network."""
    added = np.mean([getattr(study, curve).errors - study.unpruned for study in studies], axis=0)
    fits = np.cumprod(added <= points).sum()
    return float(getattr(studies[0], curve).reductions[fits - 1]) if fits else 1.0


def initialisation_gap(model: nn.Module, data: Dataset, seed: int, bits: tuple[int, ...] = (2, 3)) -> float:
    """Error of linear minus that of random k-means starts, mean over ``bits``, after an epoch of training."""
    errors = {"linear": [], "random": []}
    for initial, found in errors.items():
        for width in bits:
            tuned = copy.deepcopy(model)
            shared = share_weights(tuned, width, initial, seed)
            fine_tune_code_books(tuned, shared, data, epochs=1, seed=seed)
            found.append(error(tuned, data.test))
    return float(np.mean(errors["linear"]) - np.mean(errors["random"]))


def revived_weights(model: nn.Module, data: Dataset, keep: dict[str, float], seed: int) -> int:
    """Largest number of weights by which the mask was missed after any step of one epoch of retraining."""
    pruned = copy.deepcopy(model)
    count = SurvivorCount(magnitude_prune(pruned, keep))
    train(pruned, data.train, epochs=1, seed=seed, after_step=count, **RETRAINING)
    return count.largest_change


def mean_curve(curves: list[SizeCurve]) -> SizeCurve:
    """Mean over seeds of size and error, point by point."""
    return SizeCurve(np.mean([c.percent for c in curves], axis=0), np.mean([c.errors for c in curves], axis=0))
