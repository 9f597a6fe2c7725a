"""The checks of the exercises on peers: right answers pass, wrong ones meet the hint that fits."""

import itertools

import numpy as np
import pytest

from edgedl_lib.exercises import peers as checks
from edgedl_lib.offloading.horizontal.deepcham import adaptation
from edgedl_lib.offloading.horizontal.lavea.schemes import Report, View, shortest_scheduling


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
    ends = {order: checks._makespan(order, send, compute) for order in itertools.permutations(range(6))}
    assert ends[tuple(johnson(send, compute))] == pytest.approx(min(ends.values()))


def fuse(generic, adapted, domain, weight, *, norm=True, rule=lambda a, b, w: (1 - w) * a + w * b):
    constrained = np.zeros(len(generic))
    constrained[domain] = generic[domain]
    return rule(constrained / constrained.sum() if norm else constrained, adapted, weight)


def by_the_library(generic, adapted, domain, weight):
    scores = np.zeros(len(generic))
    fusion = adaptation.Fusion(weight, temperature=1.0)
    constrained = adaptation.constrained(generic[None], tuple(domain.tolist()))
    scores[domain] = fusion.combine(constrained, adapted[None, domain])[0]
    return scores.tolist()


def normalised_last(*case):
    scores = fuse(*case, norm=False)
    return scores / scores.sum()


WRONG_FUSIONS = {
    "constrain the generic model": lambda g, a, d, w: (1 - w) * g + w * a,
    "divide by what is left": lambda *c: fuse(*c, norm=False),
    "BEFORE fusing": normalised_last,
    "zero leaves the constrained": lambda *c: fuse(*c, rule=lambda a, b, w: w * a + (1 - w) * b),
    "without another exponential": lambda g, *c: fuse(np.exp(g), *c),
    "gives each model a veto": lambda *c: fuse(*c, rule=lambda a, b, w: a * b),
    "1 - weight and weight": lambda *c: fuse(*c, rule=lambda a, b, w: a + b),
    "a score for each": lambda g, a, d, w: a[d][:1] if len(d) else a,
    "is right": lambda g, a, d, w: a,
    "raised ZeroDivisionError": lambda g, a, d, w: [1 / int(w) for _ in g],
}


@pytest.mark.parametrize("right", [fuse, by_the_library])
def test_right_fusions_pass(right):
    assert "Right." in repr(checks.check_fuse(right))


@pytest.mark.parametrize("hint", WRONG_FUSIONS)
def test_wrong_fusions_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_fuse(WRONG_FUSIONS[hint])


def test_a_class_outside_the_place_never_wins():
    for generic, adapted, domain, weight in checks._votes():
        assert int(np.argmax(fuse(generic, adapted, domain, weight))) in domain


def soonest(backlog, neighbours, *, start=lambda t, r, s, a: t + max(0, r + s - a - t)):
    starts = [backlog, *(start(*each) for each in neighbours)]
    return starts.index(min(starts)) - 1


def by_the_scheme(backlog, neighbours):
    if not neighbours:
        return -1
    transfer, reported, sent, age = (list(column) for column in zip(*neighbours, strict=True))
    reports = [Report(-old, 0, wait, 0.0) for old, wait in zip(age, reported, strict=True)]
    return shortest_scheduling(View(0.0, 1, backlog, transfer, reports, sent, 0.0))


def last_of_equals(backlog, neighbours):
    chosen = soonest(backlog, neighbours[::-1])
    return chosen if chosen < 0 else len(neighbours) - 1 - chosen


WRONG_CHOICES = {
    "is one of the nodes": lambda b, n: soonest(np.inf, n),
    "On a tie the frame stays": lambda b, n: soonest(b + 1e-9, n),
    "that tie take the first": last_of_equals,
    "nearest is not the soonest": lambda b, n: soonest(b, n, start=lambda t, r, s, a: t),
    "reported wait is old": lambda b, n: soonest(b, n, start=lambda t, r, s, a: r),
    "cannot be negative": lambda b, n: soonest(b, n, start=lambda t, r, s, a: r + s - a),
    "has been worked on": lambda b, n: soonest(b, n, start=lambda t, r, s, a: max(t, r + s)),
    "shrinks by `transfer` too": lambda b, n: soonest(b, n, start=lambda t, r, s, a: t + max(0, r + s - a)),
    "what you have sent": lambda b, n: soonest(b, n, start=lambda t, r, s, a: max(t, r - a)),
    "add the transfer": lambda b, n: soonest(b, n, start=lambda t, r, s, a: max(0, r + s - a - t)),
    "Return a whole number": lambda b, n: b,
    "Return -1 or the index": lambda b, n: len(n),
    "is right": lambda b, n: -1,
    "raised ValueError": lambda b, n: min(range(len(n))),
}


@pytest.mark.parametrize("right", [soonest, by_the_scheme])
def test_right_choices_pass(right):
    assert "Right." in repr(checks.check_choose_node(right))


@pytest.mark.parametrize("hint", WRONG_CHOICES)
def test_wrong_choices_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_choose_node(WRONG_CHOICES[hint])
