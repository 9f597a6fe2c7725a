"""Checks for the exercises of the chapter on partitioning.

Each check takes the learner's own function, tries it on several instances, degenerate ones among them, and answers with
a hint: as the returned object when all is right, as the message of an AssertionError when not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgedl_lib.exercises.answers import Passed, ask, explain, require
from edgedl_lib.inference.partition.chain import ChainCosts, scan_cuts
from edgedl_lib.inference.partition.dag_plan import DagCosts
from edgedl_lib.inference.partition.exhaustive import exhaustive_partition
from edgedl_lib.inference.partition.random_costs import random_chain_costs, random_dag_costs

RANDOM_INSTANCES = 30
TINY = 1e-9


def check_best_cut(best_cut: Callable[..., int]) -> Passed:
    """Check ``best_cut(device, server, sizes, rate)``: how many layers stay on the device for the least latency.

    `device` and `server` are (N,) s, `sizes` (N,) bytes: the raw input and the outputs of all layers but the last, so
    that ``sizes[j]`` is sent by cut j; `rate` is in bit/s.

    Examples
    --------
    >>> def best_cut(device, server, sizes, rate):
    ...     ends = [sum(device[:j]) + 8 * sizes[j] / rate + sum(server[j:]) for j in range(len(device))]
    ...     return int(np.argmin([*ends, sum(device)]))
    >>> check_best_cut(best_cut)
    Right. 34 chains, from one layer to twelve, are cut where they should be.
    """

    def cut_of(costs, rate):
        arguments = _copies(costs.device_latency, costs.server_latency, costs.transfer_bytes[:-1])
        return _whole(ask(best_cut, *arguments, rate), len(costs.names))

    _compare(cut_of, "latency", "s", _wrong_latencies)
    return Passed(f"{len(_chains())} chains, from one layer to twelve, are cut where they should be.")


def check_energy_cut(energy_cut: Callable[..., int]) -> Passed:
    """Check ``energy_cut(device, sizes, rate, device_power, radio_power)``: the cut that costs the phone least energy.

    Arrays as in `check_best_cut`, powers in W.  The phone pays for its computing and its sending, not for waiting.

    Examples
    --------
    >>> def energy_cut(device, sizes, rate, device_power, radio_power):
    ...     computing = device_power * np.concatenate([[0], np.cumsum(device)])
    ...     sending = radio_power * 8 * np.append(sizes, 0) / rate
    ...     return int(np.argmin(computing + sending))
    >>> check_energy_cut(energy_cut)
    Right. The phone pays for computing and for sending; what the server does is free to it.
    """

    def cut_of(costs, rate):
        arguments = _copies(costs.device_latency, costs.transfer_bytes[:-1])
        given = (*arguments, rate, costs.device_power, costs.radio_power)
        return _whole(ask(energy_cut, *given), len(costs.names))

    _compare(cut_of, "energy", "J", _wrong_energies)
    return Passed("The phone pays for computing and for sending; what the server does is free to it.")


def check_min_cut_graph(build: Callable[..., Any]) -> Passed:
    """Check ``build(names, edges, device, server, send)``: DADS's graph, a ``networkx.DiGraph`` with capacities.

    The source is ``"device"``, the sink ``"server"``; `names` begins with ``"input"``, which is pinned to the device.
    `device`, `server` and `send` map a name to its seconds on the device, on the server, and for sending its output
    once.  An edge without attribute ``capacity`` is infinite, as in networkx.  Helper nodes may have any other name.

    Examples
    --------
    >>> import networkx
    >>> def build(names, edges, device, server, send):
    ...     graph = networkx.DiGraph([("device", "input")])
    ...     for name in names:
    ...         graph.add_edge(name, "server", capacity=device[name])
    ...         if name != "input":
    ...             graph.add_edge("device", name, capacity=server[name])
    ...         graph.add_edge(name, ("sent", name), capacity=send[name])
    ...     for tail, head in edges:
    ...         graph.add_edge(("sent", tail), head)
    ...         graph.add_edge(head, tail)
    ...     return graph
    >>> check_min_cut_graph(build)
    Right. On 31 graphs the minimum cut is the best plan that can run.
    """
    answers = [(_solved(build, costs, rate), costs, rate) for costs, rate in _graphs()]
    for cut, costs, _ in answers:
        _explain_plan(cut.on_device, costs)
    _explain_values(answers)
    return Passed(f"On {len(answers)} graphs the minimum cut is the best plan that can run.")


@dataclass(frozen=True)
class _Cut:
    value: float
    on_device: frozenset


def _solved(build: Callable, costs: DagCosts, rate: float) -> _Cut:
    import networkx

    figures = (costs.device_latency, costs.server_latency, 8 * costs.output_bytes / rate)
    by_name = [dict(zip(costs.names, map(float, values), strict=True)) for values in figures]
    graph = ask(build, list(costs.names), list(costs.edges), *by_name)
    require(isinstance(graph, networkx.DiGraph), f"Return a networkx.DiGraph, not a {type(graph).__name__}.")
    missing = [node for node in ("device", "server", *costs.names) if node not in graph]
    require(not missing, f"Your graph lacks the node {missing[:1]}: source, sink and every layer are needed.")
    try:
        value, (on_device, _) = networkx.minimum_cut(graph, "device", "server")
    except networkx.NetworkXUnbounded:
        raise AssertionError(
            "An infinite path leads from source to sink, so that no cut exists: give the arcs from the layers to the "
            "sink finite capacities."
        ) from None
    return _Cut(float(value), frozenset(on_device) & frozenset(costs.names))


def _explain_plan(on_device: frozenset, costs: DagCosts) -> None:
    require("input" in on_device, "The input is where the camera is: pin it to the device with an infinite arc.")
    for before, after in costs.edges:
        require(
            after not in on_device or before in on_device,
            f"One of your plans runs {before} on the server and {after} after it on the device, a download that nobody "
            "pays for: add infinite arcs from each layer back to those it reads.",
        )


def _explain_values(answers: Sequence[tuple[_Cut, DagCosts, float]]) -> None:
    """The first graph is a single layer; where no output has several readers, helper nodes make no difference."""
    best = [exhaustive_partition(costs, rate)[1] for _, costs, rate in answers]
    excess = np.array([cut.value / least - 1 for (cut, _, _), least in zip(answers, best, strict=True)])
    shared = np.array([any(len(readers) > 1 for readers in costs.successors) for _, costs, _ in answers])
    wrong = np.abs(excess) > 1e-6
    if not wrong.any():
        return
    single = answers[0][1]
    swapped = min(single.server_latency[1], single.device_latency[1] + 8 * single.output_bytes[0] / answers[0][2])
    worst = int(np.argmax(wrong))
    mistakes = [
        (
            bool(np.isclose(answers[0][0].value, swapped)),
            "A layer that stays on the device cuts its arc to the sink: that arc carries its time on the device.",
        ),
        (
            not wrong[~shared].any() and (excess >= -1e-6).all(),
            "An output with several readers is sent once: give it a helper node behind which the arcs are infinite.",
        ),
        (True, f"One of your cuts costs {answers[worst][0].value:.4g} s, the best plan {best[worst]:.4g} s."),
    ]
    explain(mistakes)


def _compare(cut_of: Callable[[ChainCosts, float], int], objective: str, unit: str, wrong: Callable) -> None:
    """Ask for the cut of every chain; if some are worse than the best, find the mistake that explains all answers."""
    answers = [(cut_of(costs, rate), costs, rate) for costs, rate in _chains()]
    tables = [scan_cuts(costs, rate, objective=objective).table[0] for _, costs, rate in answers]
    failed = [i for i, (cut, _, _) in enumerate(answers) if tables[i][cut] > tables[i].min() * (1 + TINY)]
    if not failed:
        return
    believed = [wrong(costs, rate) for _, costs, rate in answers]
    for hint in believed[0]:
        require(any(np.argmin(b[hint]) != cut for (cut, _, _), b in zip(answers, believed, strict=True)), hint)
    cut, costs, rate = answers[failed[0]]
    table = tables[failed[0]]
    best = int(np.argmin(table))
    raise AssertionError(
        f"With {len(costs.names)} layers at {rate:.3g} bit/s you answer cut {cut}, at {table[cut]:.4g} {unit}; "
        f"cut {best} costs {table[best]:.4g} {unit}."
    )


def _wrong_latencies(costs: ChainCosts, rate: float) -> dict[str, np.ndarray]:
    device = np.concatenate([[0.0], np.cumsum(costs.device_latency)])
    server = np.append(np.cumsum(costs.server_latency[::-1])[::-1], 0.0)
    seconds = 8 * costs.transfer_bytes / rate
    latency = device + seconds + server
    charged = np.append(seconds[:-1], seconds[-2])
    return {
        "You forget the transfer: without it the faster server would always win.": device + server,
        "Sizes are in bytes and the rate in bit/s: a factor of eight is missing.": device + seconds / 8 + server,
        "The server's layers take time too: add server[j:].": device + seconds,
        "The all-device cut sends nothing: it pays no transfer.": device + charged + server,
        "You never try the cut that keeps all layers on the device.": np.append(latency[:-1], np.inf),
        "You never try cut 0, which sends the raw input.": np.append(np.inf, latency[1:]),
    }


def _wrong_energies(costs: ChainCosts, rate: float) -> dict[str, np.ndarray]:
    computing = costs.device_power * np.concatenate([[0.0], np.cumsum(costs.device_latency)])
    sending = costs.radio_power * 8 * costs.transfer_bytes / rate
    return {
        "That is the fastest cut: energy weighs each second with a power.": scan_cuts(costs, rate).table[0],
        "You forget the radio: sending for 8 * sizes[j] / rate seconds costs radio_power watts.": computing,
        "You forget the processor: device_power watts for sum(device[:j]) seconds.": sending,
        "Sizes are in bytes and the rate in bit/s: a factor of eight is missing.": computing + sending / 8,
        "You never try the cut that sends nothing.": np.append((computing + sending)[:-1], np.inf),
    }


def _chains() -> list[tuple[ChainCosts, float]]:
    """A textbook chain, degenerate ones, and random ones of up to twelve layers at rates where the ends compete."""
    textbook = ChainCosts(
        ("conv", "pool", "dense"), [0.2, 0.001, 0.4], [0.02, 0.001, 0.04], [9e4, 4e5, 5e4, 0], 5.0, 2.0
    )
    single = ChainCosts(("dense",), [0.1], [0.01], [1e5, 0], 5.0, 2.0)
    slow_server = ChainCosts(("a", "b"), [0.1, 0.1], [0.5, 0.5], [1e3, 1e3, 0], 5.0, 2.0)
    rng = np.random.default_rng(5)
    drawn = [
        (random_chain_costs(rng, int(rng.integers(1, 13))), float(10 ** rng.uniform(5.5, 7.5)))
        for _ in range(RANDOM_INSTANCES)
    ]
    return [(textbook, 2e6), (single, 1e5), (single, 1e9), (slow_server, 1e9), *drawn]


def _graphs() -> list[tuple[DagCosts, float]]:
    rng = np.random.default_rng(11)
    single = DagCosts(("input", "layer"), [("input", "layer")], [0, 0.5], [0, 0.1], [25e3, 0])
    return [(single, 1e6)] + [(random_dag_costs(rng, int(rng.integers(2, 9))), 1e6) for _ in range(RANDOM_INSTANCES)]


def _copies(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(array.copy() for array in arrays)


def _whole(answer: Any, layers: int) -> int:
    try:
        number = float(answer)
    except (TypeError, ValueError):
        raise AssertionError(f"Your function answers {answer!r}; a cut is a whole number from 0 to {layers}.") from None
    require(np.isfinite(number) and number == int(number), f"{answer!r} is not a whole number of layers.")
    require(0 <= number <= layers, f"There is no cut {answer} in a network of {layers} layers: 0 to {layers}.")
    return int(number)
