"""The process that starts workers: it has loaded PyTorch once, and a fork of it is a worker within milliseconds.

``python -m edgedl_lib.offloading.cluster.nursery`` reads one order a line and answers each with one line:

=================  =============  ==============================================================
order              answer         what happens
=================  =============  ==============================================================
``start``          ``pid port``   a worker is forked; it already listens at that port
``kill pid``       ``ok``         the worker ends at once, as by a power cut (SIGKILL)
``pause pid``      ``ok``         it falls silent but keeps its connections (SIGSTOP)
``resume pid``     ``ok``         it goes on (SIGCONT)
``stop pid``       ``ok``         it is killed and forgotten; only now may its id be given again
=================  =============  ==============================================================

When its input closes, because the process that gave the orders is gone, the nursery kills every worker, paused ones
too, and leaves.  When the nursery itself is killed, its workers notice and leave.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TextIO

from edgedl_lib.inference.split.frame_server import leave_at_end_of
from edgedl_lib.offloading.cluster import worker
from edgedl_lib.offloading.cluster.programs import build

SIGNALS = {"kill": "SIGKILL", "pause": "SIGSTOP", "resume": "SIGCONT"}
CAN_FORK = hasattr(os, "fork") and sys.platform != "darwin"  # on macOS a fork of a loaded framework may crash


class Forked:
    """Workers as forks of this process."""

    def __init__(self, private: tuple[TextIO, ...]) -> None:
        self._private = private  # the conversation with the parent is not for workers
        self._life, self._alive = os.pipe()  # its end tells a worker that the nursery is gone
        self._children: set[int] = set()

    def start(self) -> str:
        """Fork a worker; its socket listens before it exists."""
        server = worker.Worker()
        pid = os.fork()
        if pid == 0:
            self._be_a_worker(server)
        port = server.server_address[1]
        server.server_close()
        self._children.add(pid)
        return f"{pid} {port}"

    def signal(self, pid: int, name: str) -> None:
        """Send a signal to a worker of this nursery, and to nobody else."""
        if pid not in self._children:
            raise KeyError(f"{pid} is no worker of this nursery")
        os.kill(pid, getattr(signal, name))

    def stop(self, pid: int) -> None:
        """Kill a worker and take note of its end."""
        self.signal(pid, "SIGKILL")
        os.waitpid(pid, 0)
        self._children.discard(pid)

    def stop_all(self) -> None:
        """Leave nothing behind."""
        for pid in tuple(self._children):
            self.stop(pid)

    def _be_a_worker(self, server: worker.Worker) -> None:
        try:
            os.close(self._alive)
            for stream in self._private:
                stream.close()
            threading.Thread(target=leave_at_end_of, args=(os.fdopen(self._life, "rb", 0),), daemon=True).start()
            worker.serve(server)
        finally:
            os._exit(1)


class Spawned:
    """Workers as fresh processes, where a fork is impossible: seconds instead of milliseconds."""

    def __init__(self) -> None:
        self._children: dict[int, subprocess.Popen] = {}

    def start(self) -> str:
        """Start a worker and wait for its port."""
        child = subprocess.Popen(
            [sys.executable, "-m", worker.__name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._children[child.pid] = child
        port = child.stdout.readline().split()[1]
        return f"{child.pid} {port}"

    def signal(self, pid: int, name: str) -> None:
        """Send a signal to a worker of this nursery, and to nobody else."""
        self._children[pid].send_signal(getattr(signal, name, signal.SIGTERM))

    def stop(self, pid: int) -> None:
        """Kill a worker and take note of its end."""
        child = self._children.pop(pid)
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()

    def stop_all(self) -> None:
        """Leave nothing behind."""
        for pid in tuple(self._children):
            self.stop(pid)


def obey(line: str, workers: Forked | Spawned) -> str:
    """Carry out one order and say how it went."""
    try:
        order, *arguments = line.split()
        if order == "start":
            return workers.start()
        (pid,) = map(int, arguments)
        workers.stop(pid) if order == "stop" else workers.signal(pid, SIGNALS[order])
        return "ok"
    except (KeyError, ValueError, IndexError, OSError) as error:
        return f"error {type(error).__name__} in {line.strip()!r}: {error}"


def main() -> None:
    """Obey until the orders end, then leave nothing behind."""
    orders, answers = sys.stdin, os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a worker prints is no answer
    workers = Forked((orders, answers)) if CAN_FORK and "--spawn" not in sys.argv else Spawned()
    build("layers", {"network": "lenet5"})  # what PyTorch loads only when a network is built, workers then have too
    try:
        answers.write("ready\n")
        for line in iter(orders.readline, ""):
            answers.write(obey(line, workers) + "\n")
    finally:
        workers.stop_all()


if __name__ == "__main__":
    main()
