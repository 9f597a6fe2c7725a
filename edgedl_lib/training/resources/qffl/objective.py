"""f_q itself: its value, its gradient, and its exact minimum for multinomial logistic regression.

f_q(w) = sum_k p_k F_k(w)^(q+1) / (q+1), Li et al. 2020 [221]; q = 0 is federated averaging's own objective.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from edgedl_lib.training.resources.qffl.devices import Devices, Part

GUARD = 1e-10  # added to losses by the authors' code, and by Flower


@dataclass(frozen=True)
class Objective:
    """f_q of one set of devices.

    Attributes
    ----------
    weights : ndarray, shape (K,)
        p_k; they sum to one.
    """

    devices: Devices
    q: float
    weights: np.ndarray

    def value(self, losses: np.ndarray) -> float:
        """f_q, given every device's loss, shape (K,)."""
        return float(self.weights @ losses ** (self.q + 1) / (self.q + 1))

    def losses(self, vector: np.ndarray) -> np.ndarray:
        """Mean loss (nats) of every device, shape (K,)."""
        return self.devices.train.mean_per_device(self._sample_losses(vector)[0])

    def power_mean(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        """((q+1) f_q)^(1/(q+1)) and its gradient: the same minimum, but in nats for every q."""
        train = self.devices.train
        samples, error = self._sample_losses(vector)  # (n,), (n, c)
        losses = train.mean_per_device(samples) + GUARD
        mean = float(self.weights @ losses ** (self.q + 1)) ** (1 / (self.q + 1))
        pull = self.weights * (losses / mean) ** self.q / train.sizes  # of one sample of each device
        error *= np.repeat(pull, train.sizes)[:, None]
        return mean, np.concatenate([(error.T @ train.inputs).ravel(), error.sum(0)])

    def _sample_losses(self, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Loss of every sample, and probabilities minus the truth."""
        train = self.devices.train
        scores = scores_of(vector, train.inputs, self.devices.classes)
        scores -= scores.max(1, keepdims=True)
        powers = np.exp(scores)
        total = powers.sum(1)
        rows = np.arange(len(total))
        losses = np.log(total) - scores[rows, train.labels]
        error = powers / total[:, None]
        error[rows, train.labels] -= 1
        return losses, error


def objective(devices: Devices, q: float, equal: bool = True) -> Objective:
    """f_q with equal p_k, or with p_k in proportion to the devices' samples."""
    if not q >= 0:
        raise ValueError(f"q {q} must not be negative: devices with a high loss would count less")
    sizes = np.ones(len(devices.train.sizes)) if equal else devices.train.sizes
    return Objective(devices, q, sizes / sizes.sum())


def scores_of(vector: np.ndarray, inputs: np.ndarray, classes: int) -> np.ndarray:
    """Scores of all classes; the vector holds the weight (c, f), then the bias (c,)."""
    weight, bias = np.split(vector, [classes * inputs.shape[1]])
    return inputs @ weight.reshape(classes, -1).T + bias


def minimise(target: Objective, start: np.ndarray | None = None, most: int = 1000) -> np.ndarray:
    """The model at which f_q is least, by L-BFGS; shape (c f + c,)."""
    size = target.devices.classes * (target.devices.train.inputs.shape[1] + 1)
    begin = np.zeros(size) if start is None else start
    options = {"maxiter": most, "maxfun": 2 * most, "ftol": 1e-12, "gtol": 1e-7}
    return minimize(target.power_mean, begin, jac=True, method="L-BFGS-B", options=options).x


def accuracies(vector: np.ndarray, part: Part, classes: int) -> np.ndarray:
    """Share of right answers on every device, shape (K,)."""
    return part.mean_per_device((scores_of(vector, part.inputs, classes).argmax(1) == part.labels).astype(float))
