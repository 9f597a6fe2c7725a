"""FEDL's learning: clients descend on a surrogate that knows the global gradient of the round before [219].

``J_n(w) = F_n(w) + <eta * global gradient - gradient of F_n at the received model, w>``.  In double precision on
quadratics, where gaps of 1e-13 mean something; the same step on the engine stands in :mod:`.strategy`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Quadratics:
    """Linear regression of several clients, ``F_n(w) = w A_n w / 2 - b_n w`` up to a constant.

    Attributes
    ----------
    curvature : ndarray, shape (n, d, d)
    slope : ndarray, shape (n, d)
    weight : ndarray, shape (n,)
        Share of the samples, D_n / D.
    """

    curvature: np.ndarray
    slope: np.ndarray
    weight: np.ndarray

    def gradients(self, points: np.ndarray) -> np.ndarray:
        """Gradient of every client at its own point, (n, d)."""
        return (self.curvature @ points[..., None])[..., 0] - self.slope

    def optimum(self) -> np.ndarray:
        """The minimiser of the weighted mean loss, (d,)."""
        return np.linalg.solve(np.tensordot(self.weight, self.curvature, 1), self.weight @ self.slope)

    def gap(self, point: np.ndarray) -> float:
        """Mean loss at the point over the least mean loss."""
        away = point - self.optimum()
        return float(away @ np.tensordot(self.weight, self.curvature, 1) @ away / 2)


def linear_clients(
    seed: int, clients: int = 30, dimension: int = 40, condition: float = 5.0, spread: float = 1.0
) -> Quadratics:
    """Clients whose data follow different linear rules; every client's condition number is ``condition``.

    Parameters
    ----------
    condition : float
        rho = L / beta, with beta = 1: all curvatures have eigenvalues from 1 to rho, along directions of their own.
    spread : float
        How far the clients' rules lie apart, in standard deviations; 0 makes all clients equal.
    """
    if not condition >= 1:
        raise ValueError(f"condition {condition} must be at least 1: it is a largest over a smallest eigenvalue")
    rng = np.random.default_rng(seed)
    values, shared = np.linspace(1, condition, dimension), rng.normal(size=dimension)
    directions = np.linalg.qr(rng.normal(size=(clients, dimension, dimension)))[0]
    if spread == 0:
        directions[:] = directions[0]
    curvature = np.einsum("nij,j,nkj->nik", directions, values, directions)
    rules = shared + spread * rng.normal(size=(clients, dimension))
    sizes = 500 + rng.lognormal(4, 2, clients)
    return Quadratics(curvature, np.einsum("nij,nj->ni", curvature, rules), sizes / sizes.sum())


def surrogate_gradients(
    problem: Quadratics, points: np.ndarray, rate: float, global_gradient: np.ndarray, received: np.ndarray
) -> np.ndarray:
    """Slopes of the surrogates: at the received model it is ``rate`` times the global gradient for everybody."""
    return problem.gradients(points) + rate * global_gradient - received


def fedl_gaps(
    problem: Quadratics,
    rate: float,
    rounds: int,
    *,
    steps: int = 20,
    step_size: float = 0.04,
    accuracy: float | None = None,
) -> np.ndarray:
    """Gap to the optimum after every round, shape (rounds + 1,); the first round is plain local descent.

    Parameters
    ----------
    rate : float
        eta, the hyper-learning rate.
    steps, step_size : int, float
        Local steps K_l and their size h_k.
    accuracy : float, optional
        theta: a client stops early once its surrogate's gradient has shrunk to this share.

    Notes
    -----
    The global gradient is the mean of the gradients at the clients' own ends, one round old, as in the authors'
    program: recomputing it at the new model would take one more exchange.
    """
    dimension = problem.slope.shape[1]
    point, global_gradient, gaps = np.zeros(dimension), None, []
    for _ in range(rounds + 1):
        gaps.append(problem.gap(point))
        ends = np.tile(point, (len(problem.weight), 1))
        received = problem.gradients(ends)
        correction = 0 if global_gradient is None else rate * global_gradient - received
        ends = _descend(problem, ends, correction, steps, step_size, accuracy)
        point = problem.weight @ ends
        global_gradient = problem.weight @ problem.gradients(ends)
        if not np.isfinite(point).all() or np.abs(point).max() > 1e100:
            return np.array(gaps + [np.inf] * (rounds + 1 - len(gaps)))
    return np.array(gaps)


def fedavg_gaps(problem: Quadratics, rounds: int, *, steps: int = 20, step_size: float = 0.04) -> np.ndarray:
    """The same with plain local descent in every round: federated averaging with full batches."""
    point, gaps = np.zeros(problem.slope.shape[1]), []
    for _ in range(rounds + 1):
        gaps.append(problem.gap(point))
        point = problem.weight @ _descend(problem, np.tile(point, (len(problem.weight), 1)), 0, steps, step_size, None)
    return np.array(gaps)


def _descend(problem: Quadratics, ends: np.ndarray, correction, steps: int, step_size: float, accuracy: float | None):
    running = np.ones((len(ends), 1))
    first = np.linalg.norm(problem.gradients(ends) + correction, axis=1, keepdims=True)
    for _ in range(steps):
        slopes = problem.gradients(ends) + correction
        if accuracy is not None:
            running = running * (np.linalg.norm(slopes, axis=1, keepdims=True) > accuracy * first)
        ends = ends - step_size * running * slopes
    return ends
