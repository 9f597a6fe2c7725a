"""Deep Compression (Han et al. 2016 [146]): prune, share, code; every stage is a file of real bytes.

The result is an ordinary module whose weights were read back from the file, so that what is measured is what ships.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgedl_lib.inference.compression.sparsity.pruning import Keep, weighted_layers
from edgedl_lib.inference.compression.sparsity.retraining import prune_and_retrain
from edgedl_lib.inference.compression.storage.container import Packed, SparseWeight, pack, unpack
from edgedl_lib.inference.compression.storage.sharing import SharedLayer, fine_tune_code_books, install, share_weights
from edgedl_lib.nets.datasets import Dataset

INDEX_BITS = 5  # of a gap, as for LeNet and VGG in the paper


@dataclass(frozen=True)
class LayerRow:
    """What became of one layer with weights."""

    layer: str
    weights: int
    kept: int
    bits: int | None
    bytes_before: int
    bytes_after: int

    @property
    def percent(self) -> float:
        """Size after compression relative to float32, in percent."""
        return 100 * self.bytes_after / self.bytes_before


@dataclass(frozen=True)
class CompressedModel:
    """A compressed network.

    Attributes
    ----------
    module : nn.Module
        As read back from the file.
    files : mapping
        Stage ("dense", "pruned", "shared", "huffman") to its file.
    table : tuple of LayerRow
    shared : mapping
        Layer name to codes and code book.
    """

    module: nn.Module
    files: Mapping[str, Packed]
    table: tuple[LayerRow, ...]
    shared: Mapping[str, SharedLayer]

    @property
    def file(self) -> bytes:
        """The smallest file, with all three stages."""
        return self.files["huffman"].data

    @property
    def size(self) -> int:
        """Bytes of that file."""
        return len(self.file)

    def rate(self, stage: str = "huffman") -> float:
        """Compression rate of a stage against the float32 file."""
        return self.files["dense"].size / self.files[stage].size

    def save(self, path: str | Path) -> None:
        """Write the file; :func:`load` reads it."""
        Path(path).write_bytes(self.file)


def compress(
    model: nn.Module,
    keep: Keep,
    bits: int | Mapping[str, int],
    data: Dataset,
    seed: int,
    *,
    rounds: int = 3,
    prune_epochs: int = 2,
    share_epochs: int = 2,
    index_bits: int = INDEX_BITS,
    initial: str = "linear",
    **training,
) -> CompressedModel:
    """Prune, share and code a trained model; the model itself is left as it is.

    Parameters
    ----------
    keep : float or mapping
        Fraction of the weights that each layer keeps, in (0, 1].
    bits : int or mapping
        Of a code; ``2**bits - 1`` values are shared in a pruned layer.
    rounds, prune_epochs, share_epochs : int
        Pruning rounds, epochs of retraining after each, epochs of training the code books.
    index_bits : int
        Of a gap.
    initial : str
        Of k-means: "linear", "density" or "random".
    training
        Passed on to both trainings, for instance ``learning_rate``.
    """
    small = copy.deepcopy(model)
    prune_and_retrain(small, data, keep, rounds=rounds, epochs=prune_epochs, seed=seed, **training)
    return code(small, bits, data, seed, share_epochs=share_epochs, index_bits=index_bits, initial=initial, **training)


def code(
    pruned: nn.Module,
    bits: int | Mapping[str, int],
    data: Dataset,
    seed: int,
    *,
    share_epochs: int = 2,
    index_bits: int = INDEX_BITS,
    initial: str = "linear",
    **training,
) -> CompressedModel:
    """Second and third stage: share the weights of a model (pruned or not), train the code books, write the files."""
    small = copy.deepcopy(pruned)
    shared = share_weights(small, bits, initial, seed)
    shared = fine_tune_code_books(small, shared, data, epochs=share_epochs, seed=seed, **training)
    install(small, shared)
    files = {
        "dense": pack(tensors_of(pruned)),
        "pruned": pack(tensors_of(pruned, sparse=True), index_bits, huffman=False),
        "shared": pack(tensors_of(small, shared), index_bits, huffman=False),
        "huffman": pack(tensors_of(small, shared), index_bits),
    }
    module = restore(files["huffman"].data, small)
    return CompressedModel(module, files, _table(shared, files, bits), shared)


def tensors_of(model: nn.Module, shared: Mapping[str, SharedLayer] | None = None, sparse: bool = False) -> dict:
    """What a file holds of a model: its whole state, weights shared or sparse where they are."""
    tensors = {name: value.numpy().astype(np.float32) for name, value in model.state_dict().items()}
    for name in weighted_layers(model) if sparse else ():
        tensors[f"{name}.weight"] = SparseWeight(tensors[f"{name}.weight"])
    return tensors | {f"{name}.weight": layer for name, layer in (shared or {}).items()}


def restore(data: bytes, model: nn.Module) -> nn.Module:
    """A copy of ``model`` with the state that a file holds, bit for bit.

    Raises
    ------
    DamagedFile
        The file was changed, cut or is none.
    ValueError
        The file belongs to another model.
    """
    copied = copy.deepcopy(model)
    state = {}
    for name, tensor in unpack(data).items():
        state[name] = torch.from_numpy(tensor.weight() if isinstance(tensor, SharedLayer) else tensor)
    try:
        copied.load_state_dict(state)
    except RuntimeError as fault:
        raise ValueError(f"the file holds another model than {type(model).__name__}: {fault}") from fault
    return copied.eval()


def load(path: str | Path, model: nn.Module) -> nn.Module:
    """A copy of ``model`` with the weights of a saved file."""
    return restore(Path(path).read_bytes(), model)


def _table(shared: Mapping[str, SharedLayer], files: Mapping[str, Packed], bits: object) -> tuple[LayerRow, ...]:
    rows = []
    for name, layer in shared.items():
        width = bits[name] if isinstance(bits, Mapping) else bits
        before, after = (sum(files[stage].parts[f"{name}.weight"].values()) for stage in ("dense", "huffman"))
        rows.append(LayerRow(name, layer.codes.size, int(np.count_nonzero(layer.codes)), width, before, after))
    return tuple(rows)
