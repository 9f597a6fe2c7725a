"""Where to cut a chain of layers: Neurosurgeon's scan, for all link rates at once.

A cut ``j`` in ``0..N`` leaves layers ``1..j`` on the end device and ``j+1..N`` on the server.  It costs

``T(j) = sum(device[:j]) + [j < N] * (rtt + 8 * transfer_bytes[j] / rate + K * sum(server[j:]))``

(Kang et al. 2017 [12]).  The cut 0 sends the raw input, the cut N sends nothing and needs no link.
"""

from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.stages import StageTimes
from edgedl_lib.inference.partition.transfer import sending_energy, transfer_time
from edgedl_lib.inference.partition.validation import checked_names, checked_rates, checked_scalar, finite_vector

ALL_SERVER = "all-server"
ALL_DEVICE = "all-device"
OBJECTIVES = ("latency", "energy", "throughput")

# Sums of the same numbers in another order differ by a few units in the last place; such cuts count as equal.
TIE_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class ChainCosts:
    """Per-layer costs of a chain of N layers.

    Parameters
    ----------
    names : N distinct layer names, in execution order
    device_latency, server_latency : (N,) s
    transfer_bytes : (N + 1,) bytes
        Entry 0 is the raw input as transmitted, entry j the output of layer j.  The last entry must be 0: the
        all-device cut sends nothing, and the size of the result is neglected.
    device_power : W while computing, one number or (N,), needed for the objective "energy" only
    radio_power : W while sending, needed for the objective "energy" only

    Raises
    ------
    ValueError
        If there are no layers, a name repeats, a length does not fit, or a number is NaN, infinite or negative.
    """

    names: tuple[str, ...]
    device_latency: np.ndarray
    server_latency: np.ndarray
    transfer_bytes: np.ndarray
    device_power: float | np.ndarray | None = None
    radio_power: float | None = None

    def __post_init__(self):
        names = checked_names(self.names)
        checked = {
            "names": names,
            "device_latency": finite_vector("device_latency", self.device_latency, len(names), "layer"),
            "server_latency": finite_vector("server_latency", self.server_latency, len(names), "layer"),
            "transfer_bytes": finite_vector("transfer_bytes", self.transfer_bytes, len(names) + 1, "cut (layers + 1)"),
        }
        if checked["transfer_bytes"][-1] != 0:
            raise ValueError(
                f"transfer_bytes[-1] is {checked['transfer_bytes'][-1]}: set it to 0, the all-device cut sends nothing"
            )
        if np.ndim(self.device_power) == 1:
            checked["device_power"] = finite_vector("device_power", self.device_power, len(names), "layer")
        elif self.device_power is not None:
            checked["device_power"] = checked_scalar("device_power", self.device_power)
        if self.radio_power is not None:
            checked["radio_power"] = checked_scalar("radio_power", self.radio_power)
        for field, value in checked.items():
            object.__setattr__(self, field, value)

    @property
    def cut_names(self) -> tuple[str, ...]:
        """Name of each of the N + 1 cuts: the last layer on the device, or one of the two ends."""
        return (ALL_SERVER, *self.names[:-1], ALL_DEVICE)

    def cut_index(self, name: str) -> int:
        """Number of the cut called `name` (see `cut_names`; the last layer's name means all-device).

        Raises
        ------
        KeyError
            If there is no such cut.
        """
        if name == self.names[-1]:
            return len(self.names)
        if name not in self.cut_names:
            raise KeyError(f"no cut {name!r}: choose one of {', '.join(self.cut_names)}")
        return self.cut_names.index(name)


@dataclass(frozen=True, eq=False)
class CutScan:
    """The best cut at every rate, and the table that it was chosen from.

    Attributes
    ----------
    names : the N + 1 names of the cuts
    rates : (R,) bit/s
    objective : "latency" (values in s), "energy" (J) or "throughput" (s between frames, the longest stage)
    table : (R, N + 1), the objective of every cut at every rate
    cuts : (R,) int, the best cut; among equals the one with the fewest layers on the device
    values : (R,), the objective at the best cut
    """

    names: tuple[str, ...]
    rates: np.ndarray
    objective: str
    table: np.ndarray
    cuts: np.ndarray
    values: np.ndarray

    def cut_names(self) -> tuple[str, ...]:
        """Name of the best cut at each rate."""
        return tuple(self.names[cut] for cut in self.cuts)

    @property
    def server_only(self) -> np.ndarray:
        """(R,), the objective when every layer runs on the server."""
        return self.table[:, 0]

    @property
    def device_only(self) -> np.ndarray:
        """(R,), the objective when every layer runs on the device."""
        return self.table[:, -1]


