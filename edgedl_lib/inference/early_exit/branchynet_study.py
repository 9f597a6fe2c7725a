"""One run of BranchyNet's experiment: train with exits and without, choose on validation, judge on test."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor, nn

from edgedl_lib.inference.early_exit.accounting import ExitCosts, mac_costs
from edgedl_lib.inference.early_exit.curves import ExitCurve, cost_at, exit_curve, static_line
from edgedl_lib.inference.early_exit.decision import ExitDecision, decide
from edgedl_lib.inference.early_exit.joint_training import Recipe, train_baseline, train_jointly
from edgedl_lib.inference.early_exit.network import MultiExitNetwork, exit_logits
from edgedl_lib.inference.early_exit.thresholds import ThresholdChoice, threshold_table
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.nets.training import accuracy


@dataclass(frozen=True)
class ExitRun:
    """A trained network with exits, the separate baseline and what both answer.

    Attributes
    ----------
    data : Dataset
    network : MultiExitNetwork
    halfway, baseline : nn.Sequential
        The plain trunk after half and after all of the training.
    costs : ExitCosts
        Multiply-accumulates.
    validation_logits, test_logits : Tensor, shape (exits, n, classes)
    """

    data: Dataset
    network: MultiExitNetwork
    halfway: nn.Sequential
    baseline: nn.Sequential
    costs: ExitCosts
    validation_logits: Tensor
    test_logits: Tensor

    @cached_property
    def choice(self) -> ThresholdChoice:
        """Cheapest thresholds that lose nothing against the final exit on the validation split."""
        targets = self.data.validation.targets
        table = threshold_table(self.validation_logits, targets, self.costs.segments, self.costs.branches)
        return table.cheapest(_share_right(self.validation_logits[-1], targets))

    @cached_property
    def decision(self) -> ExitDecision:
        """Who leaves where on the test split, at the thresholds chosen on validation."""
        return decide(self.test_logits, self.choice.thresholds)

    @property
    def gain(self) -> float:
        """Honest gain in multiply-accumulates on the test split."""
        return self.costs.gain(self.decision.shares.tolist())

    @cached_property
    def baseline_accuracy(self) -> float:
        """Of the separately trained network without exits, in percent."""
        return 100 * accuracy(self.baseline, self.data.test)

    @property
    def accuracy(self) -> float:
        """At the chosen thresholds, in percent."""
        return 100 * self.decision.accuracy(self.data.test.targets)

    @property
    def exit_accuracies(self) -> list[float]:
        """Of each exit alone, in percent."""
        return [100 * _share_right(logits, self.data.test.targets) for logits in self.test_logits]

    def curve(self, criterion: str = "entropy") -> ExitCurve:
        """Accuracy against exit share on the test split (two exits)."""
        return exit_curve(self.test_logits, self.data.test.targets, criterion)

    def random_gap(self, shares: np.ndarray) -> float:
        """Mean advantage of the entropy over random exit at these shares, in points."""
        curve = self.curve()
        return 100 * float(np.mean(curve.at(shares) - curve.random_at(shares)))

    def criterion_gap(self, criterion: str, shares: np.ndarray) -> float:
        """Mean accuracy by another criterion minus by entropy at equal shares, in points."""
        return 100 * float(np.mean(self.curve(criterion).at(shares) - self.curve().at(shares)))

    def line_height(self, shares: np.ndarray) -> float:
        """Mean height of the accuracy-cost curve above the chord between the two static networks, in points."""
        shallow = ((self.costs.segments[0] + self.costs.branches[0]) / self.costs.baseline, self.exit_accuracies[0])
        line = static_line(cost_at(shares, self.costs), shallow, (1.0, self.baseline_accuracy))
        return float(np.mean(100 * self.curve().at(shares) - line))


def run_experiment(
    make: Callable[[], MultiExitNetwork],
    data: Dataset,
    recipe: Recipe,
    seed: int,
) -> ExitRun:
    """Train the baseline and, from its halfway state, the network with exits; the test split is read at the end."""
    trained = train_baseline(make, data.train, recipe, seed)
    network = train_jointly(make, data.train, recipe, seed, trained.halfway)
    return answered(network, trained.halfway, trained.full, data)


def variant(
    run: ExitRun,
    make: Callable[[], MultiExitNetwork],
    recipe: Recipe,
    seed: int,
    weights: Sequence[float] | None = None,
    from_scratch: bool = False,
) -> ExitRun:
    """The same experiment with other loss weights, or started from random weights; the baseline is that of ``run``."""
    start = None if from_scratch else run.halfway
    network = train_jointly(make, run.data.train, recipe, seed, start, weights)
    return answered(network, run.halfway, run.baseline, run.data)


def answered(network: MultiExitNetwork, halfway: nn.Sequential, baseline: nn.Sequential, data: Dataset) -> ExitRun:
    """Logits of all exits on both splits, and what the exits cost."""
    logits = (exit_logits(network, split.inputs) for split in (data.validation, data.test))
    return ExitRun(data, network, halfway, baseline, mac_costs(network, data.input_shape), *logits)


def _share_right(logits: Tensor, targets: Tensor) -> float:
    return float((logits.argmax(dim=-1) == targets).double().mean())
