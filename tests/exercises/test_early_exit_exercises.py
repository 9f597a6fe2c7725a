"""The checks of the early-exit exercises: right answers pass, typical wrong ones meet the hint that fits them."""

import numpy as np
import pytest

from edgedl_lib.exercises import early_exit

WRONG_COSTS = {
    "branches cost something too": lambda q, s, b: q @ np.cumsum(s),
    "every branch that it passes": lambda q, s, b: q @ (np.cumsum(s) + b),
    "all segments up to n": lambda q, s, b: q @ (s + b),
    "every sample through the whole": lambda q, s, b: np.sum(s + b),
    "Return a number": lambda q, s, b: s,
    "you answer 0, but": lambda q, s, b: 0.0,
    "raised IndexError": lambda q, s, b: q[len(q)],
}


def test_the_right_cost_passes():
    assert "Right." in repr(early_exit.check_expected_cost(lambda q, s, b: q @ np.cumsum(s + b)))


@pytest.mark.parametrize("hint", WRONG_COSTS)
def test_wrong_costs_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        early_exit.check_expected_cost(WRONG_COSTS[hint])


def choose(entropy, branch, end, loss, *, candidates=None, stop=False, reverse=False):
    candidates = np.append(np.unique(entropy), np.inf) if candidates is None else candidates
    best = 0.0
    for threshold in candidates:
        leaves = entropy > threshold if reverse else entropy < threshold
        if np.where(leaves, branch, end).mean() >= end.mean() - loss - 1e-12:
            best = threshold
        elif stop:
            break
    return float(best)


WRONG_THRESHOLDS = {
    "loses more accuracy than allowed": lambda e, b, f, loss: np.inf,
    "Threshold 0 lets nobody leave": lambda e, b, f, loss: 0.0,
    "stop at the first threshold that fails": lambda *a: choose(*a, stop=True),
    "fixed grid misses": lambda *a: choose(*a, candidates=np.linspace(0, 2.5, 26)),
    "Return a number": lambda *a: None,
    "at least 0 nats": lambda *a: -1.0,
    "is possible": lambda e, b, f, loss: choose(e, b, f, loss, candidates=[0.0, e.min(), np.sort(e)[len(e) // 8]]),
}


def test_the_right_threshold_passes():
    assert "Right." in repr(early_exit.check_threshold(choose))


@pytest.mark.parametrize("hint", WRONG_THRESHOLDS)
def test_wrong_thresholds_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        early_exit.check_threshold(WRONG_THRESHOLDS[hint])


def partition(server, device, sizes, rate, *, factor=8, up=1, down=1, first=0, last=None, server_first=True):
    latencies = []
    for p in range(1, len(server) + 2):
        if server_first:
            computing, sent = sum(server[: p - 1]) + sum(device[p - 1 :]), up * sizes[0] + down * sizes[p - 1]
            sent = first * sizes[0] if p == 1 else sent
        else:
            computing, sent = sum(device[: p - 1]) + sum(server[p - 1 :]), sizes[p - 1] * (p <= len(server))
        latencies.append(computing + factor * sent / rate)
    return 1 + int(np.argmin(latencies[:last]))


WRONG_PARTITIONS = {
    "other way round": lambda *a: partition(*a, server_first=False),
    "charged always or never": lambda *a: partition(*a, first=1),
    "goes up for every p but 1": lambda *a: partition(*a, up=0),
    "must come down": lambda *a: partition(*a, down=0),
    "factor of eight": lambda *a: partition(*a, factor=1),
    r"Try p = N \+ 1": lambda *a: partition(*a, last=-1),
    "you choose p = 1": lambda s, d, b, r: 1 if len(s) != 4 else 5,
    "Return a whole number": lambda *a: 1.0,
    "p lies between 1 and": lambda *a: 0,
}


def test_the_right_partition_passes():
    assert "Right." in repr(early_exit.check_co_inference(partition))


@pytest.mark.parametrize("hint", WRONG_PARTITIONS)
def test_wrong_partitions_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        early_exit.check_co_inference(WRONG_PARTITIONS[hint])
