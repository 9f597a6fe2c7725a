"""Wrong temperatures for the exits' confidence."""

import numpy as np
import torch
from torch.nn import functional

from edgedl_lib.inference.early_exit.calibration import fit_temperature, negative_log_likelihood, reliability
from edgedl_lib.inference.early_exit.calibration_study import first_exit_share
from edgedl_lib.reproduce.sabotage import sabotage


def _too_sure(samples: int = 2000):
    """Logits of an honest classifier, multiplied by 3, with labels drawn from the honest probabilities."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(samples, 10, generator=generator)
    targets = torch.multinomial(torch.softmax(logits, 1), 1, generator=generator)[:, 0]
    return 3 * logits, targets


@sabotage("calibration.nll_exit1", "calibration.nll_final", "calibration.ece_final")
def multiplied_instead_of_divided():
    """The inverse temperature makes an exit that is too sure still surer."""
    logits, targets = _too_sure()
    wrong = logits * fit_temperature(logits, targets)
    nll = negative_log_likelihood(wrong, targets) - negative_log_likelihood(logits, targets)
    ece = [reliability(version, targets).expected_error for version in (wrong, logits)]
    return {
        "calibration.nll_exit1": nll,
        "calibration.nll_final": nll,
        "calibration.ece_final": 100 * (ece[0] - ece[1]),
    }


@sabotage("calibration.answers_changed", "calibration.rank_correlation", "calibration.curve_moved")
def one_temperature_per_class():
    """Scaling each class on its own is no calibration of confidence: answers and ranking change."""
    logits, targets = _too_sure()
    wrong = logits / torch.linspace(0.2, 5, 10)
    changed = int((wrong.argmax(1) != logits.argmax(1)).sum())
    right = [(version.argmax(1) == targets).float().mean() for version in (logits, wrong)]
    return {
        "calibration.answers_changed": changed,
        "calibration.rank_correlation": float(np.corrcoef(logits.amax(1), wrong.amax(1))[0, 1]),
        "calibration.curve_moved": 100 * float((right[0] - right[1]).abs()),
    }


@sabotage("calibration.share_moved", "calibration.share_recovered")
def blind_to_scale_and_not_recalibrated():
    """A criterion on normalised logits sees no scale; and doubled logits without a new temperature stay moved."""
    logits, _ = _too_sure()
    honest = torch.stack([logits, logits]) / 3
    blind = [first_exit_share(functional.normalize(version, dim=-1), 0.5) for version in (honest, 2 * honest)]
    return {
        "calibration.share_moved": 100 * abs(blind[1] - blind[0]),
        "calibration.share_recovered": 100 * (first_exit_share(2 * honest, 0.5) - first_exit_share(honest, 0.5)),
    }
