"""MCDNN's catalogue: for every application, variants of a model with what they achieve and what they cost.

Accuracies are the published ones of MobileNets [135] and ShuffleNet [142], operations and parameters are counted, time
and energy are those of a Jetson TK1 (MCDNN's board) by its roofline; the cloud runs one accurate model for everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from edgedl_lib.inference.compression.compact_filters.compact_counts import published
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.zoo import mobilenet_v1, shufflenet
from edgedl_lib.system.catalogue import device, link

DEVICE = "Jetson TK1"
LINK = "neurosurgeon-lte"
PICTURE_BYTES = 30_000  # a JPEG of 224x224 pixels
FLASH_BANDWIDTH = 100e6  # bytes/s at which a model is read into memory
CLOUD_ACCURACY = 80.62  # percent: ResNet-152's single-model top-1 error is 19.38 [127]


@dataclass(frozen=True)
class Option:
    """One way to serve a request: a variant on the device, or the cloud.

    Attributes
    ----------
    name : str
    accuracy : float
        Percent.
    energy : float
        Of the device per request, J: computing, or sending the picture.
    money : float
        Per request, in calls to the cloud.
    memory : float
        Bytes while it is loaded.
    """

    name: str
    accuracy: float
    energy: float
    money: float = 0.0
    memory: float = 0.0

    @property
    def in_cloud(self) -> bool:
        """Whether it needs the link."""
        return self.money > 0

    @cached_property
    def loading_energy(self) -> float:
        """Energy of reading the model into memory, J."""
        return device(DEVICE).energy(self.memory / FLASH_BANDWIDTH) if self.memory else 0.0


@dataclass(frozen=True)
class Application:
    """A stream of requests and the options to serve it, cheapest first; the cloud, if any, is the last.

    Attributes
    ----------
    name : str
    rate : float
        Requests per second.
    options : tuple of Option
    """

    name: str
    rate: float
    options: tuple[Option, ...]

    def __post_init__(self) -> None:
        if not self.rate > 0 or not self.variants:
            raise ValueError(f"{self.name} needs a positive rate and at least one variant that runs on the device")

    @cached_property
    def variants(self) -> tuple[Option, ...]:
        """The options that run on the device, cheapest first."""
        return tuple(sorted((o for o in self.options if not o.in_cloud), key=lambda option: option.energy))

    @cached_property
    def best(self) -> Option:
        """The most accurate variant on the device."""
        return max(self.variants, key=lambda option: option.accuracy)


def variant(name: str, error: str, graph: LayerGraph) -> Option:
    """A variant on the device: published accuracy of ``error``'s network, counted memory, modelled energy."""
    board = device(DEVICE)
    energy = board.energy(float(board.layer_latency(graph).sum()))
    return Option(name, 100 - published()[error, "error_top1"], energy, memory=graph.parameter_bytes)


def cloud() -> Option:
    """The accurate model behind the link."""
    return Option("cloud", CLOUD_ACCURACY, float(link(LINK).transfer_energy(PICTURE_BYTES)), money=1.0)


@lru_cache
def standard_applications() -> tuple[Application, ...]:
    """Objects (MobileNets by width), scenes (ShuffleNets by scale) and faces (MobileNets by resolution)."""
    objects = _family("MobileNet {}", (0.25, 0.5, 0.75, 1.0), mobilenet_v1)
    scenes = [
        variant(f"ShuffleNet {label}", f"ShuffleNet {label}", shufflenet(groups, scale))
        for label, groups, scale in (("0.5x g4", 4, 0.5), ("1x g8", 8, 1.0), ("1.5x g3", 3, 1.5), ("2x g3", 3, 2.0))
    ]
    faces = _family("MobileNet {}", (128, 160, 192), lambda pixels: mobilenet_v1(resolution=pixels))
    rates = {"objects": (0.125, objects), "scenes": (0.0625, scenes), "faces": (0.0625, faces)}
    return tuple(Application(name, rate, (*options, cloud())) for name, (rate, options) in rates.items())


def shared_stem_share(graph: LayerGraph, last_shared: str, applications: int = 3) -> float:
    """Multiply-adds of several applications that share the layers up to ``last_shared``, over separate networks.

    >>> round(shared_stem_share(mobilenet_v1(), "pw11"), 2)
    0.43
    """
    if applications < 1:
        raise ValueError(f"{applications} applications cannot share anything; give at least one")
    graph[last_shared]
    position = graph.layer_names.index(last_shared)
    stem = sum(layer.mac for layer in graph.layers[: position + 1])
    return (stem + applications * (graph.mac - stem)) / (applications * graph.mac)


def _family(label: str, scales: Sequence[float], build: Callable[..., LayerGraph]) -> list[Option]:
    return [variant(label.format(scale), label.format(scale), build(scale)) for scale in scales]
