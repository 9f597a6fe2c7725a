"""TPU v1 on its roofline: bounds, energy, the 7 ms deadline and the design space (Jouppi et al. 2017 [38]).

The paper measures intensity in multiply-accumulates per byte of *weights*, because weights dominate the memory traffic
of inference.  A multiply-accumulate is two operations: that factor is where readers of the paper go wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.platform.facts import Facts, facts

DIES = ("haswell", "k80", "tpu")
APPLICATIONS = ("mlp0", "mlp1", "lstm0", "lstm1", "cnn0", "cnn1")
DEADLINE = 7e-3  # s, 99th percentile that the paper's users asked for
OP_PER_MAC = 2
#: Batches of Table 4 with a measured tail: the smaller kept (or nearly kept) the deadline, the larger did not.
MEASURED_BATCHES = {"haswell": (16, 64), "k80": (16, 64), "tpu": (200, 250)}
#: Two applications a class share the class's deployed fraction: the paper does not say how.
CLASSES = {"mlp": ("mlp0", "mlp1"), "lstm": ("lstm0", "lstm1"), "cnn": ("cnn0", "cnn1")}


def tpu_facts(subject: str) -> Facts:
    """Published figures of a die, a server or an application in ``data/tpu_v1.csv``."""
    return facts("tpu_v1", subject)


def tpu_peak() -> float:
    """Peak of the systolic array in op/s: multiply-accumulate units x 2 x clock (Table 2).

    Examples
    --------
    >>> f"{tpu_peak():.4g}"
    '9.175e+13'
    """
    return OP_PER_MAC * mac_units() * tpu_facts("tpu")["clock"]


def mac_units() -> int:
    """Multiply-accumulate units of the array: rows x columns."""
    return int(tpu_facts("tpu")["array_rows"] * tpu_facts("tpu")["array_columns"])


def weight_bandwidth() -> float:
    """Weight memory bandwidth in byte/s from its channels: channels x width x transfers."""
    tpu = tpu_facts("tpu")
    return tpu["weight_channels"] * tpu["weight_channel_bytes"] * tpu["weight_transfers"]


def on_chip_bytes() -> float:
    """On-chip memory in bytes: unified buffer, and accumulators of one row of the array each."""
    tpu = tpu_facts("tpu")
    return tpu["unified_buffer"] + tpu["accumulator_rows"] * tpu["array_columns"] * tpu["accumulator_bytes"]


def ridge(peak: float, bandwidth: float) -> float:
    """Ridge point in MAC/byte of a die with ``peak`` in op/s and ``bandwidth`` in byte/s.

    Examples
    --------
    >>> round(ridge(2.8e12, 160e9), 2)
    8.75
    """
    return peak / OP_PER_MAC / bandwidth


def die_ridge(die: str) -> float:
    """Ridge point of a die of Table 2 in MAC/byte; the TPU's from its array and clock."""
    peak = tpu_peak() if die == "tpu" else tpu_facts(die)["peak"]
    return ridge(peak, tpu_facts(die)["memory_bandwidth"])


def bound(application: str, die: str = "tpu", *, bandwidth_factor: float = 1.0, clock_factor: float = 1.0) -> float:
    """Roofline bound of an application on a die in op/s.

    Parameters
    ----------
    application : str
        One of :data:`APPLICATIONS`.
    die : str
        One of :data:`DIES`; a weight takes four bytes on the float32 dies and one on the TPU.
    bandwidth_factor, clock_factor : float
        Variant of the die with that many times the bandwidth or the peak.
    """
    chip = tpu_facts(die)
    peak = (tpu_peak() if die == "tpu" else chip["peak"]) * clock_factor
    intensity = tpu_facts(application)["mac_per_weight"] / chip["bytes_per_weight"]  # MAC/byte
    return min(peak, OP_PER_MAC * intensity * chip["memory_bandwidth"] * bandwidth_factor)


@dataclass(frozen=True)
class BoundRow:
    """One application on the TPU's roofline: intensity in MAC/byte, bound and achieved rate in op/s."""

    application: str
    intensity: float
    bound: float
    achieved: float

    @property
    def share(self) -> float:
        """Achieved rate over its bound."""
        return self.achieved / self.bound


def bound_table() -> tuple[BoundRow, ...]:
    """All six applications on the TPU's roofline (Tables 1 and 3)."""
    return tuple(
        BoundRow(name, tpu_facts(name)["mac_per_weight"], bound(name), tpu_facts(name)["achieved"])
        for name in APPLICATIONS
    )


def geometric_mean(values) -> float:
    """Geometric mean of positive numbers.

    Examples
    --------
    >>> round(geometric_mean([1, 4]), 9)
    2.0
    """
    return float(np.exp(np.mean(np.log(np.asarray(values, dtype=float)))))


def deployed_mean(values: Mapping[str, float]) -> float:
    """Mean of a value per application, weighted by the deployed mix, each class split evenly (Table 1)."""
    weights = {name: tpu_facts(c)["deployed_share"] / len(names) for c, names in CLASSES.items() for name in names}
    return sum(weights[name] * values[name] for name in weights) / sum(weights.values())


def bound_speedup(die: str = "haswell") -> float:
    """Geometric mean over the applications of the TPU's bound over another die's."""
    return geometric_mean([bound(name) / bound(name, die) for name in APPLICATIONS])


