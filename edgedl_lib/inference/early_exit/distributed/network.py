"""The network of DDNN: binary blocks on the devices, an edge tier, a cloud, and an exit at each of the three levels.

Two things run at once that share no weight: the devices of a system, as groups of one convolution, and, in training,
several *replicas* of the whole system (one per seed).  Channels are ordered replica, then device, then filter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from edgedl_lib.inference.early_exit.distributed.binary import BinaryWeight, FloatWeight, pooled, sign
from edgedl_lib.inference.early_exit.network import MultiExitNetwork
from edgedl_lib.nets.layers import Layer

AGGREGATIONS = ("MP", "AP", "CC")  # element-wise maximum, mean, concatenation
TWO_EDGES = ((0, 1, 2), (3, 4, 5))


@dataclass(frozen=True)
class Design:
    """What decides the shape of a DDNN.

    Attributes
    ----------
    cameras, classes : int
    filters : int
        Of each device's block; so many binary maps are sent on.
    local, features : str
        How scores (local and edge exit) and feature maps (edge and cloud) are aggregated: "MP", "AP" or "CC".
    edges : tuple of tuples of int
        Cameras of each edge server; empty for a network of two levels.
    edge_filters, cloud_filters : int
    view : (int, int)
        Height and width of a picture in pixels.
    replicas : int
        Independent copies that are trained side by side.
    """

    cameras: int = 6
    classes: int = 3
    filters: int = 4
    local: str = "MP"
    features: str = "CC"
    edges: tuple[tuple[int, ...], ...] = TWO_EDGES
    edge_filters: int = 8
    cloud_filters: int = 16
    view: tuple[int, int] = (16, 16)
    replicas: int = 1

    def __post_init__(self) -> None:
        for name in (self.local, self.features):
            if name not in AGGREGATIONS:
                raise ValueError(f"unknown aggregation {name!r}; choose one of {', '.join(AGGREGATIONS)}")
        served = sorted(camera for edge in self.edges for camera in edge)
        if self.edges and served != list(range(self.cameras)):
            raise ValueError(f"the edges {self.edges} must serve each of the {self.cameras} cameras once")
        if self.classes < 2 or min(self.filters, self.replicas, self.cameras) < 1 or min(self.view) < 2:
            raise ValueError(f"{self} needs two classes, one camera, one filter and two pixels at least")

    @property
    def map_shape(self) -> tuple[int, int]:
        """Height and width of one binary map that a device sends."""
        return halved(self.view)

    @property
    def map_bits(self) -> int:
        """Bits of one such map."""
        return math.prod(self.map_shape)


def halved(shape: Sequence[int]) -> tuple[int, int]:
    """Height and width after a pooling of stride 2."""
    return tuple(-(-side // 2) for side in shape)


def edges_for(cameras: int) -> tuple[tuple[int, ...], ...]:
    """Two edges that share the cameras, or one for a single camera.

    >>> edges_for(5)
    ((0, 1, 2), (3, 4))
    """
    half = (cameras + 1) // 2
    groups = (tuple(range(half)), tuple(range(half, cameras)))
    return tuple(group for group in groups if group)


def aggregate(kind: str, values: Tensor, dim: int = 1) -> Tensor:
    """Combine what the senders along axis ``dim`` say: maximum, mean, or one after the other.

    >>> aggregate("MP", torch.tensor([[[1.0, 5.0], [3.0, 2.0]]])).tolist()
    [[3.0, 5.0]]
    >>> aggregate("CC", torch.zeros(7, 6, 4, 8, 8)).shape
    torch.Size([7, 24, 8, 8])
    """
    if kind == "MP":
        return values.amax(dim)
    return values.mean(dim) if kind == "AP" else values.flatten(dim, dim + 1)


def convolution(inputs: int, outputs: int, groups: int) -> nn.Conv2d:
    """3x3, padding 1, without bias; ``inputs`` and ``outputs`` of each group."""
    return nn.Conv2d(groups * inputs, groups * outputs, 3, padding=1, groups=groups, bias=False)


class DeviceTier(nn.Module):
    """One block on each device: binary convolution 3x3, pooling, batch normalisation, sign; weights are not shared."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.devices = design.replicas * design.cameras
        self.weight = BinaryWeight(self.devices * design.filters, 1, 3, 3)
        self.norm = nn.BatchNorm2d(self.devices * design.filters)

    def forward(self, views: Tensor) -> Tensor:
        """Binary maps (batch, devices * filters, H / 2, W / 2) of pictures (batch, devices, H, W)."""
        views = views.contiguous(memory_format=torch.channels_last)
        maps = nn.functional.conv2d(views, self.weight(), padding=1, groups=self.devices)
        return sign(self.norm(pooled(maps)))

    def as_layer(self, name: str, input_shape: tuple[int, ...]) -> Layer:
        """One block of the layer graph."""
        output = (self.norm.num_features, *halved(input_shape[1:]))
        return _block(name, input_shape, output, self, 2 * math.prod(input_shape[1:]) * self.weight.latent.numel())


