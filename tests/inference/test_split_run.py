"""A network in two processes: same answer as in one, and a clear way out when the other side fails."""

import os
import re
import signal
import socket
import threading
import time

import numpy as np
import pytest

from edgedl_lib.inference.split import (
    ChainNetwork,
    ServerProcess,
    ServerStartError,
    SplitRunner,
    graph_by_name,
    measure_overhead,
    random_image,
    sent_bytes,
    sweep_cuts,
    wire,
)
from edgedl_lib.inference.split.profile import profile_cold
from edgedl_lib.inference.split.server import answer
from edgedl_lib.inference.split.wire import Kind, Message
from edgedl_lib.nets.graph import UnknownName
from edgedl_lib.system.trace import Trace

MODEL = "lenet5"
FAST = 200e6
LENET = ChainNetwork(graph_by_name(MODEL))
LAST = LENET.layer_count
IMAGE = random_image(LENET.graph, seed=3)
WHOLE = LENET.run(IMAGE, 0, LAST)


@pytest.fixture(scope="module")
def server():
    with ServerProcess(MODEL) as process:
        yield process


@pytest.fixture
def runner(server):
    with SplitRunner(MODEL, FAST, address=server.address, timeout=5.0) as runner:
        yield runner


class FakeServer:
    """Accepts one connection, reads one request and does with it what the test says."""

    def __init__(self, react):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.thread = threading.Thread(target=self._serve, args=(react,), daemon=True)
        self.thread.start()

    def _serve(self, react):
        connection, _ = self.listener.accept()
        with connection:
            react(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.thread.join(timeout=5)


def replying(data):
    def react(connection):
        wire.receive(connection)
        connection.sendall(data)

    return react


def result_of(tensor):
    return wire.encode(Message(Kind.RESULT, 1e-3, tensor))


@pytest.mark.parametrize("cut", range(LAST + 1))
def test_the_split_answers_bit_for_bit_as_the_whole_network(runner, cut):
    result = runner.run(IMAGE, cut)
    assert not result.fell_back, result.reason
    assert result.output.tobytes() == WHOLE.tobytes()


@pytest.mark.parametrize("cut", [0, 1, 4])
def test_the_input_may_be_float_too(runner, cut):
    result = runner.run(IMAGE.astype(np.float32) / 255, cut)
    assert result.output.tobytes() == WHOLE.tobytes()


def test_parts_add_up_to_the_whole(runner):
    result = runner.run(IMAGE, 3)
    parts = result.device_seconds + result.transfer_seconds + result.server_seconds
    assert parts == pytest.approx(result.total_seconds, rel=1e-6)
    assert min(result.device_seconds, result.transfer_seconds, result.server_seconds) > 0


def test_the_last_cut_needs_no_server():
    with SplitRunner(MODEL, 0.0, address=("127.0.0.1", 1)) as runner:
        result = runner.run(IMAGE, LAST)
    assert not result.fell_back and result.transfer_seconds == 0
    np.testing.assert_array_equal(result.output, WHOLE)


def test_a_link_at_half_the_rate_takes_twice_as_long(server):
    seconds = []
    for rate in (2e6, 1e6):
        with SplitRunner(MODEL, rate, address=server.address) as runner:
            seconds.append(np.median([runner.run(IMAGE, 1).transfer_seconds for _ in range(3)]))
    assert seconds[1] / seconds[0] == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("slowdown", [1.0, 4.0])
def test_a_slower_device_rests_for_as_long_as_its_factor_says(monkeypatch, slowdown):
    working = []

    def work_for_a_while(values, begin, end):
        begun, until = time.perf_counter(), time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        working.append(time.perf_counter() - begun)
        return values

    with SplitRunner(MODEL, FAST, address=("127.0.0.1", 1), device_slowdown=slowdown) as runner:
        monkeypatch.setattr(runner.network, "run", work_for_a_while)
        seconds = np.array([runner.run(IMAGE, LAST).device_seconds for _ in range(9)])
    assert (seconds - working).min() == pytest.approx(0.02 * (slowdown - 1), rel=0.1, abs=5e-3)


def falls_back_in_time(runner, cut=2, seconds=0.5):
    """Run one query against a broken peer: right answer, and no later than the timeout allows."""
    begun = time.perf_counter()
    result = runner.run(IMAGE, cut)
    assert result.fell_back
    np.testing.assert_array_equal(result.output, WHOLE)
    assert time.perf_counter() - begun < seconds + 1.0
    assert result.total_seconds >= result.device_seconds + result.transfer_seconds - 1e-6
    return result


@pytest.mark.parametrize(
    ("react", "complaint"),
    [
        (replying(b""), "closed the connection"),
        (replying(result_of(WHOLE)[:40]), "ended inside a frame"),
        (replying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "does not speak this protocol"),
        (replying(result_of(WHOLE[:, :3])), r"result is float32 \(1, 3\)"),
        (replying(result_of(WHOLE.astype(np.float64))), "result is float64"),
        (replying(wire.encode(Message(Kind.PONG, 0, WHOLE))), "answered PONG"),
        (replying(wire.encode(wire.error_message("out of memory"))), "refused: out of memory"),
        (lambda connection: time.sleep(1.2), "within 0.5 s"),
        (lambda connection: connection.close(), "no usable answer"),
    ],
)
def test_a_peer_that_fails_is_named_and_the_device_finishes_alone(react, complaint):
    with FakeServer(react) as fake, SplitRunner(MODEL, FAST, address=fake.address, timeout=0.5) as runner:
        result = falls_back_in_time(runner)
    assert re.search(complaint, result.reason)


@pytest.mark.parametrize("length", range(0, len(result_of(WHOLE)), 9))
def test_an_answer_cut_short_anywhere_is_survived(length):
    with FakeServer(replying(result_of(WHOLE)[:length])) as fake:
        with SplitRunner(MODEL, FAST, address=fake.address, timeout=0.5) as runner:
            falls_back_in_time(runner)


def test_a_refused_port_is_survived():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with SplitRunner(MODEL, FAST, address=address, timeout=0.5) as runner:
        assert "refused" in falls_back_in_time(runner).reason


def test_an_outage_of_the_link_is_survived(server):
    outage = Trace("outage", time=[0.0, 0.002], rate=[1e6, 0.0])
    with SplitRunner(MODEL, outage, address=server.address, timeout=0.5) as runner:
        assert "before the time allowed was over" in falls_back_in_time(runner).reason


def test_a_server_killed_in_the_middle_of_a_frame_is_survived():
    with ServerProcess(MODEL) as process:
        with SplitRunner(MODEL, 200e3, address=process.address, timeout=5.0) as runner:
            assert not runner.run(IMAGE, 3).fell_back
            threading.Timer(0.05, os.kill, (process.pid, signal.SIGKILL)).start()
            result = falls_back_in_time(runner, cut=1, seconds=1.0)  # its frame takes 0.5 s or more
    assert "no usable answer" in result.reason


def test_after_a_failure_the_next_query_tries_again(server):
    with FakeServer(replying(b"")) as fake:
        with SplitRunner(MODEL, FAST, address=fake.address, timeout=0.5) as runner:
            falls_back_in_time(runner)
            runner.address = server.address
            assert not runner.run(IMAGE, 2).fell_back


def test_the_server_survives_clients_that_break_the_protocol(server, runner):
    for data in (b"GET / HTTP/1.1\r\n\r\n" + bytes(64), result_of(WHOLE)[:30], b""):
        with socket.create_connection(server.address) as rude:
            rude.sendall(data)
    assert not runner.run(IMAGE, 2).fell_back


def test_the_server_says_why_it_hangs_up_on_a_stranger(server):
    with socket.create_connection(server.address) as stranger:
        stranger.sendall(bytes(64))
        reply = wire.receive(stranger, deadline=time.perf_counter() + 5)
    assert reply.kind is Kind.ERROR and "does not speak this protocol" in reply.text


def test_a_stalled_client_does_not_block_the_next(server, runner):
    with socket.create_connection(server.address) as stalled:
        stalled.sendall(result_of(WHOLE)[:10])
        assert not runner.run(IMAGE, 2).fell_back


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (Message(Kind.RUN, 2, np.zeros((1, 1), np.float32)), "needs shape"),
        (Message(Kind.RUN, 2, np.zeros(LENET.boundary_shape(2))), "needs float32"),
        (Message(Kind.RUN, 2, np.zeros(LENET.boundary_shape(2), np.uint8)), "needs float32"),
        (Message(Kind.RUN, 99, WHOLE), "cut 99"),
        (Message(Kind.RUN, 1.5, WHOLE), "cut 1.5"),
        (Message(Kind.RUN, float("nan"), WHOLE), "cut nan"),
        (Message(Kind.PROFILE, 1e9, WHOLE), "grants 1 to 100"),
        (Message(Kind.PROFILE, float("nan"), WHOLE), "grants 1 to 100"),
        (Message(Kind.TENSOR, 0, WHOLE), "does not answer TENSOR"),
    ],
)
def test_the_server_refuses_in_one_sentence(message, complaint):
    reply = answer(LENET, message)
    assert reply.kind is Kind.ERROR and complaint in reply.text