def stage_times(costs: ChainCosts, rates, *, server_load=1.0) -> StageTimes:
    """Device, link and server time of every cut at every rate; the link stage is the time the link is busy.

    Returns
    -------
    StageTimes
        `device` is (1, N + 1), `link` and `server` are (R, N + 1), all in s.
    """
    rates = checked_rates(rates)
    load = _per_rate("server_load", server_load, rates, positive=True)
    device = np.concatenate([[0.0], np.cumsum(costs.device_latency)])
    server = np.concatenate([np.cumsum(costs.server_latency[::-1])[::-1], [0.0]])
    link = transfer_time(costs.transfer_bytes, rates[:, None])
    link[:, -1] = 0.0
    return StageTimes(device=device[None, :], link=link, server=load[:, None] * server)


def scan_cuts(costs: ChainCosts, rates, *, rtt=0.0, server_load=1.0, objective="latency", radio_power=None) -> CutScan:
    """Find the best of the N + 1 cuts for every rate, in O(N R) with prefix sums (Kang et al. 2017 [12], Algorithm 1).

    Parameters
    ----------
    rates : bit/s, one or (R,)
        At rate 0 the link is down and the whole model stays on the device; at ``inf`` transfers are free.
    rtt : s, added once to the latency of every cut that uses the server; it costs neither energy nor throughput
    server_load : K, one or (R,): how many times slower the loaded server is; scales the server's part only
    objective : "latency", "energy" or "throughput"
        Energy is the device's computing plus its radio while sending, nothing for waiting.  Throughput minimises the
        longest of the three pipelined stages.
    radio_power : W, one or (R,), overrides ``costs.radio_power`` (a radio's power depends on its rate)

    Raises
    ------
    ValueError
        If a rate is negative or NaN, the objective is unknown, or "energy" lacks a power.

    Examples
    --------
    >>> costs = ChainCosts(("conv", "pool", "dense"), [0.2, 0.0, 0.4], [0.1, 0.0, 0.1], [9e4, 4e5, 5e4, 0])
    >>> scan = scan_cuts(costs, [0.0, 1e6, 2e6, 1e9])
    >>> scan.cut_names()
    ('all-device', 'all-device', 'pool', 'all-server')
    >>> scan.values.round(3)
    array([0.6  , 0.6  , 0.5  , 0.201])
    """
    rates = checked_rates(rates)
    stages = stage_times(costs, rates, server_load=server_load)
    if objective == "latency":
        table = stages.total
        table[:, :-1] += checked_scalar("rtt", rtt)
    elif objective == "energy":
        table = _energy_table(costs, stages, rates, radio_power)
    elif objective == "throughput":
        table = stages.longest
    else:
        raise ValueError(f"objective {objective!r} is unknown: choose one of {', '.join(OBJECTIVES)}")
    cuts = first_minimum(table)
    return CutScan(costs.cut_names, rates, objective, table, cuts, table[np.arange(rates.size), cuts])


def first_minimum(table):
    """Column of the smallest entry in each row; among entries equal up to rounding the first one."""
    smallest = table.min(axis=1, keepdims=True)
    return np.argmax(table <= smallest * (1 + TIE_TOLERANCE), axis=1)


def _energy_table(costs, stages, rates, radio_power):
    radio_power = costs.radio_power if radio_power is None else radio_power
    for name, power in (("device_power", costs.device_power), ("radio_power", radio_power)):
        if power is None:
            raise ValueError(f"{name} is None: the objective 'energy' needs it in watts")
    radio_power = _per_rate("radio_power", radio_power, rates)
    computing = np.concatenate([[0.0], np.cumsum(costs.device_latency * costs.device_power)])
    return computing + sending_energy(stages.link, radio_power[:, None])


def _per_rate(name, value, rates, positive=False):
    if np.ndim(value) == 0:
        return np.full(rates.size, checked_scalar(name, value, positive=positive))
    vector = finite_vector(name, value, rates.size, "rate")
    if positive and not vector.all():
        raise ValueError(f"{name}[{np.argmin(vector)}] is 0.0: give a finite number above 0")
    return vector
