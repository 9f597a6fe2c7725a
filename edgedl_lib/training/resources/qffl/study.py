"""What the page measures of q-FFL: fairness at the exact minima, the algorithms' way there, agreement with Flower."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from edgedl_lib.training.exchange import from_record, to_record
from edgedl_lib.training.flower import (
    FlowerQFedAvg,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
    ensure_identity,
    quiet,
)
from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.models import Arrays, flatten, logistic
from edgedl_lib.training.resources.qffl.devices import Devices
from edgedl_lib.training.resources.qffl.fairness import Fairness, fairness
from edgedl_lib.training.resources.qffl.objective import Objective, accuracies, minimise, objective
from edgedl_lib.training.resources.qffl.strategy import QFedAvg, QFedSGD, next_model
from edgedl_lib.training.run import run
from edgedl_lib.training.task import Task

LEVELS = (0.0, 1.0, 2.0, 5.0)
STEP = 1.0  # tuned once, at q = 0
LOCAL_EPOCHS = 3
WITHIN = 0.02  # of the exact minimum
HYBRID_STEP = 0.1


def fair_minima(
    devices: Devices, levels: Sequence[float] = LEVELS, equal: bool = True, most: int = 200
) -> list[Fairness]:
    """Fairness on the test samples at the minimum of f_q, for each q; at most so many steps of L-BFGS."""
    vectors = [minimise(objective(devices, q, equal), most=most) for q in levels]
    return [fairness(accuracies(each, devices.test, devices.classes)) for each in vectors]


@dataclass(frozen=True)
class Descent:
    """Rounds of one algorithm.

    Attributes
    ----------
    excess : ndarray, shape (rounds,)
        f_q before each round over the exact minimum, minus one.
    """

    excess: np.ndarray

    def rounds_to(self, share: float = WITHIN) -> float:
        """Rounds until f_q is within that share of the minimum; infinity if it is not."""
        near = np.flatnonzero(self.excess <= share)
        return float(near[0]) if len(near) else np.inf


def descend(
    devices: Devices, q: float, kind: type[QFedAvg], rounds: int, step: float = STEP, epochs: int = LOCAL_EPOCHS
) -> Descent:
    """All devices in every round, on the engine; the losses are those that the devices report of the received model."""
    task_step = QFedSGD.training(step) if kind is not QFedAvg else LocalTraining(step, epochs=epochs, batch_size=None)
    data = devices.federated()
    task = Task("f_q", data, partial(logistic, data.clients[0].inputs.shape[1], devices.classes), task_step)
    strategy = kind(q=q, learning_rate=step, clients_per_round=len(data.clients))
    run(task, strategy, rounds, engine="vectorised", evaluate_every=rounds)
    return Descent(_excess(objective(devices, q), strategy.losses))


def descend_with_fixed_step(devices: Devices, q: float, most: int, step: float = STEP) -> Descent:
    """Gradient descent on f_q with the step size of q = 0, whatever q: w - step sum_k p_k F_k^q grad F_k."""
    target = objective(devices, q)
    vector = np.zeros(devices.classes * (devices.train.inputs.shape[1] + 1))
    losses = []
    for _ in range(most):
        losses.append(target.losses(vector))
        mean, slope = target.power_mean(vector)
        vector = vector - step * mean**q * slope
    return Descent(_excess(target, losses))


def _excess(target: Objective, losses: Sequence[np.ndarray]) -> np.ndarray:
    least = target.value(target.losses(minimise(target)))
    return np.array([target.value(each) for each in losses]) / least - 1


def flower_difference(seed: int = 0, rounds: int = 12, ours=next_model) -> float:
    """Largest difference between our next model and Flower's, for fixed random updates with q from 0 to 5."""
    rng = np.random.default_rng([seed, 41])
    gc.freeze()  # Flower collects garbage after every array it reads: let it look at the new objects only
    try:
        return max(_one_difference(rng, q, ours) for q in np.linspace(0, 5, rounds))
    finally:
        gc.unfreeze()


def _one_difference(rng: np.random.Generator, q: float, ours) -> float:
    shapes = {"a": (3, 4), "b": (4,), "c": (2, 2, 2)}
    models = [{name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()} for _ in range(6)]
    losses, step = rng.uniform(0.05, 2.0, 5), float(rng.uniform(0.05, 1.0))
    vectors = np.stack([flatten(each) for each in models]).astype(np.float64)
    flowers = flatten(flower_next_model(models[0], models[1:], losses, q, step))
    return float(np.abs(ours(vectors[0], vectors[1:], losses, q, 1 / step) - flowers).max())


def flower_next_model(model: Arrays, trained: Sequence[Arrays], losses: np.ndarray, q: float, step: float) -> Arrays:
    """What Flower's QFedAvg makes of these updates."""
    ensure_identity()
    quiet()
    strategy = FlowerQFedAvg(client_learning_rate=step, q=q, train_loss_key="loss_before")
    strategy.current_arrays = to_record(model)
    replies = []
    for arrays, loss in zip(trained, losses, strict=True):
        metrics = MetricRecord({"num-examples": 1, "loss_before": float(loss)})
        request = Message(RecordDict(), len(replies) + 2, MessageType.TRAIN)
        replies.append(Message(RecordDict({"arrays": to_record(arrays), "metrics": metrics}), reply_to=request))
    return from_record(strategy.aggregate_train(1, replies)[0])


def train_hybrid(devices: Devices, q: float, rounds: int, seed: int = 0) -> Fairness:
    """The paper's setting: 10 devices a round, drawn by their samples, one epoch in batches of 10."""
    data = devices.federated()
    training = LocalTraining(HYBRID_STEP, epochs=1, batch_size=10)
    task = Task("hybrid", data, partial(logistic, data.clients[0].inputs.shape[1], devices.classes), training, seed)
    strategy = QFedAvg(q=q, learning_rate=HYBRID_STEP, sizes=data.sizes.tolist(), clients_per_round=10, seed=seed)
    history = run(task, strategy, rounds, evaluate_every=rounds)  # of unequal sizes: side by side it would take longer
    return fairness(accuracies(flatten(history.arrays).astype(np.float64), devices.test, devices.classes))


def same_order(levels: Sequence[Fairness]) -> float:
    """Share of pairs that Jain's index calls fairer just when the variance does."""
    pairs = [(a, b) for index, a in enumerate(levels) for b in levels[index + 1 :]]
    return float(np.mean([(a.jain < b.jain) == (a.variance > b.variance) for a, b in pairs]))


def mean_fairness(runs: Sequence[Fairness]) -> Fairness:
    """Mean of every measure over seeds."""
    return Fairness(*np.mean([tuple(vars(each).values()) for each in runs], axis=0))
