"""The checks of the exercises on Secure Aggregation and BlockFL: right answers pass, wrong ones meet their hint."""

import math

import numpy as np
import pytest

from edgedl_lib.exercises import secure_aggregation as checks
from edgedl_lib.training.security.blockchain import latency
from edgedl_lib.training.security.blockchain.setting import Setting
from edgedl_lib.training.security.secure_aggregation import shamir


def masked(number, values, own, pairs, modulus, *, plus=1, own_sign=1, reduce=True, used=True):
    total = values + own_sign * own
    for other, mask in pairs.items() if used else ():
        total = total + (plus if number > other else -1) * mask
    return total % modulus if reduce else total


WRONG_VECTORS = {
    "Everybody adds": lambda n, v, o, p, m: (v + o + sum(p.values())) % m,
    "other way round": lambda n, v, o, p, m: (v + o + sum(k if n < i else -k for i, k in p.items())) % m,
    "no mask of its own": lambda *case: masked(*case, own_sign=0),
    "own mask is added": lambda *case: masked(*case, own_sign=-1),
    "modulo": lambda *case: masked(*case, reduce=False) % 2**62,
    "Where are": lambda *case: masked(*case, used=False),
    "Return 3 entries": lambda *case: 0,
    "whole numbers": lambda *case: masked(*case) / 1.0,
    "sends": lambda n, v, o, p, m: v,
    "raised": lambda n: n,
}


def test_right_vectors_pass():
    assert "Right." in repr(checks.check_masked(masked))


@pytest.mark.parametrize("hint", WRONG_VECTORS)
def test_wrong_vectors_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_masked(WRONG_VECTORS[hint])


def by_the_library(shares, prime):
    return shamir.combine(list(shares.values()), shamir.weights(list(shares), prime), prime)


def by_floats(shares, prime):
    weight = lambda place: np.prod([other / (other - place) for other in shares if other != place])  # noqa: E731
    return round(sum(share * float(weight(place)) for place, share in shares.items())) % prime


def unreduced(shares, prime):
    total = 0
    for place, share in shares.items():
        total += share * math.prod(o * pow(o - place, -1, prime) for o in shares if o != place)
    return total


WRONG_SECRETS = {
    "inverse": by_floats,
    "Reduce": unreduced,
    "value at 0": lambda shares, prime: next(iter(shares.values())),
    "no summands": lambda shares, prime: sum(shares.values()) % prime,
    "other sign": lambda s, p: sum(v * math.prod(o * pow(x - o, -1, p) for o in s if o != x) for x, v in s.items()) % p,
    "hide": lambda shares, prime: 0,
    "whole number": lambda shares, prime: 0.5,
}


def test_the_library_rebuilds_secrets():
    assert "Right." in repr(checks.check_rebuild(by_the_library))


@pytest.mark.parametrize("hint", WRONG_SECRETS)
def test_wrong_secrets_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_rebuild(WRONG_SECRETS[hint])


def library_rate(miners, wait, hop):
    setting = Setting((10,), miners=miners, wait=wait, header_bytes=0.0, update_bytes=1.0)
    scale = hop / setting.hops[0]
    return latency.best_rate(Setting((10,), miners=miners, wait=wait, header_bytes=0.0, update_bytes=scale))


def rate(miners, wait, hop, *, hops=None, racing=None, bracket=True, factor=1.0):
    total = (miners - 1 if hops is None else hops) * hop
    if miners == 1:
        return math.inf
    return factor * 2 / (total * (1 + math.sqrt(1 + 4 * (racing or miners) * (wait + hop * bracket) / total)))


WRONG_RATES = {
    "printed form": lambda *case: rate(*case, hops=1),
    "miners - 1": lambda *case: rate(*case, hops=case[0]),
    "first of all miners": lambda *case: rate(*case, racing=1),
    "all miners together": lambda *case: rate(*case, factor=case[0]),
    "wait . hop": lambda *case: rate(*case, bracket=False),
    "single miner": lambda *case: 1.0,
    "blocks per second": lambda *case: rate(*case, factor=1.1),
}


def test_right_rates_pass():
    for answer in (rate, library_rate):
        assert "Right." in repr(checks.check_block_rate(answer))


@pytest.mark.parametrize("hint", WRONG_RATES)
def test_wrong_rates_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_block_rate(WRONG_RATES[hint])
