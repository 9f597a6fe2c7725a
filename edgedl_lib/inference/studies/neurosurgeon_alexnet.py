"""Neurosurgeon's headline example: AlexNet with layer times calibrated to the totals of Kang et al. 2017 [12].

The paper prints three totals (phone GPU 81 ms, phone CPU 382 ms, cloud GPU 6 ms) and three upload times of a 152 KB
image.  How a total spreads over the layers is our assumption, stated in `LayerShares`; everything after it is exact.
"""

from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.chain import ChainCosts, CutScan, scan_cuts
from edgedl_lib.inference.partition.costs import chain_costs
from edgedl_lib.system.radio import radio_power

IMAGE_BYTES = 152_000  # one query of the application IMC, as transmitted
UPLOAD_SECONDS = {"wifi": 0.095, "lte": 0.180, "3g": 0.870}  # of one image, Kang et al. 2017 [12], section 3 (recalled)
PHONE_GPU_POWER = 8.4  # W; fitted so that Wi-Fi saves 18 %, hence no independent confirmation of that figure
CONV_SHARE = 0.9  # of what the dense layers leave; the rest goes to pooling, normalisation and element-wise layers


@dataclass(frozen=True)
class LayerShares:
    """A processor's total time for AlexNet and the share of it that fc6 takes.

    The other dense layers scale with their parameters; nine tenths of the remainder go to the convolutions in
    proportion to their FLOPs, one tenth to all other layers in proportion to their output elements.
    """

    total: float  # s
    fc6_share: float


PROCESSORS = {
    "phone GPU": LayerShares(total=0.081, fc6_share=0.45),
    "phone CPU": LayerShares(total=0.382, fc6_share=0.25),
    "cloud GPU": LayerShares(total=0.006, fc6_share=0.12),
}


@dataclass(frozen=True)
class TableRow:
    """One row of the golden table: a phone processor and a network."""

    phone: str
    network: str
    cut: str
    best: float  # s
    cloud_only: float  # s
    mobile_only: float  # s

    @property
    def speedup(self) -> float:
        """Cloud-only latency over the best one."""
        return self.cloud_only / self.best

    def printed(self) -> tuple[str, ...]:
        """Cut, three times in ms with one decimal, speed-up with three digits."""
        times = (f"{1e3 * seconds:.1f}" for seconds in (self.best, self.cloud_only, self.mobile_only))
        return (self.cut, *times, three_digits(self.speedup))


@dataclass(frozen=True)
class EnergyRow:
    """Energy of the best cut on one network, beside sending everything to the cloud."""

    network: str
    cut: str
    best: float  # J
    cloud_only: float  # J

    @property
    def saving(self) -> float:
        """Share of the cloud-only energy that the best cut saves (percent)."""
        return 100 * (1 - self.best / self.cloud_only)

    def printed(self) -> tuple[str, ...]:
        """Cut, two energies in J with three decimals, saving in whole percent."""
        return self.cut, f"{self.best:.3f}", f"{self.cloud_only:.3f}", f"{self.saving:.0f}"


GOLDEN_LATENCY = {
    ("phone GPU", "wifi"): ("pool5", "48.5", "101.0", "81.0", "2.08"),
    ("phone GPU", "lte"): ("pool5", "69.1", "186.0", "81.0", "2.69"),
    ("phone GPU", "3g"): ("all-device", "81.0", "876.0", "81.0", "10.8"),
    ("phone CPU", "wifi"): ("all-server", "101.0", "101.0", "382.0", "1.00"),
    ("phone CPU", "lte"): ("all-server", "186.0", "186.0", "382.0", "1.00"),
    ("phone CPU", "3g"): ("all-device", "382.0", "876.0", "382.0", "2.29"),
}
"""Worked out independently from the same inputs: cut, best, cloud-only, mobile-only (ms), speed-up over cloud-only."""

GOLDEN_ENERGY = {
    "wifi": ("pool5", "0.291", "0.357", "18"),
    "lte": ("pool5", "0.390", "0.765", "49"),
    "3g": ("pool5", "0.634", "1.769", "64"),
}
GOLDEN_MOBILE_ENERGY = "0.680"  # J, all layers on the phone's GPU


def three_digits(value: float) -> str:
    """A ratio as tables print it.

    >>> three_digits(2.0812), three_digits(10.81)
    ('2.08', '10.8')
    """
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def upload_rate(network: str) -> float:
    """Uplink rate (bit/s) that the paper's upload time of one image implies.

    >>> [round(upload_rate(network) / 1e6, 2) for network in UPLOAD_SECONDS]
    [12.8, 6.76, 1.4]
    """
    if network not in UPLOAD_SECONDS:
        raise KeyError(f"no network {network!r} in the study: choose one of {', '.join(UPLOAD_SECONDS)}")
    return 8 * IMAGE_BYTES / UPLOAD_SECONDS[network]


