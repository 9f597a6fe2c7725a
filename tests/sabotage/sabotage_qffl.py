"""Wrong versions of q-FFL: powers that change nothing, a norm that is not squared, drift, devices that are alike."""

import functools

import numpy as np
from scipy.optimize import minimize

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.resources.qffl import study
from edgedl_lib.training.resources.qffl.devices import hybrid, minority
from edgedl_lib.training.resources.qffl.fairness import Fairness, fairness
from edgedl_lib.training.resources.qffl.objective import GUARD, Objective, accuracies, minimise, objective
from edgedl_lib.training.resources.qffl.strategy import QFedAvg, QFedSGD


@functools.cache
def _devices():
    return minority(0)


@functools.cache
def _hybrid(alike=0.5):
    return hybrid(0, alike=alike)


def _at(vector, devices) -> Fairness:
    return fairness(accuracies(vector, devices.test, devices.classes))


@sabotage("qffl.reduces_variance", "qffl.adjustable", "qffl.worst10_gain", "qffl.variance_reduction_mean")
def power_of_the_mean():
    """The mean loss of all, to the power q + 1: a monotone change of the objective, with the same minimum."""
    plain, powered = (_at(_minimum_of_power(q), _devices()) for q in (0.0, 5.0))
    reduction = 100 * (1 - powered.variance / plain.variance)
    return {
        "qffl.reduces_variance": reduction,
        "qffl.adjustable": 0.0 if abs(reduction) < 5 else 1.0,
        "qffl.worst10_gain": powered.worst - plain.worst,
        "qffl.variance_reduction_mean": reduction,
    }


def _minimum_of_power(q: float) -> np.ndarray:
    mean = objective(_devices(), 0.0)

    def value(vector):
        loss, slope = mean.power_mean(vector)
        return loss ** (q + 1) / (q + 1), loss**q * slope

    return minimize(value, np.zeros(42), jac=True, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-9}).x


@sabotage("qffl.accuracy_metric")
def minority_alone():
    """Only those who are served worst count."""
    odd = (np.arange(23) < 4) / 4
    mean = _at(minimise(objective(_devices(), 0.0)), _devices()).average
    return mean - _at(minimise(Objective(_devices(), 0.0, odd)), _devices()).average


@sabotage("qffl.jain_same_order")
def jain_upside_down():
    """The sum of the squares over the square of the sum."""
    levels = study.fair_minima(_devices())
    return study.same_order([Fairness(x.average, x.worst, x.best, x.variance, 1 / x.jain) for x in levels])


@sabotage("qffl.fedsgd_value")
def step_of_q_zero():
    """Gradient descent on f_q with the step size that was tuned for q = 0."""
    return 100 * study.descend_with_fixed_step(_devices(), 5.0, 60).excess[-1]


@sabotage("qffl.fedavg_value")
def local_training_to_the_end():
    """So many local epochs that every device ends at its own minimum: the mean of those is not the minimum."""
    return 100 * study.descend(_devices(), 0.0, QFedAvg, 6, epochs=20).excess[-1]


@sabotage("qffl.qfedavg_faster")
def a_single_local_step():
    """q-FedAvg with one local step is q-FedSGD."""
    single = study.descend(_devices(), 1.0, QFedAvg, 15, epochs=1)
    return study.descend(_devices(), 1.0, QFedSGD, 15).rounds_to() / single.rounds_to()


@sabotage("qffl.fixed_step")
def compared_at_q_zero():
    """At q = 0 there is nothing to adapt."""
    fixed = study.descend_with_fixed_step(_devices(), 0.0, 15)
    return fixed.rounds_to() / study.descend(_devices(), 0.0, QFedSGD, 15).rounds_to()


@sabotage("qffl.flower_agreement")
def norm_not_squared():
    """The norm of the slope where its square belongs."""

    def wrong(model, trained, losses, q, lipschitz):
        slopes, guarded = lipschitz * (model - trained), losses + GUARD
        bounds = q * guarded ** (q - 1) * np.linalg.norm(slopes, axis=1) + lipschitz * guarded**q
        return model - (guarded**q @ slopes) / bounds.sum()

    return study.flower_difference(ours=wrong)


@sabotage("qffl.few_rounds")
def q_does_not_arrive():
    """The value of q stays with the caller: both runs are those of q = 0, few rounds or many."""
    few, again = (study.train_hybrid(_hybrid(), 0.0, 2).average for _ in range(2))
    return few - again


@sabotage(
    "qffl.synthetic_q0_average", "qffl.synthetic_q1_average", "qffl.synthetic_q0_best10", "qffl.synthetic_q1_best10"
)
def trained_on_one_device():
    """The model of a single device, tested on all."""
    devices = _hybrid()
    only = minimise(Objective(devices, 0.0, (np.arange(100) == 0).astype(float)), most=50)
    average = _at(only, devices).average
    best = study.fair_minima(_devices(), (0.0, 1.0))  # and another data set, in which nobody can be served perfectly
    return {
        "qffl.synthetic_q0_average": average,
        "qffl.synthetic_q1_average": average,
        "qffl.synthetic_q0_best10": best[0].best,
        "qffl.synthetic_q1_best10": best[1].best,
    }


@sabotage(
    "qffl.synthetic_q0_worst10", "qffl.synthetic_q0_variance", "qffl.synthetic_q1_worst10", "qffl.synthetic_q1_variance"
)
def devices_all_alike():
    """All devices draw from the same distribution: nobody is served badly."""
    same, fair = study.fair_minima(_hybrid(alike=1.0), (0.0, 1.0), equal=False, most=60)
    return {
        "qffl.synthetic_q0_worst10": same.worst,
        "qffl.synthetic_q0_variance": same.variance,
        "qffl.synthetic_q1_worst10": fair.worst,
        "qffl.synthetic_q1_variance": fair.variance,
    }


@sabotage("qffl.synthetic_devices")
def devices_alike_counted_once():
    """The half that is alike counted as one device."""
    return 51


@sabotage("qffl.synthetic_samples")
def wider_sizes():
    """A lognormal of twice the width."""
    return int(np.random.default_rng(0).lognormal(4, 2, 100).astype(int).sum() + 5000)
