"""Wrong versions of MAUI: its costs, its greed, its memory."""

import numpy as np

from edgedl_lib.offloading.partial.maui import programs, run_time, solvers, study
from edgedl_lib.offloading.partial.maui.call_graph import Call, CallGraph, evaluate, golden_instance
from edgedl_lib.reproduce.sabotage import sabotage


def all_calls_charged(graph, remote):
    """Energy and saving if every call of a method on the server is paid, inner ones too."""
    plan = evaluate(graph, remote)
    inner = sum(call.energy for call in graph.calls if {call.caller, call.callee} <= set(remote))
    return plan.saving - inner


@sabotage("maui.golden_gain")
def calls_inside_the_server_charged():
    """Transfer paid although caller and callee are both remote."""
    graph = golden_instance()
    chosen = [frozenset(names) for names in ((), "b", "bc", "abc")]
    return max(all_calls_charged(graph, names) for names in chosen)


@sabotage(
    "maui.energy_order_of_magnitude",
    "maui.game_refresh",
    "maui.game_fps_maui",
    "maui.face_offload_time",
    "maui.game_energy_saving",
    "maui.chess_energy_saving",
)
def heavy_methods_stay():
    """Trusting the programmer's split: only the last, light method of each program is offloaded."""
    plans = {}
    for program in programs.presets():
        graph = program.at_round_trip(study.NEARBY)
        last = [method.name for method in graph.methods if method.remoteable][-1]
        plans[program.name] = (graph, evaluate(graph, {last}))
    (face, face_plan), (game, game_plan), (chess, chess_plan) = plans.values()
    return {
        "maui.energy_order_of_magnitude": face.local_energy / face_plan.energy,
        "maui.face_offload_time": face_plan.time,
        "maui.game_refresh": game.local_time / game_plan.time,
        "maui.game_fps_maui": 1 / game_plan.time,
        "maui.game_energy_saving": 100 * game_plan.saving / game.local_energy,
        "maui.chess_energy_saving": 100 * chess_plan.saving / chess.local_energy,
    }


@sabotage("maui.runtime_decomposition")
def decided_once_and_for_all():
    """A manual partition: the run time never asks again."""
    trips = run_time.jump()
    return run_time.stale_over_adaptive(programs.chess(), trips, period=len(trips) + 1)


@sabotage("maui.equals_brute_force", "maui.equals_max_flow")
def method_by_method():
    """Greed, with and without a latency limit (which it does not know)."""
    rng, equal, cut_equal, instances = np.random.default_rng(0), 0, 0, 60
    for _ in range(instances):
        graph = programs.random_call_graph(rng)
        limit = graph.local_time * rng.uniform(0.2, 1.2)
        greedy, tried = solvers.by_greed(graph), solvers.every_plan(graph, limit)
        equal += tried is not None and np.isclose(greedy.saving, tried.saving)
        cut_equal += np.isclose(greedy.saving, solvers.every_plan(graph).saving)
    return {"maui.equals_brute_force": 100 * equal / instances, "maui.equals_max_flow": 100 * cut_equal / instances}


@sabotage("maui.saving_monotone_rtt")
def sweep_from_the_far_end():
    """Reading the round trips in the wrong direction."""
    return float(max(np.diff(each.savings[::-1]).max() for each in study.sweeps()))


@sabotage("maui.all_local_rtt")
def free_messages():
    """Bytes cost energy, round trips do not: nothing ever turns back."""
    graphs = [programs.chess().at_round_trip(0.0) for _ in programs.ROUND_TRIPS_MS]
    plans = tuple(solvers.solve(graph) for graph in graphs)
    sweep = study.RoundTripSweep("chess", programs.ROUND_TRIPS_MS, graphs[0].local_energy, plans)
    return sweep.all_local_from


@sabotage("maui.greedy_loses")
def calls_without_cost():
    """On graphs whose calls cost nothing, greed is as good as any plan."""
    rng, lost, instances = np.random.default_rng(0), 0, 40
    for _ in range(instances):
        graph = programs.random_call_graph(rng)
        free = CallGraph(graph.methods, tuple(Call(call.caller, call.callee, 0.0) for call in graph.calls))
        lost += solvers.by_greed(free).saving < solvers.by_minimum_cut(free).saving - 1e-6
    return 100 * lost / instances
