"""Wrong versions of FedPAQ: rounds instead of seconds, biased rounding, free messages, constant steps."""

from __future__ import annotations

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.communication.fedpaq import rates, study
from edgedl_lib.training.communication.fedpaq.cost import CostModel
from edgedl_lib.training.history import crossing

FREE = CostModel(ratio=1e-6)
SEED = (0,)


def one(period, nodes, levels, **settings):
    """Time to the loss of one setting, one seed."""
    return float(study.timed(SEED, period=period, nodes=nodes, levels=levels, **settings).time_to()[0])


@sabotage("fedpaq.metric")
def by_iterations():
    """Losses compared after the same iterations instead of the same time."""
    quick = study.timed(SEED, period=2, nodes=50, levels=1).losses[0, -1]
    return quick / study.timed(SEED, period=2, nodes=50, levels=None).losses[0, -1]


@sabotage("fedpaq.guarantees", "fedpaq.guarantees.non_convex")
def constant_step():
    """A step that does not shrink: a floor of noise."""
    return {
        "fedpaq.guarantees": rates.strongly_convex_slope(0, lambda number: 0.05),
        "fedpaq.guarantees.non_convex": rates.non_convex_slope(0, lambda horizon: 1.0),
    }


@sabotage("fedpaq.best_tau")
def local_steps_are_free():
    """Only messages cost: walk alone as long as possible."""
    times = {period: one(period, 25, 1, cost=CostModel(ratio=1e9)) for period in study.PERIODS[2:]}
    return min(times, key=times.get)


@sabotage("fedpaq.tau_ends")
def the_mean_node():
    """Time counted in local steps of one node: the shortest period is the best."""
    times = {period: one(period, 5, 1, cost=FREE) for period in (1, 10, 50)}
    return min(times[1], times[50]) / min(times.values())


@sabotage("fedpaq.coarse_faster", "fedpaq.coarse_gain")
def bits_do_not_count():
    """Rounds instead of seconds: what is coarse needs no fewer of them."""
    times = [one(5, 25, levels, cost=FREE) for levels in study.LEVELS]
    ratios = np.divide(times[1:], times[:-1])
    return {"fedpaq.coarse_faster": ratios.min(), "fedpaq.coarse_gain": times[-1] / times[0]}


@sabotage("fedpaq.beats_fedavg", "fedpaq.qsgd_beats_fedavg")
def every_float_is_one_bit():
    """FedAvg charged for quantised messages."""
    quantised, floats, each_step = (
        one(period, 50, levels, cost=FREE) for period, levels in ((2, 1), (2, None), (1, 1))
    )
    return {"fedpaq.beats_fedavg": floats / quantised, "fedpaq.qsgd_beats_fedavg": floats / each_step}


@sabotage("fedpaq.beats_qsgd")
def a_message_a_step():
    """FedPAQ charged for a message at each of its steps."""
    cost = CostModel()
    twice = CostModel(ratio=2 * cost.ratio)
    return one(1, 50, 1) / one(2, 50, 1, cost=twice)


@sabotage("fedpaq.few_nodes")
def in_rounds():
    """Rounds instead of seconds: more nodes can only help."""
    runs = [study.timed(SEED, period=5, nodes=nodes, levels=1) for nodes in (50, 5)]
    rounds = [crossing(-run.losses[0], -study.TARGET) for run in runs]
    return rounds[0] / rounds[1]


def to_the_nearest(changes, levels, uniforms):
    """The nearest level: no coins, and a bias."""
    norm = np.linalg.norm(changes, axis=-1, keepdims=True)
    return np.sign(changes) * np.rint(np.abs(changes) / norm * levels) * norm / levels


def doubled(changes, levels, uniforms):
    """The norm counted twice."""
    norm = np.linalg.norm(changes, axis=-1, keepdims=True)
    scaled = np.abs(changes) / norm * levels
    low = np.floor(scaled)
    return 2 * np.sign(changes) * (low + (uniforms < scaled - low)) * norm / levels


@sabotage("fedpaq.variance", "fedpaq.unbiased")
def twice_as_far():
    """Levels of twice the norm."""
    ratios = [study.variance_ratio(levels, 0, rule=doubled) for levels in (1, 5, 10)]
    return {"fedpaq.variance": max(ratios), "fedpaq.unbiased": study.bias_ratio(0, rule=to_the_nearest)}


@sabotage("fedpaq.final_loss")
def a_tenth_of_the_iterations():
    """The run without quantisation stopped early, as if seconds had been compared."""
    full = study.timed(SEED, period=5, nodes=25, levels=1).losses[0, -1]
    return study.timed(SEED, period=5, nodes=25, levels=None, iterations=10).losses[0, -1] / full
