"""SparseSep against a plain SVD: the smallest form of a layer that keeps the loss within a budget, nothing trained.

The size is chosen on the validation images and its loss reported on the test images.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from edgedl_lib.inference.compression.factors.factor_timing import mac_count
from edgedl_lib.inference.compression.factors.factorise import factorise
from edgedl_lib.inference.compression.factors.low_rank import factored_linear, rank_for_gain, replace_layers
from edgedl_lib.inference.compression.factors.low_rank_study import separable_ranks
from edgedl_lib.inference.compression.factors.sparse_coding import SparseCodedLinear
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.nets.training import error

ATOMS = (6, 8, 12, 16, 24, 32, 48, 64, 96)  # up to three eighths of the layer's shorter side
PER_COLUMN = (2, 3, 4, 6, 10, 16)  # up to a tenth of it
GAINS = (6, 5, 4, 3, 2, 1.5)  # of multiply-accumulates, tried from the strongest separation to the mildest


@dataclass(frozen=True)
class Candidate:
    """One compressed form of a network.

    Attributes
    ----------
    model : nn.Module
    stored, original : int
        Numbers stored for the layer, indices included, biases left out; those of the dense layer.
    mac : int
        Multiply-accumulates of the layer.
    validation_error : float
        Percent.
    label : str
    """

    model: nn.Module
    stored: int
    original: int
    mac: int
    validation_error: float
    label: str

    @property
    def share(self) -> float:
        """Stored numbers over those of the dense layer."""
        return self.stored / self.original

    @property
    def speedup(self) -> float:
        """Multiply-accumulates of the dense layer over those of this form."""
        return self.original / self.mac


def sparse_candidates(model: nn.Module, data: Dataset, name: str = "dense1") -> list[Candidate]:
    """The named layer by dictionary and sparse code at every size of the grid, smallest first."""
    layer = model.get_submodule(name)
    return sorted(_sparse(model, data, name, layer), key=lambda c: c.stored)


def svd_candidates(model: nn.Module, data: Dataset, name: str = "dense1") -> list[Candidate]:
    """The named layer by SVD at every rank that halves it or better, smallest first."""
    layer = model.get_submodule(name)
    m, n = layer.weight.shape
    ranks = range(1, rank_for_gain(m, n, 2) + 1)
    changed = {r: replace_layers(model, {name: factored_linear(layer, r)}) for r in ranks}
    return [
        Candidate(net, r * (m + n), m * n, r * (m + n), error(net, data.validation), f"rank {r}")
        for r, net in changed.items()
    ]


def smallest_within(candidates: list[Candidate], model: nn.Module, data: Dataset, budget: float) -> Candidate:
    """The first candidate whose validation error exceeds the network's own by at most ``budget`` points.

    Raises
    ------
    ValueError
        If none does.
    """
    limit = error(model, data.validation) + budget
    for candidate in candidates:
        if candidate.validation_error <= limit + 1e-6:
            return candidate
    raise ValueError(f"no size keeps the loss within {budget} points; allow more atoms or a larger budget")


@dataclass(frozen=True)
class SeparatedConv:
    """All convolutions separated without training: points lost, and the factor of multiply-accumulates saved."""

    loss: float
    mac_gain: float
    gain_asked: float


def separate_within(model: nn.Module, data: Dataset, budget: float, gains=GAINS) -> SeparatedConv | None:
    """The strongest separation of all convolutions within ``budget`` points on the validation images, or None."""
    limit = error(model, data.validation) + budget
    for gain in gains:
        separated = factorise(model, ranks=separable_ranks(model, gain))
        if error(separated, data.validation) <= limit:
            before, after = (mac_count(net, data.input_shape) for net in (model, separated))
            return SeparatedConv(error(separated, data.test) - error(model, data.test), before / after, gain)
    return None


def _sparse(model: nn.Module, data: Dataset, name: str, layer: nn.Linear) -> Iterator[Candidate]:
    shorter = min(layer.weight.shape)
    for atoms in (a for a in ATOMS if 8 * a <= 3 * shorter):
        for per_column in (p for p in PER_COLUMN if p <= min(atoms, shorter / 10)):
            coded = SparseCodedLinear(layer, atoms, per_column)
            net = replace_layers(model, {name: coded})
            stored, mac = coded.coded.stored_numbers, coded.coded.mac
            label = f"{atoms} atoms, {per_column} per column"
            yield Candidate(net, stored, layer.weight.numel(), mac, error(net, data.validation), label)