class Heads(nn.Module):
    """One dense layer with batch normalisation for each sender: its own scores from its own maps."""

    def __init__(self, senders: int, features: int, classes: int, binary: bool = True) -> None:
        super().__init__()
        self.weight = (BinaryWeight if binary else FloatWeight)(senders, features, classes)
        self.norm = nn.BatchNorm1d(senders * classes)

    def forward(self, maps: Tensor) -> Tensor:
        """Scores (batch, senders, classes) of maps (batch, senders * filters, h, w)."""
        senders, features, classes = self.weight.latent.shape
        own = maps.contiguous().view(len(maps), senders, features).transpose(0, 1)
        scores = torch.bmm(own, self.weight()).transpose(0, 1)  # (batch, senders, classes)
        return self.norm(scores.flatten(1)).unflatten(1, (senders, classes))


class ScoreExit(nn.Module):
    """Each sender scores its own maps; the aggregated scores are the exit's logits."""

    def __init__(
        self, replicas: int, senders: int, features: int, classes: int, kind: str, binary: bool = True
    ) -> None:
        super().__init__()
        self.kind, self.shape = kind, (replicas, senders)
        self.heads = Heads(replicas * senders, features, classes, binary)
        if kind == "CC" and senders > 1:  # of a single sender, all aggregations are its own scores
            self.joint = Heads(replicas, senders * classes, classes)

    def forward(self, maps: Tensor) -> Tensor:
        """Logits (batch, classes), or (batch, replicas, classes) of several replicas."""
        return self.logits(self.heads(maps))

    def logits(self, scores: Tensor) -> Tensor:
        """Logits from the senders' scores (batch, replicas * senders, classes)."""
        combined = aggregate(self.kind, scores.unflatten(1, self.shape), dim=2)
        combined = self.joint(combined) if hasattr(self, "joint") else combined
        return combined[:, 0] if self.shape[0] == 1 else combined

    def as_layer(self, name: str, input_shape: tuple[int, ...]) -> Layer:
        """One block of the layer graph."""
        output = (self.heads.weight.latent.shape[-1],)
        return _block(name, input_shape, output, self, 2 * sum(_weights(self)))


