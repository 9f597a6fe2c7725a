"""Low-rank factorisation of dense layers by SVD: rank given, by energy, or by the gain (Denton et al. 2014 [124]).

``W (m, n)`` becomes ``left (m, r) @ right (r, n)``: two layers of ``r (m + n)`` multiply-accumulates instead of one of
``m n``.  That is a gain if and only if ``r < m n / (m + n)``.
"""

from collections import OrderedDict
from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

RIDGE = 1e-6  # of the mean variance: keeps inputs that never vary (the dark border of an image) invertible


def break_even_rank(outputs: int, inputs: int) -> int:
    """Largest rank at which the factors hold fewer weights than the matrix; 0 if none does.

    >>> break_even_rank(200, 784), break_even_rank(1, 50)
    (159, 0)
    """
    return -(-outputs * inputs // (outputs + inputs)) - 1


def rank_for_gain(outputs: int, inputs: int, gain: float) -> int:
    """Largest rank, at least 1, that divides the multiply-accumulates by ``gain`` or more.

    >>> [rank_for_gain(200, 784, gain) for gain in (2, 4, 8, 16)]
    [79, 39, 19, 9]
    """
    if not gain > 0:
        raise ValueError(f"a gain of {gain} is impossible; give a positive factor such as 2")
    return max(1, int(outputs * inputs / (gain * (outputs + inputs))))


def rank_for_energy(matrix: Tensor, energy: float) -> int:
    """Smallest rank whose singular values hold the share ``energy`` of the squared sum.

    >>> rank_for_energy(torch.diag(torch.tensor([3.0, 1.0, 0.0])), 0.9)
    1
    """
    if not 0 < energy <= 1:
        raise ValueError(f"the energy {energy} is no share; choose one in (0, 1]")
    return int((spectrum_energy(matrix) < energy - 1e-12).sum()) + 1


def spectrum_energy(matrix: Tensor) -> Tensor:
    """Share of the squared singular values held by the first 1, 2, ... of them; float64, ends at 1."""
    squares = torch.linalg.svdvals(_finite(matrix).double()) ** 2
    return squares.cumsum(0) / squares.sum()


def svd_factors(matrix: Tensor, rank: int, covariance: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Best factors of a matrix (m, n) at ``rank``: left (m, r) and right (r, n), both float32.

    Parameters
    ----------
    covariance : Tensor, shape (n, n), optional
        Of the layer's inputs.  With it the variance of the change of the *output* is smallest, not the change of the
        weights: the data norm of Denton et al. 2014, section 3.1.

    Raises
    ------
    ValueError
        A rank that the matrix does not have, NaN, or a covariance of another size.
    """
    matrix = _finite(matrix).double()
    check_rank(rank, min(matrix.shape))
    if covariance is None:
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        root = values[:rank].sqrt()
        return (left[:, :rank] * root).float(), (root[:, None] * right[:rank]).float()
    left = torch.linalg.svd(matrix @ _square_root(covariance, matrix.shape[1]), full_matrices=False)[0][:, :rank]
    return left.float(), (left.T @ matrix).float()


def factored_linear(layer: nn.Linear, rank: int, inputs: Tensor | None = None) -> nn.Sequential:
    """Two layers for one: ``reduce`` to ``rank`` numbers, then ``expand``, which keeps the bias.

    With samples of the layer's ``inputs``, shape (samples, n), the factors follow their covariance, and the bias takes
    up the mean of what the factors leave out: a constant needs no direction of its own.
    """
    covariance = None if inputs is None else torch.cov(inputs.double().T, correction=0)
    left, right = svd_factors(layer.weight.detach(), rank, covariance)
    reduce = nn.Linear(layer.in_features, rank, bias=False)
    expand = nn.Linear(rank, layer.out_features, bias=layer.bias is not None)
    reduce.weight.data, expand.weight.data = right.contiguous(), left.contiguous()
    if layer.bias is not None:
        expand.bias.data = layer.bias.detach().clone()
    if inputs is not None and layer.bias is not None:
        expand.bias.data += (layer.weight.detach() - left @ right) @ inputs.mean(dim=0)
    return nn.Sequential(OrderedDict(reduce=reduce, expand=expand))


def replace_layers(model: nn.Module, replacements: dict[str, nn.Module]) -> nn.Module:
    """A copy of the model with the named layers exchanged, in evaluation mode.

    Raises
    ------
    ValueError
        If the model has no layer of that name.
    """
    names = dict(model.named_modules())
    changed = deepcopy(model)
    for name, layer in replacements.items():
        if name not in names:
            raise ValueError(f"the model has no layer {name!r}; its layers are {', '.join(filter(None, names))}")
        parent, _, child = name.rpartition(".")
        setattr(changed.get_submodule(parent), child, layer)
    return changed.eval()


@torch.no_grad()
def layer_inputs(model: nn.Module, name: str, inputs: Tensor) -> Tensor:
    """What the layer called ``name`` receives while the model runs on ``inputs``."""
    seen: list[Tensor] = []
    hook = model.get_submodule(name).register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    try:
        model(inputs)
    finally:
        hook.remove()
    return seen[0]


def check_rank(rank: int, full: int) -> None:
    """Refuse a rank that a matrix or tensor of full rank ``full`` does not have."""
    if not isinstance(rank, int) or not 1 <= rank <= full:
        raise ValueError(f"rank {rank} is not possible; this layer has the ranks 1 to {full}")


def _square_root(covariance: Tensor, size: int) -> Tensor:
    if tuple(covariance.shape) != (size, size):
        raise ValueError(f"the covariance has shape {tuple(covariance.shape)}; this layer needs ({size}, {size})")
    values, vectors = torch.linalg.eigh(covariance.double())
    return vectors * (values.clamp(min=0) + RIDGE * values.mean()).sqrt()


def _finite(matrix: Tensor) -> Tensor:
    if matrix.ndim != 2 or not torch.isfinite(matrix).all():
        raise ValueError(f"need a finite matrix, got shape {tuple(matrix.shape)}; check the weights for NaN")
    return matrix


def mac_counts(shapes: Sequence[tuple[int, int]], ranks: Sequence[int]) -> tuple[int, int]:
    """Multiply-accumulates of dense layers (m, n) before and after factoring at ``ranks``.

    >>> mac_counts([(200, 784)], [40])
    (156800, 39360)
    """
    return sum(m * n for m, n in shapes), sum(r * (m + n) for (m, n), r in zip(shapes, ranks, strict=True))
