"""Thieves, sources and the gateway: nothing lost, nothing twice, nothing moved without need; sharing as its rival."""

from dataclasses import replace

import numpy as np
import pytest

from edgedl_lib.inference.tiles.geometry import tile_mac, tile_regions
from edgedl_lib.inference.tiles.reuse_plan import checkerboard_plan, plan_mac
from edgedl_lib.inference.tiles.stages import tile_stages
from edgedl_lib.nets.zoo.yolo import yolov2_prefix
from edgedl_lib.offloading.horizontal.deepthings import study
from edgedl_lib.offloading.horizontal.deepthings.cluster import ClusterSetting
from edgedl_lib.offloading.horizontal.deepthings.gateway import Frame, Gateway, Job
from edgedl_lib.offloading.horizontal.deepthings.sharing import run_alone, run_sharing
from edgedl_lib.offloading.horizontal.deepthings.stealing import run_stealing
from edgedl_lib.offloading.horizontal.deepthings.tasks import TileTask, frame_tasks

FREE = ClusterSetting(rate=1e15, latency=0.0)


def plain_task(row, column=0, mac=1_300_000_000, size=100_000):
    """A task of one second that shares nothing."""
    return TileTask((row, column), mac, size, mac, size, 10_000, 0, 0, ())


TEN = tuple(plain_task(row) for row in range(10))


def test_the_tasks_of_a_frame_add_up_to_the_geometry():
    stages = tile_stages(yolov2_prefix())
    tasks = frame_tasks(stages, (5, 5))
    assert sum(task.mac for task in tasks) == sum(tile_mac(stages, tile) for tile in tile_regions(stages, (5, 5)))
    assert sum(task.shared_mac for task in tasks) == plan_mac(stages, checkerboard_plan(stages, (5, 5)))
    assert sum(task.given_bytes for task in tasks) == sum(task.received_bytes for task in tasks) > 0
    first = [task for task in tasks if not task.donors]
    assert tasks[: len(first)] == tuple(first), "tiles that share nothing go first"
    assert all(task.shared_mac == task.mac and task.received_bytes == 0 for task in first)
    assert all(task.shared_mac < task.mac for task in tasks[len(first) :])


def test_one_device_works_through_its_queue():
    run = run_stealing(TEN, {0: (0.0,)}, ClusterSetting(devices=1))
    assert run.latency[0] == pytest.approx(10, abs=0.1)
    assert run.executed.tolist() == [10] and run.moved == 0
    messages = 4  # registration, cancellation, and while the last result travels a question for work and its answer
    assert run.carried_bytes == 10 * 10_000 + messages * 64


def test_free_transfers_divide_the_work_evenly():
    run = run_stealing(TEN, {0: (0.0,)}, replace(FREE, devices=5))
    assert run.latency[0] == pytest.approx(2, abs=0.2)
    assert run.executed.tolist() == [2] * 5


@pytest.mark.parametrize("devices", range(1, 7))
def test_every_task_is_done_once(devices):
    run = run_stealing(study.tasks(), {0: (0.0, 1.0)}, replace(study.SETTING, devices=devices))
    assert run.done.all() and run.executed.sum() == 50 and run.duplicates == 0
    assert np.all(run.busy > 0)


def test_more_devices_never_slow_a_frame_down():
    assert np.all(np.diff(study.speed_ups(range(1, 7))) > 0)


def test_a_device_asks_again_after_the_retry_time():
    slow, quick = (
        run_stealing(TEN, {0: (5.0,)}, replace(FREE, devices=2, retry=retry)).latency[0] for retry in (2.0, 0.1)
    )
    assert quick == pytest.approx(5, abs=0.2) and quick < slow <= 7.0


def test_the_head_of_the_queue_is_stolen():
    long_first = (plain_task(0, mac=13_000_000_000), *(plain_task(row) for row in range(1, 4)))
    run = run_stealing(long_first, {0: (0.0,)}, replace(FREE, devices=2))
    assert run.executed.tolist() == [1, 3], "the source holds the long task, the thief takes the others in order"
    assert run.latency[0] == pytest.approx(10, abs=0.2)


def test_the_gateway_goes_round_and_never_names_the_thief():
    gateway = Gateway([], tiles=1)
    for source in (2, 0, 1, 2):
        gateway.register(source)
    assert [gateway.next_victim(5) for _ in range(4)] == [2, 0, 1, 2]
    assert gateway.next_victim(0) == 1
    gateway.cancel(1)
    gateway.cancel(1)
    assert {gateway.next_victim(2) for _ in range(3)} == {0}
    gateway.cancel(2)
    assert gateway.next_victim(0) is None


