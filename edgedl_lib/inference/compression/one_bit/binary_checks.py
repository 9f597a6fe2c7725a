"""What can be said of one bit a weight without training: best scales, errors of approximation, packed products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from edgedl_lib.inference.compression.one_bit.packed_bits import pack, packed_product, packed_ternary_bytes
from edgedl_lib.inference.compression.one_bit.ternary import Ternary, best_threshold
from edgedl_lib.inference.compression.one_bit.xnor import optimal_scale
from edgedl_lib.system.timing import measure_in_turn

HALF_BITS, FLOAT_BITS = 16, 32


def normal_filters(rows: int = 64, length: int = 2304, seed: int = 0) -> Tensor:
    """Filters with standard normal weights, shape (rows, length); 2304 = 256 channels x 3 x 3."""
    return torch.randn(rows, length, generator=torch.Generator().manual_seed(seed))


def excess_over_grid(filters: Tensor, scale: Callable[[Tensor], Tensor] = optimal_scale, steps: int = 400) -> float:
    """Squared error of a rule for the scale minus that of the best scale on a grid; the worst filter, per weight."""
    signs = torch.sign(filters)

    def squared_error(scales: Tensor) -> Tensor:
        return ((filters - scales * signs) ** 2).mean(dim=1)

    grid = torch.linspace(0.01, 2, steps) * filters.abs().mean()
    best = torch.stack([squared_error(value) for value in grid]).amin(dim=0)
    return float((squared_error(scale(filters)) - best).max())


def packed_saving(rows: int = 256, length: int = 2304, bits: int = FLOAT_BITS) -> float:
    """How many times the bytes of packed signs go into those of numbers of ``bits`` bits."""
    signs = np.where(np.random.default_rng(0).random((rows, length)) < 0.5, -1, 1)
    return rows * length * bits / 8 / pack(signs).nbytes


def ternary_saving(count: int = 1 << 16) -> float:
    """How many times packed ternary codes go into the same weights in float32."""
    return 4 * count / packed_ternary_bytes(count)


def largest_difference(seed: int = 0, rows: int = 40, lengths: tuple[int, ...] = (1, 63, 64, 65, 200)) -> float:
    """Between the packed and the float32 product, over lengths that do and do not fill whole words."""
    generator, worst = np.random.default_rng(seed), 0.0
    for length in lengths:
        left, right = np.where(generator.random((2, rows, length)) < 0.5, -1.0, 1.0).astype(np.float32)
        worst = max(worst, float(np.abs(packed_product(pack(left), pack(right)) - left @ right.T).max()))
    return worst


def packed_speed(rows: int = 196, filters: int = 256, length: int = 2304, windows: int = 7) -> float:
    """Time of the float32 product over that of the packed one, the size of a 3x3 layer with 256 channels."""
    generator = np.random.default_rng(0)
    left, right = (np.where(generator.random((n, length)) < 0.5, -1.0, 1.0) for n in (rows, filters))
    packed_left, packed_right = pack(left), pack(right)
    first, second = torch.from_numpy(left).float(), torch.from_numpy(right).float().T.contiguous()
    calls = {"float": lambda: first @ second, "packed": lambda: packed_product(packed_left, packed_right)}
    timings = measure_in_turn(calls, windows=windows)
    return timings["float"].minimum / timings["packed"].minimum


def mean_best_threshold(count: int = 200_000, seed: int = 0) -> float:
    """Best ternary threshold over the mean of \\|w\\|, averaged over normal and uniform weights."""
    generator = torch.Generator().manual_seed(seed)
    kinds = (torch.randn(count, generator=generator), 2 * torch.rand(count, generator=generator) - 1)
    return sum(best_threshold(weights) for weights in kinds) / len(kinds)


def zero_share(filters: Tensor) -> float:
    """Share of the weights that the ternary code sets to zero, percent."""
    return 100 * float((Ternary().values(filters) == 0).double().mean())
