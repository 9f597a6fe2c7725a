"""Processors and channels: known answers, the recursions, processor sharing in small steps, failures, accounts."""

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.system.queueing import multi_server_waits
from edgedl_lib.system.simulator import Channel, DeviceLeft, LineFull, LinkDown, Processor
from edgedl_lib.system.specification import MissingSpecification
from edgedl_lib.system.trace import Trace

gaps = st.lists(st.floats(0, 5), min_size=1, max_size=25)


def served(processor, environment, arrivals, seconds):
    """Services of jobs in order of arrival."""
    done = []

    def source():
        for time, work in zip(arrivals, seconds, strict=True):
            yield environment.timeout(max(time - environment.now, 0.0))
            done.append(processor.execute(seconds=work))

    environment.process(source())
    environment.run()
    return [work.value for work in done]


def small_steps(arrivals, seconds, slots, step=1e-3):
    """Departure times under processor sharing, by brute force."""
    left, finish, now = np.array(seconds, dtype=float), np.full(len(seconds), np.nan), 0.0
    while np.isnan(finish).any():
        here = (np.array(arrivals) <= now) & np.isnan(finish)
        left[here] -= step * min(1.0, slots / max(here.sum(), 1))
        now += step
        finish[here & (left <= 0)] = now
    return finish


@settings(deadline=None)
@given(gaps=gaps, seed=st.integers(0, 99), slots=st.integers(1, 4))
def test_first_come_equals_the_recursion(gaps, seed, slots):
    arrivals, seconds = np.cumsum(gaps), np.random.default_rng(seed).exponential(2, len(gaps))
    environment = simpy.Environment()
    services = served(Processor(environment, "board", slots=slots), environment, arrivals, seconds)
    expected = multi_server_waits(arrivals, seconds, slots)
    np.testing.assert_allclose([service.wait for service in services], expected, atol=1e-9)


@pytest.mark.parametrize("slots", [1, 2])
def test_sharing_equals_small_steps(slots):
    generator = np.random.default_rng(3)
    arrivals, seconds = np.cumsum(generator.exponential(0.5, 12)), generator.exponential(0.6, 12)
    environment = simpy.Environment()
    board = Processor(environment, "board", slots=slots, discipline="sharing")
    services = served(board, environment, arrivals, seconds)
    np.testing.assert_allclose(
        [service.finish for service in services], small_steps(arrivals, seconds, slots), atol=0.03
    )
    assert board.busy_seconds == pytest.approx(seconds.sum(), rel=1e-9)


def test_sharing_of_equal_jobs_is_exact():
    environment = simpy.Environment()
    board = Processor(environment, "board", discipline="sharing")
    services = served(board, environment, [0, 0, 1], [1.0, 1.0, 1.0])
    # two share until the third comes at 1 with 0.5 s left each; three share until 2.5; then the third is alone
    assert [service.finish for service in services] == pytest.approx([2.5, 2.5, 3.0])


@settings(deadline=None)
@given(gaps=gaps, seed=st.integers(0, 99), slots=st.integers(1, 3))
def test_sharing_finishes_all_work_and_is_never_idle_before(gaps, seed, slots):
    arrivals, seconds = np.cumsum(gaps), np.random.default_rng(seed).exponential(2, len(gaps))
    environment = simpy.Environment()
    board = Processor(environment, "board", slots=slots, discipline="sharing")
    services = served(board, environment, arrivals, seconds)
    assert board.present == 0
    assert board.busy_seconds == pytest.approx(seconds.sum(), rel=1e-9)
    for service, work in zip(services, seconds, strict=True):
        assert service.latency >= work - 1e-9


def test_work_in_flop():
    environment = simpy.Environment()
    board = Processor(environment, "board", flop_per_s=2e9)
    assert environment.run(board.execute(flop=1e9)).finish == 0.5


def test_energy_is_linear_in_the_slots_in_use_and_an_absent_device_draws_nothing():
    environment = simpy.Environment()
    board = Processor(environment, "board", slots=2, busy_power=9.0, idle_power=1.0)
    board.execute(seconds=4.0)
    environment.run(until=10)
    assert board.utilisation() == 0.2 and board.energy() == 10 * 1.0 + 4 * (9 - 1) / 2
    board.fail()
    environment.run(until=15)
    board.restore()
    environment.run(until=16)
    assert board.energy() == 11 * 1.0 + 4 * (9 - 1) / 2