def test_a_second_result_is_thrown_away():
    frame = Frame(0, 0.0)
    gateway = Gateway([frame], tiles=2)
    jobs = [Job(frame, plain_task(row)) for row in range(2)]
    assert gateway.accept(jobs[0], 1.0) and not gateway.accept(jobs[0], 2.0)
    assert frame.finish is None and gateway.duplicates == 1
    assert gateway.accept(jobs[1], 3.0) and frame.finish == 3.0 and gateway.is_done


def test_all_devices_sources_leaves_nothing_to_steal():
    run = run_stealing(TEN, {device: (0.0,) for device in range(4)}, replace(study.SETTING, devices=4))
    assert run.moved == 0 and run.executed.tolist() == [10] * 4


def test_unequal_sources_are_helped():
    streams = {0: (0.0,) * 3, 1: (0.0,)}
    setting = replace(study.SETTING, devices=2)
    run, alone = (method(TEN, streams, setting) for method in (run_stealing, run_alone))
    assert run.moved > 0 and run.makespan < alone.makespan
    assert alone.moved == 0 and alone.executed.tolist() == [30, 10]


def test_sharing_deals_tasks_out_in_turn_and_through_the_gateway_twice():
    setting = replace(study.SETTING, devices=5)
    twice, once = (run_sharing(TEN, {0: (0.0,)}, setting, through_gateway=through) for through in (True, False))
    assert twice.executed.tolist() == once.executed.tolist() == [2] * 5
    assert twice.carried_bytes - once.carried_bytes == 8 * 100_000


def test_reuse_saves_work_when_neighbours_are_ready_and_only_then():
    plain, shared = (study.frame_seconds(1, reuse=reuse) for reuse in (False, True))
    assert shared < 0.7 * plain
    setting = replace(FREE, devices=6)
    run = run_stealing(study.tasks(), {0: (0.0,)}, setting, reuse=True)
    assert 0 < run.shared <= 12
    nobody = tuple(replace(task, donors=(*task.donors, (9, 9))) if task.donors else task for task in study.tasks())
    assert run_stealing(nobody, {0: (0.0,)}, setting, reuse=True).shared == 0


@pytest.mark.parametrize("time", [0.5, 2.2, 4.9])
@pytest.mark.parametrize("thief", [1, 5])
def test_a_thief_that_leaves_costs_its_own_task_at_most(time, thief):
    run = run_stealing(study.tasks(), {0: (0.0,)}, study.SETTING, departures={thief: time})
    assert run.done.all() and run.taken_back <= 1 and run.duplicates == 0
    assert run.executed.sum() == 25


def test_all_thieves_may_leave():
    departures = {thief: 1.0 + thief / 10 for thief in range(1, 6)}
    run = run_stealing(study.tasks(), {0: (0.0,)}, study.SETTING, departures=departures)
    assert run.done.all() and run.taken_back <= 5 and run.executed.sum() == 25


def test_a_source_that_leaves_takes_its_frames_with_it_and_nobody_elses():
    run = run_stealing(study.tasks(), {0: (0.0,), 1: (0.0,) * 2}, study.SETTING, departures={0: 1.0})
    assert run.done.tolist() == [False, True, True]
    assert np.isinf(run.latency[0])


def test_an_impatient_source_computes_twice_but_counts_once():
    run = run_stealing(TEN, {0: (0.0,)}, replace(study.SETTING, devices=3, patience=0.5))
    assert run.done.all() and run.taken_back > 0 and run.duplicates > 0


def test_static_sharing_loses_the_frame_of_a_device_that_leaves():
    run = run_sharing(TEN, {0: (0.0,)}, replace(study.SETTING, devices=3), departures={2: 1.0})
    assert not run.done.any()


def test_the_table_and_the_dynamic_load():
    assert max(study.deviations(study.grid_table()).values()) < 1e-3
    first, again = (study.dynamic_streams(3) for _ in range(2))
    assert first == again != study.dynamic_streams(4)
    run = run_stealing(study.tasks(), first, study.SETTING)
    assert run.done.all() and run.executed.sum() == 25 * len(run.source)


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        ClusterSetting(devices=0)
    with pytest.raises(ValueError, match="rate is nan"):
        ClusterSetting(rate=float("nan"))
    with pytest.raises(ValueError, match="device 7 is unknown"):
        run_stealing(TEN, {7: (0.0,)}, study.SETTING)
    with pytest.raises(ValueError, match="no frames"):
        run_stealing(TEN, {0: ()}, study.SETTING)
    with pytest.raises(ValueError, match="rising"):
        run_stealing(TEN, {0: (2.0, 1.0)}, study.SETTING)
