"""The checks of the exercises on strips and tiles: right answers pass, wrong ones meet the hint that fits."""

import numpy as np
import pytest

from edgedl_lib.exercises import strips_and_tiles as checks
from edgedl_lib.inference.tiles.intervals import Axis, Interval, exact_input
from edgedl_lib.offloading.horizontal.deepthings.gateway import Gateway
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


def steal(queues, device, last, *, first=1, end=None, choose=lambda queue: queue[0]):
    if queues[device]:
        return device, choose(queues[device])
    count = len(queues)
    for step in range(first, first + count if end is None else end):
        source = (last + step) % count
        if queues[source]:
            return source, choose(queues[source])
    return None


def by_the_gateway(queues, device, last):
    gateway = Gateway([], tiles=1)
    for source in [*range(last + 1, len(queues)), *range(last + 1)]:
        if queues[source]:
            gateway.register(source)
    source = device if queues[device] else gateway.next_victim(device)
    return None if source is None else (source, queues[source].pop(0))


def from_others(queues, device, last):
    return steal([[] if source == device else queue for source, queue in enumerate(queues)], device, last)


def richest(queues, device, last):
    source = device if queues[device] else int(np.argmax([len(queue) for queue in queues]))
    return (source, queues[source][0]) if queues[source] else None


WRONG_THIEVES = {
    "tiles of its own steals nothing": from_others,
    "begin with the device after it": lambda *c: steal(*c, first=0),
    "Always from device 0": lambda queues, device, last: steal(queues, device, -1),
    "After the last device comes device 0": lambda queues, device, last: steal(
        queues, device, last, end=len(queues) - last
    ),
    "the last victim is robbed again": lambda queues, device, last: steal(
        queues, device, last, end=len(queues) + (last < 0)
    ),
    "longest queue": richest,
    "head of the queue": lambda *c: steal(*c, choose=lambda queue: queue[-1]),
    "Return a pair": lambda queues, *c: 0,
    "Return a whole number": lambda *c: ("a", "b"),
    "is right": lambda *c: None,
    "raised IndexError": lambda queues, device, last: (device, queues[device][0]),
}


@pytest.mark.parametrize("right", [steal, by_the_gateway])
def test_right_thieves_pass_even_if_they_empty_the_queues(right):
    assert "Right." in repr(checks.check_next_tile(right))


@pytest.mark.parametrize("hint", WRONG_THIEVES)
def test_wrong_thieves_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_next_tile(WRONG_THIEVES[hint])
