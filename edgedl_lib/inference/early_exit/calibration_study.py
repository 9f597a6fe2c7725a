"""What temperature scaling changes in a network with two exits, and what it cannot change."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from edgedl_lib.inference.early_exit.calibration import calibrated, negative_log_likelihood, reliability
from edgedl_lib.inference.early_exit.criteria import entropy
from edgedl_lib.inference.early_exit.curves import exit_curve
from edgedl_lib.inference.early_exit.decision import decide

FIXED_THRESHOLD = 0.5  # nats
SHARES = np.linspace(0.3, 0.9, 13)


@dataclass(frozen=True)
class CalibrationStudy:
    """Test logits before and after temperature scaling, shape (2, n, classes), and after scaling doubled logits."""

    before: Tensor
    after: Tensor
    after_doubling: Tensor
    temperatures: np.ndarray
    targets: Tensor

    @property
    def nll_exit1(self) -> float:
        """Change of exit 1's cross entropy (nats)."""
        return self._nll_change(0)

    @property
    def nll_final(self) -> float:
        """Change of the final exit's cross entropy (nats)."""
        return self._nll_change(1)

    @property
    def ece_final(self) -> float:
        """Change of the final exit's expected calibration error (points)."""
        errors = [reliability(logits[1], self.targets).expected_error for logits in (self.before, self.after)]
        return 100 * (errors[1] - errors[0])

    @property
    def share_moved(self) -> float:
        """Change of the exit share at the fixed threshold when the logits double (points)."""
        return 100 * abs(_share(2 * self.before) - _share(self.before))

    @property
    def share_recovered(self) -> float:
        """Exit share of doubled, recalibrated logits minus that of calibrated ones (points)."""
        return 100 * (_share(self.after_doubling) - _share(self.after))

    @property
    def answers_changed(self) -> int:
        """Answers of any exit that scaling changed."""
        return int((self.before.argmax(dim=-1) != self.after.argmax(dim=-1)).sum())

    @property
    def rank_correlation(self) -> float:
        """Of exit 1's entropies before and after."""
        return float(spearmanr(entropy(self.before[0]), entropy(self.after[0])).statistic)

    @property
    def curve_moved(self) -> float:
        """Mean absolute change of accuracy at equal exit shares (points)."""
        curves = [exit_curve(logits, self.targets).at(SHARES) for logits in (self.before, self.after)]
        return 100 * float(np.abs(curves[1] - curves[0]).mean())

    def _nll_change(self, level: int) -> float:
        before, after = (negative_log_likelihood(logits[level], self.targets) for logits in (self.before, self.after))
        return after - before


def study_calibration(
    validation_logits: Tensor, validation_targets: Tensor, test_logits: Tensor, test_targets: Tensor
) -> CalibrationStudy:
    """Fit one temperature per exit on validation and apply it to test; the same once more with doubled logits."""
    after, temperatures = calibrated(test_logits, validation_logits, validation_targets)
    doubled, _ = calibrated(2 * test_logits, 2 * validation_logits, validation_targets)
    return CalibrationStudy(test_logits, after, doubled, temperatures, test_targets)


def first_exit_share(logits: Tensor, threshold: float) -> float:
    """Share of samples that leave at exit 1 of two when the entropy is below the threshold (nats)."""
    return float(decide(torch.as_tensor(logits), [threshold]).shares[0])


def _share(logits: Tensor) -> float:
    return first_exit_share(logits, FIXED_THRESHOLD)
