"""The checks of the exercises on exits across devices: right answers pass, wrong ones meet the hint that fits them."""

import numpy as np
import pytest

from edgedl_lib.exercises import distributed_exits


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
    assert "Right." in repr(distributed_exits.check_co_inference(partition))


@pytest.mark.parametrize("hint", WRONG_PARTITIONS)
def test_wrong_partitions_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        distributed_exits.check_co_inference(WRONG_PARTITIONS[hint])


def sent(classes, filters, bits, share, *, score=4, divisor=8, always=1):
    return always * score * classes + (1 - share) * (filters * bits / divisor + (1 - always) * score * classes)


WRONG_BYTES = {
    "eight of them make a byte": lambda *c: sent(*c, divisor=1),
    "not four bytes per element": lambda *c: sent(*c, divisor=0.25),
    "NOT answered locally": lambda c, f, o, share: sent(c, f, o, 1 - share),
    "scores are always sent": lambda *c: sent(*c, score=0),
    "for every picture": lambda *c: sent(*c, always=0),
    "takes four bytes": lambda *c: sent(*c, score=1),
    "Return a number": lambda *c: "many",
}


def test_the_right_bytes_pass():
    assert "Right." in repr(distributed_exits.check_device_bytes(sent))


@pytest.mark.parametrize("hint", WRONG_BYTES)
def test_wrong_bytes_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        distributed_exits.check_device_bytes(WRONG_BYTES[hint])


def choose(latencies, accuracies, deadline, *, split=np.argmin, tested=min):
    good = [i for i, times in enumerate(latencies) if tested(times) <= deadline]
    if not good:
        return None
    chosen = min(good, key=lambda i: (-accuracies[i], min(latencies[i])))
    return chosen, int(split(latencies[chosen]))


WRONG_CHOICES = {
    "not always the more accurate": lambda t, a, d: choose(t, range(len(a)), d),
    "You take the fastest": lambda t, a, d: choose(t, [-min(x) for x in t], d),
    "not with its last one": lambda t, a, d: choose(t, a, d, tested=lambda x: x[-1]),
    "not the first that meets": lambda t, a, d: choose(t, a, d, split=lambda x: np.argmax(x <= d)),
    "answers too late": lambda t, a, d: (int(np.argmax(a)), 0),
    "Return a pair": lambda t, a, d: 1,
    "There is no exit": lambda t, a, d: (99, 0),
    "but .* is right": lambda t, a, d: None,
}


def test_the_right_choice_passes():
    assert "Right." in repr(distributed_exits.check_exit_and_partition(choose))


@pytest.mark.parametrize("hint", WRONG_CHOICES)
def test_wrong_choices_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        distributed_exits.check_exit_and_partition(WRONG_CHOICES[hint])
