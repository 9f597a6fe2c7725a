"""What Kashin's representation buys over a rotation: the same frame, equal bits, and where the vector is put."""

from __future__ import annotations

import numpy as np

from edgedl_lib.training.codecs import Chain, Codec, Kashin, Quantise, Rotate, Subsample
from edgedl_lib.training.communication.sketched.distortion import distortion, mean_peak, random_vectors

LENGTH = 700  # needs a frame of 1,024 in any case
FULL_LENGTH = 1024  # a power of two, for which the frame is twice as large
COUNT = 40
SINGLE = Kashin(iterations=1)  # one unclipped step: a plain rotation into the same frame


def reconstruction_error(transform: Kashin, seed: int, length: int = LENGTH) -> float:
    """|U a - x| / |x| in double precision, the largest of `COUNT` Gaussian vectors."""
    rng, errors = np.random.default_rng(seed), []
    for vector in random_vectors("Gaussian", length, COUNT, seed):
        frame, coefficients = transform.forward(vector, rng)
        error = transform.backward(frame, coefficients, vector.shape) - vector
        errors.append(np.linalg.norm(error) / np.linalg.norm(vector))
    return float(max(errors))


def peak_ratio(transform: Kashin, other: Kashin, seed: int, length: int = LENGTH) -> float:
    """Mean largest coefficient of one transform over that of another, on Gaussian vectors."""
    vectors = random_vectors("Gaussian", length, COUNT, seed)
    return mean_peak(transform, vectors, seed) / mean_peak(other, vectors, seed)


def peaks(iterations: range, seed: int, length: int, scatter: bool) -> np.ndarray:
    """Mean largest coefficient after each number of iterations."""
    vectors = random_vectors("Gaussian", length, COUNT, seed)
    return np.array([mean_peak(Kashin(iterations=each, scatter=scatter), vectors, seed) for each in iterations])


def role(transform: Kashin | None, seed: int) -> float:
    """Distortion of keeping a quarter and quantising to 2 bits on spiky vectors, without a transform over with it."""
    vectors, lossy = random_vectors("spiky", LENGTH, COUNT, seed), (Subsample(0.25), Quantise(2))
    stages = (transform, *lossy) if transform else lossy
    return distortion(Chain(*lossy), vectors, seed) / distortion(Chain(*stages), vectors, seed)


def equal_bits(seed: int, kashin_bits: int = 1, rotation_bits: int = 2) -> float:
    """Distortion at the same bits a coordinate for a power of two: Kashin's over the rotation's."""
    vectors = random_vectors("Gaussian", FULL_LENGTH, COUNT, seed)
    spread = distortion(Chain(Kashin(), Quantise(kashin_bits)), vectors, seed)
    return spread / distortion(Chain(Rotate(), Quantise(rotation_bits)), vectors, seed)


def same_frame(bits: int, seed: int, transform: Codec | None = None) -> float:
    """Distortion of the rotation over that of Kashin's representation, both in a frame of 1,024 for 700 entries."""
    vectors = random_vectors("Gaussian", LENGTH, COUNT, seed)
    rotated = distortion(Chain(Rotate(), Quantise(bits)), vectors, seed)
    return rotated / distortion(Chain(transform or Kashin(), Quantise(bits)), vectors, seed)
