"""What a part of a network costs, and which part fits the pace of the others."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def active_neurons(neurons: int, volume: float) -> int:
    """Neurons of a layer that are trained in a cycle: rounded up, so that ceil(1/P) cycles reach them all.

    Examples
    --------
    >>> active_neurons(64, 0.5), active_neurons(64, 0.1), active_neurons(64, 1.0)
    (32, 7, 64)
    """
    if not 0 < volume <= 1:
        raise ValueError(f"volume {volume} must lie in (0, 1]; drop the device instead of giving it nothing to train")
    return min(neurons, math.ceil(volume * neurons - 1e-9))


def cycle_cost(widths: Sequence[int], volume: float = 1.0) -> int:
    """Multiply-adds of one sample when that share of every hidden layer is active; inputs and classes stay whole.

    Between two hidden layers the cost shrinks as the square of the volume, at the first and the last as the volume.

    Examples
    --------
    >>> cycle_cost((64, 64, 10)), cycle_cost((64, 64, 10), 0.5), cycle_cost((64, 64, 64, 10), 0.5)
    (4736, 2368, 3392)
    """
    hidden = [active_neurons(width, volume) for width in widths[1:-1]]
    active = [widths[0], *hidden, widths[-1]]
    return sum(before * after for before, after in zip(active[:-1], active[1:], strict=True))


def cost_share(widths: Sequence[int], volume: float) -> float:
    """Cost of a cycle at that volume over the cost of a whole one."""
    return cycle_cost(widths, volume) / cycle_cost(widths)


def volume_for(widths: Sequence[int], share: float) -> float:
    """Largest volume whose cycle costs at most that share of a whole one.

    Examples
    --------
    >>> volume_for((64, 64, 10), 0.5), round(volume_for((64, 64, 64, 10), 0.5), 3)
    (0.5, 0.609)

    Raises
    ------
    ValueError
        Not even one neuron in each layer is cheap enough.
    """
    volumes = np.unique([k / width for width in widths[1:-1] for k in range(1, width + 1)])
    fitting = [volume for volume in volumes if cost_share(widths, volume) <= share + 1e-12]
    if not fitting:
        raise ValueError(f"a share {share} of the work is less than one neuron per layer; leave the device out")
    return float(fitting[-1])
