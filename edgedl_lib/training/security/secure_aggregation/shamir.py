"""Shamir's secret sharing over a prime field that is larger than a 256-bit key.

A secret is the value at 0 of a random polynomial of degree ``threshold - 1``; a share is its value at another place.
Any `threshold` shares give the polynomial, fewer give nothing: for every possible secret there is exactly one
polynomial through them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

PRIME = 2**256 + 297  # the least prime above every 256-bit secret
SHARE_SIZE = 33  # bytes
COEFFICIENT_SIZE = 48  # bytes drawn for a coefficient; 16 more than needed leave a bias of 2**-127


def share(
    secret: int, places: Sequence[int], threshold: int, entropy: Callable[[int], bytes], prime: int = PRIME
) -> list[int]:
    """Shares of a secret at the given places.

    Parameters
    ----------
    secret : int
        In ``[0, prime)``.
    places : sequence of int
        Different, none zero (there lies the secret).
    threshold : int
        Shares that will be needed.
    entropy : callable
        Gives that many random bytes.

    Raises
    ------
    ValueError
        If the secret does not fit into the field, or a place is zero or taken twice.
    """
    if not 0 <= secret < prime:
        raise ValueError("the secret must lie in the field: a field smaller than the key would lose part of it")
    if len({place % prime for place in places} - {0}) != len(places):
        raise ValueError(f"places must differ and not be zero, got {list(places)}")
    draws = (entropy(COEFFICIENT_SIZE) for _ in range(threshold - 1))
    coefficients = [int.from_bytes(draw, "big") % prime for draw in draws]
    return [_value(coefficients, secret, place, prime) for place in places]


def _value(coefficients: Sequence[int], constant: int, place: int, prime: int) -> int:
    value = 0
    for coefficient in coefficients:
        value = (value + coefficient) * place % prime
    return (value + constant) % prime


def weights(places: Sequence[int], prime: int = PRIME) -> list[int]:
    """Lagrange's weights for the value at 0: one list serves every secret shared at these places.

    >>> weights([1, 2], prime=7)
    [2, 6]
    """
    result = []
    for place in places:
        top = bottom = 1
        for other in places:
            if other != place:
                top = top * other % prime
                bottom = bottom * (other - place) % prime
        result.append(top * pow(bottom, -1, prime) % prime)
    return result


def combine(shares: Sequence[int], lagrange: Sequence[int], prime: int = PRIME) -> int:
    """The secret: weighted sum of the shares, in the order of the weights' places.

    >>> from secrets import token_bytes
    >>> parts = share(2**255, [1, 2, 3, 4], threshold=3, entropy=token_bytes)
    >>> combine(parts[1:], weights([2, 3, 4])) == 2**255
    True
    """
    return sum(part * weight for part, weight in zip(shares, lagrange, strict=True)) % prime
