"""What all parties of a run agree on beforehand, and how a run fails (Bonawitz et al. 2017 [222])."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_MODULUS_BITS = 64


class ProtocolError(Exception):
    """A party refuses to go on; the message says who, at which stage, and why."""


class TooFewClients(ProtocolError):
    """Fewer clients than the threshold are left."""


class BadMessage(ProtocolError):
    """A message that does not have the agreed form; `client` names its sender."""

    def __init__(self, client: int, reason: str) -> None:
        super().__init__(f"client {client}: {reason}")
        self.client, self.reason = client, reason


@dataclass(frozen=True)
class Parameters:
    """Numbers that every party knows.

    Attributes
    ----------
    clients : int
        Clients that are asked, numbered 0 to ``clients - 1``.
    threshold : int
        Clients that must answer at every stage, and shares that rebuild a secret.
    length : int
        Entries of each client's vector.
    input_bits : int
        Each entry lies in ``[0, 2**input_bits)``.

    Raises
    ------
    ValueError
        If the threshold is not one of 1 to `clients`, or the sum does not fit into 64 bits.

    Examples
    --------
    A sum of 1,024 numbers of 16 bits needs 26 bits:

    >>> Parameters(clients=1024, threshold=683, length=2**20).modulus_bits
    26
    """

    clients: int
    threshold: int
    length: int
    input_bits: int = 16

    def __post_init__(self) -> None:
        if not 1 <= self.threshold <= self.clients:
            raise ValueError(f"threshold {self.threshold} of {self.clients} clients; choose one of 1 to {self.clients}")
        if self.length < 1 or self.input_bits < 1:
            raise ValueError(f"{self.length} entries of {self.input_bits} bits; both must be at least 1")
        if self.modulus_bits > MOST_MODULUS_BITS:
            raise ValueError(
                f"a sum of {self.clients} entries of {self.input_bits} bits needs {self.modulus_bits} bits, "
                f"more than {MOST_MODULUS_BITS}; use fewer input bits"
            )

    @property
    def modulus_bits(self) -> int:
        """Bits of the least power of two that no sum reaches: ``ceil(log2(n (R_U - 1) + 1))``."""
        return (int(self.clients) * (2 ** int(self.input_bits) - 1)).bit_length()

    @property
    def dtype(self) -> np.dtype:
        """Unsigned integers that hold an entry of the sum; they wrap at a multiple of the modulus."""
        return np.dtype(np.uint32 if self.modulus_bits <= 32 else np.uint64)

    def reduce(self, values: np.ndarray) -> np.ndarray:
        """Values modulo ``2**modulus_bits``."""
        return values & self.dtype.type(2**self.modulus_bits - 1)

    def check_input(self, values: np.ndarray) -> np.ndarray:
        """The values as unsigned integers.

        Raises
        ------
        ValueError
            If they are not `length` whole numbers of at most `input_bits` bits: their sum could wrap.
        """
        values = np.asarray(values)
        if values.shape != (self.length,) or values.dtype.kind not in "iu":
            raise ValueError(f"expected {self.length} whole numbers, got {values.dtype} of shape {values.shape}")
        if values.min() < 0 or int(values.max()) >= 2**self.input_bits:
            raise ValueError(
                f"entries {values.min()} to {values.max()} do not fit into {self.input_bits} bits, so that a sum "
                "could wrap; quantise them first"
            )
        return values.astype(self.dtype)
