"""Wrong versions of ELFISH: whole networks on the stragglers, masks that stay, costs that are squared."""

import functools

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.resources.elfish import study
from edgedl_lib.training.resources.elfish.masks import Rotation, cycles_to_cover
from edgedl_lib.training.resources.elfish.volume import active_neurons


@functools.cache
def _curves():
    data = study.fleet(0)
    return {
        "synchronous": study.train_rounds(data, study.SYNCHRONOUS),
        "dropped": study.train_rounds(data, study.DROPPED),
        "soft": study.train_rounds(data, study.SOFT),
    }


@sabotage("elfish.train_acceleration_max", "elfish.accel_abstract")
def whole_networks():
    """The stragglers train everything under the name of soft training: nothing is faster."""
    plain, again = (study.train_rounds(study.fleet(0), each, 20) for each in (study.SYNCHRONOUS, study.Scheme()))
    ratio = plain.time_to() / again.time_to()
    return {"elfish.train_acceleration_max": ratio, "elfish.accel_abstract": ratio}


@sabotage("elfish.accuracy_gain", "elfish.over_fixed_mask")
def stragglers_left_out():
    """A mask of all neurons, for ever: the stragglers take part and train nothing."""
    curves = _curves()
    loss = 100 * (curves["dropped"].final - curves["soft"].final)
    return {"elfish.accuracy_gain": loss, "elfish.over_fixed_mask": loss}


@sabotage("elfish.extreme_limit")
def usual_volume_for_all():
    """A device ten times slower is given half of the neurons, as if it were only twice slower."""
    curves = _curves()
    return 100 * (curves["synchronous"].final - curves["soft"].final)


@sabotage("elfish.rotating_masks")
def one_mask_for_ever():
    """The same reduced model in every cycle."""
    return study.coverage((0.5,), rotate=False)


@sabotage("elfish.sync_stretch")
def mean_of_the_devices():
    """A round that lasts as long as the devices on average."""
    return np.mean([16, 30, 80]) / 16


@sabotage("elfish.round_ratio")
def cost_squared():
    """Every layer charged as if masked on both sides."""
    return 1 / 0.5**2


@sabotage("elfish.deeper_cost")
def cost_as_the_volume():
    """Half of the neurons taken for half of the work."""
    return active_neurons(64, 0.5) / 64


@sabotage("elfish.disjoint_loss")
def labels_shared_after_all():
    """The usual skew of 85 % in place of none shared."""
    curves = _curves()
    return 100 * (curves["synchronous"].final - curves["soft"].final)


@sabotage("elfish.kept_coverage")
def by_age_alone():
    """The places that contribution should fill are rotated as well."""
    return cycles_to_cover(Rotation(64, 0.5, np.random.default_rng(0)), np.arange(64.0))
