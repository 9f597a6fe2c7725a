"""Checks for the exercises on peers that help each other: an order of uploads, late fusion, a neighbour to ask.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, equal, explain, require, whole

RANDOM_INSTANCES = 40
HERE = -1  # the front node itself

Neighbour = tuple[float, float, float, float]  # transfer, reported wait, sent since the report, age of the report (s)


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


def check_fuse(fuse: Callable[..., Sequence[float]]) -> Passed:
    """Check ``fuse(generic, adapted, domain, weight)``: the score of every class, by constraining and late fusion.

    `generic` and `adapted` are probabilities of all classes, `domain` lists the labels that occur in this place;
    `adapted` is zero outside it. `weight` is the adapted model's. A class outside the domain scores zero.

    Examples
    --------
    >>> def fuse(generic, adapted, domain, weight):
    ...     here = np.isin(np.arange(len(generic)), domain)
    ...     constrained = np.where(here, generic, 0) / generic[here].sum()
    ...     return (1 - weight) * constrained + weight * adapted
    >>> check_fuse(fuse)
    Right. What cannot be here never wins, however sure the generic model is; the rest is a vote of two.
    """
    cases = _votes()
    rights = [_fused(*case) for case in cases]
    answers = [_scores(ask(fuse, *(np.copy(part) for part in case[:3]), case[3]), len(case[0])) for case in cases]
    if _all_equal(answers, rights):
        return Passed("What cannot be here never wins, however sure the generic model is; the rest is a vote of two.")
    explain([(_all_equal(answers, [rule(*case) for case in cases]), hint) for hint, rule in _WRONG_FUSIONS.items()])
    case, answer, right = next(each for each in zip(cases, answers, rights, strict=True) if not equal(each[1], each[2]))
    raise AssertionError(
        f"For generic {case[0].tolist()}, adapted {case[1].tolist()}, domain {case[2].tolist()} and weight {case[3]:g} "
        f"you answer {answer.round(4).tolist()}, but {right.round(4).tolist()} is right."
    )


def check_choose_node(choose_node: Callable[[float, Sequence[Neighbour]], int]) -> Passed:
    """Check ``choose_node(backlog, neighbours)``: where a frame starts first, -1 for the front node itself.

    `backlog` is the front node's own wait (s); a neighbour is (transfer, reported, sent, age) in seconds. On a tie the
    front node, else the first neighbour.

    Examples
    --------
    >>> def choose_node(backlog, neighbours):
    ...     starts = [backlog]
    ...     for transfer, reported, sent, age in neighbours:
    ...         starts.append(transfer + max(0.0, reported + sent - age - transfer))
    ...     return starts.index(min(starts)) - 1
    >>> check_choose_node(choose_node)
    Right. A frame starts when it is there and the line before it is done, whichever is later.
    """
    cases = _crossroads()
    rights = [_soonest(*case) for case in cases]
    answers = [_node(ask(choose_node, backlog, list(known)), len(known)) for backlog, known in cases]
    if answers == rights:
        return Passed("A frame starts when it is there and the line before it is done, whichever is later.")
    explain([(answers == [rule(*case) for case in cases], hint) for hint, rule in _WRONG_CHOICES.items()])
    case, answer, right = next(each for each in zip(cases, answers, rights, strict=True) if each[1] != each[2])
    raise AssertionError(f"For backlog {case[0]:g} and {case[1]} you choose {answer}, but {right} is right.")


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


def _fused(generic, adapted, domain, weight, *, renormalise=True) -> np.ndarray:
    constrained = _masked(generic, domain)
    if renormalise:
        constrained = constrained / constrained.sum()
    return (1 - weight) * constrained + weight * adapted


def _masked(scores: np.ndarray, domain: Sequence[int]) -> np.ndarray:
    return np.where(np.isin(np.arange(len(scores)), domain), scores, 0.0)


def _renormalised_last(generic, adapted, domain, weight) -> np.ndarray:
    scores = _fused(generic, adapted, domain, weight, renormalise=False)
    return scores / scores.sum()


def _softmax_again(generic, adapted, domain, weight) -> np.ndarray:
    return _fused(_masked(np.exp(generic), domain), adapted, domain, weight)


def _multiplied(generic, adapted, domain, weight) -> np.ndarray:
    constrained = _masked(generic, domain)
    return (constrained / constrained.sum()) * adapted


_WRONG_FUSIONS = {
    "A class that does not occur here must score zero: constrain the generic model to the domain.": (
        lambda generic, adapted, domain, weight: (1 - weight) * generic + weight * adapted
    ),
    "Without its other classes the generic model's vote is small: divide by what is left, to a sum of one.": (
        lambda *case: _fused(*case, renormalise=False)
    ),
    "Bring the generic model to a sum of one BEFORE fusing, or its vote shrinks where it believes in other classes.": (
        _renormalised_last
    ),
    "`weight` is the adapted model's: zero leaves the constrained generic model.": (
        lambda generic, adapted, domain, weight: _fused(generic, adapted, domain, 1 - weight)
    ),
    "`generic` is a softmax already: divide by the sum, without another exponential.": _softmax_again,
    "A product gives each model a veto; fusion is a weighted sum.": _multiplied,
    "The weights of the two votes are 1 - weight and weight.": lambda generic, adapted, domain, weight: (
        _fused(generic, adapted, domain, 0.5) * 2
    ),
}


def _votes() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    """Among them weights of zero and one, a domain of one label, all labels, and a label that nobody has given."""
    generator = np.random.default_rng(104)
    sure_of_elsewhere = np.array([0.97, 0.01, 0.02])
    cases = [
        (sure_of_elsewhere, np.array([0.0, 0.5, 0.5]), np.array([1, 2]), 0.0),
        (sure_of_elsewhere, np.array([0.0, 1.0, 0.0]), np.array([2, 1]), 0.5),
        (np.array([0.5, 0.5]), np.array([0.0, 1.0]), np.array([1]), 0.25),
        (np.array([0.2, 0.8]), np.array([0.0, 0.0]), np.array([0, 1]), 0.5),
    ]
    for weight in [0.0, 1.0, *np.round(generator.uniform(0.1, 0.9, RANDOM_INSTANCES), 2).tolist()]:
        classes = int(generator.integers(2, 9))
        domain = generator.permutation(classes)[: int(generator.integers(1, classes + 1))]
        generic, adapted = generator.dirichlet(np.ones(classes)), np.zeros(classes)
        adapted[domain] = generator.dirichlet(np.ones(len(domain)))
        cases.append((generic, adapted, domain, weight))
    return cases


def _all_equal(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> bool:
    return all(equal(*pair) for pair in zip(first, second, strict=True))


def _scores(answer: object, classes: int) -> np.ndarray:
    require(np.shape(answer) == (classes,), f"Return a score for each of the {classes} classes, in their order.")
    return np.asarray(answer, dtype=float)


def _start(transfer, reported, sent, age, *, floor=0.0) -> float:
    """Seconds until a frame would start there."""
    return transfer + max(floor, reported + sent - age - transfer)


def _soonest(backlog: float, known: Sequence[Neighbour], start=_start, *, here=True, late=False) -> int:
    starts = [start(*each) for each in known]
    best = min(range(len(known)), key=lambda each: (starts[each], -each if late else each), default=HERE)
    stays = best == HERE or (here and backlog <= starts[best])
    return HERE if stays else best


def _rather_a_neighbour(backlog: float, known: Sequence[Neighbour]) -> int:
    """On a tie the frame leaves."""
    return _soonest(backlog + 1e-9, known)


def _by(start: Callable[..., float]) -> Callable[[float, Sequence[Neighbour]], int]:
    return lambda backlog, known: _soonest(backlog, known, start)


_WRONG_CHOICES = {
    "The front node is one of the nodes: if the frame starts there first, it stays.": lambda backlog, known: _soonest(
        backlog, known, here=False
    ),
    "On a tie the frame stays at the front node: why send it?": _rather_a_neighbour,
    "Of neighbours that tie take the first.": lambda backlog, known: _soonest(backlog, known, late=True),
    "The nearest is not the soonest: something may wait there.": _by(lambda transfer, *_: transfer),
    "The shortest reported wait is old, and the frame has to get there.": _by(lambda transfer, reported, *_: reported),
    "A wait cannot be negative: a node that has run dry starts the frame when it arrives, not before.": _by(
        lambda *each: _start(*each, floor=-np.inf)
    ),
    "A report that is `age` seconds old has been worked on since.": _by(
        lambda transfer, reported, sent, age: _start(transfer, reported, sent, 0.0)
    ),
    "While the frame is on its way the node goes on working: its wait shrinks by `transfer` too.": _by(
        lambda transfer, reported, sent, age: transfer + max(0.0, reported + sent - age)
    ),
    "The report does not know what you have sent since: add it.": _by(
        lambda transfer, reported, sent, age: _start(transfer, reported, 0.0, age)
    ),
    "The frame does not start before it has arrived: add the transfer.": _by(
        lambda transfer, reported, sent, age: max(0.0, reported + sent - age - transfer)
    ),
}


def _crossroads() -> list[tuple[float, list[Neighbour]]]:
    """Times in eighths of a second, so that ties are exact; also no neighbour at all."""
    generator = np.random.default_rng(176)
    cases = [(1.0, []), (0.0, [(0.125, 0.0, 0.0, 0.0)]), (0.25, [(0.25, 0.0, 0.0, 1.0)])]
    cases += [(2.0, [(0.5, 1.0, 0.0, 0.0), (0.5, 0.5, 0.5, 0.0)]), (1.0, [(0.5, 0.25, 0.0, 4.0)])]
    for _ in range(RANDOM_INSTANCES):
        count = int(generator.integers(1, 5))
        steps = generator.integers(0, (8, 24, 12, 16), (count, 4)) / 8
        cases.append((float(generator.integers(0, 24)) / 8, [tuple(row) for row in steps.tolist()]))
    return cases


def _node(answer: object, neighbours: int) -> int:
    node = whole(answer)
    require(HERE <= node < neighbours, f"Return -1 or the index of one of {neighbours} neighbours, not {node}.")
    return node