def test_busy_time_counts_unfinished_work():
    environment = simpy.Environment()
    boards = [Processor(environment, name, discipline=name) for name in ("fifo", "sharing")]
    for board in boards:
        board.execute(seconds=10.0)
    environment.run(until=4)
    assert [board.busy_seconds for board in boards] == [4.0, 4.0]


@pytest.mark.parametrize("discipline", ["fifo", "sharing"])
def test_a_device_that_leaves_ends_all_its_work(discipline):
    environment = simpy.Environment()
    board = Processor(environment, "board", discipline=discipline)
    ends = []

    def client(number):
        try:
            yield board.execute(seconds=2.0)
        except DeviceLeft as error:
            ends.append((number, environment.now, error.name))

    for number in range(3):
        environment.process(client(number))
    environment.run(until=1)
    board.fail()
    environment.process(client(3))  # asks while the device is away
    environment.run(until=1.5)
    board.restore()
    later = board.execute(seconds=0.5)
    environment.run()
    assert ends == [(number, 1, "board") for number in range(4)]
    assert later.value.finish == 2.0 and board.busy_seconds == 1.5


def test_nobody_waiting_for_lost_work_is_an_error():
    environment = simpy.Environment()
    board = Processor(environment, "board")
    board.execute(seconds=2.0)
    environment.run(until=1)
    board.fail()
    with pytest.raises(DeviceLeft, match="'board' left"):
        environment.run()


def test_a_full_line_refuses():
    environment = simpy.Environment()
    board = Processor(environment, "board", longest_line=1)
    board.execute(seconds=1.0), board.execute(seconds=1.0)
    with pytest.raises(LineFull, match="no room"):
        environment.run(board.execute(seconds=1.0))


@pytest.mark.parametrize("discipline", ["fifo", "sharing"])
def test_cancelled_work_makes_room(discipline):
    environment = simpy.Environment()
    board = Processor(environment, "board", discipline=discipline)
    first, second = board.execute(seconds=5.0), board.execute(seconds=1.0)
    environment.run(until=1)
    board.cancel(first)
    environment.run()
    assert not first.triggered
    assert second.value.finish == {"fifo": 2.0, "sharing": 1.5}[discipline]


def test_waiting_work_can_be_cancelled_too():
    environment = simpy.Environment()
    board = Processor(environment, "board")
    first, second, third = (board.execute(seconds=1.0) for _ in range(3))
    board.cancel(second)
    environment.run()
    board.cancel(first)  # done: nothing to take back
    assert (first.value.finish, third.value.finish, second.triggered) == (1.0, 2.0, False)


@pytest.mark.parametrize("rate", [8e6, Trace("constant", [0.0, 0.5, 7.0], [8e6, 8e6, 8e6])])
def test_channel(rate):
    environment = simpy.Environment()
    radio = Channel(environment, "radio", rate, latency=0.25, energy_per_bit=1e-6)
    first, second = radio.send(1_000_000), radio.send(500_000)
    environment.run()
    assert (first.value.finish, second.value.start, second.value.finish) == pytest.approx((1.25, 1.0, 1.75))
    assert radio.bytes_carried == 1_500_000 and radio.energy() == pytest.approx(12.0)
    assert radio.busy_seconds == pytest.approx(1.5)  # the latency occupies nobody


@pytest.mark.parametrize("rate", [8e6, Trace("constant", [0.0, 0.5, 7.0], [8e6, 8e6, 8e6])])
def test_contention_halves_the_rate(rate):
    environment = simpy.Environment()
    air = Channel(environment, "air", rate, discipline="sharing")
    names = {"camera": air, "phone": air}
    transfers = [channel.send(1_000_000) for channel in names.values()]
    environment.run()
    assert [work.value.finish for work in transfers] == pytest.approx([2.0, 2.0])


