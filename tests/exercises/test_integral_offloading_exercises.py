"""The checks of the exercises on integral offloading: right answers pass, wrong ones meet the hint that fits."""

import numpy as np
import pytest

from edgedl_lib.exercises import integral_offloading


def place(local, power, size, rate, server, radio, deadline, *, bits=8, waits=1, wait_power=0, by=1, late=False):
    sending = bits * size / rate
    places = {
        "end": (local, local * power),
        "edge": (sending + waits * server, sending * radio + wait_power * server * power),
    }
    in_time = [name for name, cost in places.items() if late or cost[0] <= deadline]
    return min(in_time, key=lambda name: places[name][by], default=None)


def cheapest_only(*case):
    best = place(*case, late=True)
    only = place(*case)
    return best if best == only else None


WRONG_PLACES = {
    "factor of eight": lambda *c: place(*c, bits=1),
    "spares the battery": lambda *c: place(*c, by=0),
    "spends nothing": lambda *c: place(*c, wait_power=1),
    "AND the server's time": lambda *c: place(*c, waits=0),
    "too late": lambda *c: place(*c, late=True),
    "may still be in time": cheapest_only,
    'Return "end", "edge" or None': lambda *c: "cloud",
    "you choose 'end', but": lambda *c: "end",
}


def test_the_right_place_passes():
    assert "Right." in repr(integral_offloading.check_where_to_run(place))


@pytest.mark.parametrize("hint", WRONG_PLACES)
def test_wrong_places_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        integral_offloading.check_where_to_run(WRONG_PLACES[hint])


def capacity(rate, cycles, delay):
    return cycles * (rate + 1 / delay)


WRONG_CAPACITIES = {
    "delay is infinite": lambda rate, cycles, delay: cycles * rate,
    "always free": lambda rate, cycles, delay: cycles / delay,
    "waiting AND service": lambda r, c, d: c * (r + np.sqrt(r * r + 4 * r / d)) / 2,
    "each task needs `cycles`": lambda rate, cycles, delay: rate + 1 / delay,
    "added, not subtracted": lambda rate, cycles, delay: cycles * (1 / delay - rate),
    "Return a number": lambda rate, cycles, delay: None,
    "is right": lambda rate, cycles, delay: 1.1 * capacity(rate, cycles, delay),
    "raised ZeroDivisionError": lambda rate, cycles, delay: cycles / (0 * rate),
}


def test_the_right_capacity_passes():
    assert "Right." in repr(integral_offloading.check_capacity_needed(capacity))


@pytest.mark.parametrize("hint", WRONG_CAPACITIES)
def test_wrong_capacities_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        integral_offloading.check_capacity_needed(WRONG_CAPACITIES[hint])


def line(events, length, *, keep=None, take=0, nothing=False):
    waiting, taken = [], []
    for event in events:
        if event is not None:
            waiting = (keep or (lambda frames, n: frames[-n:]))([*waiting, event], length)
        elif waiting or nothing:
            taken.append(waiting.pop(take) if waiting else None)
    return taken


WRONG_LINES = {
    "drop the one that has waited longest": lambda e, n: line(e, n, keep=lambda f, m: f[:m]),
    "has no bound": lambda e, n: line(e, n, keep=lambda f, m: f),
    "not the newest": lambda e, n: line(e, n, take=-1),
    "too many waits": lambda e, n: line(e, n + 1),
    "too few waits": lambda e, n: line(e, n, keep=lambda f, m: f[len(f) - min(len(f), m - 1) :]),
    "the others still wait": lambda e, n: line(e, n, keep=lambda f, m: f if len(f) <= m else f[-1:]),
    "add no None": lambda e, n: line(e, n, nothing=True),
    "Return a list of frame numbers": lambda e, n: 3,
    "you answer": lambda e, n: [],
}


def test_the_right_line_passes():
    assert "Right." in repr(integral_offloading.check_drop_oldest(line))


@pytest.mark.parametrize("hint", WRONG_LINES)
def test_wrong_lines_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        integral_offloading.check_drop_oldest(WRONG_LINES[hint])


def test_a_check_does_not_let_a_learner_change_its_cases():
    def spoil(events, length):
        taken = line(list(events), length)
        events.clear()
        return taken

    assert "Right." in repr(integral_offloading.check_drop_oldest(spoil))