def test_a_server_of_another_network_is_found_out():
    with ServerProcess("IMC") as other, SplitRunner(MODEL, FAST, address=other.address, timeout=5.0) as runner:
        assert "needs shape" in falls_back_in_time(runner, seconds=5.0).reason


def test_the_callers_own_mistakes_are_raised_and_not_blamed_on_the_link(runner):
    with pytest.raises(ValueError, match="cut 77"):
        runner.run(IMAGE, 77)
    with pytest.raises(ValueError, match="needs shape"):
        runner.run(IMAGE[:, :, 1:], 0)
    with pytest.raises(ValueError, match="float64"):
        runner.run(IMAGE.astype(np.float64), 2)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"device_slowdown": 0.5}, "below 1"),
        ({"timeout": 0.0}, "not positive"),
        ({"timeout": float("nan")}, "positive"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        SplitRunner(MODEL, FAST, **options)


def test_unknown_and_branching_networks_are_refused():
    with pytest.raises(UnknownName):
        SplitRunner("lenet6", FAST)
    with pytest.raises(ValueError, match="branches"):
        SplitRunner("resnet_ic", FAST)


def test_a_server_that_cannot_start_says_why():
    with pytest.raises(ServerStartError, match="no model 'lenet6'"):
        ServerProcess("lenet6").__enter__()


def test_the_server_ends_with_its_context():
    with ServerProcess(MODEL) as process:
        pid = process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_bytes_sent_are_the_frames_and_the_last_cut_sends_none(runner):
    sizes = sent_bytes(runner)
    assert sizes[-1] == 0
    for cut in range(LAST):
        tensor = IMAGE if cut == 0 else LENET.run(IMAGE, 0, cut)
        assert sizes[cut] == len(wire.encode(Message(Kind.RUN, cut, tensor)))


def test_the_ping_finds_a_small_overhead(runner):
    assert 0 <= measure_overhead(runner) < 0.02


def test_a_profile_covers_every_layer_on_both_sides(runner):
    for latency in (profile_cold(LENET, 2), runner.profile_server(2)):
        assert latency.shape == (LAST,) and np.all(latency > 0)
    with pytest.raises(ValueError, match="at least 1"):
        profile_cold(LENET, 0)


def test_a_link_bound_sweep_is_predicted_within_the_promise(server):
    """Where the link dominates, other work on this machine cannot excuse an error."""
    with SplitRunner(MODEL, 400e3, address=server.address, device_slowdown=2.0) as runner:
        sweep = sweep_cuts(runner, IMAGE, repeats=2, profile_passes=5)
    assert sweep.fallbacks == () and sweep.measured.shape == (2, LAST + 1)
    assert sweep.median_relative_error < 0.15
