"""How much a codec distorts vectors of three kinds, without any training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgedl_lib.training.codecs import Chain, Codec, Kashin, Quantise, Rotate

SPIKES = 4
SPIKE = 100.0  # times the size of the other entries
KINDS = ("spiky", "Laplace", "Gaussian")


def random_vectors(kind: str, length: int, count: int, seed: int, spikes: int = SPIKES) -> np.ndarray:
    """`count` vectors of `length` entries: a few large ones among noise, Laplace, or Gaussian.

    Raises
    ------
    ValueError
        An unknown kind.
    """
    rng = np.random.default_rng([seed, length])
    if kind == "spiky":
        vectors = rng.standard_normal((count, length))
        for row in vectors:
            row[rng.choice(length, spikes, replace=False)] *= SPIKE
        return vectors
    if kind == "Laplace":
        return rng.laplace(size=(count, length))
    if kind == "Gaussian":
        return rng.standard_normal((count, length))
    raise ValueError(f"unknown kind {kind!r}; choose one of {', '.join(KINDS)}")


def distortion(codec: Codec, vectors: np.ndarray, seed: int) -> float:
    """Mean of |decoded - x|^2 / |x|^2 over the vectors (the normalised mean square error)."""
    rng = np.random.default_rng(seed)
    decoded = np.stack([codec.decode(codec.encode(vector, rng)) for vector in vectors])
    return float(np.mean(_squares(decoded - vectors) / _squares(vectors)))


def distortion_table(kind: str, bits: Sequence[int], seed: int, length: int = 700, count: int = 40) -> dict:
    """Distortion for each number of bits: without a transform, rotated, and in Kashin's representation."""
    vectors = random_vectors(kind, length, count, seed)
    chains = {"none": (), "rotation": (Rotate(),), "Kashin": (Kashin(),)}
    return {
        name: np.array([distortion(Chain(*stages, Quantise(each)), vectors, seed) for each in bits])
        for name, stages in chains.items()
    }


def averaging_error(codec: Codec, vector: np.ndarray, repeats: int, seed: int) -> float:
    """Error of the mean of `repeats` decodes over the error of one, times the root of `repeats`; one if unbiased.

    A bias stays while noise is averaged away, so the value then grows with the root.
    """
    rng = np.random.default_rng(seed)
    decoded = np.stack([codec.decode(codec.encode(vector, rng)) for _ in range(repeats)])
    single = np.sqrt(_squares(decoded - vector).mean())
    return float(np.sqrt(_squares(decoded.mean(axis=0) - vector) * repeats) / single)


def rotation_gain(
    kind: str, rotation: Codec, bits: int, seed: int, length: int = 1024, count: int = 40, spikes: int = SPIKES
) -> float:
    """Distortion of quantising alone over that of rotating first."""
    vectors = random_vectors(kind, length, count, seed, spikes)
    plain = distortion(Quantise(bits), vectors, seed)
    return plain / distortion(Chain(rotation, Quantise(bits)), vectors, seed)


def distinct_levels(codec: Codec, seed: int, length: int = 1024) -> int:
    """How many different values a decoded Gaussian vector has."""
    vector = random_vectors("Gaussian", length, 1, seed)[0]
    return len(np.unique(codec.decode(codec.encode(vector, np.random.default_rng(seed)))))


def peak(coefficients: np.ndarray, vector: np.ndarray) -> float:
    """Largest coefficient in units of the vector's norm spread evenly over all coefficients."""
    return float(np.abs(coefficients).max() * np.sqrt(coefficients.size) / np.linalg.norm(vector))


def mean_peak(transform: Kashin, vectors: np.ndarray, seed: int) -> float:
    """Mean of `peak` over the vectors, each with its own frame."""
    rng = np.random.default_rng(seed)
    return float(np.mean([peak(transform.forward(vector, rng)[1], vector) for vector in vectors]))


def _squares(values: np.ndarray) -> np.ndarray:
    return np.sum(values**2, axis=-1)
