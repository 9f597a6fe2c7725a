"""How many local steps between two aggregations: the bound of Wang et al. 2019 [209], minimised over the period.

Nodes that take many local steps drift apart; nodes that aggregate often spend their budget on the network.  Both enter
one bound on the final loss, with three numbers that every round measures anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAME_POINT = 1e-10  # distance below which two models are one and ratios over it say nothing


@dataclass(frozen=True)
class Estimates:
    """What a round tells about the loss.

    Attributes
    ----------
    rho : float
        Change of a node's loss per unit of distance (Lipschitz constant of the loss).
    beta : float
        Change of a node's gradient per unit of distance (smoothness).
    delta : float
        Mean distance of a node's gradient from the global one: zero where all nodes hold the same data.
    """

    rho: float
    beta: float
    delta: float


@dataclass(frozen=True)
class Costs:
    """What one local step and one aggregation cost, and what there is to spend: one entry per resource."""

    local: np.ndarray | float
    aggregation: np.ndarray | float
    budget: np.ndarray | float

    def __post_init__(self) -> None:
        if np.any(np.asarray(self.local) < 0) or np.any(np.asarray(self.aggregation) < 0):
            raise ValueError(f"costs must not be negative, got {self.local} and {self.aggregation}")

    def steps(self, period: np.ndarray | float) -> np.ndarray:
        """Local steps T that the scarcest resource allows, after one aggregation and one step for the last loss."""
        period = np.asarray(period, dtype=float)
        local, aggregation, budget = (
            np.atleast_1d(part)[:, None] for part in (self.local, self.aggregation, self.budget)
        )
        left = budget - aggregation - local
        if np.any(left <= 0):
            raise ValueError(f"a budget of {self.budget} does not pay for one aggregation and one step; raise it")
        with np.errstate(divide="ignore"):
            steps = left * period / (local * period + aggregation)
        return steps.min(axis=0).reshape(period.shape)


@dataclass(frozen=True)
class Control:
    """Constants of the controller, as in the authors' configuration."""

    step: float = 0.01
    phi: float = 0.025
    growth: int = 10
    largest: int = 100


def divergence(steps: np.ndarray | float, step: float, beta: float, delta: float) -> np.ndarray | float:
    """h(x): how far local descent may lie from centralised descent, x steps after both left the same point.

    Wang et al. 2019, theorem 1.  Zero after no step and after one: the mean of the nodes' gradients is the gradient.

    >>> [round(float(divergence(x, 0.1, 1.0, 1.0)), 6) for x in (0, 1, 2)]
    [0.0, 0.0, 0.01]
    """
    steps = np.asarray(steps, dtype=float)
    if step * beta < 1e-12:
        return np.zeros_like(steps)
    drift = delta / beta * np.expm1(steps * np.log1p(step * beta)) - step * delta * steps
    return np.maximum(drift, 0.0)  # rounding may leave -1e-18 at x = 1


def loss_bound(period: np.ndarray | float, estimates: Estimates, costs: Costs, control: Control) -> np.ndarray | float:
    """G(tau): bound on the loss above the optimum when every aggregation follows ``period`` local steps.

    Wang et al. 2019, equation 20: the first term is what too few steps leave, the others what drifting apart costs.
    """
    drift = divergence(period, control.step, estimates.beta, estimates.delta)
    unfinished = 1 / (2 * control.step * control.phi * costs.steps(period))
    mixed = estimates.rho * drift / (control.step * control.phi * np.asarray(period, dtype=float))
    return unfinished + np.sqrt(unfinished**2 + mixed) + estimates.rho * drift


def best_period(estimates: Estimates, costs: Costs, control: Control, previous: int) -> int:
    """The period with the lowest bound, at most ``growth`` times the previous one; the shortest on a tie."""
    periods = np.arange(1, min(control.growth * previous, control.largest) + 1)
    return int(periods[np.argmin(loss_bound(periods, estimates, costs, control))])


def measure(
    local_loss: np.ndarray,
    global_loss: np.ndarray,
    local_gradient: np.ndarray,
    global_gradient: np.ndarray,
    distance: np.ndarray,
    weights: np.ndarray,
    previous: Estimates | None,
) -> Estimates:
    """Estimates from what n nodes report about two points: their own last model and the aggregated one.

    Parameters
    ----------
    local_loss, global_loss : ndarray, shape (n,)
        Each node's loss at its own model and at the aggregated one.
    local_gradient, global_gradient : ndarray, shape (n, d)
    distance : ndarray, shape (n,)
        Of a node's own model from the aggregated one.
    weights : ndarray, shape (n,)
        Shares of the data, summing to one.
    previous : Estimates or None
        Kept for rho and beta where no node has moved away from the aggregated model; zero then if there are none.
    """
    mean = weights @ global_gradient
    delta = float(weights @ np.linalg.norm(global_gradient - mean, axis=1))
    apart = distance > SAME_POINT
    if not apart.any():
        return Estimates(0.0, 0.0, delta) if previous is None else Estimates(previous.rho, previous.beta, delta)
    share = weights[apart] / weights[apart].sum()
    rho = np.abs(local_loss - global_loss)[apart] / distance[apart]
    beta = np.linalg.norm(local_gradient - global_gradient, axis=1)[apart] / distance[apart]
    return Estimates(float(share @ rho), float(share @ beta), delta)
