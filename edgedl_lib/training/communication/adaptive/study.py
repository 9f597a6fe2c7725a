"""The controller against eleven fixed periods in the authors' four cases, and what its theorem and budget promise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.communication.adaptive.control import (
    Control,
    Costs,
    Estimates,
    best_period,
    divergence,
)
from edgedl_lib.training.communication.adaptive.descent import (
    FIXED_PERIODS,
    Descent,
    descend_adaptively,
    descend_asynchronously,
    descend_centrally,
    descend_fixed,
)
from edgedl_lib.training.communication.adaptive.nodes import (
    CASES,
    REGULARISATION,
    Nodes,
    case_parts,
    digit_halves,
    even_or_odd,
    spread,
)

MIXED, SKEWED = (1, 3), (2, 4)
NODES = 5
SOME_PERIODS = (1, 3, 7, 20, 100)  # enough where only the neighbourhood of the best period matters


@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs of one case and seed.

    Attributes
    ----------
    adaptive : Descent
    fixed : tuple of Descent
        In the order of the periods.
    accuracy : tuple of float
        On the test set: adaptive, and the fixed period with the lowest loss.
    """

    adaptive: Descent
    fixed: tuple[Descent, ...]
    accuracy: tuple[float, float]

    @property
    def best(self) -> int:
        """Index of the fixed period with the lowest loss."""
        return int(np.argmin([run.loss for run in self.fixed]))

    @property
    def ratio(self) -> float:
        """Loss of the controller over that of the best fixed period."""
        return self.adaptive.loss / self.fixed[self.best].loss

    @property
    def regret(self) -> float:
        """Excess over the best fixed period, as a share of the mean excess of all fixed ones."""
        losses = np.array([run.loss for run in self.fixed])
        return float((self.adaptive.loss - losses.min()) / (losses.mean() - losses.min()))


def even_odd_nodes(case: int, seed: int, nodes: int = NODES) -> tuple[Nodes, np.ndarray, np.ndarray]:
    """Digits, even against odd, spread as in a case; then the test inputs and their labels -1 or +1."""
    inputs, labels, test_inputs, test_labels = digit_halves(seed)
    shared = spread(inputs, even_or_odd(labels), case_parts(case, labels, nodes))
    return shared, test_inputs, even_or_odd(test_labels)


def compare(
    case: int,
    seed: int,
    *,
    step: float = 0.01,
    batch: int | None = None,
    nodes: int = NODES,
    periods: tuple[int, ...] = FIXED_PERIODS,
    choose: Callable = best_period,
) -> Comparison:
    """The controller and all fixed periods on one case.

    Where every node holds all data and takes full gradients, the nodes of a fixed period are copies of each other, and
    one stands for all.
    """
    held, test_inputs, test_signs = even_odd_nodes(case, seed, nodes)
    adaptive = descend_adaptively(held, Control(step=step), seed=seed, batch=batch, choose=choose)
    alone = case == 3 and batch is None
    baseline = Nodes(held.signed[:1], held.sizes[:1]) if alone else held
    fixed = descend_fixed(baseline, periods, step=step, seed=seed, batch=batch)
    best = min(fixed, key=lambda run: run.loss)
    right = [float(np.mean(np.sign(test_inputs @ run.model) == test_signs)) for run in (adaptive, best)]
    return Comparison(adaptive, tuple(fixed), tuple(right))


def four_cases(seeds: Sequence[int], **settings) -> dict[int, list[Comparison]]:
    """A comparison per case and seed; ``settings`` as for `compare`."""
    return {case: [compare(case, seed, **settings) for seed in seeds] for case in CASES}


def worst_ratio(cases: dict[int, list[Comparison]]) -> np.ndarray:
    """Per seed, the largest over the cases of loss(adaptive) / loss(best fixed)."""
    return np.array([[run.ratio for run in runs] for runs in cases.values()]).max(axis=0)


def mean_regret(cases: dict[int, list[Comparison]]) -> np.ndarray:
    """Per seed, the mean regret over the cases."""
    return np.array([[run.regret for run in runs] for runs in cases.values()]).mean(axis=0)


def period_skew(cases: dict[int, list[Comparison]]) -> np.ndarray:
    """Per seed, the smallest ratio of a mixed case's mean period to a skewed case's."""
    periods = {case: np.array([run.adaptive.mean_period for run in runs]) for case, runs in cases.items()}
    return np.min([periods[mixed] / periods[skewed] for mixed in MIXED for skewed in SKEWED], axis=0)


