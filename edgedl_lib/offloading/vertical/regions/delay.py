"""Seconds from a frame to its boxes: detection at the edge with the cloud behind it, or in the cloud alone.

Bytes, shares and operations are those of the small generated frames, multiplied to the size of a real one.
"""

from dataclasses import dataclass

from torch import nn

from edgedl_lib.offloading.vertical.regions.codec import BLOCK
from edgedl_lib.offloading.vertical.regions.detector import flop_per_frame
from edgedl_lib.offloading.vertical.regions.scenes import SIDE
from edgedl_lib.system.catalogue import device, link
from edgedl_lib.system.device import Device
from edgedl_lib.system.link import Link

PHONE, EDGE, CLOUD = "Snapdragon 835", "GeForce GTX 980 Ti", "Titan Xp"  # the paper's machines
WAN_RTT = 0.04  # s, ours
SMALL_FRAMES = 100  # a frame of 960x960 pixels holds as many of ours
SALIENCY_PER_PIXEL = 20.0  # operations: smoothing, gradient, mean over a block


@dataclass(frozen=True)
class Profile:
    """Machines and links between end, edge and cloud."""

    end: Device
    edge: Device
    cloud: Device
    wlan: Link
    wan: Link
    small_frames: int = SMALL_FRAMES


def profile(wan_rate: float) -> Profile:
    """The paper's machines, a WLAN of 40 Mb/s, and a WAN of `wan_rate` bit/s."""
    wan = Link("wide area", wan_rate, rtt=WAN_RTT)
    return Profile(device(PHONE), device(EDGE), device(CLOUD), link("raspberry-pi-3-wifi"), wan)


@dataclass(frozen=True)
class Traffic:
    """Mean bytes of one small frame with regions and at high quality, and the share of frames sent on to the cloud."""

    with_regions: float
    high_quality: float
    sent_on: float


def edge_delay(place: Profile, traffic: Traffic, edge_model: nn.Module, cloud_model: nn.Module) -> float:
    """Mean seconds: regions, transform, WLAN, edge; and for some frames WAN and cloud."""
    coding = transform_flop() + SALIENCY_PER_PIXEL * SIDE**2
    size = place.small_frames * traffic.with_regions
    first = _compute(place.end, place, coding) + place.wlan.transfer_time(size)
    then = traffic.sent_on * (place.wan.transfer_time(size) + _compute(place.cloud, place, flop_per_frame(cloud_model)))
    return float(first + _compute(place.edge, place, flop_per_frame(edge_model)) + then)


def cloud_delay(place: Profile, traffic: Traffic, cloud_model: nn.Module) -> float:
    """Mean seconds when every frame goes to the cloud at high quality."""
    size = place.small_frames * traffic.high_quality
    links = place.wlan.transfer_time(size) + place.wan.transfer_time(size)
    computing = _compute(place.end, place, transform_flop()) + _compute(place.cloud, place, flop_per_frame(cloud_model))
    return float(links + computing)


def transform_flop() -> float:
    """Operations of the cosine transform of one small frame: two products of 8x8 matrices for each block."""
    return (SIDE / BLOCK) ** 2 * 2 * 2 * BLOCK**3


def _compute(machine: Device, place: Profile, flop: float) -> float:
    return machine.latency(place.small_frames * flop, 0.0)
