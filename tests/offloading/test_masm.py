"""MASM: both convex steps against a general solver, the alternation against grids, the delays against queues."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from edgedl_lib.offloading.integral.masm import steps, study
from edgedl_lib.offloading.integral.masm.cloudlet import Algorithms, Cloudlet
from edgedl_lib.offloading.integral.masm.solver import InfeasibleQuality, Overloaded, solve, solve_all, starts
from edgedl_lib.system.queueing import exponential, poisson_arrivals, simulate_queue

CLOUDLET = Cloudlet()
FIVE = Algorithms(
    ("a", "b", "c", "d", "e"),
    64 * np.array([320, 1280, 2544, 9536, 623616.0]),
    64 * np.array([16, 64, 16, 64, 64.0]),
    np.array([0.82, 0.93, 0.88, 0.96, 0.98]),
)
HEAVY = replace(FIVE, cycles=np.array([1e6, 2e6, 5e6, 2e7, 6e7]))  # machines that are really busy
MIX = np.array([[0.3, 0.2, 0.1, 0.3, 0.1]])


@pytest.mark.parametrize("capacity", [2e9, 4e8])
@pytest.mark.parametrize("theta", [0.1, 0.5, 0.9])
def test_capacity_step_is_the_general_solvers_optimum(capacity, theta):
    cloudlet = Cloudlet(capacity=capacity, delay_weight=theta)
    capacities = steps.capacity_step(cloudlet, HEAVY, MIX)
    assert capacities.sum() <= capacity * (1 + 1e-9)
    limits = cloudlet.limits(HEAVY, MIX[0])

    def cost(logarithms):  # spare capacities, so that no step can leave the stable region
        return float(cloudlet.cost(HEAVY, MIX[0], limits + 1e8 * np.exp(logarithms)))

    fits = {"type": "ineq", "fun": lambda x: (capacity - limits.sum()) / 1e8 - np.exp(x).sum()}
    start = np.log(np.full(5, 0.9 * (capacity - limits.sum()) / 5e8))
    rival = minimize(cost, start, constraints=[fits], method="SLSQP", options={"ftol": 1e-15, "maxiter": 500})
    assert cloudlet.cost(HEAVY, MIX, capacities)[0] <= rival.fun * (1 + 1e-6)


@pytest.mark.parametrize("quality", [0.8, 0.92, 0.95])
@pytest.mark.parametrize("arrival_rate", [5.0, 20.0])
def test_weight_step_is_the_general_solvers_optimum(quality, arrival_rate):
    cloudlet = Cloudlet(arrival_rate=arrival_rate)
    capacities = np.array([[5e7, 1e8, 2e8, 5e8, 1.1e9]])
    weights = steps.weight_step(cloudlet, HEAVY, capacities, np.array([quality]))
    assert weights.sum() == pytest.approx(1) and weights.min() >= 0
    assert (weights @ HEAVY.quality)[0] >= quality - 1e-9
    constraints = [
        {"type": "eq", "fun": lambda w: w.sum() - 1},
        {"type": "ineq", "fun": lambda w: w @ HEAVY.quality - quality},
    ]
    bounds = [(0, 0.99 * f / c / arrival_rate) for f, c in zip(capacities[0], HEAVY.cycles, strict=True)]
    for start in (np.array([0, 0, 0, 1.0, 0]), np.array([0.0, 0.1, 0.1, 0.4, 0.4])):
        rival = minimize(
            lambda w: float(cloudlet.cost(HEAVY, w, capacities[0])),
            start, bounds=bounds, constraints=constraints, method="SLSQP", options={"ftol": 1e-14, "maxiter": 300},
        )  # fmt: skip
        if rival.success and np.isfinite(rival.fun):
            assert cloudlet.cost(HEAVY, weights, capacities)[0] <= rival.fun * (1 + 1e-5)


@pytest.mark.parametrize("theta", [0.2, 0.5, 0.8])
def test_two_algorithms_equal_a_fine_grid(theta):
    cloudlet = Cloudlet(delay_weight=theta)
    for algorithms in (FIVE, HEAVY):
        assert 0.95 < study.worst_grid_ratio(cloudlet, algorithms.only(1, 3, 4)) <= 1.01


def test_three_algorithms_are_not_beaten_by_any_grid_of_weights():
    three = HEAVY.only(0, 3, 4)
    share = np.linspace(0, 1, 41)
    weights = np.array([(a, b, 1 - a - b) for a in share for b in share if a + b <= 1])
    for quality in (0.85, 0.92, 0.965):
        reaching = weights[weights @ three.quality >= quality]
        capacities = steps.capacity_step(CLOUDLET, three, reaching)
        best = np.nanmin(CLOUDLET.cost(three, reaching, capacities))
        assert solve(CLOUDLET, three, quality).cost <= best * (1 + 1e-6)


def test_sweep_is_monotone_and_never_above_a_baseline():
    for algorithms in (FIVE, HEAVY):
        result = study.sweep(CLOUDLET, algorithms)
        assert study.decreases(result) == 0
        assert study.over_baselines(result) <= 1 + 1e-6
        assert study.least_slack(result) >= -1e-4
        assert study.price_of_quality(result) > 20
        inside = result.middle & ~np.isin(result.quality, algorithms.quality)
        single = result.baselines["best single feasible"]
        assert np.all(result.cost[inside] < single[inside])


def test_a_quality_out_of_reach_is_refused_by_name():
    with pytest.raises(InfeasibleQuality, match="0.99 is out of reach: the best algorithm, e, has 0.98"):
        solve(CLOUDLET, FIVE, 0.99)


def test_a_cloudlet_that_is_too_small_says_so():
    with pytest.raises(Overloaded, match="1e\\+08 cycles/s serve no mix of quality 0.98 at 20 tasks/s"):
        solve(Cloudlet(capacity=1e8), FIVE, 0.98)


def test_one_algorithm_gets_all_the_work():
    allocation = solve(CLOUDLET, FIVE.only(3), 0.9)
    assert allocation.weights.tolist() == [1.0]


def test_energy_alone_drives_capacities_to_the_limit():
    assert 1 < study.margin_without_delay(CLOUDLET, HEAVY, 0.9) <= 1.01
    assert study.margin_without_delay(CLOUDLET, HEAVY, 0.9, lambda c, a, q: solve_all(CLOUDLET, a, q)) > 1.2


def test_light_load_runs_every_machine_at_the_same_clock():
    """Minimising ``theta c / f + (1 - theta) kappa f^2 c`` gives an f without c."""
    light = Cloudlet(arrival_rate=1e-3)
    weights = np.array([[1.0, 0, 0, 0, 0], [0, 0, 0, 1.0, 0]])
    clock = steps.capacity_step(light, FIVE, weights).max(axis=1)
    assert clock == pytest.approx(np.cbrt(0.5 / (2 * 0.5 * 1e-27)), rel=1e-3)


def test_unstable_machines_cost_without_end():
    weights = np.array([0, 0, 0, 0, 1.0])
    limits = CLOUDLET.limits(FIVE, weights)
    assert CLOUDLET.cost(FIVE, weights, limits) == np.inf
    assert CLOUDLET.cost(FIVE, weights, 0.5 * limits) == np.inf


def test_delay_is_the_mean_over_tasks():
    weights, capacities = np.array([0.9, 0.1]), np.array([1e9, 1e9])
    pair = FIVE.only(0, 4)
    each = CLOUDLET.sending(pair) + CLOUDLET.computing(pair, weights, capacities)
    assert CLOUDLET.delay(pair, weights, capacities) == pytest.approx(0.9 * each[0] + 0.1 * each[1])


def test_delay_formula_against_an_event_driven_queue():
    """The same machine in SimPy."""
    alone = FIVE.only(4)
    capacities = CLOUDLET.limits(alone, np.ones(1)) / 0.7
    arrivals = poisson_arrivals(CLOUDLET.arrival_rate, 60_000, seed=1)
    run = simulate_queue(arrivals, exponential(float(alone.cycles[0] / capacities[0])), seed=2)
    formula = CLOUDLET.delay(alone, np.ones(1), capacities) - CLOUDLET.sending(alone)[0]
    assert run.latency.mean() == pytest.approx(formula, rel=0.05)


def test_simulation_refuses_what_it_cannot_settle():
    crowded = study.crowded(CLOUDLET, solve(CLOUDLET, FIVE, 0.9), load=0.99)
    with pytest.raises(Overloaded, match="load of 0.99"):
        study.delay_error(CLOUDLET, [crowded], 10, 0)


def test_starts_reach_the_quality():
    for quality in np.linspace(0.82, 0.98, 7):
        rows = starts(FIVE, quality, 0)
        assert np.all(rows @ FIVE.quality >= quality - 1e-12) and np.allclose(rows.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Cloudlet(arrival_rate=0), "arrival_rate must be a positive number, not 0"),
        (lambda: Cloudlet(delay_weight=1.5), "delay_weight is a share"),
        (lambda: Algorithms(("a",), np.ones(2), np.ones(1), np.ones(1)), r"got lengths \[1, 2\]"),
        (lambda: Algorithms(("a",), np.zeros(1), np.ones(1), np.ones(1)), "cycles must be positive"),
        (lambda: solve(CLOUDLET, FIVE, float("nan")), "out of reach"),
    ],
)
def test_bad_input_is_named(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_quality_is_chosen_on_validation_images():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    from edgedl_lib.offloading.integral.masm import classifiers

    trained = classifiers.train_algorithms(0)
    assert not np.allclose(trained.algorithms.quality, trained.test_quality)
    assert trained.test_quality.min() > 0.7 and trained.test_quality.max() > 0.94
    assert np.argmax(trained.algorithms.cycles) == 4
    assert trained.algorithms.size_bytes.tolist() == [1024, 4096, 1024, 4096, 4096]
    assert trained.algorithms.cycles[:2].tolist() == [64 * 2 * 160, 64 * 2 * 640]
