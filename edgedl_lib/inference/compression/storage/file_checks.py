"""What is inside a compressed file: bits per symbol beside the entropy, fillers, and whether damage is noticed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.compression.storage.container import DamagedFile, unpack
from edgedl_lib.inference.compression.storage.deep_compression import INDEX_BITS, CompressedModel
from edgedl_lib.inference.compression.storage.huffman import entropy_bits, huffman_code
from edgedl_lib.inference.compression.storage.relative_index import encode_positions
from edgedl_lib.inference.compression.storage.sharing import SharedLayer


@dataclass(frozen=True)
class LayerStreams:
    """The two Huffman-coded streams of a layer.

    Attributes
    ----------
    weight_bits, index_bits : float
        Mean length of a code word of the codes and of the gaps.
    weight_entropy, index_entropy : float
        Entropy of the same symbols, bits.
    filler_share : float
        Fillers per weight.
    """

    weight_bits: float
    index_bits: float
    weight_entropy: float
    index_entropy: float
    filler_share: float

    @property
    def largest_excess(self) -> float:
        """Mean length minus entropy, of the stream that is further off (in either direction)."""
        gaps = self.weight_bits - self.weight_entropy, self.index_bits - self.index_entropy
        return max(gaps, key=abs)


def streams(compressed: CompressedModel, index_bits: int = INDEX_BITS) -> dict[str, LayerStreams]:
    """Bits and entropy of every layer's streams."""
    return {name: layer_streams(layer, index_bits) for name, layer in compressed.shared.items()}


def layer_streams(layer: SharedLayer, index_bits: int = INDEX_BITS) -> LayerStreams:
    """Bits and entropy of one layer's streams."""
    codes = layer.codes.ravel()
    index = encode_positions(np.flatnonzero(codes), index_bits)
    entries = np.zeros(len(index.gaps), dtype=np.int64)
    entries[index.holds_weight] = codes[codes != 0]
    counts = np.bincount(entries), np.bincount(index.gaps)
    bits = [float(np.average(huffman_code(count).lengths, weights=count)) for count in counts]
    return LayerStreams(*bits, *map(entropy_bits, counts), index.filler_share)


def huffman_saving(compressed: CompressedModel) -> float:
    """Percent of the file that Huffman coding saves."""
    return 100 * (1 - compressed.size / compressed.files["shared"].size)


def roundtrip_difference(compressed: CompressedModel) -> float:
    """Largest difference between a number that was written to one of the files and the one that is read back."""
    dense, pruned = unpack(compressed.files["dense"].data), unpack(compressed.files["pruned"].data)
    differences = [np.abs(dense[name] - pruned[name]).max() for name in dense]
    for stage in ("shared", "huffman"):
        found = unpack(compressed.files[stage].data)
        state = {name: value.numpy() for name, value in compressed.module.state_dict().items()}
        for name, tensor in found.items():
            read = tensor.weight() if isinstance(tensor, SharedLayer) else tensor
            written = compressed.shared.get(name.removesuffix(".weight"))
            differences.append(np.abs(read - (written.weight() if written else state[name])).max())
    return float(max(differences))


def damage_found(data: bytes, places: int = 200, seed: int = 0) -> float:
    """Share of single changed bytes, at random places and by random amounts, that reading reports."""
    generator = np.random.default_rng(seed)
    found = 0
    for place in generator.integers(0, len(data), places):
        damaged = bytearray(data)
        damaged[place] ^= int(generator.integers(1, 256))
        try:
            unpack(bytes(damaged))
        except DamagedFile:
            found += 1
    return found / places
