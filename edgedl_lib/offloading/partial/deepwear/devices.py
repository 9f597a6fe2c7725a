"""Watch, phone and Bluetooth: the profile behind all of DeepWear's figures here.

The paper's own layer times are not published.  Peaks are those of a Snapdragon 400 (LG Watch Urbane) as recalled; the
efficiencies, the factor to the phone, the link and the powers are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.validation import checked_rates, checked_scalar
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.system.device import Device

WATCH = Device(
    "watch",
    peak_flop_per_s=19e9,
    memory_bandwidth=4.3e9,
    compute_efficiency=0.1,
    bandwidth_efficiency=0.5,
    busy_power=0.6,
    calibration="set without a measurement: a tenth of the peak, half of the bandwidth",
    source="LG Watch Urbane, four Cortex-A7 at 1.2 GHz",
    evidence="memory",
)
PHONE_FACTOR = 10.0  # how many times faster the phone is
WATCH_POWER, PHONE_POWER, BLUETOOTH_POWER = 0.6, 2.5, 0.15  # W
BLUETOOTH_RATES = (0.7e6, 1.0e6, 1.5e6)  # bit/s of goodput
BLUETOOTH_LATENCY = 0.020  # s
PHONE_LOADS = (1.0, 2.0, 5.0)  # how many times slower other work makes the phone


@dataclass(frozen=True)
class Context:
    """The situation in which a plan is made.

    Attributes
    ----------
    rate : bit/s of Bluetooth; 0 is a dead link
    latency : s, paid once if the phone takes part
    phone_load : how many times slower the loaded phone is
    watch_power, phone_power, radio_power : W; the radio counts on both sides together
    """

    rate: float = BLUETOOTH_RATES[1]
    latency: float = BLUETOOTH_LATENCY
    phone_load: float = 1.0
    watch_power: float = WATCH_POWER
    phone_power: float = PHONE_POWER
    radio_power: float = BLUETOOTH_POWER

    def __post_init__(self) -> None:
        checked_rates(self.rate)
        checked_scalar("phone_load", self.phone_load, positive=True)
        for field in ("latency", "watch_power", "phone_power", "radio_power"):
            checked_scalar(field, getattr(self, field))


def contexts() -> tuple[Context, ...]:
    """Every Bluetooth rate with every load of the phone.

    >>> len(contexts())
    9
    """
    return tuple(Context(rate, phone_load=load) for rate in BLUETOOTH_RATES for load in PHONE_LOADS)


def modelled_times(graph: LayerGraph, phone_factor: float = PHONE_FACTOR) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of each layer on watch and phone by the roofline, (N,) each."""
    watch = WATCH.layer_latency(graph)
    return watch, watch / phone_factor
