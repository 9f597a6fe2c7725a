"""MAUI: known answers, brute force and minimum cut as oracles, degenerate programs, errors, a changing link."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.offloading.partial.maui import programs, run_time, solvers, study
from edgedl_lib.offloading.partial.maui.call_graph import (
    Call,
    CallGraph,
    Method,
    UnknownMethod,
    evaluate,
    golden_instance,
)
from edgedl_lib.system.link import Link

SEEDS = st.integers(0, 10_000)
SOLVERS = (solvers.solve, solvers.every_plan, solvers.by_minimum_cut)


def pair(gain=4.0, call=1.0, *, remoteable=True, time=0.0, local=1.0, remote=0.5):
    main = Method("main", 1.0, 1.0, remoteable=False)
    work = Method("work", gain, local, remote, remoteable)
    return CallGraph((main, work), (Call("main", "work", call, time),))


@pytest.mark.parametrize("solver", SOLVERS)
def test_golden_instance(solver):
    plan = solver(golden_instance())
    assert plan.saving == pytest.approx(11.5)
    assert {"b", "c"} <= plan.remote <= {"a", "b", "c"}
    assert plan.energy == pytest.approx(19 - 11.5)


@pytest.mark.parametrize("remote", ["bc", "abc"])
def test_the_golden_gain_is_reached_in_two_ways(remote):
    assert evaluate(golden_instance(), remote).saving == pytest.approx(11.5)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_all_solvers_agree_without_a_limit(seed):
    graph = programs.random_call_graph(np.random.default_rng(seed))
    savings = [solver(graph).saving for solver in SOLVERS]
    assert savings == pytest.approx([savings[0]] * 3, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(0.1, 1.3))
def test_programme_equals_brute_force_within_a_limit(seed, share):
    graph = programs.random_call_graph(np.random.default_rng(seed))
    limit = share * graph.local_time
    tried, found = solvers.every_plan(graph, limit), study.limited(graph, limit)
    assert (tried is None) == (found is None)
    if tried:
        assert found.saving == pytest.approx(tried.saving, abs=1e-6)
        assert found.time <= limit * (1 + 1e-6)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_vectorised_brute_force_equals_a_loop(seed):
    rng = np.random.default_rng(seed)
    full = programs.random_call_graph(rng)
    kept = full.methods[:6]
    names = {method.name for method in kept}
    graph = CallGraph(kept, tuple(call for call in full.calls if {call.caller, call.callee} <= names))
    free = [method.name for method in kept if method.remoteable]
    subsets = [{n for i, n in enumerate(free) if code >> i & 1} for code in range(2 ** len(free))]
    assert solvers.every_plan(graph).saving == pytest.approx(max(evaluate(graph, s).saving for s in subsets))


@pytest.mark.parametrize("solver", SOLVERS)
def test_nothing_remoteable_gains_nothing(solver):
    plan = solver(pair(remoteable=False))
    assert plan.remote == frozenset()
    assert plan.saving == 0


@pytest.mark.parametrize("solver", SOLVERS)
def test_infinite_transfer_cost_keeps_all_at_home(solver):
    plan = solver(pair(gain=1e6, call=math.inf))
    assert plan.remote == frozenset()
    assert plan.saving == 0


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_program_without_calls(solver):
    graph = CallGraph((Method("main", 1.0, remoteable=False), Method("free", 2.0)), ())
    assert solver(graph).remote == {"free"}


def test_method_that_costs_more_to_wait_for_stays():
    graph = CallGraph((Method("main", 1, remoteable=False), Method("slow", 1.0, waiting_energy=2.0)), ())
    for solver in SOLVERS:
        assert solver(graph).remote == frozenset()


def test_calls_inside_the_server_are_free():
    graph = golden_instance()
    assert evaluate(graph, {"a", "b", "c"}).saving == 18 - 6 - 0.5
    assert evaluate(graph, {"c"}).saving == pytest.approx(4 - 1 - 0.5)


def test_cheap_method_between_two_heavy_ones_defeats_greed():
    methods = [Method("main", 1, remoteable=False), Method("a", 5), Method("b", 0.1), Method("c", 5)]
    calls = (Call("main", "a", 1), Call("a", "b", 3), Call("b", "c", 3))
    graph = CallGraph(tuple(methods), calls)
    assert solvers.solve(graph).remote == {"a", "b", "c"}
    assert solvers.by_greed(graph).saving < solvers.solve(graph).saving


def test_latency_limit_may_force_a_costly_plan():
    graph = pair(gain=0.1, call=1.0, time=0.1, local=10.0, remote=1.0)
    assert solvers.solve(graph).remote == frozenset()
    hurried = solvers.solve(graph, latency_limit=3.0)
    assert hurried.remote == {"work"}
    assert hurried.saving == pytest.approx(-0.9)


def test_infeasible_limit_names_the_fastest_plan():
    graph = pair(local=10.0, remote=1.0, time=0.25)
    with pytest.raises(solvers.InfeasibleLatency, match=r"fastest takes 2\.25 s"):
        solvers.solve(graph, latency_limit=1.0)
    assert solvers.every_plan(graph, 1.0) is None


@pytest.mark.parametrize("limit", [-1.0, math.nan])
def test_limits_that_are_none_are_refused(limit):
    with pytest.raises(ValueError, match="limit"):
        solvers.solve(pair(), limit)


def test_unknown_method_is_named():
    with pytest.raises(UnknownMethod, match="nowhere"):
        CallGraph(golden_instance().methods, (Call("main", "nowhere", 1.0),))
    with pytest.raises(UnknownMethod, match="main, a, b, c"):
        evaluate(golden_instance(), {"x"})


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_energies_below_zero_or_no_numbers_are_refused(value):
    with pytest.raises(ValueError, match="local_energy"):
        Method("m", value)


def test_negative_or_undefined_transfers_are_refused():
    with pytest.raises(ValueError, match="a -> b"):
        Call("a", "b", -0.5)
    with pytest.raises(ValueError, match="time of the call"):
        Call("a", "b", 1.0, math.nan)


def test_somebody_has_to_hold_the_phone():
    with pytest.raises(ValueError, match="pin the one"):
        CallGraph((Method("a", 1.0),), ())
    with pytest.raises(ValueError, match="occurs more than once"):
        CallGraph((Method("a", 1.0, remoteable=False), Method("a", 1.0)), ())


def test_pinned_method_cannot_be_sent_away():
    with pytest.raises(ValueError, match="must stay"):
        evaluate(golden_instance(), {"main"})


def test_too_many_methods_for_brute_force():
    methods = (Method("main", 1, remoteable=False), *(Method(f"m{i}", 1) for i in range(21)))
    with pytest.raises(ValueError, match="too many"):
        solvers.every_plan(CallGraph(methods, ()))


def test_presets_hold_the_recalled_totals():
    assert programs.face_recognition().at_round_trip(0).local_time == pytest.approx(19)
    assert 1 / programs.video_game().at_round_trip(0).local_time == pytest.approx(6, rel=0.01)


def test_a_call_pays_the_round_trip_each_time():
    link = Link("l", 8e6, rtt=0.1)
    program = programs.Program("p", (("main", 1.0, False), ("f", 1.0, True)), (("main", "f", 3, 1000),))
    (call,) = program.over(link).calls
    assert call.time == pytest.approx(3 * (0.1 + 0.001))
    assert call.energy == pytest.approx(programs.RADIO_POWER * call.time)


@pytest.mark.parametrize("program", programs.presets(), ids=lambda p: p.name)
def test_saving_never_rises_with_distance(program):
    sweep = study.sweep(program, tuple(range(5, 400, 15)))
    assert (np.diff(sweep.savings) <= 1e-9).all()
    assert (sweep.savings >= 0).all()


def test_face_recognition_stays_worth_it_over_3g_and_the_chatty_ones_do_not():
    face, game, chess = study.sweeps()
    assert face.all_local_from == study.NEVER_MS
    assert game.all_local_from <= 220
    assert chess.all_local_from <= 220


def test_solver_decides_anew_after_the_jump():
    trips = run_time.jump()
    adaptive = run_time.run_program(programs.chess(), trips, period=5)
    assert adaptive.plans[0].remote
    assert not adaptive.plans[-1].remote
    assert adaptive.energy[-1] == pytest.approx(programs.chess().at_round_trip(0).local_energy)
    assert run_time.stale_over_adaptive(programs.chess(), trips, period=1) > 1.05


def test_without_a_jump_nothing_is_gained():
    trips = np.full(10, 0.01)
    stale = run_time.run_program(programs.chess(), trips)
    adaptive = run_time.run_program(programs.chess(), trips, period=2)
    assert np.array_equal(stale.energy, adaptive.energy)


def test_probe_tells_the_round_trip():
    link = Link("l", run_time.RATE, rtt=0.075)
    assert run_time.estimated_link(run_time.probe(link)).rtt == pytest.approx(0.075)
    with pytest.raises(ValueError, match="period"):
        run_time.run_program(programs.chess(), [0.01], period=0)


def test_energy_line_is_fitted_and_never_negative():
    cycles = np.array([1e8, 2e8, 5e8])
    line = run_time.fit_energy(cycles, 0.1 + 2e-9 * cycles)
    assert line(3e8) == pytest.approx(0.7)
    assert run_time.EnergyLine(-1.0, 0.0)(1e8) == 0.0
    assert run_time.profiled_error(0, noise=0.0) < 1e-6
    assert 0 < run_time.profiled_error(0, samples=2000) < 2
    with pytest.raises(ValueError, match="at least two"):
        run_time.fit_energy([1e8, 1e8], [1, 2])
