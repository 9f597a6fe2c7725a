"""Tucker-2 factorisation of a convolution: fewer input maps, a small core convolution, and back to all output maps.

The bases of the two channel modes are the leading singular vectors of the unfolded filters (HOSVD); the spatial modes,
which are small already, stay whole.  Cost per pixel: ``C R1 + d d R1 R2 + R2 F``.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from edgedl_lib.inference.compression.factors.low_rank import check_rank, rank_for_energy
from edgedl_lib.inference.compression.factors.separable import refuse_groups


def unfold_mode(weight: Tensor, mode: int) -> Tensor:
    """Matrix of a tensor with the given axis as its rows.

    >>> unfold_mode(torch.zeros(8, 3, 5, 5), 1).shape
    torch.Size([3, 200])
    """
    return weight.movedim(mode, 0).flatten(1)


def tucker_ranks_for_energy(layer: nn.Conv2d, energy: float) -> tuple[int, int]:
    """Ranks (inputs R1, outputs R2) at which each channel mode keeps the share ``energy``."""
    weight = layer.weight.detach()
    return rank_for_energy(unfold_mode(weight, 1), energy), rank_for_energy(unfold_mode(weight, 0), energy)


def tucker_conv(layer: nn.Conv2d, ranks: tuple[int, int]) -> nn.Sequential:
    """``reduce`` (1x1, C to R1), ``core`` (d x d, R1 to R2) and ``expand`` (1x1, R2 to F).

    Raises
    ------
    ValueError
        A grouped convolution, or ranks outside 1..C and 1..F.
    """
    refuse_groups(layer)
    weight, (inner, outer) = layer.weight.detach().double(), ranks
    filters, channels = weight.shape[:2]
    check_rank(inner, channels)
    check_rank(outer, filters)
    into, out = _basis(weight, 1, inner), _basis(weight, 0, outer)  # (C, R1), (F, R2)
    core = torch.einsum("fcyx,cr,fs->sryx", weight, into, out)
    reduce = nn.Conv2d(channels, inner, 1, bias=False)
    middle = nn.Conv2d(inner, outer, layer.kernel_size, layer.stride, layer.padding, layer.dilation, bias=False)
    expand = nn.Conv2d(outer, filters, 1, bias=layer.bias is not None)
    for module, values in ((reduce, into.T[:, :, None, None]), (middle, core), (expand, out[:, :, None, None])):
        module.weight.data = values.float().contiguous()
    if layer.bias is not None:
        expand.bias.data = layer.bias.detach().clone()
    return nn.Sequential(OrderedDict(reduce=reduce, core=middle, expand=expand))


def _basis(weight: Tensor, mode: int, rank: int) -> Tensor:
    """Leading left singular vectors of one unfolding; from its small Gram matrix, and complete at full rank."""
    unfolded = unfold_mode(weight, mode)
    return torch.linalg.eigh(unfolded @ unfolded.T)[1].flip(1)[:, :rank]
