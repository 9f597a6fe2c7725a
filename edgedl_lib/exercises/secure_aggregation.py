"""Checks for the exercises on Secure Aggregation and BlockFL: a masked vector, a secret from shares, a block rate.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, explain, number, require, whole

RANDOM_INSTANCES = 30
SMALL_PRIME = 2**13 - 1


def check_masked(masked: Callable[..., Sequence[int]]) -> Passed:
    """Check ``masked(number, values, own_mask, pair_masks, modulus)``: what client `number` sends.

    `pair_masks` maps each other client's number to the mask shared with it; the higher number adds it.

    Examples
    --------
    >>> def masked(number, values, own_mask, pair_masks, modulus):
    ...     total = values + own_mask
    ...     for other, mask in pair_masks.items():
    ...         total = total + mask if number > other else total - mask
    ...     return total % modulus
    >>> check_masked(masked)
    Right. Every pair's mask appears once with each sign: the sum has none of them.
    """
    cases = _vectors()
    rights = [_masked(*case) for case in cases]
    answers = [_entries(ask(masked, *_fresh(case)), len(case[1])) for case in cases]
    if answers == rights:
        return Passed("Every pair's mask appears once with each sign: the sum has none of them.")
    explain([(answers == [rule(*case) for case in cases], hint) for hint, rule in _WRONG_MASKS.items()])
    index = next(k for k, pair in enumerate(zip(answers, rights, strict=True)) if pair[0] != pair[1])
    client, values, own, pairs, modulus = cases[index]
    shown = {other: mask.tolist() for other, mask in pairs.items()}
    raise AssertionError(
        f"Client {client} with values {values.tolist()}, own mask {own.tolist()}, pair masks {shown} and modulus "
        f"{modulus} sends {rights[index]}, not {answers[index]}."
    )


def check_rebuild(rebuild: Callable[[Mapping[int, int], int], int]) -> Passed:
    """Check ``rebuild(shares, prime)``: the secret, from a mapping of places to shares.

    Examples
    --------
    >>> def rebuild(shares, prime):
    ...     secret = 0
    ...     for place, share in shares.items():
    ...         weight = 1
    ...         for other in shares:
    ...             if other != place:
    ...                 weight = weight * other * pow(other - place, -1, prime) % prime
    ...         secret += share * weight
    ...     return secret % prime
    >>> check_rebuild(rebuild)
    Right. The weights depend on the places alone: who has them rebuilds every secret shared there.
    """
    cases = _sharings()
    answers = [whole(ask(rebuild, dict(shares), prime)) for shares, prime, _ in cases]
    if answers == [secret for *_, secret in cases]:
        return Passed("The weights depend on the places alone: who has them rebuilds every secret shared there.")
    explain([(answers == [rule(*case[:2]) for case in cases], hint) for hint, rule in _WRONG_SECRETS.items()])
    index = next(k for k, answer in enumerate(answers) if answer != cases[k][2])
    shares, prime, secret = cases[index]
    raise AssertionError(f"Shares {shares} over the prime {prime} hide {secret}, but you rebuild {answers[index]}.")


def check_block_rate(block_rate: Callable[[int, float, float], float]) -> Passed:
    """Check ``block_rate(miners, wait, hop)``: blocks per second and miner with the least expected latency.

    Infinite for a single miner.

    Examples
    --------
    >>> def block_rate(miners, wait, hop):
    ...     total = (miners - 1) * hop
    ...     if total == 0:
    ...         return float("inf")
    ...     return 2 / (total * (1 + (1 + 4 * miners * (wait + hop) / total) ** 0.5))
    >>> check_block_rate(block_rate)
    Right. More miners find blocks sooner and collide more often: each must slow down.
    """
    cases = [(1, 0.05, 0.24), (2, 0.05, 0.24), (2, 0.0, 1.0), (10, 0.05, 0.24), (20, 0.5, 0.1), (5, 3.0, 0.01)]
    cases = [(*case, _best_rate(*case)) for case in cases]
    answers = [number(ask(block_rate, *case[:3])) for case in cases]
    require(math.isinf(answers[0]), "A single miner has nobody to race with: for it no rate is too high.")
    compare(answers[1:], cases[1:], _WRONG_RATES, "blocks per second")
    return Passed("More miners find blocks sooner and collide more often: each must slow down.")


def _fresh(case: tuple) -> tuple:
    client, values, own, pairs, modulus = case
    return client, values.copy(), own.copy(), {other: mask.copy() for other, mask in pairs.items()}, modulus


def _masked(client, values, own, pairs, modulus, *, own_sign=1, sign=lambda client, other: 1 if client > other else -1):
    total = values + own_sign * own
    for other, mask in pairs.items():
        total = total + sign(client, other) * mask
    return (total % modulus).tolist()


_WRONG_MASKS = {
    "Everybody adds: then the masks do not cancel in the sum. Of two clients one must subtract.": lambda *case: _masked(
        *case, sign=lambda client, other: 1
    ),
    "The other way round: the client with the HIGHER number adds the pair's mask.": lambda *case: _masked(
        *case, sign=lambda client, other: -1 if client > other else 1
    ),
    "Your vector has no mask of its own: if it comes late, it lies open.": lambda *case: _masked(*case, own_sign=0),
    "The own mask is added: the server subtracts it when it has the shares.": lambda *case: _masked(*case, own_sign=-1),
    "Take the result modulo `modulus`: entries outside give away what the masks hide.": lambda *case: _masked(
        *case[:4], 2**62
    ),
    "Where are the pairs' masks?": lambda client, values, own, pairs, modulus: _masked(
        client, values, own, {}, modulus
    ),
}


def _vectors() -> list[tuple]:
    """Clients of groups of one to five."""
    generator = np.random.default_rng(222)
    cases = []
    for size in [1, 2, *generator.integers(2, 6, RANDOM_INSTANCES)]:
        modulus = int(2 ** generator.integers(4, 20))
        client = int(generator.integers(size))
        values = generator.integers(0, modulus // 8, 3)
        masks = generator.integers(0, modulus, (size, 3))
        cases.append((client, values, masks[client], {k: masks[k] for k in range(size) if k != client}, modulus))
    return cases


def _entries(answer: object, length: int) -> list[int]:
    values = np.asarray(answer)
    require(values.shape == (length,), f"Return {length} entries, not an array of shape {values.shape}.")
    require(values.dtype.kind in "iu", f"Return whole numbers, not {values.dtype}.")
    return values.tolist()


def _rebuilt(shares: Mapping[int, int], prime: int, *, inverse=lambda value, prime: pow(value, -1, prime), at=0) -> int:
    total = 0
    for place, share in shares.items():
        weight = 1
        for other in shares:
            if other != place:
                weight = weight * (other - at) * inverse(other - place, prime) % prime
        total += share * weight
    return int(total % prime)


def _by_division(shares: Mapping[int, int], prime: int) -> int:
    total = 0.0
    for place, share in shares.items():
        total += share * math.prod(other / (other - place) for other in shares if other != place)
    return round(total) % prime


def _without_modulus(shares: Mapping[int, int], prime: int) -> int:
    total = 0
    for place, share in shares.items():
        weight = math.prod(other * pow(other - place, -1, prime) for other in shares if other != place)
        total += share * weight
    return total


_WRONG_SECRETS = {
    "Division does not exist in the field: multiply by the inverse, pow(b, -1, prime).": _by_division,
    "Reduce the result modulo the prime.": _without_modulus,
    "A secret is the polynomial's value at 0, not the first share.": lambda shares, prime: next(iter(shares.values())),
    "Shares are no summands: interpolate the polynomial, weight by weight.": lambda shares, prime: (
        sum(shares.values()) % prime
    ),
    "The weight's factors are other / (other - place): yours have the other sign.": lambda shares, prime: _rebuilt(
        shares, prime, inverse=lambda value, prime: pow(-value, -1, prime)
    ),
}


def _sharings() -> list[tuple[dict[int, int], int, int]]:
    """Secrets of a small field and of one of 521 bits, where floats cannot follow."""
    generator = np.random.default_rng(223)
    cases = [({3: 5}, 7, 5)]
    for size in generator.integers(2, 7, RANDOM_INSTANCES):
        prime = SMALL_PRIME if len(cases) % 3 else 2**521 - 1
        coefficients = [int.from_bytes(generator.bytes(70), "big") % prime for _ in range(size)]
        places = (generator.permutation(30)[:size] + 1).tolist()
        values = {x: sum(c * x**power for power, c in enumerate(coefficients)) % prime for x in places}
        cases.append((values, prime, coefficients[0]))
    return cases


def _best_rate(miners: int, wait: float, hop: float, *, hops: int | None = None, racing: int | None = None) -> float:
    total = (miners - 1 if hops is None else hops) * hop
    if total == 0:
        return math.inf
    return 2 / (total * (1 + math.sqrt(1 + 4 * (racing or miners) * (wait + hop) / total)))


_WRONG_RATES = {
    "One hop instead of the sum over the other miners: the trap of the printed form.": lambda *case: _best_rate(
        *case, hops=1
    ),
    "The winner does not have to hear of its own block: the sum has miners - 1 terms.": lambda *case: _best_rate(
        *case, hops=case[0]
    ),
    "The first of all miners ends the search: on average after 1 / (miners * rate).": lambda *case: _best_rate(
        *case, racing=1
    ),
    "That is the rate of all miners together; each one's is asked.": lambda *case: case[0] * _best_rate(*case),
    "The block itself must travel in every attempt: A is wait + hop.": lambda miners, wait, hop: (
        2 / ((miners - 1) * hop * (1 + math.sqrt(1 + 4 * miners * wait / ((miners - 1) * hop))))
    ),
}