def accuracy_gain(cases: dict[int, list[Comparison]]) -> np.ndarray:
    """Per seed, percentage points over the best fixed period's accuracy, in the worst case."""
    return 100 * np.array([[run.accuracy[0] - run.accuracy[1] for run in runs] for runs in cases.values()]).min(axis=0)


def against_neighbours(cases: dict[int, list[Comparison]], seeds: Sequence[int], step: float = 0.01) -> np.ndarray:
    """Loss of the controller over those of centralised and of asynchronous descent, shape (2, cases, seeds)."""
    ratios = np.empty((2, len(cases), len(seeds)))
    for row, (case, runs) in enumerate(cases.items()):
        for column, (seed, run) in enumerate(zip(seeds, runs, strict=True)):
            held = even_odd_nodes(case, seed)[0]
            central = descend_centrally(even_odd_nodes(1, seed, nodes=1)[0], step=step)
            ratios[0, row, column] = run.adaptive.loss / central.loss
            ratios[1, row, column] = run.adaptive.loss / descend_asynchronously(held, step=step, seed=seed).loss
    return ratios


def gap_and_bound(
    held: Nodes, step: float, period: int, rounds: int, bound: Callable = divergence
) -> tuple[np.ndarray, np.ndarray]:
    """Distance of the averaged model from centralised descent within each round, and h(x), shapes (rounds, period).

    Both start each round from the same aggregated model; beta and delta are the true ones of the points visited.
    """
    mean = np.zeros((held.signed.shape[2], 1))
    gaps, bounds = np.empty((rounds, period)), np.empty((rounds, period))
    for index in range(rounds):
        own, central, delta = np.broadcast_to(mean, (len(held.sizes), *mean.shape)), mean, 0.0
        for x in range(period):
            delta = max(delta, gradient_spread(held, central))
            own = own - step * held.gradients(own)
            central = central - step * held.average(held.gradients(np.broadcast_to(central, own.shape)))
            gaps[index, x] = np.linalg.norm(held.average(own) - central)
        bounds[index] = bound(np.arange(1, period + 1), step, smoothness(held), delta)
        mean = held.average(own)
    return gaps, bounds


def gradient_spread(held: Nodes, model: np.ndarray) -> float:
    """Mean distance of the nodes' gradients from the global one, at one model of shape (d, 1)."""
    gradients = held.gradients(np.broadcast_to(model, (len(held.sizes), *model.shape)))[:, :, 0]
    return float(held.weights @ np.linalg.norm(gradients - held.weights @ gradients, axis=1))


def smoothness(held: Nodes) -> float:
    """The largest beta of any node: lambda plus the largest eigenvalue of its second moment."""
    moments = held.signed.transpose(0, 2, 1) @ held.signed / held.sizes[:, None, None]
    return REGULARISATION + float(np.linalg.eigvalsh(moments)[:, -1].max())


def over_clients(counts: Sequence[int], seed: int, **settings) -> dict[int, dict[int, Comparison]]:
    """Comparisons by number of clients and case, mixed data and data by label."""
    settings = {"periods": SOME_PERIODS, **settings}
    return {count: {case: compare(case, seed, nodes=count, **settings) for case in (1, 2)} for count in counts}


def largest_within(runs: dict[int, dict[int, Comparison]], limit: float = 1.05) -> int:
    """The largest number of clients at which every case stays within ``limit``; 0 if none does."""
    return max((count for count, cases in runs.items() if max(run.ratio for run in cases.values()) <= limit), default=0)


def share_of_conditions(drift: np.ndarray) -> float:
    """Of h at 0 to 100: zero at 0 and at 1, and larger with every step after: the share of 101 conditions that hold."""
    zero = np.abs(drift[:2]) < 1e-12
    rising = np.diff(drift[1:]) > 0
    return float(np.concatenate([zero, rising]).mean())


def lengthening(costs: Callable = Costs) -> float:
    """Best period where an aggregation costs a hundred local steps over that where it costs one."""
    estimates, control = Estimates(rho=1.0, beta=10.0, delta=1.0), Control()
    periods = [best_period(estimates, costs(1.0, ratio, 1000.0), control, control.largest) for ratio in (1.0, 100.0)]
    return periods[1] / periods[0]
