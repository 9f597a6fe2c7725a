"""A worker: a process that computes what it is told, one task at a time, and answers or hands on.

``python -m edgedl_lib.offloading.cluster.worker`` takes a free port, prints ``port 12345`` and serves until its
standard input closes, because the process that started it is gone.
"""

from __future__ import annotations

import socket
import sys
import threading
import time

import numpy as np
import torch

from edgedl_lib.inference.split.frame_server import FrameServer, leave_at_end_of, send_frame
from edgedl_lib.inference.split.pace import at_pace_of
from edgedl_lib.inference.split.profile import PAUSE_SECONDS
from edgedl_lib.inference.split.shaper import Shaper
from edgedl_lib.inference.split.wire import Kind, Message, WireError, encode, error_message
from edgedl_lib.offloading.cluster.peer import Answer, Peer, WorkerRefused, soon
from edgedl_lib.offloading.cluster.programs import Program, build
from edgedl_lib.offloading.cluster.worker_setup import Forward, Setup

WARM_UP_RUNS = 3
MAX_PASSES = 100  # of a profile, so that a request cannot keep the worker busy for long
FORWARD_SECONDS = 60.0  # what the rest of a chain may take


class Worker(FrameServer):
    """Answers TASK with TIMES and DONE, after SETUP has told it what a task is; also PROFILE and PING."""

    def __init__(self) -> None:
        super().__init__()
        self.setup: Setup | None = None
        self.program: Program | None = None
        self.following: Peer | None = None
        self.reply_link = Shaper(float("inf"))
        self._one_at_a_time = threading.Lock()  # a device has one processor and one radio, whoever asks

    def converse(self, connection: socket.socket, message: Message) -> None:
        if message.kind is not Kind.TASK:
            return super().converse(connection, message)
        try:
            answer = self._perform(int(message.number), message.tensor)
        except (ValueError, OSError) as error:
            return send_frame(connection, error_message(str(error)))
        frames = encode(Message(Kind.TIMES, answer.task, answer.times))
        frames += encode(Message(Kind.DONE, answer.task, answer.output))
        self.reply_link.send(connection, frames)

    def answer(self, message: Message) -> Message:
        """Reply to anything but a task; an ERROR of one sentence if it cannot be done."""
        try:
            return self._answer(message)
        except ValueError as error:
            return error_message(str(error))

    def _answer(self, message: Message) -> Message:
        if message.kind is Kind.PING:
            return Message(Kind.PONG, 0.0, message.tensor)
        if message.kind is Kind.SETUP:
            setup = Setup.from_text(message.text)
            with self._one_at_a_time:
                self._set_up(setup)
            return Message(Kind.READY, 0.0, np.zeros(0, np.float32))
        if message.kind is Kind.PROFILE:
            return Message(Kind.LATENCIES, 0.0, self._profile(message.number, message.tensor.tolist()))
        raise ValueError(f"a worker does not answer {message.kind.name}; send SETUP, TASK, PROFILE or PING")

    def _set_up(self, setup: Setup) -> None:
        known = self.setup and (self.setup.program, self.setup.options)
        if known != (setup.program, setup.options):  # the same network over other links is not built again
            self.program = build(setup.program, setup.options)
            for _ in range(WARM_UP_RUNS):
                self.program(0, self.program.example(0))
        self._connect(setup.forward)
        self.setup, self.reply_link = setup, Shaper(setup.reply_rate)

    def _connect(self, forward: Forward | None) -> None:
        if self.following:
            self.following.close()
        self.following = Peer(("127.0.0.1", forward.port), forward.rate) if forward else None

    def _perform(self, task: int, values: np.ndarray) -> Answer:
        if self.program is None:
            raise ValueError("the worker was given a task before it was told what to compute; send SETUP first")
        arrived = time.perf_counter()
        with self._one_at_a_time:
            output, busy = at_pace_of(self.setup.slowdown, self.program, task, values, make_up=True)
            own = np.array([[arrived, time.perf_counter(), busy]])
            return self._handed_on(task, output, own) if self.following else Answer(task, output, own)

    def _handed_on(self, task: int, output: np.ndarray, own: np.ndarray) -> Answer:
        try:
            rest = self.following.perform(task, output, soon(FORWARD_SECONDS))
        except WorkerRefused:
            raise
        except (WireError, OSError) as error:
            self.following.close()  # whatever arrives late must not be taken for another task's answer
            raise ConnectionError(f"{self.setup.forward.name} does not answer: {error}") from error
        return Answer(task, rest.output, np.concatenate([own, rest.times]))

    def _profile(self, passes: float, tasks: list[int]) -> np.ndarray:
        if self.program is None:
            raise ValueError("nothing to profile; send SETUP first")
        if not 1 <= passes <= MAX_PASSES:
            raise ValueError(f"{passes} profile passes were asked for; a worker grants 1 to {MAX_PASSES}")
        with self._one_at_a_time:
            return np.array([[_cold_pass(self.program, task) for task in tasks] for _ in range(int(passes))])


def _cold_pass(program: Program, task: int) -> float:
    """Busy seconds of one task after a pause, as between two tasks of a real run; see `inference.split.profile`."""
    values = program.example(task)
    time.sleep(PAUSE_SECONDS)
    _, busy = at_pace_of(1.0, program, task, values)
    return busy


def serve(worker: Worker) -> None:
    """Answer until the process ends."""
    torch.set_num_threads(1)
    with worker:
        worker.serve_forever(poll_interval=60)


def main() -> None:
    """Command line: take a port, announce it, serve."""
    threading.Thread(target=leave_at_end_of, args=(sys.stdin.buffer,), daemon=True).start()
    worker = Worker()
    print(f"port {worker.server_address[1]}", flush=True)
    serve(worker)


if __name__ == "__main__":
    main()
