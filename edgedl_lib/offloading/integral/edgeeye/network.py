"""The detector that both engines run, and the camera's frames: digits, compressed without loss."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.nets.datasets import Split, digits
from edgedl_lib.nets.training import build, train

CAMERA_SIDE = 32  # pixels
DETECTOR_SIDE = 16  # pixels
MEAN, DEVIATION = 0.3, 0.35  # of the pixels, in [0, 1]
IMAGES, EPOCHS = 800, 3  # of the training set: the detector shows a service, not a record


def detector() -> nn.Module:
    """Three blocks of convolution, batch normalisation and rectifier; which digit is in view."""
    blocks: list[nn.Module] = []
    for inputs, outputs in ((1, 16), (16, 32), (32, 32)):
        blocks += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        blocks += [nn.MaxPool2d(2)]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(32 * (DETECTOR_SIDE // 8) ** 2, 10))


def trained_detector(seed: int) -> nn.Module:
    """Train it on digits of the detector's size."""
    network = build(detector, seed)
    images = digits(seed, size=DETECTOR_SIDE).train.subset(IMAGES)
    train(network, Split((images.inputs - MEAN) / DEVIATION, images.targets), epochs=EPOCHS, seed=seed)
    return network


def camera_frames(seed: int, count: int) -> tuple[list[bytes], np.ndarray]:
    """Compressed frames of test digits, and what they show.

    Returns
    -------
    list of bytes, ndarray of shape (count,)
    """
    test = digits(seed, size=CAMERA_SIDE).test
    chosen = np.random.default_rng(seed).integers(0, len(test), count)
    pictures = (255 * test.inputs[chosen, 0]).round().to(torch.uint8).numpy()
    return [encode(picture) for picture in pictures], test.targets[chosen].numpy()


def encode(picture: np.ndarray) -> bytes:
    """A square picture of bytes, compressed; stands for a video codec."""
    return zlib.compress(picture.tobytes(), level=1)


def decode(data: bytes) -> np.ndarray:
    """The picture, (side, side) uint8.

    Raises
    ------
    ValueError
        If the data is no compressed square picture.
    """
    try:
        pixels = np.frombuffer(zlib.decompress(data), np.uint8)
    except zlib.error as fault:
        raise ValueError(f"frame of {len(data)} bytes is not compressed video: {fault}; send it encoded") from fault
    side = int(np.sqrt(len(pixels)))
    if side * side != len(pixels):
        raise ValueError(f"frame of {len(pixels)} pixels is not square: send a square picture")
    return pixels.reshape(side, side)


def resize(picture: np.ndarray, side: int) -> np.ndarray:
    """Mean over blocks, (side, side) uint8.

    >>> resize(np.array([[0, 2], [4, 6]], np.uint8), 1).tolist()
    [[3]]
    """
    factor, rest = divmod(len(picture), side)
    if rest or not factor:
        raise ValueError(f"a picture of side {len(picture)} cannot be resized to {side}: the side must be a divisor")
    blocks = picture.reshape(side, factor, side, factor).mean(axis=(1, 3))
    return blocks.round().astype(np.uint8)


def normalise(pictures: Sequence[np.ndarray]) -> Tensor:
    """Pictures of bytes as the network's input, (n, 1, side, side) float32."""
    return (torch.from_numpy(np.stack(pictures)).unsqueeze(1).float() / 255 - MEAN) / DEVIATION
