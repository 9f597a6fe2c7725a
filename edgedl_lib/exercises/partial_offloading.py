"""Checks for the exercises of the chapter on partial offloading.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, compare, equal, explain, number, require

RANDOM_INSTANCES = 40
Calls = Sequence[tuple[str, str, float]]


def check_saving(saving: Callable[..., float]) -> Passed:
    """Check ``saving(gains, calls, remote)``: joules that MAUI's plan saves the phone.

    `gains` maps each method to the joules that the phone saves if it moves, `calls` is a list of (caller, callee,
    joules if the two are on different sides), `remote` the set of methods on the server.

    Examples
    --------
    >>> def saving(gains, calls, remote):
    ...     paid = sum(joules for caller, callee, joules in calls if (caller in remote) != (callee in remote))
    ...     return sum(gains[name] for name in remote) - paid
    >>> check_saving(saving)
    Right. Only a call between the two sides is paid, whoever calls whom.
    """
    cases = [(*case, _saving(*case)) for case in _plans()]
    answers = [number(ask(saving, dict(case[0]), list(case[1]), set(case[2]))) for case in cases]
    wrong = {
        "Calls between sides cost energy; you pay for none.": lambda g, c, r: sum(g[name] for name in r),
        "A call INSIDE the server costs nothing: pay only where the sides differ.": _all_calls_of_remote,
        "A call from the server to the phone crosses too: state comes back.": _outgoing_only,
        "Count the gains of the methods that move, not of all.": _all_gains,
        "You add what calls cost; it has to be paid.": lambda g, c, r: 2 * sum(g[n] for n in r) - _saving(g, c, r),
    }
    compare(answers, cases, wrong, "J")
    return Passed("Only a call between the two sides is paid, whoever calls whom.")


def check_cut_latencies(cut_latencies: Callable[..., Sequence[float]]) -> Passed:
    """Check ``cut_latencies(watch, phone, sizes, rate, latency)``: seconds of all n + 1 cuts of a line.

    With cut j the watch runs the first j nodes.  `watch` and `phone` hold seconds (n,), `sizes` bytes (n + 1,): the raw
    input, then each node's output; `rate` is in bit/s, and `latency` (s) is paid once if the phone takes part.

    Examples
    --------
    >>> def cut_latencies(watch, phone, sizes, rate, latency):
    ...     n = len(watch)
    ...     seconds = [sum(watch[:j]) + latency + 8 * sizes[j] / rate + sum(phone[j:]) for j in range(n)]
    ...     return [*seconds, sum(watch)]
    >>> check_cut_latencies(cut_latencies)
    Right. Both ends are cuts: j = 0 sends the raw input, j = n sends nothing.
    """
    cases = _lines()
    answers = [_vector(ask(cut_latencies, *map(np.copy, case[:3]), *case[3:]), len(case[0])) for case in cases]
    if _same(answers, cases, _latencies):
        return Passed("Both ends are cuts: j = 0 sends the raw input, j = n sends nothing.")
    wrong = {
        "With cut n the watch does it all: nothing is sent, and Bluetooth's latency is not paid.": _end_sends,
        "With cut n nothing is sent, so Bluetooth's latency is not paid either.": _end_waits,
        "With cut 0 the raw input is sent; it is not on the phone already.": _free_input,
        "Bytes over a rate in bit/s: a factor of eight is missing.": lambda *c: _latencies(*c, bits=1),
        "Bluetooth's latency is missing.": lambda *c: _latencies(*c[:4], 0.0),
        "The WATCH runs the first nodes; you have it the other way round.": lambda w, p, *c: _latencies(p, w, *c),
    }
    explain([(_same(answers, cases, rule), hint) for hint, rule in wrong.items()])
    case, answer = next((c, a) for c, a in zip(cases, answers, strict=True) if not equal(a, _latencies(*c)))
    cut = int(np.argmax(np.abs(answer - _latencies(*case))))
    raise AssertionError(
        f"With {len(case[0])} nodes at {case[3]:g} bit/s cut {cut} takes {_latencies(*case)[cut]:.4g} s, "
        f"you answer {answer[cut]:.4g} s."
    )


def check_query_cost(query_cost: Callable[..., float]) -> Passed:
    """Check ``query_cost(client, server, upload, model, discount)``: length of IONN's shortest path, s.

    `client` and `server` hold the seconds of n units, `upload` (n + 1,) the seconds to send the input and each unit's
    output (up or down), `model` the seconds to upload each unit, of which the share 1 - `discount` is charged.  The
    path begins and ends on the client and may change sides before every unit.

    Examples
    --------
    >>> def query_cost(client, server, upload, model, discount):
    ...     here, there = 0.0, float("inf")
    ...     for i in range(len(client)):
    ...         there = min(there, here + upload[i]) + server[i] + (1 - discount) * model[i]
    ...         here = min(here + client[i], there + upload[i + 1])
    ...     return here
    >>> check_query_cost(query_cost)
    Right. Two numbers per unit are enough: the cheapest way to be here, and to be there.
    """
    cases = [(*case, _shortest(*case)) for case in _chains()]
    answers = [number(ask(query_cost, *map(np.copy, case[:4]), case[4])) for case in cases]
    wrong = {
        "A query may come back from the server before the end: client, server, client.": _single_cut,
        "The result has to come down to the client.": lambda *c: _shortest(*c, down=0.0),
        "The input has to go up before the server can begin.": lambda *c: _shortest(*c, up=0.0),
        "The share 1 - discount of each unit's upload is charged; you charge all of it.": lambda *c: _shortest(
            *c[:4], 0.0
        ),
        "The share 1 - discount of each unit's upload is charged; you charge nothing.": lambda *c: _shortest(
            *c[:4], 1.0
        ),
        "Data that are on the server already need not go up again.": _up_each_time,
        "Not every query is worth sending: staying on the client is a path too.": _always_remote,
    }
    compare(answers, cases, wrong, "s")
    return Passed("Two numbers per unit are enough: the cheapest way to be here, and to be there.")


def _saving(gains: Mapping[str, float], calls: Calls, remote: Collection[str]) -> float:
    paid = sum(joules for caller, callee, joules in calls if (caller in remote) != (callee in remote))
    return sum(gains[name] for name in remote) - paid


def _all_calls_of_remote(gains, calls, remote) -> float:
    paid = sum(joules for caller, callee, joules in calls if caller in remote or callee in remote)
    return sum(gains[name] for name in remote) - paid


def _outgoing_only(gains, calls, remote) -> float:
    paid = sum(joules for caller, callee, joules in calls if caller not in remote and callee in remote)
    return sum(gains[name] for name in remote) - paid


def _all_gains(gains, calls, remote) -> float:
    return sum(gains.values()) - sum(gains[name] for name in remote) + _saving(gains, calls, remote)


def _plans() -> list[tuple[dict[str, float], list[tuple[str, str, float]], frozenset[str]]]:
    generator = np.random.default_rng(21)
    golden = {"main": 1.0, "a": 5.0, "b": 9.0, "c": 4.0}
    edges = [("main", "a", 6.0), ("a", "b", 1.0), ("b", "c", 1.0), ("c", "main", 0.5)]
    plans = [(golden, edges, frozenset(names)) for names in ("", "a", "bc", "abc")]
    for _ in range(RANDOM_INSTANCES):
        names = [f"m{i}" for i in range(int(generator.integers(2, 8)))]
        gains = {name: float(np.round(generator.exponential(3), 2)) for name in names}
        pairs = [generator.choice(names, 2, replace=False) for _ in names]
        calls = [(str(a), str(b), float(np.round(generator.exponential(1), 2))) for a, b in pairs]
        plans.append((gains, calls, frozenset(name for name in names[1:] if generator.random() < 0.6)))
    return plans


def _latencies(watch, phone, sizes, rate, latency, *, bits=8) -> np.ndarray:
    """Seconds of the cuts 0, ..., n."""
    computing = np.append(0, np.cumsum(watch)) + np.append(np.cumsum(phone[::-1])[::-1], 0)
    sending = latency + bits * sizes / rate
    sending[-1] = 0
    return computing + sending


def _end_sends(watch, phone, sizes, rate, latency) -> np.ndarray:
    seconds = _latencies(watch, phone, sizes, rate, latency)
    seconds[-1] += latency + 8 * sizes[-1] / rate
    return seconds


def _end_waits(watch, phone, sizes, rate, latency) -> np.ndarray:
    seconds = _latencies(watch, phone, sizes, rate, latency)
    seconds[-1] += latency
    return seconds


def _free_input(watch, phone, sizes, rate, latency) -> np.ndarray:
    seconds = _latencies(watch, phone, sizes, rate, latency)
    seconds[0] -= 8 * sizes[0] / rate
    return seconds


def _lines() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, float, float]]:
    generator = np.random.default_rng(22)
    lines = [(np.array([1.0]), np.array([0.1]), np.array([1e5, 1e3]), 1e6, 0.02)]
    for _ in range(RANDOM_INSTANCES):
        nodes = int(generator.integers(1, 9))
        watch = generator.exponential(0.3, nodes)
        sizes = generator.integers(500, 200_000, nodes + 1).astype(float)
        rate, latency = 10 ** generator.uniform(5, 7), generator.uniform(0.005, 0.05)
        lines.append((watch, watch / generator.uniform(2, 12), sizes, float(rate), float(latency)))
    return lines


def _vector(answer: object, nodes: int) -> np.ndarray:
    vector = np.asarray(answer, dtype=float)
    require(
        vector.shape == (nodes + 1,), f"A line of {nodes} nodes has {nodes + 1} cuts; you return {np.shape(answer)}."
    )
    return vector


def _same(answers, cases, rule) -> bool:
    return all(equal(answer, rule(*case)) for answer, case in zip(answers, cases, strict=True))


def _shortest(client, server, upload, model, discount, *, up=1.0, down=1.0) -> float:
    here, there = 0.0, np.inf
    for i in range(len(client)):
        there = min(there, here + up * upload[i]) + server[i] + (1 - discount) * model[i]
        here = min(here + client[i], there + down * upload[i + 1])
    return float(here)


def _single_cut(client, server, upload, model, discount) -> float:
    remote = server + (1 - discount) * model
    cuts = [client[:j].sum() + upload[j] + remote[j:].sum() + upload[-1] for j in range(len(client))]
    return float(min([*cuts, client.sum()]))


def _up_each_time(client, server, upload, model, discount) -> float:
    remote = upload[:-1] + server + (1 - discount) * model
    here, there = 0.0, np.inf
    for i in range(len(client)):
        there = min(there, here) + remote[i]
        here = min(here + client[i], there + upload[i + 1])
    return float(here)


def _always_remote(client, server, upload, model, discount) -> float:
    return float(upload[0] + server.sum() + (1 - discount) * model.sum() + upload[-1])


def _chains() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]]:
    generator = np.random.default_rng(23)
    one = np.array([1.0])
    chains = [(one, 0.1 * one, np.array([0.2, 0.1]), 5 * one, k) for k in (0.0, 1.0)]
    for _ in range(RANDOM_INSTANCES):
        units = int(generator.integers(1, 9))
        client = generator.exponential(1.0, units)
        server = client * 10 ** generator.uniform(-2, 0.3, units)
        upload, model = generator.exponential(0.3, units + 1), generator.exponential(1.0, units)
        chains.append((client, server, upload, model, float(np.round(generator.random(), 2))))
    return chains
