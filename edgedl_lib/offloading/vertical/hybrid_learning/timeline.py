"""Seconds from the first raw image to the last answer, by roofline devices and real message sizes.

Compared are two whole histories that end with the same thing, answers to all queries:

* cloud-only: every image crosses the backhaul raw, the cloud trains on pixels;
* hybrid: start images raw, encoder learned and downloaded once, then codes only.

Links from the end device to the edge are the same for both and left out.
"""

from dataclasses import dataclass

from torch import nn

from edgedl_lib.nets.export import layer_graph
from edgedl_lib.offloading.vertical.hybrid_learning.messages import encoder_payload, total_bytes
from edgedl_lib.offloading.vertical.hybrid_learning.networks import Design
from edgedl_lib.system.device import Device
from edgedl_lib.system.link import Link

BACKWARD = 2  # a training step costs the forward pass and twice as much again


@dataclass(frozen=True)
class Levels:
    """The edge server, the cloud's device, and the backhaul between them."""

    edge: Device
    cloud: Device
    backhaul: Link


@dataclass(frozen=True)
class Work:
    """How many images, and how often the cloud goes over them.

    Attributes
    ----------
    start, new, queries : int
        Images: for the encoder, new at the edge, to be answered.
    passes : int
        Training passes.
    batch : int
        Images per training step and per query frame.
    """

    start: int
    new: int
    queries: int
    passes: int = 15
    batch: int = 64


def hybrid_time(
    work: Work, levels: Levels, design: Design, parts: tuple[nn.Module, nn.Module], sizes: dict[str, int]
) -> dict[str, float]:
    """Seconds of each stage of the hybrid history, in order.

    Parameters
    ----------
    parts : tuple
        Encoder and classifier.
    sizes : dict
        Bytes of ``raw_start``, ``codes`` (new images and queries) and ``encoder``: measured on real frames.
    """
    edge_part, cloud_part = parts
    joint = nn.Sequential(edge_part, cloud_part)
    image, code = (1, design.side, design.side), (design.code,)
    return {
        "send raw start images": levels.backhaul.transfer_time(sizes["raw_start"]),
        "learn the encoder": training_time(levels.cloud, joint, image, work.start, work),
        "send the encoder": levels.backhaul.transfer_time(sizes["encoder"]),
        "encode at the edge": forward_time(levels.edge, edge_part, image, work.new + work.queries, work.batch),
        "send codes": levels.backhaul.transfer_time(sizes["codes"]),
        "learn from codes": forward_time(levels.cloud, edge_part, image, work.start, work.batch)
        + training_time(levels.cloud, cloud_part, code, work.start + work.new, work),
        "answer": forward_time(levels.cloud, cloud_part, code, work.queries, work.batch),
    }


def cloud_only_time(work: Work, levels: Levels, design: Design, network: nn.Module, raw_bytes: int) -> dict[str, float]:
    """Seconds of each stage when all images, `raw_bytes` in all, cross the backhaul raw."""
    image = (1, design.side, design.side)
    return {
        "send raw images": levels.backhaul.transfer_time(raw_bytes),
        "learn from pixels": training_time(levels.cloud, network, image, work.start + work.new, work),
        "answer": forward_time(levels.cloud, network, image, work.queries, work.batch),
    }


def forward_time(device: Device, network: nn.Module, shape: tuple[int, ...], images: int, batch: int) -> float:
    """Seconds of one pass over `images` in batches, the last one as small as it is."""
    graph = layer_graph(network, shape)
    full, rest = divmod(images, batch)
    seconds = full * device.layer_latency(graph.with_batch(batch)).sum() if full else 0.0
    return float(seconds + (device.layer_latency(graph.with_batch(rest)).sum() if rest else 0.0))


def training_time(device: Device, network: nn.Module, shape: tuple[int, ...], images: int, work: Work) -> float:
    """Seconds of all training passes."""
    return (1 + BACKWARD) * work.passes * forward_time(device, network, shape, images, work.batch)


def message_sizes(edge_part: nn.Module, raw_start: list[bytes], codes: list[bytes]) -> dict[str, int]:
    """Bytes of the hybrid history's messages."""
    return {
        "raw_start": total_bytes(raw_start),
        "encoder": len(encoder_payload(edge_part)),
        "codes": total_bytes(codes),
    }