def calibrated_latency(graph, shares: LayerShares) -> np.ndarray:
    """Spread a processor's total time over the layers of AlexNet.

    Returns
    -------
    numpy.ndarray, shape (N,)
        Seconds, summing to ``shares.total``.

    Raises
    ------
    ValueError
        If the dense layers would need more than the total.
    """
    kinds = np.array([layer.kind for layer in graph.layers])
    parameters = np.array([layer.parameter_count for layer in graph.layers], dtype=float)
    dense, conv = kinds == "dense", kinds == "conv"
    share = np.where(dense, shares.fc6_share * parameters / parameters[dense][0], 0.0)
    remainder = 1 - share.sum()
    if remainder <= 0:
        raise ValueError(f"fc6_share {shares.fc6_share} leaves nothing for the convolutions: choose a smaller one")
    flop = graph.flop_per_layer()
    elements = graph.output_bytes_per_layer()
    others = ~(dense | conv)
    share[conv] = CONV_SHARE * remainder * flop[conv] / flop[conv].sum()
    share[others] = (1 - CONV_SHARE) * remainder * elements[others] / elements[others].sum()
    return shares.total * share


def alexnet_costs(graph, phone: str = "phone GPU", *, input_bytes: float = IMAGE_BYTES) -> ChainCosts:
    """Costs of the AlexNet chain on a phone's processor and the cloud's GPU.

    Parameters
    ----------
    graph : LayerGraph of the 23-layer AlexNet chain
    phone : "phone GPU" or "phone CPU"
    input_bytes : bytes of the image as transmitted
    """
    if phone not in PROCESSORS:
        raise KeyError(f"no processor {phone!r}: choose one of {', '.join(PROCESSORS)}")
    device = calibrated_latency(graph, PROCESSORS[phone])
    server = calibrated_latency(graph, PROCESSORS["cloud GPU"])
    return chain_costs(graph, device, server, input_bytes=input_bytes, device_power=PHONE_GPU_POWER)


def scan_networks(costs: ChainCosts, objective: str = "latency", *, server_load: float = 1.0) -> CutScan:
    """Scan all cuts on Wi-Fi, LTE and 3G, in this order; the radio's power follows its rate."""
    rates = np.array([upload_rate(network) for network in UPLOAD_SECONDS])
    watts = np.array([radio_power(network, upload_rate(network)) for network in UPLOAD_SECONDS])
    return scan_cuts(costs, rates, objective=objective, radio_power=watts, server_load=server_load)


def latency_table(graph) -> tuple[TableRow, ...]:
    """The six rows of the calibrated AlexNet study: two phone processors on three networks."""
    rows = []
    for phone in ("phone GPU", "phone CPU"):
        scan = scan_networks(alexnet_costs(graph, phone))
        measured = zip(UPLOAD_SECONDS, scan.cut_names(), scan.values, scan.server_only, scan.device_only, strict=True)
        rows += [TableRow(phone, *row) for row in measured]
    return tuple(rows)


def energy_table(graph) -> tuple[EnergyRow, ...]:
    """Energy of the best cut on the three networks, phone GPU."""
    scan = scan_networks(alexnet_costs(graph), "energy")
    return tuple(
        EnergyRow(*row) for row in zip(UPLOAD_SECONDS, scan.cut_names(), scan.values, scan.server_only, strict=True)
    )


def matching_latency_cells(rows: tuple[TableRow, ...]) -> int:
    """How many cells equal the golden table to the printed digit, of 30."""
    pairs = (zip(row.printed(), GOLDEN_LATENCY[row.phone, row.network], strict=True) for row in rows)
    return sum(ours == theirs for row in pairs for ours, theirs in row)


def matching_energy_cells(rows: tuple[EnergyRow, ...], mobile_only: float) -> int:
    """How many cells of the energy table agree with the golden ones, of 13; `mobile_only` in J.

    One unit of the last printed digit is allowed: the golden figures were made with a rounded radio power.
    """
    printed = [(*row.printed(), *GOLDEN_ENERGY[row.network]) for row in rows]
    cells = [(row[i], row[i + 4]) for row in printed for i in range(4)]
    cells.append((f"{mobile_only:.3f}", GOLDEN_MOBILE_ENERGY))
    return sum(_same_print(ours, theirs) for ours, theirs in cells)


def _same_print(ours: str, theirs: str) -> bool:
    if not theirs[0].isdigit():
        return ours == theirs
    unit = 10.0 ** -len(theirs.partition(".")[2])
    return abs(float(ours) - float(theirs)) < 1.5 * unit
