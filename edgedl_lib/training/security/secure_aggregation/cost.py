"""What Secure Aggregation costs: the paper's formula, our messages byte by byte, and masks to be generated.

The formula counts ``2 n a_K + (5 n - 4) a_S + m ceil(log2 R)`` bits per user, with
``R = n (R_U - 1) + 1``; it is recalled from the paper and confirmed by the two expansions of its abstract.
"""

from __future__ import annotations

from edgedl_lib.training.security.secure_aggregation.client import BOX_SIZE
from edgedl_lib.training.security.secure_aggregation.keys import KEY_SIZE
from edgedl_lib.training.security.secure_aggregation.parameters import Parameters
from edgedl_lib.training.security.secure_aggregation.shamir import SHARE_SIZE
from edgedl_lib.training.security.secure_aggregation.wire import entries_size

FORMULA_BITS = 256  # of a public key and of a share


def formula_bits(users: int, entries: int, input_bits: int = 16) -> int:
    """Bits that a user sends and receives, by the paper's formula."""
    sum_bits = (users * (2**input_bits - 1)).bit_length()
    return 2 * users * FORMULA_BITS + (5 * users - 4) * FORMULA_BITS + entries * sum_bits


def expansion(users: int, entries: int, input_bits: int = 16) -> float:
    """Traffic over that of sending the data in the clear.

    >>> [round(expansion(2**10, 2**20), 2), round(expansion(2**14, 2**24), 2), round(expansion(2**14, 2**20), 2)]
    [1.73, 1.98, 3.62]
    """
    return formula_bits(users, entries, input_bits) / (entries * input_bits)


def users_of_expansion(reported: float, entries: int, input_bits: int = 16, most_bits: int = 30) -> list[int]:
    """Powers of two, as numbers of users, that give the reported expansion to two decimals.

    >>> users_of_expansion(1.98, entries=2**24)
    [16384]
    """
    powers = [2**exponent for exponent in range(1, most_bits + 1)]
    return [users for users in powers if round(expansion(users, entries, input_bits), 2) == reported]


def client_bytes(parameters: Parameters) -> dict[str, int]:
    """Bytes of our messages that one client sends and receives if all stay, by what they carry."""
    users = parameters.clients
    return {
        "public keys": 2 * KEY_SIZE * (1 + users),
        "encrypted shares": 2 * BOX_SIZE * (users - 1),
        "masked vector": entries_size(parameters.length, parameters.modulus_bits),
        "shares to unmask": SHARE_SIZE * users,
        "lists of clients": 3 * -(-users // 8),
    }


def client_masks(users: int) -> int:
    """Masks that a client generates: its own, and one for each other user, whoever falls silent later."""
    return users


def server_masks(users: int, silent: int) -> int:
    """Masks that the server generates: a self-mask for each survivor, and one for each pair of survivor and silent.

    >>> server_masks(100, 0), server_masks(100, 30)
    (100, 2170)
    """
    survivors = users - silent
    return survivors + survivors * silent
