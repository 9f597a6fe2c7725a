"""Stations in a row compute what the whole network computes, take the time that the simulator says, and name faults."""

import time

import numpy as np
import pytest

from edgedl_lib.inference.split.pace import at_pace_of
from edgedl_lib.inference.split.wire import frame_bytes
from edgedl_lib.offloading.cluster import Chain, Setup, Station, Task, WorkerRefused, Workers
from edgedl_lib.offloading.cluster.programs import Layers, Tiles
from edgedl_lib.offloading.cluster.simulated import batch_run, chain_latency, relative

INFINITE = float("inf")
IMAGE = np.random.default_rng(5).integers(0, 256, (1, 1, 28, 28), dtype=np.uint8)
WHOLE = Layers("lenet5")(0, IMAGE)


def station(name, begin, end, slowdown=1.0):
    return Station(name, Setup("layers", {"network": "lenet5", "begin": begin, "end": end}, slowdown))


@pytest.fixture(scope="module")
def three():
    stations = (station("end", 0, 2, 4.0), station("edge", 2, 4, 2.0), station("cloud", 4, 8))
    with Chain(stations, (INFINITE, 20e6, 10e6)) as chain:
        yield chain


def test_three_stations_answer_bit_for_bit_as_one_process(three):
    for _ in range(2):
        assert three.ask(IMAGE).output.tobytes() == WHOLE.tobytes()


def test_parts_add_up_to_the_latency(three):
    result = three.ask(IMAGE)
    assert result.compute.shape == result.transfer.shape == (3,)
    assert (result.compute > 0).all() and (result.transfer > 0).all()
    assert result.compute.sum() + result.transfer.sum() <= result.seconds
    assert result.seconds < result.compute.sum() + result.transfer.sum() + 0.1


def test_links_may_change_while_the_networks_stay(three):
    sent = frame_bytes((1, 20, 12, 12), np.float32)
    for rate in (1e6, 2e6):
        three.set_rates((INFINITE, rate, 10e6))
        transfer = np.median([three.ask(IMAGE).transfer[1] for _ in range(3)])
        assert transfer == pytest.approx(8 * sent / rate, rel=0.15)


def test_a_station_that_dies_is_named():
    stations = (station("end", 0, 4), station("cloud", 4, 8))
    with Chain(stations, (INFINITE, INFINITE)) as chain:
        assert chain.ask(IMAGE).output.shape == (1, 10)
        chain.processes["cloud"].kill()
        with pytest.raises(WorkerRefused, match="cloud does not answer"):
            chain.ask(IMAGE)
        chain.processes["end"].kill()
        with pytest.raises(OSError):
            chain.ask(IMAGE)


def test_a_silent_station_ends_in_a_time_out(three):
    three.processes["end"].pause()
    with pytest.raises(TimeoutError):
        three.ask(IMAGE, patience=0.3)
    three.processes["end"].resume()
    assert three.ask(IMAGE).output.tobytes() == WHOLE.tobytes()  # and not a late answer's place


def test_a_query_that_does_not_fit_is_refused(three):
    with pytest.raises(WorkerRefused, match="needs shape"):
        three.ask(IMAGE[..., :5])


def test_a_chain_needs_a_link_into_each_station():
    with pytest.raises(ValueError, match="1 stations do not fit 2 links"):
        Chain([station("end", 0, 8)], (1e6, 1e6))


@pytest.mark.parametrize("grid", [(1, 1), (2, 3), (5, 5)])
def test_tiles_on_workers_give_the_untiled_map(grid):
    program, image = Tiles("tile-net", grid), Layers("tile-net").example()
    whole = Layers("tile-net")(0, image)
    tasks = [Task(n, crop, program.output_shape(n)) for n, crop in enumerate(program.crops(image))]
    with Workers(2, Setup("tiles", {"network": "tile-net", "grid": grid})) as workers:
        batch = workers.run(tasks)
    assert np.abs(program.merged(batch.in_order()) - whole).max() <= 1e-6 * np.abs(whole).max()


def test_a_tile_beyond_the_grid_is_refused():
    with pytest.raises(ValueError, match="tile 4 does not exist; the grid has 4"):
        Tiles("tile-net", (2, 2))(4, np.zeros((1, 3, 67, 67), np.uint8))


def test_a_simulated_chain_is_the_sum_of_its_parts():
    assert chain_latency([0.1, 0.2, 0.3], [1e3, 2e3, 3e3], [INFINITE, 8e5, 8e6], 0.001) == pytest.approx(
        0.6 + 0.02 + 0.003 + 0.003
    )


def test_simulated_workers_take_turns_and_overlap():
    seconds = [batch_run([0.2] * 6, [1e4] * 6, [5e3] * 6, 8e5, workers).seconds for workers in (1, 2, 3, 6, 9)]
    one = 0.2 + 0.1 + 0.05
    assert seconds == pytest.approx([6 * one, 3 * one, 2 * one, one, one])


def test_a_simulated_worker_that_leaves_costs_its_own_task():
    batch = batch_run([1.0] * 4, [0] * 4, [0] * 4, 8e6, 2, leaves={"worker 2": 1.5})
    assert len(batch.attempts) == 5 and [loss.task for loss in batch.losses] == [3]
    assert batch.seconds == pytest.approx(3.0)
    assert batch_run([1.0] * 2, [0] * 2, [0] * 2, 8e6, 2, leaves={"worker 2": 0.5}).seconds == pytest.approx(2.0)


def test_the_worst_ratio_counts_in_either_direction():
    assert relative(np.array([1.0, 1.3, 0.9]), np.ones(3)) == pytest.approx(1.3)
    assert relative(np.array([1.0, 1.3, 0.5]), np.ones(3)) == pytest.approx(0.5)


def test_a_slow_device_makes_up_for_what_other_programs_took():
    def interrupted():
        until = time.thread_time() + 0.01
        while time.thread_time() < until:
            pass
        time.sleep(0.03)  # as if another program ran

    def seconds(slowdown):
        begun = time.perf_counter()
        _, busy = at_pace_of(slowdown, interrupted, make_up=True)
        return time.perf_counter() - begun, busy

    taken, busy = seconds(20.0)
    assert taken == pytest.approx(20 * busy, rel=0.05)
    taken, busy = seconds(1.0)  # no rest to take it from
    assert taken > 0.035
