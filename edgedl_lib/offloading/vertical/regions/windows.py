"""Windows of a frame at three sizes, each reduced to 8x8 pixels and brought to mean 0 and deviation 1."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgedl_lib.offloading.vertical.regions.scenes import DIGIT, SCALES, SIDE

MIDDLE_GREY = 128.0
LEAST_DEVIATION = 6.0  # grey levels: a flat window is not blown up to noise


def sliding_windows(frames: np.ndarray, scale: int) -> tuple[Tensor, int]:
    """Every window of side ``8 x scale`` on a grid of `scale` pixels.

    Returns
    -------
    windows : Tensor, shape (n, windows, 64)
    columns : int
        Windows per row of the grid.
    """
    side = SIDE // scale
    windows = functional.unfold(reduced(frames, scale), DIGIT).transpose(1, 2)  # (n, windows, 64)
    return normalised(windows), side - DIGIT + 1


def reduced(frames: np.ndarray, scale: int) -> Tensor:
    """Frames (n, height, width) averaged over squares of `scale` pixels, (n, 1, height / scale, width / scale)."""
    return functional.avg_pool2d(torch.from_numpy(frames).float().unsqueeze(1) - MIDDLE_GREY, scale)


def filtered_windows(frames: np.ndarray, scale: int, weight: Tensor) -> Tensor:
    """What a linear layer without bias makes of `sliding_windows`, without ever storing them: the fast twin.

    Normalising and filtering change places: ``w (x - m) / d = (w x - m sum(w)) / d``, and ``w x`` is a convolution.

    Parameters
    ----------
    weight : Tensor, shape (units, 64)

    Returns
    -------
    Tensor, shape (n, units, rows, columns)
    """
    pixels = reduced(frames, scale)
    mean, square = _window_mean(pixels), _window_mean(pixels.square())
    deviation = (square - mean.square()).clamp(min=0).sqrt() + LEAST_DEVIATION
    response = functional.conv2d(pixels, weight.unflatten(1, (1, DIGIT, DIGIT)))
    return response.sub_(mean * weight.sum(dim=1)[:, None, None]).div_(deviation)


def _window_mean(pixels: Tensor) -> Tensor:
    """Mean of every window, (n, 1, rows, columns): first along columns, then along rows."""
    columns = functional.avg_pool2d(pixels, (1, DIGIT), stride=1)
    return functional.avg_pool2d(columns, (DIGIT, 1), stride=1)


def cut_windows(frames: np.ndarray, corners: np.ndarray, scales: np.ndarray) -> Tensor:
    """One window of each frame, (n, 64): top-left corners (n, 2) in pixels, sides ``8 x scale``."""
    windows = torch.empty(len(frames), DIGIT * DIGIT)
    for scale in SCALES:
        rows = np.flatnonzero(scales == scale)
        pixels = _pixels(frames[rows], corners[rows], DIGIT * scale)
        windows[rows] = functional.avg_pool2d(torch.from_numpy(pixels).float().unsqueeze(1), scale).flatten(1)
    return normalised(windows)


def normalised(windows: Tensor) -> Tensor:
    """Mean 0 and deviation 1 over the last dimension."""
    centred = windows - windows.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True).sqrt() + LEAST_DEVIATION)


def _pixels(frames: np.ndarray, corners: np.ndarray, side: int) -> np.ndarray:
    offsets = np.arange(side)
    top, left = np.clip(np.round(corners).astype(int), 0, SIDE - side).reshape(-1, 2).T
    rows, columns = top[:, None, None] + offsets[:, None], left[:, None, None] + offsets[None]
    return frames[np.arange(len(frames))[:, None, None], rows, columns]
