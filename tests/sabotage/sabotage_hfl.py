"""Wrong versions of hierarchical federated learning: its distances, its meetings, its bits, its memory."""

from dataclasses import replace

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.communication.hierarchical import cells, latency, study
from edgedl_lib.training.communication.hierarchical.learning import Hierarchy, learn
from edgedl_lib.training.data import digits_pool


@sabotage("hfl.accuracy")
def clusters_hardly_learn():
    """A user's order to learn is divided by the number of users once more: hierarchical learning stands still."""
    plan = replace(Hierarchy(*digits_pool(0)), iterations=60)
    return learn(replace(plan, learning_rate=plan.learning_rate / 28), 0).accuracy - learn(plan.flat(), 0).accuracy


@sabotage("hfl.latency", "hfl.latency_abstract")
def rare_meetings_and_a_slow_fronthaul():
    """The fronthaul taken to be as fast as a user's uplink divided by the users."""
    speed = latency.speed_ups(cells.Cells(), (0,), (2,), cells.REUSE[0], fronthaul=1 / 28).min()
    return dict.fromkeys(("hfl.latency", "hfl.latency_abstract"), speed)


@sabotage("hfl.increasing_in_period")
def a_meeting_every_iteration():
    """The fronthaul is charged in every iteration whatever H is."""
    speeds = latency.speed_ups(cells.Cells(), (0,), (1, 1, 1, 1), cells.REUSE[0]).mean(0)
    return np.diff(speeds).min()


@sabotage("hfl.increasing_in_exponent")
def no_distance():
    """Every user stands at the antenna: the exponent is without effect."""
    world = [cells.Cells(exponent=each, radius=1e-3) for each in study.EXPONENTS]
    return np.diff([latency.speed_ups(each, (0,), (4,), cells.REUSE[0]).mean() for each in world]).min()


@sabotage("hfl.sparsity_shortens")
def ninety_percent_on_both_links():
    """The uplink as dense as the downlink."""
    return study.shortened((0,), latency.Sparsity(0.9, 0.9, 0.9, 0.9))


@sabotage("hfl.identity")
def meetings_every_other_time():
    """H = 2 taken for H = 1."""
    return study.identity_gap(0, period=2)