def measured_speedups(over: str = "haswell") -> dict[str, float]:
    """Measured TPU performance over another die's, per application (Table 6)."""
    rows = {name: tpu_facts(name) for name in APPLICATIONS}
    divisor = {name: row["k80_over_haswell"] if over == "k80" else 1.0 for name, row in rows.items()}
    return {name: row["tpu_over_haswell"] / divisor[name] for name, row in rows.items()}


def reported_weighted_speedup() -> float:
    """Speed-up over a Haswell die that the paper reports as weighted by its (unpublished) mix of applications."""
    return tpu_facts("table 6")["tpu_over_haswell_weighted"]


def performance_per_watt(speedup: float, *, incremental: bool) -> float:
    """Performance per watt of a TPU server over a Haswell server.

    Parameters
    ----------
    speedup : float
        TPU die over Haswell die.
    incremental : bool
        Leave the host's watts out of the TPU server.

    Returns
    -------
    float
        Ratio; thermal design powers of whole servers (Table 2, Fig. 9).
    """
    host, guest = tpu_facts("haswell"), tpu_facts("tpu")
    watts = guest["server_tdp"] - (host["server_tdp"] if incremental else 0.0)
    return speedup * (guest["server_dies"] / watts) / (host["server_dies"] / host["server_tdp"])


def power_at_load(die: str, load: float) -> float:
    """Watts of a die at a load in [0, 1] if power grew in a straight line from idle to busy."""
    if not 0 <= load <= 1:
        raise ValueError(f"load must lie in [0, 1], not {load}: it is the share of full throughput")
    chip = tpu_facts(die)
    return chip["idle_power"] + load * (chip["busy_power"] - chip["idle_power"])


@dataclass(frozen=True)
class BatchService:
    """Service of a batch, ``setup + b * per_item`` seconds, and its tail: 99th percentile over service time."""

    setup: float
    per_item: float
    tail: float
    largest: int

    def throughput(self, batch: int) -> float:
        """Items per second at a batch."""
        return batch / (self.setup + batch * self.per_item)

    def largest_batch(self, deadline: float = DEADLINE) -> int:
        """Largest batch (not above the largest measured) whose tail meets ``deadline``; 0 if none does."""
        room = deadline / self.tail - self.setup
        return int(np.clip(np.floor(room / self.per_item + 1e-9), 0, self.largest))

    def share_kept(self, deadline: float = DEADLINE) -> float:
        """Throughput under the deadline over that of the largest batch."""
        batch = self.largest_batch(deadline)
        return self.throughput(batch) / self.throughput(self.largest) if batch else 0.0


def batch_service(die: str) -> BatchService:
    """Batch-latency model of a die for MLP0, through its two measured batches (Table 4)."""
    small, large = (tpu_facts(f"{die}/{batch}") for batch in MEASURED_BATCHES[die])
    seconds = [point["batch"] / point["throughput"] for point in (small, large)]
    per_item = (seconds[1] - seconds[0]) / (large["batch"] - small["batch"])
    setup = seconds[0] - per_item * small["batch"]
    return BatchService(setup, per_item, small["latency_99"] / seconds[0], int(large["batch"]))


@dataclass(frozen=True)
class DeadlineStudy:
    """What a deadline leaves of each die: share of peak throughput kept, and largest batch, by die."""

    share: Mapping[str, float]
    batch: Mapping[str, int]

    @property
    def dies_cut(self) -> int:
        """Dies that must use a smaller batch than without a deadline."""
        return sum(self.batch[die] < MEASURED_BATCHES[die][1] for die in DIES)

    @property
    def ordered_pairs(self) -> int:
        """Pairs of the paper's order TPU > CPU > GPU that hold."""
        tpu, cpu, gpu = (self.share[die] for die in ("tpu", "haswell", "k80"))
        return int(tpu > cpu) + int(tpu > gpu) + int(cpu > gpu)


def deadline_study(deadline: float = DEADLINE) -> DeadlineStudy:
    """MLP0 under a 99th-percentile ``deadline`` in seconds on the three dies (Table 4)."""
    services = {die: batch_service(die) for die in DIES}
    return DeadlineStudy(
        share={die: service.share_kept(deadline) for die, service in services.items()},
        batch={die: service.largest_batch(deadline) for die, service in services.items()},
    )


def design_speedup(*, bandwidth_factor: float = 1.0, clock_factor: float = 1.0) -> float:
    """Mean speed-up over the deployed mix of a TPU with more bandwidth or a faster clock (Fig. 11)."""
    variant = {"bandwidth_factor": bandwidth_factor, "clock_factor": clock_factor}
    return deployed_mean({name: bound(name, **variant) / bound(name) for name in APPLICATIONS})


def opteron_ridge(name: str, bandwidth: str = "memory_bandwidth") -> float:
    """Ridge in FLOP/byte of Williams' Opteron machines: ``opteron x2`` or ``opteron x4`` (Williams et al. 2009)."""
    return opteron_peak(name) / tpu_facts(name)[bandwidth]


def opteron_peak(name: str) -> float:
    """Double-precision peak in FLOP/s: sockets x cores x clock x FLOP per cycle (Williams et al. 2009)."""
    machine = tpu_facts(name)
    return machine["sockets"] * machine["cores"] * machine["clock"] * machine["flop_per_cycle"]
