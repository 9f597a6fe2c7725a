"""Masks: the keystream of AES in counter mode, as integers modulo a power of two."""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from edgedl_lib.training.security.secure_aggregation.parameters import Parameters

BLOCK_SIZE = 16


def mask(seed: bytes, parameters: Parameters) -> np.ndarray:
    """Uniform integers in ``[0, 2**modulus_bits)`` that nobody without the seed can tell from random ones.

    Parameters
    ----------
    seed : bytes
        A key of AES (32 bytes), used for this one mask.

    Returns
    -------
    numpy.ndarray, shape (length,)
    """
    stream = Cipher(algorithms.AES(seed), modes.CTR(bytes(BLOCK_SIZE))).encryptor()
    data = stream.update(bytes(parameters.length * parameters.dtype.itemsize))
    return parameters.reduce(np.frombuffer(data, dtype=parameters.dtype))


def signed(values: np.ndarray, owner: int, other: int) -> np.ndarray:
    """A pair's mask as the owner adds it: the higher number adds, the lower subtracts, and the sum has neither.

    >>> signed(np.array([5], dtype=np.uint32), owner=2, other=1) + signed(np.array([5], dtype=np.uint32), 1, 2)
    array([0], dtype=uint32)
    """
    return values if owner > other else -values
