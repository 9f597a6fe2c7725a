"""The checks of the exercises on the four modes: right answers pass, wrong ones meet the hint that fits."""

import numpy as np
import pytest

from edgedl_lib.exercises import offloading_modes as checks
from edgedl_lib.system.queueing import lindley_waits


def right_waits(arrivals, services):
    return lindley_waits(arrivals, services) if arrivals else []


def one_before(arrivals, services):
    ends = np.add(arrivals, services)[:-1]
    return [0.0, *np.maximum(0.0, ends - arrivals[1:])] if arrivals else []


def never_rests(arrivals, services):
    starts = np.append(0.0, np.cumsum(services))[: len(arrivals)]
    return list(starts - arrivals)


WRONG_WAITS = {
    "server rests": never_rests,
    "until a job is done": lambda a, s: list(np.add(right_waits(a, s), s)),
    "from each job's arrival": lambda a, s: list(np.add(right_waits(a, s), a)),
    "its own wait counts": one_before,
    "one wait for each": lambda a, s: 0.0,
    "is right": lambda a, s: [0.0] * len(a),
    "raised": lambda a, s: 1 / 0,
}


def test_right_waits_pass():
    assert "Right." in repr(checks.check_waits(right_waits))


@pytest.mark.parametrize("hint", WRONG_WAITS)
def test_wrong_waits_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_waits(WRONG_WAITS[hint])


def rate(streams, load, factor=8):
    return factor * sum(size * often for size, often in streams) / load


WRONG_RATES = {
    "factor of eight": lambda streams, load: rate(streams, load, 1),
    "must be faster": lambda streams, load: rate(streams, 1) * load,
    "not the largest alone": lambda streams, load: max((rate([one], load) for one in streams), default=0),
    "as often per second": lambda streams, load: 8 * sum(size for size, _ in streams) / load,
    "no end": lambda streams, load: rate(streams, 1),
    "Return a number": lambda streams, load: "fast",
    "is right": lambda streams, load: 1.0,
}


def test_right_rates_pass():
    assert "Right." in repr(checks.check_least_rate(rate))


@pytest.mark.parametrize("hint", WRONG_RATES)
def test_wrong_rates_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_least_rate(WRONG_RATES[hint])


def climb(shares, seconds, transfers):
    paths = np.cumsum([seconds[0], transfers[0] + seconds[1], transfers[1] + seconds[2]])
    return float(np.dot(shares, paths))


WRONG_CLIMBS = {
    "pays for them too": lambda p, s, t: p[0] * s[0] + p[1] * (t[0] + s[1]) + p[2] * (t[1] + s[2]),
    "Transfers are missing": lambda p, s, t: climb(p, s, (0, 0)),
    "Not every picture climbs": lambda p, s, t: sum(s) + sum(t),
    "whom the cloud answers as well": lambda p, s, t: s[0] + p[1] * (t[0] + s[1]) + p[2] * (t[1] + s[2]),
    "is right": lambda p, s, t: 0.0,
}


def test_right_latencies_pass():
    assert "Right." in repr(checks.check_climbing_latency(climb))


@pytest.mark.parametrize("hint", WRONG_CLIMBS)
def test_wrong_latencies_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        checks.check_climbing_latency(WRONG_CLIMBS[hint])