def test_shared_channel_follows_a_trace():
    environment = simpy.Environment()
    air = Channel(environment, "air", Trace("step", [0, 1], [8e6, 4e6]), discipline="sharing")
    first, second = air.send(1_000_000), air.send(500_000)
    environment.run()
    # 0.5 MB each in the first second: the second is done; the rest of the first at 0.5 MB/s alone
    assert (second.value.finish, first.value.finish) == pytest.approx((1.0, 2.0))


def test_a_dead_channel_waits_for_ever_and_the_simulation_still_ends():
    environment = simpy.Environment()
    work = Channel(environment, "cut", 0.0).send(1)
    gone = Channel(environment, "gone", Trace("gone", [0, 1], [8.0, 0.0])).send(2)
    environment.run()
    assert not work.triggered and not gone.triggered and environment.now == 0


@pytest.mark.parametrize("discipline", ["fifo", "sharing"])
def test_a_link_that_drops_counts_what_it_lost(discipline):
    environment = simpy.Environment()
    radio = Channel(environment, "radio", 8e6, discipline=discipline, energy_per_bit=1e-6)
    ends = []

    def client():
        try:
            yield radio.send(2_000_000)
        except LinkDown:
            ends.append(environment.now)
        yield environment.timeout(1.0)
        ends.append((yield radio.send(1_000_000)).finish)

    environment.process(client())
    environment.run(until=1)
    radio.fail(), radio.fail()
    environment.run(until=1.5)
    radio.restore()
    environment.run()
    assert ends == [1, 3.0]
    assert radio.bytes_carried == 1_000_000 and radio.bytes_lost == pytest.approx(1_000_000)
    assert radio.energy() == pytest.approx(16.0)


def test_bytes_on_their_way_arrive_although_the_link_drops():
    environment = simpy.Environment()
    space = Channel(environment, "space", 8e6, latency=10.0)
    work = space.send(1_000_000)
    environment.run(until=2)
    space.fail()
    space.cancel(work)  # sent already: it arrives
    environment.run()
    assert work.value.finish == 11.0


@pytest.mark.parametrize("discipline", ["fifo", "sharing"])
def test_nothing_to_do_and_a_free_link_take_no_time(discipline):
    environment = simpy.Environment()
    board = Processor(environment, "board", discipline=discipline)
    free = Channel(environment, "free", float("inf"), discipline=discipline)
    works = [board.execute(seconds=0.0), free.send(10**9), free.send(0)]
    environment.run()
    assert [work.value.finish for work in works] == [0, 0, 0]
    assert board.utilisation() == 0.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda e: Processor(e, "b", discipline="lifo"),
            ValueError,
            r"discipline 'lifo' of 'b' is unknown: use one of",
        ),
        (lambda e: Processor(e, "b", slots=0), ValueError, "slots of 'b' must be a whole number of at least 1, not 0"),
        (lambda e: Processor(e, "b", flop_per_s=-1.0), ValueError, "flop_per_s of 'b' must be a positive"),
        (lambda e: Processor(e, "b").execute(seconds=-1.0), ValueError, "finite number of seconds, zero or more"),
        (lambda e: Processor(e, "b").execute(seconds=float("nan")), ValueError, "not nan"),
        (lambda e: Processor(e, "b").execute(), ValueError, "pass one of the two"),
        (lambda e: Processor(e, "b").execute(flop=1.0), MissingSpecification, "speed of 'b' is unknown"),
        (lambda e: Processor(e, "b", busy_power=1.0).energy(), MissingSpecification, "idle_power of 'b' is unknown"),
        (lambda e: Channel(e, "l", -1.0), ValueError, "rate of 'l' must be zero or more bit/s, not -1.0"),
        (lambda e: Channel(e, "l", float("nan")), ValueError, "not nan"),
        (lambda e: Channel(e, "l", 1.0, latency=-1.0), ValueError, "latency of 'l' must be a finite number"),
        (lambda e: Channel(e, "l", 1.0).send(float("inf")), ValueError, "finite size"),
        (lambda e: Channel(e, "l", 1.0, energy_per_bit=None).energy(), MissingSpecification, "energy_per_bit of 'l'"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call(simpy.Environment())
