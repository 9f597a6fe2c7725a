"""Does an exit that says 90 % get 90 % right?  Reliability diagram, calibration error, temperature scaling.

Guo et al. 2017: divide the logits by one temperature, fitted on a validation split.  Answers stay what they were; what
changes is how sure they sound, and with it who leaves at a fixed threshold.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.02, 50.0


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, in bins of equal width.

    Attributes
    ----------
    edges : ndarray, shape (bins + 1,)
        Of the largest probability; a bin holds its upper edge, not its lower one.
    share, confidence, accuracy : ndarray, shape (bins,)
        Share of the samples, their mean largest probability and their accuracy; NaN in an empty bin.
    """

    edges: np.ndarray
    share: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def expected_error(self) -> float:
        """Expected calibration error: mean gap between confidence and accuracy, weighted by the share, in [0, 1]."""
        return float(np.nansum(self.share * np.abs(self.confidence - self.accuracy)))


def reliability(logits: Tensor, targets: Tensor, bins: int = 10) -> Reliability:
    """Reliability diagram of one exit.

    Parameters
    ----------
    logits : Tensor, shape (n, classes)
    targets : Tensor, shape (n,)

    Raises
    ------
    ValueError
        No bins, no samples, or logits with NaN.
    """
    _check(logits, targets)
    if bins < 1:
        raise ValueError(f"{bins} bins; a reliability diagram needs at least one")
    probability, answer = torch.softmax(logits.double(), dim=-1).max(dim=-1)
    right = (answer == targets).double().numpy()
    confidence = probability.numpy()
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(place, values, bins) / np.where(count, count, np.nan) for values in (confidence, right)]
    return Reliability(np.linspace(0, 1, bins + 1), count / len(right), *means)


def negative_log_likelihood(logits: Tensor, targets: Tensor, temperature: float = 1.0) -> float:
    """Mean cross entropy in nats of logits divided by a temperature."""
    if not temperature > 0:
        raise ValueError(f"temperature {temperature} must be above 0")
    return float(functional.cross_entropy(logits.double() / temperature, targets))


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """Temperature with the least cross entropy on these (validation) samples; above 1 for an exit that is too sure.

    The cross entropy is convex in 1 / temperature, so a bounded search over its logarithm finds the minimum.  Samples
    that are all answered right would ask for temperature 0 and get the lowest allowed one.

    Raises
    ------
    ValueError
        No samples, or logits with NaN.
    """
    _check(logits, targets)
    bounds = (np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE))
    found = minimize_scalar(
        lambda logarithm: negative_log_likelihood(logits, targets, np.exp(logarithm)),
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


def calibrated(logits: Tensor, validation_logits: Tensor, validation_targets: Tensor) -> tuple[Tensor, np.ndarray]:
    """Logits of all exits, each divided by the temperature fitted on the validation split, and the temperatures.

    Parameters
    ----------
    logits, validation_logits : Tensor, shape (exits, n, classes)
    """
    if len(logits) != len(validation_logits):
        raise ValueError(f"{len(logits)} exits to calibrate, {len(validation_logits)} to fit on")
    temperatures = np.array([fit_temperature(level, validation_targets) for level in validation_logits])
    return logits / torch.tensor(temperatures, dtype=logits.dtype).view(-1, 1, 1), temperatures


def _check(logits: Tensor, targets: Tensor) -> None:
    if logits.dim() != 2 or len(logits) != len(targets) or not len(targets):
        raise ValueError(
            f"expected logits (samples, classes) and one target each, got {tuple(logits.shape)} and {len(targets)}"
        )
    if torch.isnan(logits).any():
        raise ValueError("the logits hold NaN: the network or its input is broken, a confidence would mean nothing")
