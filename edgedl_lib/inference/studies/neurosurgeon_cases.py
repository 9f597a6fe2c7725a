"""Neurosurgeon's 48 cases: eight networks, three links, two phone processors (Kang et al. 2017 [12]).

The layer times of one machine stand for all three processors: divided by this machine's time for AlexNet, and
multiplied by the time that the paper reports for AlexNet on each processor.  So the study does not depend on how fast
the machine is, only on how its layers compare.  A case is decided from predicted layer times and judged by measured
ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgedl_lib.inference.partition.chain import ChainCosts, scan_cuts
from edgedl_lib.inference.partition.costs import chain_costs
from edgedl_lib.inference.studies.neurosurgeon_alexnet import PHONE_GPU_POWER, PROCESSORS, UPLOAD_SECONDS, upload_rate
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.zoo.alexnet import alexnet
from edgedl_lib.nets.zoo.deepface import deepface
from edgedl_lib.nets.zoo.lenet import lenet5
from edgedl_lib.nets.zoo.speech_and_text import kaldi_asr, senna
from edgedl_lib.nets.zoo.vgg import vgg19
from edgedl_lib.system.radio import radio_power

PHONES = ("phone GPU", "phone CPU")
ANCHOR = "IMC"  # the application whose network, AlexNet, has a reported time on all three processors
PHONE_POWER = PHONE_GPU_POWER  # W, the same for both processors: the paper's CPU power is not known to us
TOLERANCE = 0.05  # a case counts as hit if its cost is within 5 % of the best


@dataclass(frozen=True)
class Application:
    """One service of the paper: what it computes for one query, and whether it sees or reads."""

    code: str
    graph: LayerGraph
    domain: str  # "vision" or "language"


@dataclass(frozen=True, eq=False)
class LayerTimes:
    """Measured and predicted time of every layer of one application, both (N,), in one unit: seconds, or AlexNets."""

    application: Application
    measured: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True)
class Case:
    """One decision and what it costs by measured layer times: seconds for "latency", joules for "energy"."""

    code: str
    domain: str
    network: str
    phone: str
    layers: int
    cut: int
    best_cut: int
    cost: float
    best: float
    cloud_only: float
    mobile_only: float

    @property
    def gain(self) -> float:
        """Cost of sending everything to the cloud over the cost of the chosen cut."""
        return self.cloud_only / self.cost

    @property
    def saving(self) -> float:
        """Share of the cloud-only cost that the chosen cut saves (percent)."""
        return 100 * (1 - self.cost / self.cloud_only)

    @property
    def regret(self) -> float:
        """What deciding by prediction lost against the best cut (percent)."""
        return 100 * (self.cost / self.best - 1)

    @property
    def hit(self) -> bool:
        """Whether the chosen cut costs at most 5 % more than the best."""
        return self.cost <= (1 + TOLERANCE) * self.best

    @property
    def against_ends(self) -> float:
        """Excess over the better of cloud-only and mobile-only (percent); negative for a gain."""
        return 100 * (self.cost / min(self.cloud_only, self.mobile_only) - 1)

    @property
    def inside(self) -> bool:
        """Whether the chosen cut really splits the network."""
        return 0 < self.cut < self.layers


def applications() -> tuple[Application, ...]:
    """The eight applications with the query sizes of the paper's benchmark table (recalled).

    >>> [(app.code, len(app.graph), app.graph.batch) for app in applications()][:4]
    [('IMC', 24, 1), ('VGG', 46, 1), ('FACE', 10, 1), ('DIG', 9, 100)]
    """
    vision = (
        ("IMC", alexnet(argmax=True), 1, 152_000),
        ("VGG", vgg19(argmax=True), 1, 152_000),
        ("FACE", deepface(), 1, 271_000),
        ("DIG", lenet5(argmax=True), 100, 307_000),
    )
    language = (
        ("ASR", kaldi_asr(), 548, 4_594_000),
        ("POS", senna("pos"), 28, 38_000),
        ("NER", senna("ner"), 28, 43_000),
        ("CHK", senna("chk"), 28, 75_000),
    )
    return tuple(
        Application(code, graph.with_batch(batch).with_input_bytes(size), domain)
        for domain, group in (("vision", vision), ("language", language))
        for code, graph, batch, size in group
    )


def in_alexnets(profiles: Sequence[LayerTimes]) -> tuple[LayerTimes, ...]:
    """The same layer times in units of this machine's measured time for AlexNet.

    Raises
    ------
    ValueError
        If AlexNet (application IMC) is not among the profiles.
    """
    anchors = [times.measured.sum() for times in profiles if times.application.code == ANCHOR]
    if not anchors:
        raise ValueError(f"no application {ANCHOR!r} among the profiles: measure AlexNet too, it sets the unit")
    unit = anchors[0]
    return tuple(replace(times, measured=times.measured / unit, predicted=times.predicted / unit) for times in profiles)


def application_costs(application: Application, latency: np.ndarray, phone: str) -> ChainCosts:
    """Costs of an application whose layers take `latency` (N,), in AlexNets, on a phone and the cloud's GPU."""
    device = PROCESSORS[phone].total * latency
    return chain_costs(application.graph, device, cloud_latency(latency), device_power=PHONE_POWER)


