"""The shaped link: bytes arrive when the model says, also for small messages, traces and broken links."""

import socket
import threading
import time

import numpy as np
import pytest

from edgedl_lib.inference.split.shaper import PACKET_BYTES, Shaper, packet_ends, prepare, wait_until
from edgedl_lib.system.link import Link
from edgedl_lib.system.trace import Trace

TOLERANCE = 0.05
STEP = Trace("step down, then up", time=[0.0, 0.1, 0.3], rate=[4e6, 0.8e6, 8e6])


@pytest.fixture
def connected():
    """A TCP connection over the loopback interface, as the split run uses it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = prepare(socket.create_connection(listener.getsockname()))
        receiver, _ = listener.accept()
        with sender, receiver:
            yield sender, receiver


def seconds_to_receive(connection, size, expected, **send):
    """Least time from the start of sending to the arrival of the last byte, over messages until one is near `expected`.

    A busy machine can only delay a message, so the least counts; one that comes too early stays the least.
    """
    shaper, times = send.pop("shaper"), []
    for _ in range(12):
        times.append(seconds_of_one_message(connection, size, shaper, send))
        if abs(times[-1] / expected - 1) <= TOLERANCE:
            break
    return min(times)


def seconds_of_one_message(connection, size, shaper, send):
    sender, receiver = connection
    arrived = []

    def read():
        left = size
        while left:
            left -= len(receiver.recv(65536))
        arrived.append(time.perf_counter())

    reader = threading.Thread(target=read)
    reader.start()
    begun = time.perf_counter()
    shaper.send(sender, bytes(size), **send)
    reader.join(timeout=10)
    return arrived[0] - begun


@pytest.mark.parametrize("rate", [1e6, 5e6, 20e6])
@pytest.mark.parametrize("seconds", [0.02, 0.2])
def test_a_constant_rate_is_kept(connected, rate, seconds):
    size = int(rate * seconds / 8)
    measured = seconds_to_receive(connected, size, seconds, shaper=Shaper(rate))
    assert measured == pytest.approx(seconds, rel=TOLERANCE)


def test_a_message_smaller_than_one_packet_is_shaped_too(connected):
    measured = seconds_to_receive(connected, 500, 4e-3, shaper=Shaper(1e6))
    assert measured == pytest.approx(4e-3, rel=TOLERANCE)


@pytest.mark.parametrize(("size", "start"), [(50_000, 0.0), (60_000, 0.05), (30_000, 0.2), (200_000, 1.0)])
def test_a_trace_is_followed(connected, size, start):
    expected = STEP.transfer_time(size, start)
    measured = seconds_to_receive(connected, size, expected, shaper=Shaper(STEP), start=start)
    assert measured == pytest.approx(expected, rel=TOLERANCE)


def test_the_rate_holds_inside_a_message_and_not_only_at_its_end(connected):
    """A sender that waits first and then sends all at once would deliver nothing by half time."""
    sender, receiver = connected
    worker = threading.Thread(target=Shaper(2e6).send, args=(sender, bytes(50_000)))
    begun = time.perf_counter()
    worker.start()
    receiver.settimeout(0.01)
    received = 0
    while time.perf_counter() < begun + 0.1:
        try:
            received += len(receiver.recv(65536))
        except TimeoutError:
            pass
    assert received == pytest.approx(25_000, abs=2 * PACKET_BYTES)
    receiver.settimeout(2)
    while received < 50_000:
        received += len(receiver.recv(65536))
    worker.join(timeout=2)


def test_the_round_trip_of_a_link_is_paid_once(connected):
    measured = seconds_to_receive(connected, 5_000, 0.06, shaper=Shaper(Link("far", rate=4e6, rtt=0.05)))
    assert measured == pytest.approx(0.06, rel=TOLERANCE)


@pytest.mark.parametrize("link", [0.0, Trace("outage", time=[0.0, 0.02], rate=[1e6, 0.0])])
def test_a_broken_link_ends_in_a_timeout_that_says_how_far_it_came(connected, link):
    begun = time.perf_counter()
    with pytest.raises(TimeoutError, match="of 10000 bytes"):
        Shaper(link).send(connected[0], bytes(10_000), deadline=begun + 0.1)
    assert time.perf_counter() - begun == pytest.approx(0.1, abs=0.05)


def test_a_broken_link_without_a_deadline_does_not_hang(connected):
    with pytest.raises(TimeoutError):
        Shaper(0.0).send(connected[0], b"x")


def test_a_peer_that_never_reads_ends_in_a_timeout(connected):
    begun = time.perf_counter()
    with pytest.raises(TimeoutError):
        Shaper(Link("free", rate=np.inf)).send(connected[0], bytes(20_000_000), deadline=begun + 0.2)
    assert time.perf_counter() - begun < 1.0


@pytest.mark.parametrize("rate", [-1.0, float("nan")])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match="rate"):
        Shaper(rate)


@pytest.mark.parametrize(("size", "ends"), [(0, []), (1, [1]), (1400, [1400]), (1401, [1400, 1401])])
def test_packets_cover_the_message(size, ends):
    assert packet_ends(size).tolist() == ends


def test_waiting_is_precise_to_a_tenth_of_a_millisecond():
    errors = []
    for _ in range(20):
        moment = time.perf_counter() + 0.005
        wait_until(moment)
        errors.append(time.perf_counter() - moment)
    assert 0 <= min(errors) < 1e-4  # never early; late only when the machine is busy
