"""Runs of scenarios: known answers, queueing theory, failures, exits, time-outs, books that balance, determinism."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.system.queueing import lindley_waits, mm1_wait, multi_server_waits
from edgedl_lib.system.simulator import (
    Application,
    Connection,
    Failure,
    Scenario,
    Station,
    Task,
    Workload,
    changed,
    simulate,
)
from edgedl_lib.system.simulator.draws import draw
from edgedl_lib.system.trace import Trace


def scenario(tasks, placement, *, times=(0.0,), stations=None, connections=(), failures=(), workload=None, **options):
    """One application of source 'phone' on some stations; jobs at the given times."""
    names = {"phone"} | {
        name for value in placement.values() for name in ([value] if isinstance(value, str) else value)
    }
    settings_of_scenario = {key: options.pop(key) for key in ("duration", "warm_up") if key in options}
    return Scenario(
        "test",
        stations or [Station(name) for name in sorted(names)],
        connections,
        [Application("app", "phone", tasks, placement, **options)],
        [workload or Workload("app", "recorded", times=times)],
        failures,
        **settings_of_scenario,
    )


WIFI = Connection("wifi", ("phone", "edge", "other"), rate=8e6, latency=0.1)
THREE = [Station("phone"), Station("edge"), Station("other")]


def test_one_job_takes_transfer_work_and_way_back():
    case = scenario(
        [Task("work", seconds=1.0)],
        {"work": "edge"},
        stations=THREE,
        connections=[WIFI],
        input_bytes=2_000_000,
        result_bytes=1_000_000,
    )
    run = simulate(case)
    assert run.finish.tolist() == pytest.approx([2.0 + 0.1 + 1.0 + 1.0 + 0.1])
    assert run.bytes_carried("wifi") == 3_000_000 and run.placed == {"phone": 0, "edge": 1, "other": 0}


def test_at_home_nothing_is_sent():
    run = simulate(scenario([Task("work", seconds=1.0)], {"work": "phone"}, input_bytes=1e9, result_bytes=1e9))
    assert run.finish.tolist() == [1.0] and run.bytes_carried() == 0


def test_hops_are_paid_one_after_the_other():
    links = [Connection("up", ("phone", "edge"), 8e6), Connection("far", ("edge", "other"), 4e6, latency=0.5)]
    case = scenario(
        [Task("work", seconds=0.0)], {"work": "other"}, stations=THREE, connections=links, input_bytes=1_000_000
    )
    assert simulate(case).finish.tolist() == pytest.approx([1.0 + 2.0 + 0.5])


def test_one_way_connections_differ_by_direction():
    links = [
        Connection("up", ("phone", "edge"), 8e6, one_way=True),
        Connection("down", ("edge", "phone"), 80e6, one_way=True),
    ]
    case = scenario(
        [Task("work", seconds=0.0)],
        {"work": "edge"},
        stations=THREE,
        connections=links,
        input_bytes=1_000_000,
        result_bytes=1_000_000,
    )
    run = simulate(case)
    assert run.finish.tolist() == pytest.approx([1.1])
    assert (run.bytes_carried("up"), run.bytes_carried("down")) == (1_000_000, 1_000_000)


def test_a_recorded_bandwidth_is_followed():
    link = Connection("radio", ("phone", "edge"), Trace("step", [0, 1], [8e6, 4e6]))
    case = scenario(
        [Task("work", seconds=0.0)], {"work": "edge"}, stations=THREE, connections=[link], input_bytes=2_000_000
    )
    assert simulate(case).finish.tolist() == pytest.approx([3.0])


def test_fork_and_join():
    tasks = [
        Task("split", seconds=1.0),
        Task("left", seconds=2.0, after=["split"]),
        Task("right", seconds=5.0, after=["split"]),
        Task("join", seconds=0.5, after=["left", "right"]),
    ]
    places = {"split": "phone", "left": "edge", "right": "other", "join": "phone"}
    assert simulate(scenario(tasks, places)).finish.tolist() == [1.0 + 5.0 + 0.5]


def test_tiles_spread_over_the_least_loaded():
    tasks = [Task("tile", seconds={"edge": 1.0, "other": 2.0}, copies=6), Task("merge", seconds=0.0, after=["tile"])]
    run = simulate(scenario(tasks, {"tile": ["edge", "other"], "merge": "phone"}, stations=THREE))
    assert run.placed == {"phone": 1, "edge": 4, "other": 2} and run.finish.tolist() == [4.0]


def test_an_input_for_each_tile():
    tasks = [
        Task("tile", seconds=0.0, copies=4, input_bytes=250_000, output_bytes=500_000),
        Task("merge", seconds=0.0, after=["tile"]),
    ]
    link = Connection("wifi", ("phone", "edge"), 8e6)
    case = scenario(tasks, {"tile": "edge", "merge": "phone"}, stations=THREE, connections=[link])
    run = simulate(case)
    assert run.bytes_carried("wifi") == 4 * 250_000 + 4 * 500_000
    assert run.finish.tolist() == pytest.approx([1.0 + 2.0])


EXITS = [
    Task("first", seconds=1.0, output_bytes=1000),
    Task("second", seconds=10.0, after=["first"], probability=0.3),
    Task("third", seconds=100.0, after=["second"], probability=0.5),
]
EVERYWHERE = {"first": "phone", "second": "edge", "third": "other"}


def test_early_exits_save_what_comes_after():
    workload = Workload("app", "periodic", rate=0.01)
    case = scenario(EXITS, EVERYWHERE, stations=THREE, connections=[WIFI], workload=workload, duration=1e6)
    run = simulate(case)
    shares = np.array([run.placed[name] for name in ("phone", "edge", "other")]) / len(run.arrival)
    assert shares[0] == 1 and shares[1:] == pytest.approx([0.3, 0.15], abs=0.02)
    assert run.bytes_carried("wifi") == 1000 * run.placed["edge"]
    assert set(np.round(run.latency(), 6)) == {1.0, 11.101, 111.101}


def test_a_job_needs_nothing_if_its_first_task_is_not_needed():
    run = simulate(scenario([Task("work", seconds=1.0, probability=0.0)], {"work": "phone"}))
    assert run.finish.tolist() == [0.0] and not run.lost.any()


def poisson(rate, duration, **task):
    work = Task("work", seconds=1.0, **task)
    return scenario([work], {"work": "phone"}, workload=Workload("app", "poisson", rate=rate), duration=duration)


@pytest.mark.parametrize("slots", [1, 3])
def test_a_queue_equals_the_recursion_job_by_job(slots):
    case = changed(poisson(0.8 * slots, 2000.0, distribution="exponential"), "stations.phone.slots", slots)
    run, draws = simulate(case, seed=5), draw(case, 5)[0]
    waits = multi_server_waits(draws.arrival, draws.factor[:, 0], slots)
    np.testing.assert_allclose(run.finish, draws.arrival + waits + draws.factor[:, 0], atol=1e-9)
    if slots == 1:
        np.testing.assert_allclose(waits, lindley_waits(draws.arrival, draws.factor[:, 0]), atol=1e-9)


def test_a_shared_station_forgives_variable_work():
    """M/G/1-PS: the mean latency depends on the mean work alone, not on its distribution."""
    means = []
    for distribution in ("constant", "exponential"):
        case = changed(poisson(0.6, 20_000.0, distribution=distribution), "stations.phone.discipline", "sharing")
        means.append(simulate(case, seed=2).latency().mean())
    assert means == pytest.approx([mm1_wait(0.6, 1.0) + 1.0] * 2, rel=0.06)


def test_work_is_redone_on_another_candidate():
    failures = [Failure("edge", at=1.0)]
    tasks, places = [Task("work", seconds=3.0)], {"work": ["edge", "other"]}
    run = simulate(scenario(tasks, places, times=(0.0, 2.0), stations=THREE, failures=failures))
    assert run.finish.tolist() == [4.0, 7.0]  # redone from 1 to 4; the second job waits for it
    assert run.placed["other"] == 2 and run.utilisation("edge") == pytest.approx(1.0 / 100)


def test_without_another_candidate_the_job_is_lost_and_later_ones_are_not():
    failures = [Failure("edge", at=1.0, until=5.0)]
    run = simulate(scenario([Task("work", seconds=3.0)], {"work": "edge"}, times=(0.0, 3.0, 6.0), failures=failures))
    assert run.lost.tolist() == [True, True, False] and run.left.tolist() == [1.0, 3.0, 9.0]
    assert np.isnan(run.finish[:2]).all() and run.lost_share() == pytest.approx(2 / 3)
    assert run.latency().tolist() == [3.0]


def test_a_link_that_drops_sends_the_work_elsewhere():
    links = [Connection("left", ("phone", "edge"), 8e6), Connection("right", ("phone", "other"), 4e6)]
    case = scenario(
        [Task("work", seconds=1.0)],
        {"work": ["edge", "other"]},
        stations=THREE,
        connections=links,
        failures=[Failure("left", at=0.5)],
        input_bytes=1_000_000,
    )
    run = simulate(case)
    assert run.finish.tolist() == pytest.approx([0.5 + 2.0 + 1.0])
    assert run.usage["left"].lost_bytes == pytest.approx(500_000) and run.bytes_carried() == 1_000_000


def test_bytes_take_another_way_when_a_link_is_down():
    links = [
        Connection("direct", ("phone", "edge"), 8e6),
        Connection("up", ("phone", "other"), 8e6),
        Connection("across", ("other", "edge"), 8e6),
    ]
    case = scenario(
        [Task("work", seconds=0.0)],
        {"work": "edge"},
        times=(0.0, 10.0, 20.0),
        stations=THREE,
        connections=links,
        failures=[Failure("direct", at=5.0, until=15.0)],
        input_bytes=1_000_000,
    )
    assert simulate(case).latency().tolist() == pytest.approx([1.0, 2.0, 1.0])


def test_one_lost_tile_loses_the_job():
    tasks = [Task("tile", seconds={"edge": 1.0, "other": 1.0}, copies=2), Task("merge", seconds=1.0, after=["tile"])]
    places = {"tile": ["edge", "other"], "merge": "phone"}
    failures = [Failure("edge", at=0.5), Failure("other", at=0.6)]
    run = simulate(scenario(tasks, places, failures=failures))
    assert run.lost.tolist() == [True] and run.placed["phone"] == 0


CHAIN = [Task("first", seconds=1.0, output_bytes=8e6), Task("second", seconds=1.0, after=["first"])]


def test_data_on_a_station_that_left_are_lost_if_nobody_else_can_make_them():
    places = {"first": "edge", "second": "phone"}
    for failure in (Failure("edge", at=0.5), Failure("edge", at=1.0, until=1.5), Failure("edge", at=4.0)):
        run = simulate(scenario(CHAIN, places, stations=THREE, connections=[WIFI], failures=[failure]))
        assert run.lost.all() and run.left.tolist() == [failure.at]
    assert not simulate(scenario(CHAIN, places, stations=THREE, connections=[WIFI])).lost.any()


def test_data_on_a_station_that_left_are_made_again_elsewhere():
    places = {"first": ["edge", "other"], "second": "phone"}
    case = scenario(CHAIN, places, stations=THREE, connections=[WIFI], failures=[Failure("edge", at=4.0)])
    run = simulate(case)  # three of eight seconds of the transfer are over
    assert run.finish.tolist() == pytest.approx([4.0 + 1.0 + 8.1 + 1.0])
    assert run.placed == {"phone": 1, "edge": 1, "other": 1} and run.usage["wifi"].lost_bytes == pytest.approx(3e6)


def test_lost_data_are_made_again_once_for_all_who_need_them():
    tasks = [Task("split", seconds=1.0, output_bytes=1000), Task("tile", seconds=1.0, after=["split"], copies=4)]
    places = {"split": ["edge", "other"], "tile": "phone"}
    link = Connection("slow", ("phone", "edge", "other"), 8e3)
    run = simulate(scenario(tasks, places, stations=THREE, connections=[link], failures=[Failure("edge", at=1.5)]))
    assert run.placed == {"phone": 4, "edge": 1, "other": 1} and not run.lost.any()


def test_a_result_whose_station_left_is_made_again():
    tasks, places = [Task("work", seconds=1.0)], {"work": ["edge", "other"]}
    failures = [Failure("edge", at=1.5)]
    case = scenario(tasks, places, stations=THREE, connections=[WIFI], failures=failures, result_bytes=1_000_000)
    assert simulate(case).finish.tolist() == pytest.approx([1.5 + 1.0 + 1.1])


def test_a_receiver_that_leaves_ends_the_transfer():
    failures = [Failure("edge", at=1.0)]
    tasks, places = [Task("work", seconds=1.0)], {"work": ["edge", "other"]}
    case = scenario(tasks, places, stations=THREE, connections=[WIFI], failures=failures, input_bytes=2_000_000)
    assert simulate(case).finish.tolist() == pytest.approx([1.0 + 2.1 + 1.0])


def test_a_time_out_gives_up_and_frees_what_was_held():
    tasks = [Task("work", seconds=10.0)]
    run = simulate(scenario(tasks, {"work": "phone"}, times=(0.0, 1.0, 5.0), timeout=3.0))
    assert run.lost.all() and run.left.tolist() == [3.0, 4.0, 8.0]
    assert run.utilisation("phone") == pytest.approx((3.0 + 1.0 + 3.0) / 100)
    patient = simulate(scenario(tasks, {"work": "phone"}, times=(0.0, 1.0), timeout=30.0))
    assert patient.finish.tolist() == [10.0, 20.0]


def test_a_time_out_during_transfers_of_tiles():
    tasks = [Task("tile", seconds=1.0, copies=3, output_bytes=8e6), Task("merge", seconds=1.0, after=["tile"])]
    places = {"tile": ["edge", "other"], "merge": "phone"}
    run = simulate(scenario(tasks, places, times=(0.0, 20.0), stations=THREE, connections=[WIFI], timeout=5.0))
    assert run.lost.all() and run.left.tolist() == [5.0, 25.0]
    assert run.bytes_carried() == 0 and run.usage["wifi"].lost_bytes == pytest.approx(2 * 3.0e6, rel=0.4)


def test_a_failure_at_the_moment_of_the_time_out():
    for at in (3.0, 3.0 - 1e-12):
        run = simulate(
            scenario([Task("work", seconds=10.0)], {"work": "phone"}, failures=[Failure("phone", at)], timeout=3.0)
        )
        assert run.lost.all() and run.left.tolist() == pytest.approx([3.0])
        case = scenario(
            [Task("work", seconds=1.0)],
            {"work": "edge"},
            stations=THREE,
            connections=[WIFI],
            failures=[Failure("wifi", at), Failure("edge", at)],
            input_bytes=1e7,
            timeout=3.0,
        )
        assert simulate(case).lost.all()


def test_a_dead_link_loses_jobs_and_the_run_still_ends():
    link = Connection("cut", ("phone", "edge"), 0.0)
    run = simulate(
        scenario([Task("work", seconds=1.0)], {"work": "edge"}, stations=THREE, connections=[link], input_bytes=1)
    )
    assert run.lost.all() and np.isnan(run.percentile(50)) and run.throughput() == 0


def test_a_full_line_sends_to_the_next_candidate_or_loses():
    stations = [Station("phone", longest_line=0), Station("edge", longest_line=0)]
    tasks = [Task("work", seconds=1.0)]
    run = simulate(scenario(tasks, {"work": ["phone", "edge"]}, times=(0.0, 0.1, 0.2), stations=stations))
    assert run.lost.tolist() == [False, False, True] and run.placed == {"phone": 1, "edge": 1}


def test_energy_and_utilisation_leave_the_warm_up_out():
    station = Station("phone", busy_power=5.0, idle_power=1.0)
    case = scenario(
        [Task("work", seconds=2.0)],
        {"work": "phone"},
        times=(0.0, 12.0),
        stations=[station],
        duration=20.0,
        warm_up=10.0,
    )
    run = simulate(case)
    assert run.utilisation("phone") == 0.2 and run.energy("phone") == 2 * 5.0 + 8 * 1.0
    assert run.energy() == 18.0 and run.latency().size == 1 and run.throughput() == 0.1


def test_unknown_power_is_not_zero():
    run = simulate(scenario([Task("work", seconds=2.0)], {"work": "phone"}))
    assert np.isnan(run.energy("phone")) and run.energy() == 0.0
    with pytest.raises(KeyError, match="no station or connection 'mars' in this run: there are phone"):
        run.utilisation("mars")


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 999),
    rate=st.floats(0.5, 4.0),
    copies=st.integers(1, 4),
    timeout=st.one_of(st.none(), st.floats(0.5, 3.0)),
    failures=st.lists(
        st.tuples(st.sampled_from(["edge", "other", "wifi"]), st.floats(0, 18), st.floats(0.1, 9)), max_size=3
    ),
)
def test_the_books_balance_whatever_happens(seed, rate, copies, timeout, failures):
    tasks = [
        Task("first", seconds=0.1, output_bytes=20_000, distribution="exponential"),
        Task("tile", seconds=0.3, after=["first"], copies=copies, output_bytes=30_000, probability=0.8),
        Task("merge", seconds=0.1, after=["first", "tile"]),
    ]
    case = scenario(
        tasks,
        {"first": "phone", "tile": ["edge", "other"], "merge": ["phone", "edge"]},
        stations=THREE,
        connections=[WIFI],
        failures=[Failure(what, at, at + away) for what, at, away in failures],
        workload=Workload("app", "poisson", rate=rate),
        duration=20.0,
        input_bytes=10_000,
        result_bytes=100,
        **({"timeout": timeout} if timeout else {}),
    )
    run, again = simulate(case, seed), simulate(case, seed)
    assert run.left.tobytes() == again.left.tobytes() and run.usage == again.usage
    mean, product = run.little()
    assert mean == pytest.approx(product, rel=1e-9, abs=1e-9)
    assert np.all(run.left >= run.arrival) and np.array_equal(np.isnan(run.finish), run.lost)
    assert all(-1e-9 <= each.utilisation <= 1 + 1e-9 for each in run.usage.values())
    if timeout:
        assert np.all(run.left - run.arrival <= timeout + 1e-9)
    if not failures and not timeout:
        assert not run.lost.any() and run.usage["wifi"].lost_bytes == 0


def test_same_jobs_wherever_they_run_and_in_whatever_order_things_are_written():
    def build(order):
        names = ("a", "b")[::order]
        return Scenario(
            "two",
            [Station("phone"), Station("edge")][::order],
            [Connection("wifi", ("phone", "edge"), 8e6)],
            [
                Application(
                    name, "phone", [Task("w", seconds=0.1, distribution="exponential")], {"w": ["phone", "edge"]}
                )
                for name in names
            ],
            [Workload(name, "poisson", rate=2.0) for name in names],
        )

    first, second = simulate(build(1), 4), simulate(build(-1), 4)
    assert first.left.tobytes() == second.left.tobytes()
    at_once = [
        changed(changed(build(order), "workloads.a.kind", "periodic"), "workloads.b.kind", "periodic")
        for order in (1, -1)
    ]
    assert simulate(at_once[0], 4).left.tobytes() == simulate(at_once[1], 4).left.tobytes()
    home = changed(build(1), "applications.a.placement", {"w": "phone"})
    assert np.array_equal(draw(home, 4)[0].arrival, draw(build(1), 4)[0].arrival)
    assert not np.array_equal(first.arrival[:10], simulate(build(1), 5).arrival[:10])


@pytest.mark.parametrize(("kind", "expected"), [("periodic", [2.0, 2.5, 3.0, 3.5]), ("recorded", [2.0, 3.5])])
def test_arrivals(kind, expected):
    options = {"rate": 2.0} if kind == "periodic" else {"times": (0.0, 2.0, 3.5, 4.0)}
    workload = Workload("app", kind, start=2.0, end=4.0, **options)
    assert simulate(scenario([Task("w", seconds=0.0)], {"w": "phone"}, workload=workload)).arrival.tolist() == expected


def test_poisson_arrivals_have_their_rate():
    run = simulate(poisson(5.0, 2000.0))
    gaps = np.diff(run.arrival)
    assert len(run.arrival) == pytest.approx(10_000, abs=500)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.03) and run.arrival.max() < 2000


def test_what_is_drawn_for_a_job_is_independent():
    tasks = [Task("a", seconds=1.0, distribution="exponential"), Task("b", seconds=1.0, after=["a"], probability=0.5)]
    workload = Workload("app", "poisson", rate=1.0)
    draws = draw(scenario(tasks, {"a": "phone", "b": "phone"}, workload=workload, duration=20_000.0), 3)[0]
    gaps, work, needed = np.diff(draws.arrival), draws.factor[1:, 0], draws.needed[1:, 1]
    drawn = np.corrcoef([gaps, work, needed]) - np.eye(3)
    assert np.abs(drawn).max() < 0.03 and np.abs(np.corrcoef(gaps[1:], work[:-1])[0, 1]) < 0.03
    assert work.mean() == pytest.approx(1.0, rel=0.03) and needed.mean() == pytest.approx(0.5, abs=0.02)


def test_percentiles_and_summary():
    run = simulate(scenario([Task("w", seconds=1.0)], {"w": "phone"}, times=(0.0, 0.0, 0.0)))
    assert run.percentile(50) == 2.0 and run.percentile([0, 100]).tolist() == [1.0, 3.0]
    summary = run.summary()
    assert summary["median latency (ms)"] == 2000.0 and summary["mean in system"] == summary["rate x mean stay"] == 2.0
    assert run.latency("app").size == 3 and run.latency("other").size == 0
