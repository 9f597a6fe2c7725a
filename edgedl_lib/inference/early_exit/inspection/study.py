"""One seed of the inspection study: draw tiles, train, choose the threshold, compare the policies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.early_exit.inspection import squeeze
from edgedl_lib.inference.early_exit.inspection.factory import LineSweep, sweep_lines
from edgedl_lib.inference.early_exit.inspection.images import RAW_BYTES, Tiles, draw_tiles
from edgedl_lib.inference.early_exit.inspection.network import (
    ExitOutputs,
    InspectionNetwork,
    exit_outputs,
    train_inspection,
)
from edgedl_lib.inference.early_exit.inspection.policy import (
    POLICIES,
    Inspection,
    choose_threshold,
    exit_ratios,
    inspect,
)

VALIDATION_SEED, TEST_SEED = 10_000, 20_000  # far from the seeds of training tiles


@dataclass(frozen=True, eq=False)
class InspectionStudy:
    """What one seed gave.

    Attributes
    ----------
    network : InspectionNetwork
    test : Tiles
    outputs : ExitOutputs on the test tiles
    threshold : chosen on validation tiles
    answers : Inspection of the test tiles by policy
    ratios : exit ratio on the test tiles at each threshold of the grid
    squeezed : accuracy of the "quantised" and the "pruned" whole network in the fog part's memory
    """

    network: InspectionNetwork
    test: Tiles
    outputs: ExitOutputs
    threshold: float
    answers: dict[str, Inspection]
    ratios: np.ndarray
    squeezed: dict[str, float]

    def accuracy(self, policy: str) -> float:
        """Accuracy of a policy on the test tiles, in [0, 1]."""
        return self.answers[policy].accuracy(self.test)

    def at_threshold(self, threshold: float) -> Inspection:
        """The split's answers to the test tiles at another threshold."""
        return inspect(self.outputs, "split", threshold)

    def over_squeezed(self) -> float:
        """Accuracy of the split minus that of the better squeezed model."""
        return self.accuracy("split") - max(self.squeezed.values())

    def row(self) -> tuple[float, ...]:
        """Threshold, share that the fog answers, and the accuracy of each policy; shares in percent."""
        accuracies = [100 * self.accuracy(policy) for policy in POLICIES]
        return self.threshold, 100 * self.answers["split"].exit_ratio, *accuracies

    @property
    def degree_error(self) -> float:
        """Error of the split's degrees on the test tiles."""
        return self.answers["split"].degree_error(self.test)

    @property
    def communication(self) -> float:
        """Bytes per image of the split, over raw."""
        return self.answers["split"].bytes_per_image / RAW_BYTES

    @property
    def rising_steps(self) -> int:
        """Steps of the rising threshold at which the exit ratio rises."""
        return int(np.sum(np.diff(self.ratios) > 0))

    def sweeps(self, seed: int, duration: float = 60.0) -> dict[str, LineSweep]:
        """Delay over the number of lines, by policy."""
        return {
            policy: sweep_lines(policy, answers.at_fog.numpy(), seed, duration)
            for policy, answers in self.answers.items()
        }


def run_study(
    seed: int, train_count: int = 1200, test_count: int = 1000, epochs: int = 8, retrain: int = 1
) -> InspectionStudy:
    """Train and judge one network.

    Parameters
    ----------
    train_count, test_count : tiles; `test_count` others choose the threshold
    epochs, retrain : of the network, and of the pruned one
    """
    tiles, test = draw_tiles(seed, train_count), draw_tiles(TEST_SEED + seed, test_count)
    validation = draw_tiles(VALIDATION_SEED + seed, test_count)
    network = train_inspection(tiles, seed, epochs)
    threshold = choose_threshold(exit_outputs(network, validation.images), validation)
    outputs = exit_outputs(network, test.images)
    squeezed = {
        "quantised": squeeze.whole_accuracy(squeeze.quantised(network), test),
        "pruned": squeeze.whole_accuracy(squeeze.pruned(network, tiles, seed, retrain), test),
    }
    answers = {policy: inspect(outputs, policy, threshold) for policy in POLICIES}
    return InspectionStudy(network, test, outputs, threshold, answers, exit_ratios(outputs), squeezed)


def capacity_gain(sweeps: dict[str, LineSweep]) -> float:
    """Lines that the split serves over those of server-only."""
    return sweeps["split"].saturation / sweeps["server only"].saturation
