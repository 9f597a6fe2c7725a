"""What really crosses the link: frames of raw pixels, frames of codes, and the encoder once."""

import torch
from torch import Tensor, nn

from edgedl_lib.inference.quantised_split.quantise import decode_boundary, encode_boundary
from edgedl_lib.inference.split.wire import Kind, Message, encode
from edgedl_lib.offloading.vertical.hybrid_learning.networks import CODES

GREY_LEVELS = 255
IMAGES_PER_FRAME = 64


def code_frames(codes: Tensor) -> list[bytes]:
    """Frames of up to 64 images' codes, one byte per value; `codes` (n, code) are values of an encoder."""
    return [encode_boundary(CODES, batch) for batch in codes.split(IMAGES_PER_FRAME)]


def read_codes(frames: list[bytes]) -> Tensor:
    """What the cloud reads, (n, code); equal to what the edge encoded."""
    return torch.cat([decode_boundary(frame) for frame in frames])


def raw_frames(images: Tensor) -> list[bytes]:
    """Frames of up to 64 raw images, one byte per pixel; `images` has values in [0, 1]."""
    if float(images.min()) < 0 or float(images.max()) > 1:
        raise ValueError("pixels must lie in [0, 1] to fit a byte; undo the normalisation first")
    pixels = torch.round(GREY_LEVELS * images).to(torch.uint8).numpy()
    split = range(0, len(pixels), IMAGES_PER_FRAME)
    return [encode(Message(Kind.TENSOR, 0.0, pixels[start : start + IMAGES_PER_FRAME])) for start in split]


def encoder_payload(edge_part: nn.Module) -> bytes:
    """The encoder as the edge downloads it: one float32 frame per weight tensor and per calibration tensor."""
    parts = [value.numpy() for value in edge_part.state_dict().values() if value.is_floating_point()]
    return b"".join(encode(Message(Kind.TENSOR, 0.0, part)) for part in parts)


def total_bytes(frames: list[bytes]) -> int:
    """Bytes of several frames, headers included."""
    return sum(map(len, frames))
