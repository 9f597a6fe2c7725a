"""The checks of the exercises on partial offloading: right answers pass, wrong ones meet the hint that fits them."""

import numpy as np
import pytest

from edgedl_lib.exercises import partial_offloading


def saving(gains, calls, remote, *, crosses=lambda a, b, r: (a in r) != (b in r), sign=-1, everybody=False):
    gained = sum(gains[name] for name in (gains if everybody else remote))
    return gained + sign * sum(joules for a, b, joules in calls if crosses(a, b, remote))


WRONG_SAVINGS = {
    "you pay for none": lambda *c: saving(*c, sign=0),
    "INSIDE the server": lambda *c: saving(*c, crosses=lambda a, b, r: a in r or b in r),
    "state comes back": lambda *c: saving(*c, crosses=lambda a, b, r: a not in r and b in r),
    "not of all": lambda *c: saving(*c, everybody=True),
    "has to be paid": lambda *c: saving(*c, sign=1),
    "is right": lambda *c: 1.0,
    "Return a number": lambda *c: None,
    "raised KeyError": lambda gains, calls, remote: gains["nobody"],
}


def test_the_right_saving_passes():
    assert "Right." in repr(partial_offloading.check_saving(saving))


@pytest.mark.parametrize("hint", WRONG_SAVINGS)
def test_wrong_savings_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        partial_offloading.check_saving(WRONG_SAVINGS[hint])


def latencies(watch, phone, sizes, rate, latency, *, bits=8, raw=1, end=(0, 0), wait=1):
    n = len(watch)
    sent = [raw if j == 0 else 1 for j in range(n)]
    seconds = [sum(watch[:j]) + wait * latency + bits * sent[j] * sizes[j] / rate + sum(phone[j:]) for j in range(n)]
    return [*seconds, sum(watch) + end[0] * latency + end[1] * 8 * sizes[n] / rate]


WRONG_LATENCIES = {
    "nothing is sent, and Bluetooth": lambda *c: latencies(*c, end=(1, 1)),
    "not paid either": lambda *c: latencies(*c, end=(1, 0)),
    "not on the phone already": lambda *c: latencies(*c, raw=0),
    "factor of eight": lambda *c: latencies(*c, bits=1),
    "latency is missing": lambda *c: latencies(*c, wait=0),
    "other way round": lambda w, p, *c: latencies(p, w, *c),
    "you return": lambda *c: latencies(*c)[:-1],
    "you answer": lambda *c: np.zeros(len(c[0]) + 1),
}


def test_the_right_latencies_pass():
    assert "Right." in repr(partial_offloading.check_cut_latencies(latencies))
    assert "Right." in repr(partial_offloading.check_cut_latencies(lambda *c: np.array(latencies(*c))))


@pytest.mark.parametrize("hint", WRONG_LATENCIES)
def test_wrong_latencies_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        partial_offloading.check_cut_latencies(WRONG_LATENCIES[hint])


def cost(client, server, upload, model, discount, *, up=1, down=1, again=False, share=None, back=True):
    share = 1 - discount if share is None else share
    here, there = 0.0, float("inf")
    for i in range(len(client)):
        enter = min(there, here) + upload[i] if again else min(there, here + up * upload[i])
        there = enter + server[i] + share * model[i]
        may_return = back or i == len(client) - 1
        here = min(here + client[i], there + down * upload[i + 1]) if may_return else here + client[i]
    return here


WRONG_COSTS = {
    "client, server, client": lambda *c: cost(*c, back=False),
    "has to come down": lambda *c: cost(*c, down=0),
    "has to go up": lambda *c: cost(*c, up=0),
    "you charge all of it": lambda *c: cost(*c, share=1),
    "you charge nothing": lambda *c: cost(*c, share=0),
    "need not go up again": lambda *c: cost(*c, again=True),
    "staying on the client": lambda c, s, u, m, k: u[0] + sum(s) + (1 - k) * sum(m) + u[-1],
    "is right": lambda *c: 0.0,
}


def test_the_right_cost_passes():
    assert "Right." in repr(partial_offloading.check_query_cost(cost))


@pytest.mark.parametrize("hint", WRONG_COSTS)
def test_wrong_costs_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        partial_offloading.check_query_cost(WRONG_COSTS[hint])
