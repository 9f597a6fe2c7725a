"""The checks of the exercises on horizontal collaboration: right answers pass, wrong ones meet the hint that fits."""

import numpy as np
import pytest

from edgedl_lib.exercises import horizontal_collaboration as checks
from edgedl_lib.inference.tiles.intervals import Axis, Interval, exact_input
from edgedl_lib.offloading.horizontal.modnn.borders import biased_borders


def walk(layers, start, stop, *, pad=1, low=0, clip=True, last=1, stride=True, back=True):
    for rows, kernel, step, padding in layers[::-1] if back else layers:
        step = step if stride else 1
        start, stop = start * step - pad * padding, (stop - last) * step - pad * padding + kernel
        if clip:
            start, stop = max(low, start), min(rows, stop)
    return start, stop


WRONG_WALKS = {
    "from the LAST layer": lambda *c: walk(*c, back=False),
    "Padding shifts": lambda *c: walk(*c, pad=0),
    "outside the map": lambda *c: walk(*c, clip=False),
    "The last row is stop - 1": lambda *c: walk(*c, last=0),
    "times the stride": lambda *c: walk(*c, stride=False),
    "Return a pair": lambda *c: 3,
    "Return a whole number": lambda *c: (0.5, 1),
    "is right": lambda *c: (0, 1),
    "raised ZeroDivisionError": lambda *c: 1 / 0,
}


def by_the_library(layers, start, stop):
    interval = Interval(start, stop)
    for layer in reversed(layers):
        interval = exact_input(Axis(*layer), interval)
    return tuple(interval)


def test_right_walks_pass():
    for right in (walk, by_the_library):
        assert "Right." in repr(checks.check_needed_rows(right))


@pytest.mark.parametrize("hint", WRONG_WALKS)
def test_wrong_walks_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_needed_rows(WRONG_WALKS[hint])


def heights(rows, speeds):
    return [int(height) for height in np.diff(biased_borders(rows, speeds))]


def rest_to_the_last(rows, speeds):
    first = [max(1, int(rows * speed / sum(speeds))) for speed in speeds[:-1]]
    return [*first, rows - sum(first)]


def even(rows, speeds):
    return [len(part) for part in np.array_split(np.arange(rows), len(speeds))]


WRONG_HEIGHTS = {
    "wait for the slowest": even,
    "not seconds per row": lambda rows, speeds: heights(rows, [1 / speed for speed in speeds]),
    "all of them to the last": rest_to_the_last,
    "rounding each alone": lambda rows, speeds: [round(rows * speed / sum(speeds)) for speed in speeds],
    "at least one row": lambda rows, speeds: [rows, *[0] * (len(speeds) - 1)],
    "one height for each": lambda rows, speeds: [rows, 0, 0, 0, 0, 0, 0],
    "Return a whole number": lambda rows, speeds: [rows / len(speeds)] * len(speeds),
    "end at": lambda rows, speeds: [*[1] * (len(speeds) - 1), rows - len(speeds) + 1],
}


def test_right_heights_pass():
    assert "Right." in repr(checks.check_strip_heights(heights))
    assert "Right." in repr(checks.check_strip_heights(lambda *case: np.array(heights(*case))))


@pytest.mark.parametrize("hint", WRONG_HEIGHTS)
def test_wrong_heights_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_strip_heights(WRONG_HEIGHTS[hint])


def johnson(send, compute, *, late=-1):
    tasks = range(len(send))
    first = sorted((i for i in tasks if send[i] < compute[i]), key=lambda i: send[i])
    return first + sorted((i for i in tasks if send[i] >= compute[i]), key=lambda i: late * compute[i])


WRONG_ORDERS = {
    "First come, first served": lambda s, c: list(range(len(s))),
    "Short uploads first": lambda s, c: sorted(range(len(s)), key=lambda i: s[i]),
    "Short jobs first": lambda s, c: sorted(range(len(s)), key=lambda i: s[i] + c[i]),
    "LONGEST computation": lambda s, c: johnson(s, c, late=1),
    "other way round": lambda s, c: johnson(s, c)[::-1],
    "in the order once": lambda s, c: [0] * len(s),
    "list of task numbers": lambda s, c: 0,
    "Return a whole number": lambda s, c: sorted(s),
    "ends at": lambda s, c: sorted(range(len(s)), key=lambda i: -c[i]),
}


def test_right_orders_pass():
    assert "Right." in repr(checks.check_upload_order(johnson))


@pytest.mark.parametrize("hint", WRONG_ORDERS)
def test_wrong_orders_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_upload_order(WRONG_ORDERS[hint])


@pytest.mark.parametrize("seed", range(20))
def test_johnsons_rule_is_the_best_of_all_orders(seed):
    send, compute = np.random.default_rng(seed).uniform(0.1, 1, (2, 6)).tolist()
    ends = checks._makespan(johnson(send, compute), send, compute)
    assert ends == pytest.approx(checks.best_by_trying(send, compute))
