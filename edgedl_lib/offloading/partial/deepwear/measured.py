"""Layer times of this machine, scaled to watch and phone: the roofline's rival."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgedl_lib.nets.profile import measure_layers
from edgedl_lib.offloading.partial.deepwear.devices import PHONE_FACTOR, modelled_times
from edgedl_lib.offloading.partial.deepwear.networks import MODELS, WearableCase
from edgedl_lib.offloading.partial.deepwear.reduction import reduce

REFERENCE = "GoogLeNet"  # takes on the watch what the roofline says; the others follow from it
MEASURED = ("LeNet-5", "DS-CNN", "acoustic model", "MobileNet", "GoogLeNet", "ResNet-18")


def measured_cases(names: Sequence[str] = MEASURED, *, budget: float = 0.3) -> tuple[WearableCase, ...]:
    """Networks with layer times measured here for `budget` s each, and the same factor to the watch for all.

    Raises
    ------
    ValueError
        If GoogLeNet, which sets the scale, is not among them.
    """
    if REFERENCE not in names:
        raise ValueError(f"{REFERENCE} sets the scale from this machine to the watch: add it to {tuple(names)}")
    reductions = {name: reduce(MODELS[name]()) for name in names}
    host = {name: measure_layers(each.graph, budget=budget).latency for name, each in reductions.items()}
    factor = modelled_times(reductions[REFERENCE].graph)[0].sum() / host[REFERENCE].sum()
    return tuple(_scaled(name, reductions[name], factor * seconds) for name, seconds in host.items())


def _scaled(name: str, reduction, watch: np.ndarray) -> WearableCase:
    return WearableCase(name, reduction, watch, watch / PHONE_FACTOR)
