"""Peers that do not keep to the protocol: each is one clear loss, and the batch goes on elsewhere."""

import re
import socket
import threading

import numpy as np
import pytest

from edgedl_lib.inference.split import wire
from edgedl_lib.inference.split.wire import Kind, Message
from edgedl_lib.offloading.cluster import Coordinator, NoWorkerLeft, Peer, Setup, Task
from edgedl_lib.offloading.cluster.batch import Attempt
from edgedl_lib.offloading.cluster.coordinator import Board
from edgedl_lib.offloading.cluster.peer import Answer, soon
from edgedl_lib.offloading.cluster.worker import Worker

TASKS = [Task(number, np.full((2,), number, np.float32), (2,)) for number in range(6)]
TIMES = np.zeros((1, 3))


def result(task, output, times=TIMES):
    return wire.encode(Message(Kind.TIMES, task, times)) + wire.encode(Message(Kind.DONE, task, output))


def honest(message):
    return result(message.number, 2 * message.tensor)


class FakeWorker:
    """A thread that answers each task with the bytes that the test says; None hangs up."""

    def __init__(self, react):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.peer = Peer(self.listener.getsockname())
        self.thread = threading.Thread(target=self._serve, args=(react,), daemon=True)
        self.thread.start()

    def _serve(self, react):
        try:
            connection, _ = self.listener.accept()
            with connection:
                while (reply := react(wire.receive(connection))) is not None:
                    connection.sendall(reply)
        except OSError:
            pass

    def __enter__(self):
        return self.peer

    def __exit__(self, *_):
        self.peer.close()
        self.listener.close()
        self.thread.join(timeout=5)


def timeless(message):
    return wire.encode(Message(Kind.DONE, message.number, message.tensor))


WRONG = {
    "another protocol": (lambda m: b"HTTP/1.1 200 OK\r\n\r\n" + bytes(40), "does not speak this protocol"),
    "a result without its times": (timeless, "DONE instead of TIMES"),
    "times of a wrong shape": (lambda m: result(m.number, m.tensor, np.zeros(3)), r"are float64 \(3,\)"),
    "a wrong shape": (lambda m: result(m.number, m.tensor[:1]), r"has shape \(1,\), not \(2,\)"),
    "a task it never had": (lambda m: result(99, m.tensor), "answered task 99, which it was never given"),
    "half a frame": (lambda m: wire.encode(Message(Kind.TIMES, m.number, TIMES))[:20], "silent for 0.3 s"),
    "silence": (lambda m: b"", "silent for 0.3 s"),
    "the end": (lambda m: None, "connection lost"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_nonsense_costs_one_worker_and_no_task(name):
    react, complaint = WRONG[name]
    with FakeWorker(react) as liar, FakeWorker(honest) as good:
        batch = Coordinator({"liar": liar, "good": good}, patience=0.3).run(TASKS)
    assert [(2 * task.values == batch.outputs[task.number]).all() for task in TASKS] == [True] * len(TASKS)
    (loss,) = batch.losses
    assert loss.worker == "liar"
    assert re.search(complaint, loss.reason)


def test_nonsense_alone_ends_in_a_clear_error():
    with FakeWorker(WRONG["a wrong shape"][0]) as liar:
        with pytest.raises(NoWorkerLeft, match=r"liar \(task 0\): its result of task 0 has shape"):
            Coordinator({"liar": liar}, patience=0.3).run(TASKS)


def test_a_result_sent_twice_counts_once():
    with FakeWorker(lambda message: 2 * honest(message)) as stutterer:
        batch = Coordinator({"stutterer": stutterer}).run(TASKS)
    assert sorted(batch.outputs) == list(range(6)) and len(batch.attempts) == 6
    assert batch.duplicates == 5  # the sixth is still on its way when the batch is complete
    assert batch.losses == ()


def test_the_board_keeps_the_first_of_two_results():
    board = Board(TASKS[:2], {})
    task = board.take()
    first, late = (Answer(0, np.full(2, value, np.float32), TIMES) for value in (1, 2))
    board.give_back(task, "silent", 0.0, "silent")
    assert board.take() is task  # the next to be taken
    assert board.accept(first, "quick", 0.0)
    assert not board.accept(late, "silent", 0.0)
    assert board.outputs[0][0] == 1 and board.duplicates == 1 and not board.complete


def test_a_task_that_comes_back_after_its_result_is_not_taken_again():
    board = Board(TASKS[:1], {})
    task = board.take()
    board.accept(Answer(0, TASKS[0].values, TIMES), "quick", 0.0)
    board.give_back(task, "silent", 0.0, "silent")
    assert board.take() is None and board.complete


def test_an_unforeseen_fault_ends_the_batch_and_does_not_hang_it():
    class Broken(Peer):
        def perform(self, task, values, deadline):
            raise MemoryError("no memory")

    with pytest.raises(MemoryError):
        Coordinator({"broken": Broken(("127.0.0.1", 1))}).run(TASKS)


def test_attempts_know_whether_they_were_lost():
    assert Attempt(0, "a", 0.0, 1.0).lost and not Attempt(0, "a", 0.0, 1.0, 0.2, 0.8).lost


@pytest.fixture(scope="module")
def served():
    with Worker() as worker:
        thread = threading.Thread(target=worker.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield worker
        worker.shutdown()


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (Message(Kind.TASK, 0, np.zeros(1, np.float32)), "before it was told what to compute"),
        (Message(Kind.PROFILE, 1, np.zeros(1, np.int64)), "nothing to profile"),
        (Message(Kind.RUN, 1, np.zeros(1, np.float32)), "does not answer RUN"),
        (wire.text_message(Kind.SETUP, "not json"), "this is no setup"),
        (wire.text_message(Kind.SETUP, '{"program": "layers", "colour": 1}'), "send a JSON object with the fields"),
        (wire.text_message(Kind.SETUP, "[]"), "this is no setup"),
    ],
)
def test_a_worker_says_what_is_wrong_and_goes_on(served, message, complaint):
    with socket.create_connection(served.server_address, timeout=5) as connection:
        for _ in range(2):
            connection.sendall(wire.encode(message))
            reply = wire.receive(connection, deadline=soon(5))
            assert reply.kind is Kind.ERROR and complaint in reply.text


def test_a_worker_grants_a_profile_of_bounded_length(served):
    with_setup = Peer(served.server_address)
    with_setup.set_up(Setup("layers", {"network": "lenet5", "end": 1}), soon(20))
    assert with_setup.profile([0], 2, soon(5)).shape == (1,)
    with pytest.raises(ValueError, match="grants 1 to 100"):
        with_setup.profile([0], 101, soon(5))
    with_setup.close()
