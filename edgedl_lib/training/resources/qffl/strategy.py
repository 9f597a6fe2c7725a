"""q-FedAvg and q-FedSGD: federated averaging in which only the aggregation differs.

A device with a high loss counts more; the step of the server divides by a bound on the curvature of f_q, so that the
step size that was tuned for q = 0 serves every q.
"""

from __future__ import annotations

import numpy as np

from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.models import Arrays, flatten, unflatten
from edgedl_lib.training.resources.qffl.objective import GUARD
from edgedl_lib.training.strategy import BadUpdate, ClientUpdate, FederatedAveraging


def next_model(model: np.ndarray, trained: np.ndarray, losses: np.ndarray, q: float, lipschitz: float) -> np.ndarray:
    """One aggregation of q-FedAvg, w - sum(Delta_k) / sum(h_k).

    Parameters
    ----------
    model : ndarray, shape (d,)
        The global model w, at which the losses were measured.
    trained : ndarray, shape (K, d)
        Each device's model after local training.
    losses : ndarray, shape (K,)
        F_k(w) in nats, on all local data, BEFORE training.
    lipschitz : float
        L, one over the step size tuned for q = 0.

    Examples
    --------
    >>> model, trained = np.zeros(1), np.array([[1.0], [3.0]])
    >>> next_model(model, trained, np.array([1.0, 1.0]), q=0, lipschitz=10.0)
    array([2.])
    """
    slopes = lipschitz * (model - trained)  # (K, d): what stands for the gradient of F_k
    guarded = np.asarray(losses, dtype=np.float64) + GUARD
    pulls = guarded**q
    norms = np.sum(slopes.astype(np.float64) ** 2, axis=1)
    bounds = q * guarded ** (q - 1) * norms + lipschitz * pulls
    total = bounds.sum()
    return model - (pulls @ slopes) / total if total > 0 else model.copy()  # all losses zero: nothing to do


class QFedAvg(FederatedAveraging):
    """q-FedAvg of Li et al. 2020 [221].

    Parameters
    ----------
    q : float
        0 is the plain mean; the larger, the more a device with a high loss counts.
    learning_rate : float
        The clients' own step size, tuned for q = 0.
    sizes : sequence of int, optional
        n_k: devices are then drawn in proportion to them, as in the paper; without, all alike.
    """

    def __init__(self, *, q: float, learning_rate: float, sizes=None, **settings) -> None:
        if not q >= 0 or not learning_rate > 0:
            raise ValueError(f"q {q} must not be negative and learning_rate {learning_rate} must be positive")
        super().__init__(**settings)
        self.q, self.lipschitz, self.sizes = q, 1 / learning_rate, sizes
        self.losses: list[np.ndarray] = []

    def choose(self, server_round: int, clients: list[int]) -> list[int]:
        """In proportion to the devices' samples, without replacement."""
        if self.sizes is None or self.clients_per_round >= len(clients):
            return super().choose(server_round, clients)
        shares = np.array([self.sizes[client] for client in clients], dtype=float)
        rng = np.random.default_rng([self.seed, server_round])
        return [
            int(each) for each in rng.choice(clients, self.clients_per_round, replace=False, p=shares / shares.sum())
        ]

    def inspect(self, update: ClientUpdate, arrays: Arrays) -> None:
        """Also refuse an update without the loss of the received model."""
        super().inspect(update, arrays)
        loss = update.metrics.get("loss_before", np.nan)
        if not np.isfinite(loss) or loss < 0:
            raise BadUpdate(update.client, f"says that the loss of the received model is {loss}")

    def aggregate(self, server_round: int, arrays: Arrays, updates: list[ClientUpdate]) -> Arrays:
        """Losses to the power q over the sum of the curvature bounds."""
        self.losses.append(np.array([each.metrics["loss_before"] for each in updates]))
        trained = np.stack([flatten(each.arrays) for each in updates]).astype(np.float64)
        model = flatten(arrays).astype(np.float64)
        return unflatten(next_model(model, trained, self.losses[-1], self.q, self.lipschitz), arrays)


class QFedSGD(QFedAvg):
    """q-FedSGD: the special case of one local step on all data, in which L (w - w_k) IS the gradient of F_k."""

    @staticmethod
    def training(learning_rate: float) -> LocalTraining:
        """What the clients of q-FedSGD do."""
        return LocalTraining(learning_rate=learning_rate, epochs=1, batch_size=None)


class FixedStep(QFedAvg):
    """Plain gradient descent on f_q with the step size of q = 0: what q-FedSGD is better than."""

    def aggregate(self, server_round: int, arrays: Arrays, updates: list[ClientUpdate]) -> Arrays:
        """The mean of the gradients, each times the device's loss to the power q."""
        self.losses.append(np.array([each.metrics["loss_before"] for each in updates]))
        model = flatten(arrays).astype(np.float64)
        steps = np.stack([flatten(each.arrays) for each in updates]) - model
        return unflatten(model + np.mean(self.losses[-1][:, None] ** self.q * steps, axis=0), arrays)
