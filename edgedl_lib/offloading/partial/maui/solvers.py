"""The best plan three ways: an integer linear programme, every plan in turn, and a minimum cut; and by greed.

The programme is the paper's.  With one variable per method and one per call it reads: save as much as possible, pay
for every call between sides, and stay within the latency limit.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from edgedl_lib.inference.partition.flow import minimum_cut
from edgedl_lib.offloading.partial.maui.call_graph import CallGraph, OffloadPlan, plan_of

MOST_FREE_METHODS = 20
WORTHWHILE = 1e-9  # J; a smaller saving is rounding, and the program stays where it is


class InfeasibleLatency(ValueError):
    """No plan is fast enough; the message says how fast the fastest one is."""


def solve(graph: CallGraph, latency_limit: float = np.inf) -> OffloadPlan:
    """Plan of largest saving whose run takes at most `latency_limit` s (Cuervo et al. 2010 [178], section 7).

    Raises
    ------
    InfeasibleLatency
        If no plan is fast enough.
    ValueError
        If the limit is negative or NaN.

    Examples
    --------
    >>> from edgedl_lib.offloading.partial.maui.call_graph import golden_instance
    >>> solve(golden_instance()).saving
    11.5
    """
    if not latency_limit >= 0:
        raise ValueError(f"latency limit {latency_limit} s must be zero or more; infinity means no limit")
    energies = np.array([call.energy for call in graph.calls])
    chosen = integer_programme(graph, -graph.gains, energies, latency_limit)
    if chosen is None:
        fastest = plan_of(graph, integer_programme(graph, *_times(graph), np.inf))
        raise InfeasibleLatency(
            f"no plan runs within {latency_limit:g} s: the fastest takes {fastest.time:.4g} s, raise the limit"
        )
    plan = plan_of(graph, chosen)
    return plan if plan.saving > WORTHWHILE or _too_slow(graph, latency_limit) else _all_local(graph)


def every_plan(graph: CallGraph, latency_limit: float = np.inf) -> OffloadPlan | None:
    """The same by trying all 2^R plans of R remoteable methods at once; None if none is fast enough.

    Raises
    ------
    ValueError
        If there are more than 20 remoteable methods.
    """
    free = np.flatnonzero([method.remoteable for method in graph.methods])
    if free.size > MOST_FREE_METHODS:
        raise ValueError(f"{free.size} remoteable methods are too many to try all plans: use solve above 20")
    chosen = np.zeros((2**free.size, len(graph.methods)), bool)
    chosen[:, free] = (np.arange(2**free.size)[:, None] >> np.arange(free.size)) & 1
    savings, times = _costs(graph, chosen)
    savings[times > latency_limit * (1 + 1e-12)] = -np.inf
    best = int(np.argmax(savings))
    return None if np.isneginf(savings[best]) else plan_of(graph, chosen[best])


def by_minimum_cut(graph: CallGraph) -> OffloadPlan:
    """The same without a latency limit: calls are undirected arcs, methods hang on the phone and on the server.

    A method on the phone's side gives up its gain, one on the server's side its loss if the gain is negative.
    """
    size = len(graph.methods)
    phone, server = size, size + 1
    capacity = np.zeros((size + 2, size + 2))
    capacity[:size, server] = np.maximum(graph.gains, 0)
    capacity[phone, :size] = np.maximum(-graph.gains, 0)
    capacity[phone, [i for i, method in enumerate(graph.methods) if not method.remoteable]] = np.inf
    callers, callees = graph.ends
    energies = [call.energy for call in graph.calls]
    np.add.at(capacity, (callers, callees), energies)
    np.add.at(capacity, (callees, callers), energies)
    return plan_of(graph, ~minimum_cut(capacity, phone, server).source_side[:size])


def by_greed(graph: CallGraph) -> OffloadPlan:
    """Method by method: move what saves more than all of its own calls cost, as if its neighbours stayed at home."""
    callers, callees = graph.ends
    energies = np.array([call.energy for call in graph.calls])
    paid = np.zeros(len(graph.methods))
    for ends in (callers, callees):
        np.add.at(paid, ends, energies)
    remoteable = np.array([method.remoteable for method in graph.methods])
    return plan_of(graph, remoteable & (graph.gains > paid))


def integer_programme(graph: CallGraph, per_method, per_call, latency_limit: float) -> np.ndarray | None:
    """Cheapest assignment, (M,) bool, or None if none is fast enough.

    Parameters
    ----------
    per_method : (M,) paid for a method on the server
    per_call : (C,) paid for a call between the sides; infinite forbids it
    latency_limit : s, infinite for none
    """
    methods, calls = len(graph.methods), len(graph.calls)
    computing, moving = _times(graph)
    forbidden = ~np.isfinite(per_call) | ~np.isfinite(moving) | ~np.isfinite([call.energy for call in graph.calls])
    constraints = [sides_differ(graph)]
    if np.isfinite(latency_limit):
        row = np.concatenate([computing, np.where(forbidden, 0.0, moving)])
        constraints.append(LinearConstraint(row, ub=latency_limit - graph.local_time))
    most = np.concatenate([[float(method.remoteable) for method in graph.methods], np.where(forbidden, 0.0, 1.0)])
    cost = np.concatenate([per_method, np.where(forbidden, 0.0, per_call)])
    result = milp(
        cost,
        constraints=constraints,
        integrality=np.repeat([1, 0], [methods, calls]),
        bounds=Bounds(0, most),
        options={"mip_rel_gap": 0.0},
    )
    return None if result.x is None else result.x[:methods] > 0.5


def sides_differ(graph: CallGraph) -> LinearConstraint:
    """y_e >= I_u - I_v and y_e >= I_v - I_u for every call e = (u, v)."""
    methods, calls = len(graph.methods), len(graph.calls)
    callers, callees = graph.ends
    difference = np.zeros((calls, methods))
    np.add.at(difference, (np.arange(calls), callers), 1.0)
    np.add.at(difference, (np.arange(calls), callees), -1.0)
    rows = np.block([[difference, -np.eye(calls)], [-difference, -np.eye(calls)]])
    return LinearConstraint(rows, ub=0.0)


def _times(graph: CallGraph) -> tuple[np.ndarray, np.ndarray]:
    """Seconds that a method adds if it moves, (M,), and that a call adds if it is cut, (C,)."""
    computing = np.array([method.remote_time - method.local_time for method in graph.methods])
    return computing, np.array([call.time for call in graph.calls])


def _costs(graph: CallGraph, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Saving (J) and time (s) of many plans, chosen (P, M)."""
    callers, callees = graph.ends
    cut = chosen[:, callers] != chosen[:, callees]
    computing, moving = _times(graph)
    energies = np.array([call.energy for call in graph.calls])
    savings = chosen @ graph.gains - _paid(cut, energies)
    return savings, graph.local_time + chosen @ computing + _paid(cut, moving)


def _paid(cut: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Sum of the costs of the calls that are cut; an endless one that is not cut costs nothing."""
    endless = np.isinf(costs)
    return cut @ np.where(endless, 0.0, costs) + np.where((cut & endless).any(axis=1), np.inf, 0.0)


def _too_slow(graph: CallGraph, latency_limit: float) -> bool:
    return graph.local_time > latency_limit


def _all_local(graph: CallGraph) -> OffloadPlan:
    return plan_of(graph, np.zeros(len(graph.methods), bool))
