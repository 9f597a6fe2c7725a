"""Linear per-tensor quantisation, and batch normalisation folded away before it.

``q = round(x / s) + z`` with ``s = (high - low) / (2^n - 1)``, clipped to ``0 .. 2^n - 1`` (Li et al. 2018 [49]).  What
runs here is *fake* quantisation: values are put on the grid and computed with in float32.  It shows the accuracy that
integer kernels would have, never their speed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.inference.split.wire import Kind, Message, decode, encode, frame_bytes

PARAMETERS = struct.Struct("<fi")  # scale and zero point travel in front of the tensor's frame


@dataclass(frozen=True)
class Quantiser:
    """A grid of ``2**bits`` equally spaced values, one of which is zero.

    Attributes
    ----------
    scale : float
        Distance of neighbouring values; a float32 number, so that it crosses the link unchanged.
    zero_point : int
        Code of the value 0.
    bits : int
    """

    scale: float
    zero_point: int
    bits: int = 8

    @classmethod
    def for_range(cls, low: float, high: float, bits: int = 8) -> Quantiser:
        """The grid that spans [`low`, `high`], widened to hold zero.

        Raises
        ------
        ValueError
            If the range is empty or not finite, or the bits are not in 1..8.

        Examples
        --------
        >>> Quantiser.for_range(-1.0, 1.55).zero_point
        100
        """
        if not (np.isfinite(low) and np.isfinite(high) and low <= high):
            raise ValueError(f"the range [{low}, {high}] cannot be quantised; calibrate on finite values")
        if bits not in range(1, 9):
            raise ValueError(f"{bits} bits do not fit this quantiser; choose 1 to 8")
        low, high, codes = min(low, 0.0), max(high, 0.0), 2**bits - 1
        scale = float(np.float32((high - low) / codes)) or 1.0  # a tensor of zeros needs some grid
        return cls(scale, round(-low / scale), bits)

    @classmethod
    def for_tensor(cls, values: Tensor, bits: int = 8) -> Quantiser:
        """The grid that spans a tensor's own range."""
        return cls.for_range(float(values.min()), float(values.max()), bits)

    def codes(self, values: Tensor) -> Tensor:
        """Integer code (uint8) of each value."""
        return (torch.round(values / self.scale) + self.zero_point).clamp(0, 2**self.bits - 1).to(torch.uint8)

    def values(self, codes: Tensor) -> Tensor:
        """Float32 value of each code."""
        return (codes.to(torch.float32) - self.zero_point) * self.scale

    def round_trip(self, values: Tensor) -> Tensor:
        """The nearest values of the grid: fake quantisation."""
        return self.values(self.codes(values))


#: The camera's own coding of a digit: 17 grey levels from 0 to 1, one byte each, without loss.
IMAGE = Quantiser(scale=1 / 16, zero_point=0)


def fold_batch_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution that computes what `conv` and then `norm` compute at inference.

    Per-tensor quantisation of an unfolded convolution would spend its grid on channels that the normalisation scales
    down again.
    """
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)  # (C,)
    bias = torch.zeros_like(gain) if conv.bias is None else conv.bias
    folded = nn.Conv2d(
        conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups
    )
    folded.weight.data = (conv.weight * gain[:, None, None, None]).detach()
    folded.bias.data = (norm.bias + (bias - norm.running_mean) * gain).detach()
    return folded.eval().requires_grad_(False)


def encode_boundary(quantiser: Quantiser, values: Tensor) -> bytes:
    """What the edge sends: scale and zero point, then the codes as one frame of the split run's protocol."""
    codes = Message(Kind.TENSOR, 0.0, quantiser.codes(values).numpy())
    return PARAMETERS.pack(quantiser.scale, quantiser.zero_point) + encode(codes)


def decode_boundary(data: bytes) -> Tensor:
    """What the cloud reads back, float32; the inverse of `encode_boundary` up to quantisation."""
    scale, zero_point = PARAMETERS.unpack(data[: PARAMETERS.size])
    codes = decode(data[PARAMETERS.size :]).tensor
    return Quantiser(scale, zero_point).values(torch.from_numpy(codes.copy()))


def boundary_bytes(shape: tuple[int, ...], bits: int = 8) -> int:
    """Bytes of `encode_boundary` for a tensor of `shape`; with 32 bits, of its float32 frame.

    >>> boundary_bytes((100, 4, 2, 2)), boundary_bytes((100, 4, 2, 2), bits=32)
    (1648, 6440)
    """
    if bits == 32:
        return frame_bytes(shape, np.float32)
    return PARAMETERS.size + frame_bytes(shape, np.uint8)
