"""DADS's experiment: five networks on a Raspberry Pi 3 and a cloud machine over four links (Hu et al., INFOCOM 2019).

The board is the catalogue's, calibrated on an Odroid's AlexNet.  The server's speed is read from one absolute time
that the paper prints: tiny YOLOv2 in 0.59 s at 18 Mb/s with everything in the cloud.  No speed-up enters either.
Pixels travel as float32: only so does a frame of 288 x 288 have the 0.95 MB that the paper states.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.costs import dag_costs
from edgedl_lib.inference.partition.dag import heavy_load_partition, min_cut_partition, topological_neurosurgeon
from edgedl_lib.inference.partition.dag_plan import DagCosts, DagPlan, evaluate_plan
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.units import merge_elementwise
from edgedl_lib.nets.zoo.alexnet import alexnet_two_branch
from edgedl_lib.nets.zoo.nin import nin
from edgedl_lib.nets.zoo.resnet import resnet18
from edgedl_lib.nets.zoo.vgg import vgg16
from edgedl_lib.nets.zoo.yolo import tiny_yolov2
from edgedl_lib.system.catalogue import device, link
from edgedl_lib.system.device import Device

LINKS = ("dads-cat1", "dads-3g", "dads-4g", "dads-wifi")
FRAME_SIDE = 288  # pixels of tiny YOLOv2
YOLO_CLOUD_SECONDS = 0.59
YOLO_CLOUD_RATE = 18e6  # bit/s
FLOAT32_BYTES = 4
WIDEST, FIRST_STEP = 8.0, 2.0  # exponents of DSH's grid: on CAT1 the link is a hundred times slower than the board
NETWORKS: dict[str, Callable[[], LayerGraph]] = {
    "NiN": nin,
    "tiny YOLOv2": lambda: tiny_yolov2(FRAME_SIDE),
    "VGG16": vgg16,
    "AlexNet": alexnet_two_branch,
    "ResNet-18": resnet18,
}
CHAINS = ("NiN", "tiny YOLOv2", "VGG16")


@dataclass(frozen=True)
class Comparison:
    """One network on one link: the plans of DADS, of the two ends, and of Neurosurgeon on the topological order."""

    network: str
    link: str
    light: DagPlan
    heavy: DagPlan
    edge_only: DagPlan
    cloud_only: DagPlan
    neurosurgeon: DagPlan

    def latency_gain(self, plan: str, baseline: str) -> float:
        """Latency of plan `baseline` over that of `plan`, both named as the fields of this class."""
        return getattr(self, baseline).latency / getattr(self, plan).latency

    def throughput_gain(self, plan: str, baseline: str) -> float:
        """Frames per second of `plan` over those of `baseline`: the longest stage decides."""
        return getattr(self, baseline).stages.longest / getattr(self, plan).stages.longest


def study_graph(network: str) -> LayerGraph:
    """One of the five networks, activations merged into their layers, its float32 pixels as input.

    Raises
    ------
    KeyError
        If it is none of the five.
    """
    if network not in NETWORKS:
        raise KeyError(f"no network {network!r} in the study: choose one of {', '.join(NETWORKS)}")
    graph = merge_elementwise(NETWORKS[network]())
    return graph.with_input_bytes(FLOAT32_BYTES * int(np.prod(graph.input_shape)))


def cloud_machine() -> Device:
    """The study's server: eight cores of 2.5 GHz with AVX, slowed down to the time that tiny YOLOv2 takes.

    The input's transfer is subtracted from the printed 0.59 s; the rest must be computing.
    """
    graph = study_graph("tiny YOLOv2")
    computing = YOLO_CLOUD_SECONDS - 8 * graph.input_bytes / YOLO_CLOUD_RATE
    peak = 8 * 2.5e9 * 16
    return Device(
        "DADS cloud machine",
        peak_flop_per_s=peak,
        memory_bandwidth=51.2e9,
        compute_efficiency=graph.flop / computing / peak,
        calibration="tiny YOLOv2 in 0.59 s at 18 Mb/s less the frame's upload; memory bandwidth of a Xeon socket",
    )


def study_costs(network: str, board: Device | None = None, server: Device | None = None) -> DagCosts:
    """Costs of one network on the Raspberry Pi 3 and the cloud machine, or on two other devices."""
    board = device("Raspberry Pi 3 Model B") if board is None else board
    server = cloud_machine() if server is None else server
    graph = study_graph(network)
    return dag_costs(graph, board.layer_latency(graph), server.layer_latency(graph))


def compare(network: str, link_name: str, costs: DagCosts | None = None) -> Comparison:
    """All plans for one network on one link."""
    costs = study_costs(network) if costs is None else costs
    rate = link(link_name).rate
    return Comparison(
        network,
        link_name,
        light=min_cut_partition(costs, rate),
        heavy=heavy_load_partition(costs, rate, widest=WIDEST, first_step=FIRST_STEP),
        edge_only=evaluate_plan(costs, costs.names, rate),
        cloud_only=evaluate_plan(costs, (), rate),
        neurosurgeon=topological_neurosurgeon(costs, rate),
    )


def light_mode_limit(costs: DagCosts, frame_rate: float, low: float = 1e4, high: float = 1e9) -> float:
    """Rate (bit/s) of the link below which DADS leaves light mode, by bisection; NaN if it never switches.

    Raises
    ------
    ValueError
        If the frame rate is not positive.
    """
    if not frame_rate > 0:
        raise ValueError(f"frame_rate is {frame_rate}: give frames per second above 0")

    def keeps_up(rate):
        return min_cut_partition(costs, rate).stages.longest < 1 / frame_rate

    if keeps_up(low) or not keeps_up(high):
        return float("nan")
    while high / low > 1 + 1e-6:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if keeps_up(middle) else (middle, high)
    return high


def simulated_frame_rate(plan: DagPlan, frames: int = 200) -> float:
    """Frames per second that leave a pipeline of device, link and server, each one frame at a time, in SimPy."""
    import simpy

    environment = simpy.Environment()
    stages = [
        (simpy.Resource(environment), seconds) for seconds in (plan.stages.device, plan.stages.link, plan.stages.server)
    ]
    finished = []

    def frame():
        for resource, seconds in stages:
            with resource.request() as turn:
                yield turn
                yield environment.timeout(seconds)
        finished.append(environment.now)

    for _ in range(frames):
        environment.process(frame())
    environment.run()
    half = frames // 2
    return (frames - half) / (finished[-1] - finished[half - 1])


@dataclass(frozen=True)
class ReportedGain:
    """What the paper reports for ResNet-18 on one link: speed-up over edge-only and saving over cloud-only."""

    link: str
    over_edge: float
    saved_of_cloud: float  # fraction


RESNET18_REPORTED = (
    ReportedGain("dads-cat1", 1.46, 0.64),
    ReportedGain("dads-3g", 4.14, 0.26),
    ReportedGain("dads-4g", 7.23, 0.07),
    ReportedGain("dads-wifi", 8.32, 0.0),
)


def implied_seconds(reported: tuple[ReportedGain, ...] = RESNET18_REPORTED) -> tuple[float, np.ndarray]:
    """ResNet-18's times that the paper's gains imply: on the server, and on the board by each link (s).

    On a link with upload time x, the best plan takes ``(1 - saved) * (x + server)``, and edge-only ``over_edge`` times
    that.  Edge-only does not depend on the link, so the last two links give the server's time; then every link gives
    the board's, and if the figures hang together they agree.
    """
    pixels = 8 * study_graph("ResNet-18").input_bytes
    uploads = np.array([pixels / link(gain.link).rate for gain in reported])
    factors = np.array([gain.over_edge * (1 - gain.saved_of_cloud) for gain in reported])
    server = (factors[-2] * uploads[-2] - factors[-1] * uploads[-1]) / (factors[-1] - factors[-2])
    return float(server), factors * (uploads + server)
