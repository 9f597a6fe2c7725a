"""Wrong versions of robust averaging: trims that trim too little, attacks too weak to test a defence."""

from functools import cache, partial

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.security.robust import rules, study
from edgedl_lib.training.security.robust.study import Setting

ROUNDS = 60


@cache
def accuracy(setting: Setting) -> float:
    """Accuracy in percent of one seed after sixty rounds."""
    return 100 * float(study.final_accuracy(study.accuracy_curves([setting], [0], ROUNDS))[0, 0])


def accuracy_of(rule, setting: Setting) -> float:
    """As :func:`accuracy`, with another rule."""
    task, strategy = study.poison_task(setting, 0), setting.strategy(0)
    strategy.rule = rule
    return 100 * float(study.final_accuracy(study.side_by_side([(task, strategy)], ROUNDS))[0])


TWO = Setting("trim 2", "reinitialise", 2)
FOUR = Setting("trim 4", "reinitialise", 4)


@sabotage("slsgd.tolerates_poisoning", "slsgd.abstract_tolerance")
def trims_one_end_only():
    """Leaves out the largest values alone: liars below stay in."""

    def one_end(stack):
        return np.sort(stack, axis=0)[:-2].mean(0)

    reached = accuracy_of(one_end, TWO)
    return {"slsgd.tolerates_poisoning": accuracy(Setting()) - reached, "slsgd.abstract_tolerance": reached}


@sabotage("slsgd.mean_collapses")
def flips_and_keeps_the_model():
    """The weak attack under the name of the strong one: the mean survives."""
    return accuracy(Setting("mean", "flip", 2))


@sabotage("slsgd.flip_is_weak")
def throws_the_model_away_too():
    """The strong attack under the name of the weak one."""
    return accuracy(Setting()) - accuracy(Setting("mean", "reinitialise", 2))


@sabotage("slsgd.breakdown")
def trims_a_share_of_both_sides_together():
    """Reads b as a count of the values left out in all and doubles it to be safe: it trims four a side."""
    return accuracy_of(partial(rules.trimmed_mean, trim=4), Setting("trim 2", "reinitialise", 4))


@sabotage("slsgd.four_of_ten")
def rounds_the_share_down():
    """Cuts int(0.4 * 10 / 2) a side: half of what is meant."""
    return accuracy_of(partial(rules.trimmed_mean, trim=2), FOUR)


@sabotage("slsgd.median")
def mean_of_the_extremes():
    """Takes the middle of the range for the median: the liars decide it."""
    return accuracy_of(lambda stack: (stack.max(0) + stack.min(0)) / 2, Setting("median", "reinitialise", 2))


@sabotage("slsgd.krum")
def the_farthest():
    """Chooses the largest score instead of the smallest."""
    return accuracy_of(lambda stack: stack[rules.krum_scores(stack, 2).argmax()], Setting("Krum", "reinitialise", 2))


@sabotage("slsgd.price_non_iid")
def no_trim_at_all():
    """A trim of zero costs nothing."""
    plain = accuracy(Setting(split="two classes"))
    return plain - accuracy_of(partial(rules.trimmed_mean, trim=0), Setting("trim 2", split="two classes"))


@sabotage("slsgd.filters_outliers")
def outliers_that_are_none():
    """All devices scale their pixels: there is nothing to filter."""
    return accuracy(Setting("trim 4")) - accuracy(Setting())


@sabotage("slsgd.noise_floor")
def a_moving_average_of_weight_one():
    """Forgets the decay: the spread stays."""
    curves = study.accuracy_curves([Setting(split="two classes")] * 2, [0], 20)
    spread = curves[:, 0, -10:].std(-1)
    return spread[1] / spread[0]


@sabotage("slsgd.strength_reinitialise", "slsgd.strength_flip")
def attacks_mixed_up():
    """Measures each attack under the other's name."""
    strength = study.attack_strength(0, 10)
    return {
        "slsgd.strength_reinitialise": np.median(strength["flip"]),
        "slsgd.strength_flip": np.median(strength["reinitialise"]),
    }