def cloud_latency(latency: np.ndarray) -> np.ndarray:
    """Seconds on the cloud's GPU of layers that take `latency`, in AlexNets."""
    return PROCESSORS["cloud GPU"].total * latency


def run_case(times: LayerTimes, network: str, phone: str, objective: str = "latency") -> Case:
    """Decide one case from predicted layer times and judge it by measured ones."""
    setting = {"objective": objective, "radio_power": radio_power(network, upload_rate(network))}
    predicted = scan_cuts(application_costs(times.application, times.predicted, phone), upload_rate(network), **setting)
    measured = scan_cuts(application_costs(times.application, times.measured, phone), upload_rate(network), **setting)
    return case_of(times.application, network, phone, int(predicted.cuts[0]), measured)


def case_of(application: Application, network: str, phone: str, cut: int, measured) -> Case:
    """The case in which `cut` was chosen, judged by the `CutScan` of measured costs."""
    return Case(
        application.code,
        application.domain,
        network,
        phone,
        layers=len(application.graph),
        cut=cut,
        best_cut=int(measured.cuts[0]),
        cost=float(measured.table[0, cut]),
        best=float(measured.values[0]),
        cloud_only=float(measured.server_only[0]),
        mobile_only=float(measured.device_only[0]),
    )


def run_cases(profiles: Sequence[LayerTimes], objective: str = "latency") -> tuple[Case, ...]:
    """All cases of the study: 48 for the eight applications.

    Parameters
    ----------
    profiles : measured and predicted layer times of each application, in AlexNets (see `in_alexnets`)
    objective : "latency" or "energy"
    """
    settings = [(network, phone) for network in UPLOAD_SECONDS for phone in PHONES]
    return tuple(run_case(times, network, phone, objective) for times in profiles for network, phone in settings)


def upload_shares(profiles: Sequence[LayerTimes]) -> np.ndarray:
    """Share of the upload in cloud-only latency, percent, shape (applications, links)."""
    shares = np.empty((len(profiles), len(UPLOAD_SECONDS)))
    for row, times in enumerate(profiles):
        computing = cloud_latency(times.measured).sum()
        for column, network in enumerate(UPLOAD_SECONDS):
            sending = 8 * times.application.graph.input_bytes / upload_rate(network)
            shares[row, column] = 100 * sending / (sending + computing)
    return shares


def mean_of(cases: Sequence[Case], figure: Callable[[Case], float]) -> float:
    """Mean of a figure over the cases."""
    return float(np.mean([figure(case) for case in cases]))
