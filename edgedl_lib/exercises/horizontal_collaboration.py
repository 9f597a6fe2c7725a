"""Checks for the exercises of the chapter on horizontal collaboration: tiles, strips, and a queue before a server.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

import itertools
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


def check_upload_order(upload_order: Callable[..., Sequence[int]]) -> Passed:
    """Check ``upload_order(send, compute)``: the order of tasks that ends soonest on one link and one server.

    Each task is first sent (`send` seconds), then computed (`compute` seconds); both in the same order.

    Examples
    --------
    >>> def upload_order(send, compute):
    ...     tasks = range(len(send))
    ...     early = sorted((i for i in tasks if send[i] < compute[i]), key=lambda i: send[i])
    ...     late = sorted((i for i in tasks if send[i] >= compute[i]), key=lambda i: -compute[i])
    ...     return early + late
    >>> check_upload_order(upload_order)
    Right. Fill the server early, and leave it little to do after the last upload: Johnson's rule of 1954.
    """
    cases = _jobs()
    answers = [_order(ask(upload_order, list(send), list(compute)), len(send)) for send, compute in cases]
    best = [_makespan(_johnson(*case), *case) for case in cases]
    ends = [_makespan(answer, *case) for answer, case in zip(answers, cases, strict=True)]
    if np.allclose(ends, best):
        return Passed("Fill the server early, and leave it little to do after the last upload: Johnson's rule of 1954.")
    explain([(answers == [rule(*case) for case in cases], hint) for hint, rule in _WRONG_ORDERS.items()])
    index = int(np.argmax(np.array(ends) - np.array(best) > 1e-9))
    send, compute = cases[index]
    raise AssertionError(
        f"For send {list(send)} and compute {list(compute)} your order {answers[index]} ends at {ends[index]:.4g} s; "
        f"{_johnson(send, compute)} ends at {best[index]:.4g} s."
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


def _makespan(order: Sequence[int], send: Sequence[float], compute: Sequence[float]) -> float:
    sent = done = 0.0
    for task in order:
        sent += send[task]
        done = max(sent, done) + compute[task]
    return done


def _johnson(send: Sequence[float], compute: Sequence[float]) -> list[int]:
    early = [task for task in range(len(send)) if send[task] < compute[task]]
    late = [task for task in range(len(send)) if send[task] >= compute[task]]
    return sorted(early, key=lambda task: send[task]) + sorted(late, key=lambda task: -compute[task])


def _late_ascending(send: Sequence[float], compute: Sequence[float]) -> list[int]:
    order = _johnson(send, compute)
    split = sum(a < b for a, b in zip(send, compute, strict=True))
    return order[:split] + order[split:][::-1]


_WRONG_ORDERS = {
    "First come, first served lets the server wait: try another order.": lambda send, compute: list(range(len(send))),
    "Short uploads first is half of it: the server also has to end soon after the last upload.": lambda send, compute: (
        sorted(range(len(send)), key=lambda task: send[task])
    ),
    "Short jobs first is right for mean waiting, not for the end of all.": lambda send, compute: sorted(
        range(len(send)), key=lambda task: send[task] + compute[task]
    ),
    "Of the tasks that compute less than they send, the LONGEST computation comes first.": _late_ascending,
    "The other way round: first the tasks that compute longer than they send.": lambda send, compute: _johnson(
        send, compute
    )[::-1],
}


def _jobs() -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    generator = np.random.default_rng(106)
    cases = [((1.0,), (2.0,)), ((3.0, 1.0), (1.0, 3.0)), ((4.0, 5.0, 6.0), (1.0, 3.0, 2.0))]
    for _ in range(RANDOM_INSTANCES):
        count = int(generator.integers(2, 8))
        send, compute = np.round(generator.uniform(0.1, 2, (2, count)), 2).tolist()
        cases.append((tuple(send), tuple(compute)))
    return cases


def _order(answer: object, tasks: int) -> list[int]:
    require(np.ndim(answer) == 1, f"Return a list of task numbers, not {answer!r}.")
    order = [whole(task) for task in answer]
    require(sorted(order) == list(range(tasks)), f"Each of the {tasks} tasks stands in the order once, not {order}.")
    return order


def best_by_trying(send: Sequence[float], compute: Sequence[float]) -> float:
    """End of the best of all orders (s): what Johnson's rule is tested against."""
    return min(_makespan(order, send, compute) for order in itertools.permutations(range(len(send))))