class EdgeTier(nn.Module):
    """Every edge server joins its cameras' maps and adds a block (pooling of stride 1); it sends binary maps on."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design, replicas = design, design.replicas
        joined = [design.filters * (len(edge) if design.features == "CC" else 1) for edge in design.edges]
        self.blocks = nn.ModuleList(convolution(inputs, design.edge_filters, replicas) for inputs in joined)
        self.norm = nn.BatchNorm2d(replicas * len(design.edges) * design.edge_filters)

    def forward(self, maps: Tensor) -> Tensor:
        """Binary maps (batch, replicas * edges * edge_filters, h, w)."""
        design = self.design
        of_camera = maps.unflatten(1, (design.replicas, design.cameras, design.filters))
        mapped = []
        for block, edge in zip(self.blocks, design.edges, strict=True):
            joined = aggregate(design.features, of_camera[:, :, list(edge)], dim=2).flatten(1, 2)
            mapped.append(block(joined.contiguous(memory_format=torch.channels_last)))
        together = torch.stack([each.unflatten(1, (design.replicas, -1)) for each in mapped], dim=2).flatten(1, 3)
        return sign(self.norm(pooled(together.contiguous(memory_format=torch.channels_last), stride=1)))

    def as_layer(self, name: str, input_shape: tuple[int, ...]) -> Layer:
        """One block of the layer graph."""
        output = (self.norm.num_features, *input_shape[1:])
        return _block(name, input_shape, output, self, 2 * math.prod(input_shape[1:]) * sum(_weights(self)))


class CloudTier(nn.Module):
    """Joins what arrives and adds two float blocks: convolution, pooling of stride 1 as coded, normalisation, ReLU."""

    def __init__(self, senders: int, filters: int, design: Design) -> None:
        super().__init__()
        self.kind, self.shape = design.features, (design.replicas, senders)
        inputs, outputs = filters * (senders if self.kind == "CC" else 1), design.cloud_filters
        self.blocks = nn.ModuleList(convolution(each, outputs, design.replicas) for each in (inputs, outputs))
        self.norms = nn.ModuleList(nn.BatchNorm2d(design.replicas * outputs) for _ in range(2))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (batch, replicas * cloud_filters, h, w)."""
        maps = aggregate(self.kind, maps.unflatten(1, (*self.shape, -1)), dim=2).flatten(1, 2)
        maps = maps.contiguous(memory_format=torch.channels_last)
        for block, norm in zip(self.blocks, self.norms, strict=True):
            maps = torch.relu(norm(pooled(block(maps), stride=1)))
        return maps

    def as_layer(self, name: str, input_shape: tuple[int, ...]) -> Layer:
        """One block of the layer graph."""
        output = (self.norms[0].num_features, *input_shape[1:])
        return _block(name, input_shape, output, self, 2 * math.prod(input_shape[1:]) * sum(_weights(self)))


def ddnn(design: Design) -> MultiExitNetwork:
    """The network with exits at the devices, at the edge (if the design has edges) and in the cloud."""
    replicas, classes, kind = design.replicas, design.classes, design.local
    senders, filters, shape = design.cameras, design.filters, design.map_shape
    segments: list[nn.Module] = [DeviceTier(design)]
    branches = [ScoreExit(replicas, senders, filters * math.prod(shape), classes, kind)]
    if design.edges:
        senders, filters = len(design.edges), design.edge_filters
        segments.append(EdgeTier(design))
        branches.append(ScoreExit(replicas, senders, filters * math.prod(shape), classes, kind, binary=False))
    segments.append(CloudTier(senders, filters, design))
    branches.append(ScoreExit(replicas, 1, design.cloud_filters * math.prod(shape), classes, kind, binary=False))
    return MultiExitNetwork(segments, branches)


def replica(network: MultiExitNetwork, design: Design, number: int) -> MultiExitNetwork:
    """One of the replicas as a network of its own, in evaluation mode; the axis 0 of every tensor is cut."""
    single = ddnn(replace(design, replicas=1))
    cut = {
        name: tensor.chunk(design.replicas)[number] if tensor.dim() else tensor
        for name, tensor in network.state_dict().items()
    }
    single.load_state_dict(cut)
    return single.eval()


@torch.no_grad()
def device_scores(network: MultiExitNetwork, views: Tensor) -> Tensor:
    """What each camera would say alone, shape (batch, cameras, classes), in evaluation mode."""
    network.eval()
    return network.branches[0].heads(network.segments[0](views))


def _weights(module: nn.Module) -> list[int]:
    """Sizes of the weights that multiply (normalisation left out)."""
    return [parameter.numel() for parameter in module.parameters() if parameter.dim() > 1]


def _block(name: str, inputs: Sequence[int], output: tuple[int, ...], module: nn.Module, flop: int) -> Layer:
    """A merged unit; normalisation, pooling and sign (at most 12 operations per output element) are left out."""
    count = sum(parameter.numel() for parameter in module.parameters())
    return Layer(name, "block", (tuple(inputs),), output, count, flop)
