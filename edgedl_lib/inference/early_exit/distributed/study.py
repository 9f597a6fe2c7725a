"""Train DDNNs on several seeds and ask what their exits, cameras, thresholds and failures do to accuracy and bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from edgedl_lib.inference.early_exit.criteria import normalised_entropy
from edgedl_lib.inference.early_exit.decision import ExitDecision
from edgedl_lib.inference.early_exit.distributed.communication import counted_bytes, device_bytes
from edgedl_lib.inference.early_exit.distributed.decision import decide_levels, threshold_for_share
from edgedl_lib.inference.early_exit.distributed.network import Design, device_scores, edges_for
from edgedl_lib.inference.early_exit.distributed.training import train_ddnn
from edgedl_lib.inference.early_exit.distributed.views import ViewSets
from edgedl_lib.inference.early_exit.network import MultiExitNetwork, exit_logits

GRID = tuple(np.linspace(0, 1, 41).tolist())  # thresholds


@dataclass(frozen=True, eq=False)
class Trial:
    """One trained network and the views that it never saw in training."""

    design: Design
    network: MultiExitNetwork
    sets: ViewSets

    @cached_property
    def validation_logits(self) -> Tensor:
        """Of all exits, shape (exits, samples, classes)."""
        return exit_logits(self.network, self.sets.validation.inputs)

    @cached_property
    def test_logits(self) -> Tensor:
        """Of all exits, shape (exits, samples, classes)."""
        return exit_logits(self.network, self.sets.test.inputs)

    @cached_property
    def accuracy(self) -> np.ndarray:
        """Of each exit if it answered for all test samples, shape (exits,)."""
        return _accuracies(self.test_logits, self.sets.test.targets)

    @cached_property
    def individual(self) -> np.ndarray:
        """Of each camera alone on all test samples, those that it does not see included, shape (cameras,)."""
        return _accuracies(device_scores(self.network, self.sets.test.inputs).transpose(0, 1), self.sets.test.targets)

    def decision(self, threshold: float) -> ExitDecision:
        """Who answers for the test samples; all exits but the last use the same threshold."""
        return decide_levels(self.test_logits, [threshold] * (len(self.test_logits) - 1))

    def overall(self, threshold: float) -> float:
        """Accuracy over all test samples, whoever answers."""
        return self.decision(threshold).accuracy(self.sets.test.targets)

    def local_share(self, threshold: float) -> float:
        """Share of the test samples that leave at the devices."""
        return float(self.decision(threshold).shares[0])

    def bytes_sent(self, threshold: float) -> float:
        """Mean bytes per device and test sample."""
        design = self.design
        return device_bytes(design.classes, design.filters, design.map_bits, self.local_share(threshold))

    @cached_property
    def threshold(self) -> float:
        """The one with the best validation accuracy; of several the largest, which sends least."""
        targets, inner = self.sets.validation.targets, len(self.validation_logits) - 1
        scores = [decide_levels(self.validation_logits, [value] * inner).accuracy(targets) for value in GRID]
        return GRID[len(GRID) - 1 - int(np.argmax(scores[::-1]))]

    def threshold_at(self, share: float) -> float:
        """The one at which this share of the *validation* samples leaves locally."""
        return threshold_for_share(self.validation_logits[0], share)

    def without(self, failed: Sequence[int]) -> "Trial":
        """The same network when these cameras deliver blank pictures in the test."""
        sets = self.sets
        return Trial(
            self.design, self.network, ViewSets(sets.train, sets.validation, sets.test.without(failed), sets.classes)
        )


def run_trials(design: Design, sets: Sequence[ViewSets], seed: int, **options) -> list[Trial]:
    """Train one network for each of the view sets, side by side.

    Parameters
    ----------
    sets : sequence of ViewSets
        One for each seed.
    seed : int
        Of the weights.
    options
        Of :func:`training.train_ddnn`.
    """
    networks = train_ddnn(design, [each.train for each in sets], seed, **options)
    return [Trial(design, network, each) for network, each in zip(networks, sets, strict=True)]


def _accuracies(logits: Tensor, targets: Tensor) -> np.ndarray:
    return (logits.argmax(dim=-1) == targets).double().mean(dim=-1).numpy()


def scaling_trials(design: Design, sets: Sequence[ViewSets], seed: int, **options) -> dict[int, list[Trial]]:
    """Networks for the first 1, 2, ... cameras, each trained anew; the design's edges, if any, share the cameras."""
    trials = {}
    for count in range(1, design.cameras + 1):
        edges = edges_for(count) if design.edges else ()
        smaller = replace(design, cameras=count, edges=edges)
        trials[count] = run_trials(smaller, [each.only(range(count)) for each in sets], seed, **options)
    return trials


def counted_at(trial: Trial, threshold: float, samples: int = 60) -> float:
    """Mean bytes of real messages at a threshold minus what the closed form says, on the first test samples."""
    inputs = trial.sets.test.inputs[:samples]
    with torch.no_grad():
        maps = trial.network.segments[0](inputs)
    leaves = normalised_entropy(trial.test_logits[0, :samples]) <= threshold
    design = trial.design
    formula = device_bytes(design.classes, design.filters, design.map_bits, float(leaves.double().mean()))
    return counted_bytes(device_scores(trial.network, inputs), maps, leaves) - formula
