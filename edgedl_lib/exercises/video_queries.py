"""Checks for the exercises of the chapter on video queries: dominant demand, a greedy move, and lost frames.

Each check takes the learner's own function, tries it on many cases, degenerate ones among them, and answers with a
hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, explain, number, whole

RANDOM_INSTANCES = 40

Move = tuple[float, float]  # gain in accuracy, rise of the dominant demand


def check_dominant_demand(dominant_demand: Callable[[list[float], list[float]], float]) -> Passed:
    """Check ``dominant_demand(demand, capacity)``: the largest share of any resource.

    Examples
    --------
    >>> check_dominant_demand(lambda demand, capacity: max(d / c for d, c in zip(demand, capacity)))
    Right. Shares make cores and bits comparable: what counts is the resource that runs out first.
    """
    cases = [(*case, _dominant(*case)) for case in _demands()]
    answers = [number(ask(dominant_demand, list(demand), list(capacity))) for demand, capacity, _ in cases]
    compare(answers, cases, _WRONG_DEMANDS, "of the resource")
    return Passed("Shares make cores and bits comparable: what counts is the resource that runs out first.")


def check_next_move(next_move: Callable[[list[Move]], int | None]) -> Passed:
    """Check ``next_move(moves)``: index of the greedy's next move, None if no move gains anything.

    A move is a pair: its gain in accuracy, and by how much it raises the query's dominant demand (maybe by nothing, or
    less).  A move that gains and costs nothing comes first, the largest gain among several; then the best gain for its
    cost; of equals the first.

    Examples
    --------
    >>> def next_move(moves):
    ...     useful = [k for k, (gain, cost) in enumerate(moves) if gain > 0]
    ...     free = [k for k in useful if moves[k][1] <= 0]
    ...     if free:
    ...         return max(free, key=lambda k: moves[k][0])
    ...     return max(useful, key=lambda k: moves[k][0] / moves[k][1], default=None)
    >>> check_next_move(next_move)
    Right. A step at a time, and each the best bargain: within a few per cent of a bound that no plan exceeds.
    """
    cases = _moves()
    answers = [_index(ask(next_move, list(moves))) for moves in cases]
    rights = [_best_move(moves) for moves in cases]
    if answers == rights:
        return Passed(
            "A step at a time, and each the best bargain: within a few per cent of a bound that no plan exceeds."
        )
    explain([(answers == [rule(moves) for moves in cases], hint) for hint, rule in _WRONG_MOVES.items()])
    case, answer, right = next(each for each in zip(cases, answers, rights, strict=True) if each[1] != each[2])
    raise AssertionError(f"For the moves {case} you choose {answer}, but {right} is right.")


def check_accuracy_of_blind_plan(accuracy: Callable[..., float]) -> Passed:
    """Check ``accuracy(planned, sent, capacity)``: mean accuracy when one link carries the frames of all queries.

    Query i plans for accuracy ``planned[i]`` and sends ``sent[i]`` bit/s.  A link of `capacity` bit/s that is asked for
    more drops the same share of everybody's frames, and a lost frame is answered wrongly.

    Examples
    --------
    >>> def accuracy(planned, sent, capacity):
    ...     share = min(1, capacity / sum(sent)) if sum(sent) else 1
    ...     return share * sum(planned) / len(planned)
    >>> check_accuracy_of_blind_plan(accuracy)
    Right. A plan that does not see the link is as accurate as the link is wide.
    """
    cases = [(*case, _blind(*case)) for case in _links()]
    answers = [number(ask(accuracy, list(planned), list(sent), capacity)) for planned, sent, capacity, _ in cases]
    compare(answers, cases, _WRONG_BLIND, "")
    return Passed("A plan that does not see the link is as accurate as the link is wide.")


def _dominant(demand: Sequence[float], capacity: Sequence[float]) -> float:
    return max(part / room for part, room in zip(demand, capacity, strict=True))


_WRONG_DEMANDS = {
    "Cores and bits do not compare: divide by the capacity of each resource.": lambda demand, capacity: max(demand),
    "Not the sum of the shares: the largest alone.": lambda demand, capacity: sum(
        part / room for part, room in zip(demand, capacity, strict=True)
    ),
    "The scarcest resource for this demand is not the one of least capacity.": lambda demand, capacity: (
        demand[int(np.argmin(capacity))] / min(capacity)
    ),
    "The largest share, not the smallest.": lambda demand, capacity: min(
        part / room for part, room in zip(demand, capacity, strict=True)
    ),
}


def _best_move(moves: Sequence[Move]) -> int | None:
    useful = [index for index, (gain, _) in enumerate(moves) if gain > 0]
    free = [index for index in useful if moves[index][1] <= 0]
    if free:
        return max(free, key=lambda index: moves[index][0])
    return max(useful, key=lambda index: moves[index][0] / moves[index][1], default=None)


def _by(key: Callable[[Move], float], useful: bool = True) -> Callable[[Sequence[Move]], int | None]:
    def choose(moves: Sequence[Move]) -> int | None:
        chosen = [index for index, (gain, _) in enumerate(moves) if gain > 0 or not useful]
        return max(chosen, key=lambda index: key(moves[index]), default=None)

    return choose


def _ratio(move: Move) -> float:
    return move[0] / move[1] if move[1] else float("inf")


_WRONG_MOVES = {
    "The largest gain may be a bad bargain: weigh it by what it costs.": _by(lambda move: move[0]),
    "The cheapest move may gain next to nothing: weigh gain by cost.": _by(lambda move: -move[1]),
    "A move that gains and costs nothing, or less, comes before every bargain.": _by(_ratio),
    "A move that gains nothing is never made, however cheap.": _by(_ratio, useful=False),
}


def _blind(planned: Sequence[float], sent: Sequence[float], capacity: float) -> float:
    share = min(1.0, capacity / sum(sent)) if sum(sent) else 1.0
    return float(share * np.mean(planned))


_WRONG_BLIND = {
    "A link cannot deliver more than was sent: its share is at most one.": lambda planned, sent, capacity: float(
        np.mean(planned) * (capacity / sum(sent) if sum(sent) else 1.0)
    ),
    "The link is one for all queries: add what they send.": lambda planned, sent, capacity: float(
        np.mean([hope * min(1.0, capacity / each if each else 1.0) for hope, each in zip(planned, sent, strict=True)])
    ),
    "Lost frames are answered wrongly: the plan's accuracy is not what comes out.": lambda planned, sent, capacity: (
        float(np.mean(planned))
    ),
    "Divide by the number of queries: the mean is asked for.": lambda planned, sent, capacity: (
        _blind(planned, sent, capacity) * len(planned)
    ),
}


def _demands() -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    generator = np.random.default_rng(109)
    cases: list[tuple[tuple[float, ...], tuple[float, ...]]] = [((1.0,), (4.0,)), ((0.0, 2e6), (1.0, 8e6))]
    for _ in range(RANDOM_INSTANCES):
        count = int(generator.integers(2, 5))
        capacity = generator.choice([1.0, 4.0, 40.0, 6e6, 12e6], count)
        demand = capacity * generator.uniform(0, 1.2, count)
        cases.append((tuple(demand.tolist()), tuple(capacity.tolist())))
    return cases


def _moves() -> list[list[Move]]:
    generator = np.random.default_rng(5)
    cases: list[list[Move]] = [[], [(-0.1, -0.5)], [(0.1, 0.0), (0.2, -0.1), (0.3, 0.5)], [(0.2, 0.1), (0.0, -0.3)]]
    for _ in range(RANDOM_INSTANCES):
        count = int(generator.integers(2, 7))
        moves = generator.uniform((-0.1, -0.05), (0.3, 0.5), (count, 2)).round(3)
        cases.append([tuple(move) for move in moves.tolist()])
    return cases


def _links() -> list[tuple[tuple[float, ...], tuple[float, ...], float]]:
    generator = np.random.default_rng(24)
    cases: list[tuple[tuple[float, ...], tuple[float, ...], float]] = [
        ((0.9,), (0.0,), 1e6),
        ((0.8, 0.6), (1e6, 1e6), 0.0),
    ]
    for _ in range(RANDOM_INSTANCES):
        count = int(generator.integers(1, 6))
        sent = tuple(generator.uniform(0.5e6, 8e6, count).round(-3).tolist())
        cases.append(
            (tuple(generator.uniform(0.3, 1, count).round(2).tolist()), sent, float(generator.uniform(1e6, 2e7)))
        )
    return cases


def _index(answer: object) -> int | None:
    return None if answer is None else whole(answer)
