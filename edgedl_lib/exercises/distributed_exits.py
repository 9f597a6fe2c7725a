"""Checks for the exercises of the chapter on exits across devices.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, explain, number, require

RANDOM_INSTANCES = 40


def check_co_inference(best_partition: Callable[..., int]) -> Passed:
    """Check ``best_partition(server, device, sizes, rate)``: Edgent's fastest partition point p of one branch.

    The **server** runs the first p - 1 layers and the device the rest, p = 1, ..., N + 1; `server` and `device` are
    seconds (N,), `sizes` bytes (N + 1,): the input, then each layer's output; `rate` is bit/s both ways.

    Examples
    --------
    >>> def best_partition(server, device, sizes, rate):
    ...     latencies = []
    ...     for p in range(1, len(server) + 2):
    ...         sent = 0 if p == 1 else sizes[0] + sizes[p - 1]
    ...         latencies.append(sum(server[: p - 1]) + sum(device[p - 1 :]) + 8 * sent / rate)
    ...     return 1 + int(np.argmin(latencies))
    >>> check_co_inference(best_partition)
    Right. The input goes up and the intermediate tensor comes down, unless the device does it all.
    """
    cases = _branches()
    answers = [_point(ask(best_partition, *map(np.copy, case[:3]), case[3]), len(case[0])) for case in cases]
    wrong = {
        "The server runs the FIRST layers and the device the rest; you have it the other way round.": _latency_reversed,
        "The input goes up for every p but 1; charged always or never, it decides nothing.": _no_input,
        "The intermediate tensor must come down to the device.": lambda *c: _latency(*c, down=0),
        "Bytes over a rate in bit/s: a factor of eight is missing.": lambda *c: _latency(*c, bits=1),
    }
    if all(_is_best(_latency(*case), p) for case, p in zip(cases, answers, strict=True)):
        return Passed("The input goes up and the intermediate tensor comes down, unless the device does it all.")
    explain(
        [
            (all(_is_best(rule(*case), p) for case, p in zip(cases, answers, strict=True)), hint)
            for hint, rule in wrong.items()
        ]
    )
    explain(
        [(all(p <= len(c[0]) for c, p in zip(cases, answers, strict=True)), "Try p = N + 1 too: all on the server.")]
    )
    case, p = next((c, p) for c, p in zip(cases, answers, strict=True) if not _is_best(_latency(*c), p))
    latencies = _latency(*case)
    raise AssertionError(
        f"With {len(case[0])} layers at {case[3]:g} bit/s you choose p = {p} ({latencies[p - 1]:.4g} s); "
        f"p = {1 + int(latencies.argmin())} needs {latencies.min():.4g} s."
    )


def check_device_bytes(device_bytes: Callable[..., float]) -> Passed:
    """Check ``device_bytes(classes, filters, map_bits, local_share)``: what a DDNN camera sends per picture.

    Examples
    --------
    >>> check_device_bytes(lambda classes, filters, bits, share: 4 * classes + (1 - share) * filters * bits / 8)
    Right. The scores are the price of asking locally first; at a share of one they are all that is sent.
    """
    cases = [(*case, _bytes(*case)) for case in _messages()]
    answers = [number(ask(device_bytes, *case[:4])) for case in cases]
    wrong = {
        "Maps are bits: eight of them make a byte.": lambda c, f, o, share: 4 * c + (1 - share) * f * o,
        "Maps are binary, not four bytes per element.": lambda c, f, o, share: 4 * c + (1 - share) * f * o * 4,
        "Maps are sent when a picture is NOT answered locally.": lambda c, f, o, share: _bytes(c, f, o, 1 - share),
        "The scores are always sent, also when nobody leaves later.": lambda c, f, o, share: (1 - share) * f * o / 8,
        "The scores are sent for every picture, not only for those that stay.": _scores_of_the_rest,
        "A score takes four bytes.": lambda c, f, o, share: c + (1 - share) * f * o / 8,
    }
    compare(answers, cases, wrong, "bytes")
    return Passed("The scores are the price of asking locally first; at a share of one they are all that is sent.")


def check_exit_and_partition(exit_and_partition: Callable[..., tuple[int, int] | None]) -> Passed:
    """Check ``exit_and_partition(latencies, accuracies, deadline)``: Edgent's pair (exit, split), or None.

    `latencies` is a list with one array per exit, the time of every split; `accuracies` a list.

    Examples
    --------
    >>> def exit_and_partition(latencies, accuracies, deadline):
    ...     best = [int(np.argmin(times)) for times in latencies]
    ...     good = [i for i, s in enumerate(best) if latencies[i][s] <= deadline]
    ...     if good:
    ...         i = min(good, key=lambda i: (-accuracies[i], latencies[i][best[i]]))
    ...         return i, best[i]
    >>> check_exit_and_partition(exit_and_partition)
    Right. Feasible first, then accurate, then fast: the order of the three is the method.
    """
    cases = _decisions()
    answers = [_pair(ask(exit_and_partition, [t.copy() for t in c[0]], list(c[1]), c[2]), c) for c in cases]
    if answers == [_choice(*case) for case in cases]:
        return Passed("Feasible first, then accurate, then fast: the order of the three is the method.")
    explain([(answers == [rule(*case) for case in cases], hint) for hint, rule in _WRONG_CHOICES.items()])
    late = [a is not None and c[0][a[0]][a[1]] > c[2] for a, c in zip(answers, cases, strict=True)]
    require(not any(late), "For some deadline your choice answers too late.")
    case, answer = next((c, a) for c, a in zip(cases, answers, strict=True) if a != _choice(*c))
    raise AssertionError(
        f"For latencies {[t.tolist() for t in case[0]]}, accuracies {list(case[1])} and deadline {case[2]:g} "
        f"you choose {answer}, but {_choice(*case)} is right."
    )


def _bytes(classes: int, filters: int, map_bits: int, local_share: float) -> float:
    return 4 * classes + (1 - local_share) * filters * map_bits / 8


def _scores_of_the_rest(classes: int, filters: int, map_bits: int, local_share: float) -> float:
    return (1 - local_share) * (4 * classes + filters * map_bits / 8)


def _messages() -> list[tuple[int, int, int, float]]:
    generator = np.random.default_rng(14)
    messages = [(3, 4, 256, 0.0), (3, 4, 256, 1.0), (3, 1, 64, 0.7018), (1, 1, 8, 0.5)]
    for _ in range(RANDOM_INSTANCES):
        classes, filters, side = (int(value) for value in generator.integers(2, 17, 3))
        messages.append((classes, filters, side * side, float(np.round(generator.random(), 3))))
    return messages


def _choice(latencies, accuracies, deadline) -> tuple[int, int] | None:
    best = [int(np.argmin(times)) for times in latencies]
    feasible = [i for i, s in enumerate(best) if latencies[i][s] <= deadline]
    if not feasible:
        return None
    chosen = min(feasible, key=lambda i: (-accuracies[i], latencies[i][best[i]]))
    return chosen, best[chosen]


def _latest_exit(latencies, accuracies, deadline) -> tuple[int, int] | None:
    return _choice(latencies, range(len(accuracies)), deadline)


def _fastest(latencies, accuracies, deadline) -> tuple[int, int] | None:
    return _choice(latencies, [-times.min() for times in latencies], deadline)


def _last_split(latencies, accuracies, deadline) -> tuple[int, int] | None:
    """The deadline is tested with the last split of each exit, a bug of a public replication."""
    last = [np.array([times[-1]]) for times in latencies]
    chosen = _choice(last, accuracies, deadline)
    return chosen and (chosen[0], int(np.argmin(latencies[chosen[0]])))


def _first_split(latencies, accuracies, deadline) -> tuple[int, int] | None:
    feasible = [i for i, times in enumerate(latencies) if times.min() <= deadline]
    if not feasible:
        return None
    chosen = min(feasible, key=lambda i: (-accuracies[i], latencies[i].min()))
    return chosen, int(np.argmax(latencies[chosen] <= deadline))


_WRONG_CHOICES = {
    "A later exit is not always the more accurate one: compare accuracies, not positions.": _latest_exit,
    "You take the fastest; the deadline is met already, so take the most accurate.": _fastest,
    "The deadline must be tested with each exit's FASTEST split, not with its last one.": _last_split,
    "Take the fastest split of the exit, not the first that meets the deadline.": _first_split,
}


def _decisions() -> list[tuple[list[np.ndarray], tuple[float, ...], float]]:
    generator = np.random.default_rng(15)
    cases = [([np.array([2.0, 1.0])], (0.9,), 1.0), ([np.array([2.0, 1.0])], (0.9,), 0.5)]
    for _ in range(RANDOM_INSTANCES):
        exits = int(generator.integers(2, 5))
        latencies = [np.round(generator.uniform(0.1, 1, n + 2) * (n + 1), 2) for n in range(exits)]
        accuracies = tuple(float(value) for value in generator.permutation(exits) / 10 + 0.5)
        cases.append((latencies, accuracies, float(np.round(generator.uniform(0.1, 1.5), 2))))
    return cases


def _pair(answer: object, case: tuple) -> tuple[int, int] | None:
    if answer is None:
        return None
    require(isinstance(answer, tuple) and len(answer) == 2, f"Return a pair (exit, split) or None, not {answer!r}.")
    chosen, split = (int(part) for part in answer)
    inside = 0 <= chosen < len(case[0]) and 0 <= split < len(case[0][chosen])
    require(inside, f"There is no exit {chosen} with split {split} among {[len(times) for times in case[0]]} splits.")
    return chosen, split


def _branches() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    generator = np.random.default_rng(10)
    cases = [(np.array([0.1]), np.array([1.0]), np.array([1e3, 10.0]), rate) for rate in (1e3, 1e9)]
    for _ in range(RANDOM_INSTANCES):
        count = int(generator.integers(1, 9))
        device = generator.exponential(0.05, count)
        sizes = generator.integers(500, 20_000, count + 1).astype(float)
        ratios = 10 ** generator.uniform(-0.7, 1.5, count)  # some layers are faster on the device
        cases.append((device / ratios, device, sizes, float(10 ** generator.uniform(5, 7.5))))
    return cases


def _latency(server, device, sizes, rate, *, up=1, down=1, bits=8) -> np.ndarray:
    """Seconds for p = 1, ..., N + 1."""
    computing = np.append(0, np.cumsum(server)) + np.append(np.cumsum(device[::-1])[::-1], 0)
    sent = up * sizes[0] + down * sizes
    sent[0] = 0
    return computing + bits * sent / rate


def _no_input(*case) -> np.ndarray:
    """What a constant charge for the input compares."""
    return _latency(*case, up=0)


def _latency_reversed(server, device, sizes, rate) -> np.ndarray:
    """The device first: only the tensor at the cut is sent, the input if the server does it all (now p = 1)."""
    computing = np.append(0, np.cumsum(device)) + np.append(np.cumsum(server[::-1])[::-1], 0)
    sent = sizes.copy()
    sent[-1] = 0
    return computing + 8 * sent / rate


def _is_best(latencies: np.ndarray, p: int) -> bool:
    return bool(latencies[p - 1] <= latencies.min() * (1 + 1e-9))


def _point(answer: object, layers: int) -> int:
    whole = isinstance(answer, int | np.integer) and not isinstance(answer, bool)
    require(whole, f"Return a whole number, not {answer!r}.")
    require(1 <= answer <= layers + 1, f"With {layers} layers p lies between 1 and {layers + 1}, you return {answer}.")
    return int(answer)
