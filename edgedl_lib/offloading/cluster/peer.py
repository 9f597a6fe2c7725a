"""One end of a conversation with a worker: send it a task over a shaped link, wait for the answer, doubt the answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.split.shaper import Shaper, prepare
from edgedl_lib.inference.split.wire import Kind, Message, WireError, encode, receive, remaining, text_message
from edgedl_lib.offloading.cluster.worker_setup import Setup


class WorkerRefused(ValueError):
    """The worker is well, but says in one sentence why it will not do what was asked."""


@dataclass(frozen=True, eq=False)
class Answer:
    """The result of one task.

    Attributes
    ----------
    task : int
    output : numpy.ndarray
    times : numpy.ndarray, shape (stations, 3)
        For each process that worked on it: when its input had arrived and when its output was ready (both
        `time.perf_counter`, one clock for all processes of this machine), and the seconds for which it kept the
        processor busy.
    """

    task: int
    output: np.ndarray
    times: np.ndarray


class Peer:
    """A connection to one worker.

    Parameters
    ----------
    address : (host, port)
    rate : float
        bit/s of the link to the worker.

    Attributes
    ----------
    duplicates : int
        Answers that came a second time, or too late, and were thrown away.
    """

    def __init__(self, address: tuple[str, int], rate: float = float("inf")) -> None:
        self.address, self.shaper, self.duplicates = address, Shaper(rate), 0
        self._connection: socket.socket | None = None
        self._asked: set[int] = set()

    def pace(self, rate: float) -> None:
        """Change the link."""
        self.shaper = Shaper(rate)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def set_up(self, setup: Setup, deadline: float) -> None:
        """Tell the worker what to compute from now on, and wait until it can.

        Raises
        ------
        WorkerRefused, WireError, OSError
        """
        self._send(text_message(Kind.SETUP, setup.to_text()), deadline, shaped=False)
        self._expect(Kind.READY, deadline)

    def ping(self, deadline: float) -> float:
        """Seconds to the worker and back with one number, past the shaped link."""
        begun = time.perf_counter()
        self._send(Message(Kind.PING, 0.0, np.zeros(1, np.float32)), deadline, shaped=False)
        self._expect(Kind.PONG, deadline)
        return time.perf_counter() - begun

    def profile(self, tasks: Sequence[int], passes: int, deadline: float) -> np.ndarray:
        """Median seconds for which each task, done after a pause, keeps the worker's processor busy, shape (tasks,).

        Raises
        ------
        WorkerRefused, WireError, OSError
        """
        self._send(Message(Kind.PROFILE, passes, np.asarray(tasks, np.int64)), deadline, shaped=False)
        busy = self._expect(Kind.LATENCIES, deadline).tensor  # (passes, tasks)
        if busy.shape != (passes, len(tasks)):
            raise WireError(f"the profile has shape {busy.shape}, not {(passes, len(tasks))}")
        return np.median(busy, axis=0)

    def perform(self, task: int, values: np.ndarray, deadline: float) -> Answer:
        """Have one task computed.

        Parameters
        ----------
        task : int
        values : numpy.ndarray
        deadline : float
            `time.perf_counter` seconds by which the whole answer must be here.

        Raises
        ------
        WorkerRefused
            If the worker says that it cannot.
        WireError, OSError
            If the worker is gone, silent, or does not keep to the protocol.
        """
        self._asked.add(task)
        self._send(Message(Kind.TASK, task, values), deadline)
        while True:
            times = self._expect(Kind.TIMES, deadline)
            done = self._expect(Kind.DONE, deadline)
            if done.number == times.number == task:
                return Answer(task, done.tensor, _checked_times(times.tensor))
            self._throw_away(done.number, task)

    def _throw_away(self, number: float, task: int) -> None:
        if number not in self._asked:
            raise WireError(f"the worker answered task {number:g}, which it was never given, instead of {task}")
        self.duplicates += 1

    def _send(self, message: Message, deadline: float, *, shaped: bool = True) -> None:
        if self._connection is None:
            self._connection = prepare(socket.create_connection(self.address, timeout=remaining(deadline)))
        if shaped:
            self.shaper.send(self._connection, encode(message), deadline=deadline)
        else:
            self._connection.settimeout(remaining(deadline))
            self._connection.sendall(encode(message))

    def _expect(self, kind: Kind, deadline: float) -> Message:
        reply = receive(self._connection, deadline=deadline)
        if reply.kind is Kind.ERROR:
            raise WorkerRefused(reply.text)
        if reply.kind is not kind:
            raise WireError(f"the worker sent {reply.kind.name} instead of {kind.name}")
        return reply


def _checked_times(times: np.ndarray) -> np.ndarray:
    if times.dtype != np.float64 or times.ndim != 2 or times.shape[1] != 3:
        raise WireError(f"the times of a task are {times.dtype} {times.shape}, not float64 (stations, 3)")
    return times


def soon(seconds: float) -> float:
    """`time.perf_counter` some seconds from now."""
    return time.perf_counter() + seconds
