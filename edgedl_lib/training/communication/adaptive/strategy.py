"""The controller on the federated engine: a strategy that changes the local steps of every round; the node's part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.communication.adaptive.clock import BUDGET, Clock, Times
from edgedl_lib.training.communication.adaptive.control import Control, Costs, Estimates, best_period
from edgedl_lib.training.communication.adaptive.nodes import Nodes
from edgedl_lib.training.local import LocalResult, LocalTraining
from edgedl_lib.training.models import Arrays
from edgedl_lib.training.strategy import BadUpdate, ClientUpdate, FederatedAveraging

GRADIENT = "gradient"  # what a node sends beside its model


def margin_step(model, arrays: Arrays, split: Split, training: LocalTraining, rng, *, state, config) -> LocalResult:
    """A node's round: full gradients of the squared hinge, then its own last model, loss and gradient are kept.

    With the model that it receives the node compares what it kept, and reports rho and beta together with the gradient
    at the received model.  Targets are 0 and 1 and become -1 and +1 here.
    """
    signs = 2.0 * split.targets.numpy() - 1
    node = Nodes((split.inputs.numpy() * signs[:, None])[None].astype(float), np.array([len(split)]))
    received = arrays["weight"].astype(float)[None, :, None]  # (1, d, 1)
    gradient, loss = node.gradients(received), float(node.losses(received)[0, 0])
    metrics = {"loss_before": loss, **_comparison(state, received, loss, gradient)}
    own = received
    for _ in range(training.steps):
        own = own - training.learning_rate * node.gradients(own)
    state.update(model=own.ravel(), gradient=node.gradients(own).ravel(), loss=float(node.losses(own)[0, 0]))
    sent = {"weight": own.ravel().astype(np.float32), GRADIENT: gradient.ravel().astype(np.float32)}
    return LocalResult(sent, len(split), metrics)


def _comparison(state: dict, received: np.ndarray, loss: float, gradient: np.ndarray) -> dict[str, float]:
    """Distance, and the two ratios over it; nothing in the first round."""
    if "model" not in state:
        return {}
    distance = float(np.linalg.norm(state["model"] - received.ravel()))
    if distance == 0:
        return {"distance": 0.0, "rho": 0.0, "beta": 0.0}
    steeper = float(np.linalg.norm(state["gradient"] - gradient.ravel()))
    return {"distance": distance, "rho": abs(float(state["loss"]) - loss) / distance, "beta": steeper / distance}


class AdaptivePeriod(FederatedAveraging):
    """Federated averaging of all nodes whose number of local steps follows the controller, on a simulated clock.

    When the budget does not pay for another round nobody is chosen any more.  ``best`` is the model with the lowest
    loss that the nodes have reported; ``periods`` lists the local steps so far.
    """

    def __init__(
        self, *, nodes: int, control: Control, times: Times | None = None, budget: float = BUDGET, seed: int = 0
    ) -> None:
        super().__init__(clients_per_round=nodes, seed=seed)
        self.control = control
        self.clock = Clock(times or Times(), budget, np.random.default_rng([seed, 0]), extra_steps=1)
        self.periods: list[int] = []
        self.best: tuple[float, Arrays | None] = (np.inf, None)
        self._period, self._estimates = 1, None

    def choose(self, server_round: int, clients: list[int]) -> list[int]:
        """Everybody, as long as there is budget."""
        steps = self.clock.affordable(self._period)
        if steps < 1 or not self.clock.pay(steps):
            return []
        self.periods.append(steps)
        return list(clients)

    def instructions(self, server_round: int, client: int) -> dict:
        """The local steps of this round."""
        return {"steps": self.periods[-1], "learning_rate": self.control.step}

    def inspect(self, update: ClientUpdate, arrays: Arrays) -> None:
        """The model as ever, and a finite gradient of the same shape."""
        super().inspect(replace(update, arrays=_model_of(update)), arrays)
        gradient = update.arrays.get(GRADIENT)
        if gradient is None or gradient.shape != arrays["weight"].shape or not np.isfinite(gradient).all():
            raise BadUpdate(update.client, "sent no gradient that fits the model")

    def aggregate(self, server_round: int, arrays: Arrays, updates: list[ClientUpdate]) -> Arrays:
        """The weighted mean of the models; the estimates choose the next period."""
        weights = np.array([update.examples for update in updates], dtype=float)
        weights /= weights.sum()
        loss = float(weights @ [update.metrics["loss_before"] for update in updates])
        if loss < self.best[0]:
            self.best = (loss, arrays)
        if all("distance" in update.metrics for update in updates):
            self._estimates = self._estimated(updates, weights)
            costs = Costs(self.clock.local, self.clock.aggregation, self.clock.budget)
            self._period = best_period(self._estimates, costs, self.control, self._period)
        return super().aggregate(
            server_round, arrays, [replace(update, arrays=_model_of(update)) for update in updates]
        )

    def _estimated(self, updates: list[ClientUpdate], weights: np.ndarray) -> Estimates:
        gradients = np.stack([update.arrays[GRADIENT] for update in updates]).astype(float)
        delta = float(weights @ np.linalg.norm(gradients - weights @ gradients, axis=1))
        moved = np.array([update.metrics["distance"] > 0 for update in updates])
        if not moved.any():
            known = self._estimates or Estimates(0.0, 0.0, 0.0)
            return replace(known, delta=delta)
        share = weights * moved / weights[moved].sum()
        rho, beta = (float(share @ [update.metrics[name] for update in updates]) for name in ("rho", "beta"))
        return Estimates(rho, beta, delta)


def _model_of(update: ClientUpdate) -> Arrays:
    return {name: values for name, values in update.arrays.items() if name != GRADIENT}
