"""Separable convolution: a ``d x d`` kernel as K vertical filters followed by K horizontal ones.

``W[f, c, y, x]`` is approximated by ``sum_k H[f, k, x] V[k, c, y]``; the best V and H are the SVD of the matrix whose
rows are (c, y) and whose columns are (f, x).  Cost per output pixel: ``d K (C + F)`` instead of ``d d C F``.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from edgedl_lib.inference.compression.factors.low_rank import check_rank, svd_factors


def separable_matrix(weight: Tensor) -> Tensor:
    """Filters (F, C, d, d) as the matrix ((c, y), (f, x)); any other order of the axes is not separable."""
    filters, channels, height, width = weight.shape
    return weight.permute(1, 2, 0, 3).reshape(channels * height, filters * width)


def separable_rank_for_gain(layer: nn.Conv2d, gain: float) -> int:
    """Largest rank, at least 1, that divides the multiply-accumulates (at stride 1) by ``gain`` or more."""
    filters, channels, height, width = layer.weight.shape
    return max(1, int(filters * channels * height * width / (gain * (channels * height + filters * width))))


def separable_conv(layer: nn.Conv2d, rank: int) -> nn.Sequential:
    """``vertical`` (d x 1) then ``horizontal`` (1 x d) convolutions that approximate ``layer``.

    Raises
    ------
    ValueError
        A grouped convolution, or a rank above ``min(C d, F d)``.
    """
    refuse_groups(layer)
    filters, channels, height, width = layer.weight.shape
    matrix = separable_matrix(layer.weight.detach())
    check_rank(rank, min(matrix.shape))
    left, right = svd_factors(matrix, rank)  # ((c, y), k) and (k, (f, x))
    rows, columns = ({"stride": s, "padding": p, "dilation": d} for s, p, d in _per_direction(layer))
    vertical = nn.Conv2d(channels, rank, (height, 1), bias=False, **rows)
    horizontal = nn.Conv2d(rank, filters, (1, width), bias=layer.bias is not None, **columns)
    vertical.weight.data = left.reshape(channels, height, 1, rank).permute(3, 0, 1, 2).contiguous()
    horizontal.weight.data = right.reshape(rank, filters, 1, width).permute(1, 0, 2, 3).contiguous()
    if layer.bias is not None:
        horizontal.bias.data = layer.bias.detach().clone()
    return nn.Sequential(OrderedDict(vertical=vertical, horizontal=horizontal))


def refuse_groups(layer: nn.Conv2d) -> None:
    """Grouped convolutions are block diagonal already; factor each group by itself."""
    if layer.groups != 1:
        raise ValueError(f"this convolution has {layer.groups} groups; only ungrouped ones are factored")
    if not torch.isfinite(layer.weight).all():
        raise ValueError("the filters hold NaN or infinity; train the layer before factoring it")


def _per_direction(layer: nn.Conv2d):
    (sy, sx), (py, px), (dy, dx) = layer.stride, layer.padding, layer.dilation
    return ((sy, 1), (py, 0), (dy, 1)), ((1, sx), (0, px), (1, dx))
