"""Checks for the exercises on one network that is spread over many devices: tiles, strips, and stolen tiles.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, explain, require, whole

RANDOM_INSTANCES = 40

Window = tuple[int, int, int, int]  # rows of the input, kernel, stride, padding


def check_needed_rows(needed_rows: Callable[..., tuple[int, int]]) -> Passed:
    """Check ``needed_rows(layers, start, stop)``: rows of the network's input that rows of its output depend on.

    `layers` is a list of (rows of the layer's input, kernel, stride, padding), first layer first; rows are half-open.

    Examples
    --------
    >>> def needed_rows(layers, start, stop):
    ...     for rows, kernel, stride, padding in reversed(layers):
    ...         start, stop = start * stride - padding, (stop - 1) * stride - padding + kernel
    ...         start, stop = max(0, start), min(rows, stop)
    ...     return start, stop
    >>> check_needed_rows(needed_rows)
    Right. Each layer back widens the tile: that overlap is what fusing layers computes, or stores, twice.
    """
    cases = _tiles()
    answers = [_pair(ask(needed_rows, list(layers), start, stop)) for layers, start, stop in cases]
    if answers == [_walk_back(*case) for case in cases]:
        return Passed("Each layer back widens the tile: that overlap is what fusing layers computes, or stores, twice.")
    explain([(answers == [rule(*case) for case in cases], hint) for hint, rule in _WRONG_WALKS.items()])
    case, answer = next((c, a) for c, a in zip(cases, answers, strict=True) if a != _walk_back(*c))
    raise AssertionError(
        f"For layers {case[0]} and rows [{case[1]}, {case[2]}) you answer {answer}, but {_walk_back(*case)} is right."
    )


def check_strip_heights(strip_heights: Callable[..., Sequence[int]]) -> Passed:
    """Check ``strip_heights(rows, speeds)``: whole rows for each worker so that the slowest is done soonest.

    Every worker gets at least one row.

    Examples
    --------
    >>> def strip_heights(rows, speeds):
    ...     heights = [1] * len(speeds)
    ...     for _ in range(rows - len(speeds)):
    ...         heights[int(np.argmin([(h + 1) / c for h, c in zip(heights, speeds)]))] += 1
    ...     return heights
    >>> check_strip_heights(strip_heights)
    Right. In proportion to speed, except for rounding; and rounding is what small maps are made of.
    """
    cases = _groups()
    answers = [_heights(ask(strip_heights, rows, list(speeds)), rows, speeds) for rows, speeds in cases]
    best = [_slowest(_fastest_heights(*case), case[1]) for case in cases]
    slowest = [_slowest(answer, case[1]) for answer, case in zip(answers, cases, strict=True)]
    if np.allclose(slowest, best):
        return Passed("In proportion to speed, except for rounding; and rounding is what small maps are made of.")
    explain([(answers == [rule(*case) for case in cases], hint) for hint, rule in _WRONG_HEIGHTS.items()])
    index = int(np.argmax(np.array(slowest) - np.array(best) > 1e-9))
    rows, speeds = cases[index]
    raise AssertionError(
        f"For {rows} rows and speeds {list(speeds)} your strips {answers[index]} end at {slowest[index]:.4g}; "
        f"{_fastest_heights(rows, speeds)} end at {best[index]:.4g}."
    )


def check_next_tile(next_tile: Callable[..., tuple[int, str] | None]) -> Passed:
    """Check ``next_tile(queues, device, last_victim)``: what a device runs next, a pair (source, tile) or None.

    Its own queue goes first, then round robin: the first device after `last_victim` (-1: nobody yet) whose queue holds
    tiles. Always the head of a queue, which is its first element.

    Examples
    --------
    >>> def next_tile(queues, device, last_victim):
    ...     ring = [(last_victim + step) % len(queues) for step in range(1, len(queues) + 1)]
    ...     return next(((source, queues[source][0]) for source in [device, *ring] if queues[source]), None)
    >>> check_next_tile(next_tile)
    Right. Nobody forecasts anything: who is idle asks, and the ring treats all sources alike.
    """
    cases = _queues()
    rights = [_steal(*case) for case in cases]
    answers = [_stolen(ask(next_tile, [list(queue) for queue in queues], *who)) for queues, *who in cases]
    if answers == rights:
        return Passed("Nobody forecasts anything: who is idle asks, and the ring treats all sources alike.")
    explain([(answers == [rule(*case) for case in cases], hint) for hint, rule in _WRONG_THIEVES.items()])
    case, answer, right = next(each for each in zip(cases, answers, rights, strict=True) if each[1] != each[2])
    raise AssertionError(
        f"For queues {case[0]}, device {case[1]} and last victim {case[2]} you answer {answer}, but {right} is right."
    )


def _walk_back(
    layers: Sequence[Window], start: int, stop: int, *, pad=1, clip=True, last=1, back=True, strides=True
) -> tuple[int, int]:
    for rows, kernel, stride, padding in reversed(layers) if back else layers:
        step, padding = stride if strides else 1, pad * padding
        start, stop = start * step - padding, (stop - last) * step - padding + kernel
        if clip:
            start, stop = max(0, start), min(rows, stop)
    return start, stop


_WRONG_WALKS: dict[str, Callable[..., tuple[int, int]]] = {
    "Walk from the LAST layer back to the first: a tile is given at the output.": lambda *c: _walk_back(*c, back=False),
    "Padding shifts the window: row 0 of the output begins `padding` rows before the map.": lambda *c: _walk_back(
        *c, pad=0
    ),
    "Rows outside the map do not exist: cut the interval off, in every layer.": lambda *c: _walk_back(*c, clip=False),
    "The last row is stop - 1: its window begins there.": lambda *c: _walk_back(*c, last=0),
    "Row i of the output begins at i times the stride.": lambda *c: _walk_back(*c, strides=False),
}


def _tiles() -> list[tuple[list[Window], int, int]]:
    generator = np.random.default_rng(130)
    cases = [([(8, 3, 1, 1)], 0, 4), ([(8, 3, 1, 1)], 3, 8), ([(8, 2, 2, 0)], 1, 2), ([(9, 1, 1, 0)], 2, 3)]
    for _ in range(RANDOM_INSTANCES):
        rows, layers = int(generator.integers(20, 60)), []
        for _ in range(int(generator.integers(1, 5))):
            kernel, stride = (int(value) for value in generator.integers(1, (6, 3)))
            padding = int(generator.integers(0, (kernel + 1) // 2 + 1)) if kernel > 1 else 0
            outputs = (rows + 2 * padding - kernel) // stride + 1
            if outputs < 2:
                break
            layers.append((rows, kernel, stride, padding))
            rows = outputs
        start, stop = sorted(int(value) for value in generator.choice(rows + 1, 2, replace=False))
        cases.append((layers, start, stop))
    return cases


def _pair(answer: object) -> tuple[int, int]:
    pair = isinstance(answer, tuple | list) and len(answer) == 2
    require(pair, f"Return a pair (start, stop), not {answer!r}.")
    return whole(answer[0]), whole(answer[1])


def _slowest(heights: Sequence[int], speeds: Sequence[float]) -> float:
    return max(height / speed for height, speed in zip(heights, speeds, strict=True))


def _fastest_heights(rows: int, speeds: Sequence[float]) -> list[int]:
    heights = [1] * len(speeds)
    for _ in range(rows - len(speeds)):
        ends = [(height + 1) / speed for height, speed in zip(heights, speeds, strict=True)]
        heights[ends.index(min(ends))] += 1
    return heights


def _even_heights(rows: int, speeds: Sequence[float]) -> list[int]:
    count = len(speeds)
    return [rows // count + (index < rows % count) for index in range(count)]


def _rest_to_last(rows: int, speeds: Sequence[float]) -> list[int]:
    heights = [max(1, int(rows * speed / sum(speeds))) for speed in speeds]
    return [*heights[:-1], rows - sum(heights[:-1])]


_WRONG_HEIGHTS = {
    "Equal strips make everyone wait for the slowest phone: follow the speeds.": _even_heights,
    "`speeds` are rows per second, not seconds per row: the fast phone gets more.": lambda rows, speeds: (
        _fastest_heights(rows, [1 / speed for speed in speeds])
    ),
    "Rounding down leaves rows over; all of them to the last phone makes it late.": _rest_to_last,
}


def _groups() -> list[tuple[int, tuple[float, ...]]]:
    generator = np.random.default_rng(177)
    cases = [(14, (1.0, 2.0, 2.0, 4.0)), (5, (3.0,)), (13, (1.0, 9.0, 1.0, 1.0)), (7, (1.0, 10.0))]
    for _ in range(RANDOM_INSTANCES):
        workers = int(generator.integers(2, 6))
        speeds = tuple(float(value) for value in np.round(generator.uniform(0.5, 5, workers), 1))
        cases.append((int(generator.integers(4 * workers, 60)), speeds))
    return cases


def _heights(answer: object, rows: int, speeds: Sequence[float]) -> list[int]:
    require(
        np.ndim(answer) == 1 and len(answer) == len(speeds), f"Return one height for each of {len(speeds)} workers."
    )
    heights = [whole(height) for height in answer]
    require(
        sum(heights) == rows,
        f"Your strips {heights} have {sum(heights)} rows together, the map has {rows}: rounding each alone loses rows.",
    )
    require(min(heights) >= 1, f"Every worker gets at least one row; you give {heights} for speeds {list(speeds)}.")
    return heights


Queues = list[list[str]]


def _steal(queues: Queues, device: int, last: int, *, own=True, first=1, steps=None, pick=0) -> tuple[int, str] | None:
    count = len(queues)
    ring = [(last + step) % count for step in range(first, first + (count if steps is None else steps))]
    ring = [device, *ring] if own else [source for source in ring if source != device]
    return next(((source, queues[source][pick]) for source in ring if queues[source]), None)


def _without_wrap(queues: Queues, device: int, last: int) -> tuple[int, str] | None:
    """The ring is a list that ends."""
    return _steal(queues, device, last, steps=len(queues) - 1 - last)


def _richest(queues: Queues, device: int, last: int) -> tuple[int, str] | None:
    source = device if queues[device] else max(range(len(queues)), key=lambda each: len(queues[each]))
    return (source, queues[source][0]) if queues[source] else None


_WRONG_THIEVES = {
    "A device that has tiles of its own steals nothing.": lambda *case: _steal(*case, own=False),
    "The last victim has just given a tile: begin with the device after it.": lambda *case: _steal(*case, first=0),
    "Always from device 0 on is not round robin: go on where the last theft ended.": lambda queues, device, last: (
        _steal(queues, device, -1)
    ),
    "After the last device comes device 0 again.": _without_wrap,
    "If nobody else has tiles, the last victim is robbed again.": lambda queues, device, last: _steal(
        queues, device, last, steps=len(queues) - (last >= 0)
    ),
    "The longest queue would need everybody's length; the ring knows only who has tiles.": _richest,
    "Take the head of the queue, its first element.": lambda *case: _steal(*case, pick=-1),
}


def _queues() -> list[tuple[Queues, int, int]]:
    generator = np.random.default_rng(156)
    cases = [([["a"]], 0, -1), ([[], []], 1, 0), ([[], ["a", "b"]], 0, 1), ([["a"], [], []], 2, 1)]
    for _ in range(RANDOM_INSTANCES):
        count = int(generator.integers(2, 7))
        device, last = int(generator.integers(count)), int(generator.integers(-1, count))
        lengths = generator.integers(0, 5, count) * (generator.random(count) < 0.7)
        lengths[device] *= generator.random() < 0.3
        queues = [[f"tile {10 * source + number}" for number in range(n)] for source, n in enumerate(lengths)]
        cases.append((queues, device, last))
    return cases


def _stolen(answer: object) -> tuple[int, str] | None:
    if answer is None:
        return None
    pair = isinstance(answer, tuple | list) and len(answer) == 2
    require(pair, f"Return a pair (source, tile), or None, not {answer!r}.")
    return whole(answer[0]), answer[1]
