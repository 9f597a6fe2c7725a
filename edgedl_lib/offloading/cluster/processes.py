"""Start workers cheaply, and end them: kindly, by force, or because this process is gone."""

from __future__ import annotations

import atexit
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from functools import lru_cache

from edgedl_lib.inference.split.process import child_environment
from edgedl_lib.offloading.cluster import nursery  # also tells the book's dependency tracker what runs over there

START_SECONDS = 60.0
ORDER_SECONDS = 20.0
STOP_SECONDS = 5.0


class WorkerStartError(RuntimeError):
    """Workers cannot be started here; the message holds the last words of the process that should have."""


class Nursery:
    """The nursery process of this process; starting it returns at once, the first order waits until it is ready.

    Parameters
    ----------
    options : tuple of str
        Of the command line: ``--spawn`` forbids to fork.
    """

    def __init__(self, *options: str) -> None:
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", nursery.__name__, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._errors, env=child_environment(), text=True, bufsize=1,
            start_new_session=True,  # an interrupted cell must not end the workers under its feet
        )  # fmt: skip
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._one_at_a_time = threading.Lock()
        self._ready_by: float | None = time.monotonic() + START_SECONDS
        threading.Thread(target=self._listen, daemon=True).start()
        atexit.register(self.close)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def order(self, *words: object) -> str:
        """Give one order; return the answer.

        Raises
        ------
        WorkerStartError
            If the nursery is gone, silent, or cannot do it.
        """
        with self._one_at_a_time:
            if self._ready_by is not None:
                self._next_line(self._ready_by - time.monotonic())  # "ready"
                self._ready_by = None
            self._write(" ".join(map(str, words)) + "\n")
            answer = self._next_line(ORDER_SECONDS)
        if answer.startswith("error"):
            raise WorkerStartError(f"the nursery could not obey: {answer}")
        return answer

    def close(self) -> None:
        """End the nursery and all its workers."""
        atexit.unregister(self.close)
        with suppress(OSError):  # it may be gone already
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _write(self, text: str) -> None:
        try:
            self._process.stdin.write(text)
        except (OSError, ValueError) as error:
            raise WorkerStartError(f"the nursery is gone{self._last_words()}") from error

    def _listen(self) -> None:
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line.strip())
        self._lines.put("")

    def _next_line(self, seconds: float) -> str:
        try:
            line = self._lines.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            raise WorkerStartError(f"the nursery did not answer within {seconds:.0f} s") from None
        if not line:
            raise WorkerStartError(f"the nursery ended{self._last_words()}")
        return line

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else " without a word"


def shared_nursery() -> Nursery:
    """The nursery of this process, started when first asked for and again if it died; it ends with this process."""
    found = _nursery_of(os.getpid())  # a forked copy of this process must not use its parent's
    if not found.alive:
        _nursery_of.cache_clear()
    return _nursery_of(os.getpid())


@lru_cache(maxsize=1)
def _nursery_of(pid: int) -> Nursery:
    return Nursery()


class WorkerProcess:
    """One worker in an operating-system process of its own.

    Parameters
    ----------
    name : str
        For people.
    nursery : Nursery, optional
        By default that of this process.

    Attributes
    ----------
    pid : int
    address : (host, port)
        Where it listens from the first moment.
    """

    def __init__(self, name: str, nursery: Nursery | None = None) -> None:
        self.name, self._nursery = name, nursery or shared_nursery()
        pid, port = self._nursery.order("start").split()
        self.pid, self.address = int(pid), ("127.0.0.1", int(port))

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._nursery.order("kill", self.pid)

    def pause(self) -> None:
        """Make it silent: it keeps its connections and answers nothing."""
        self._nursery.order("pause", self.pid)

    def resume(self) -> None:
        """Let it go on."""
        self._nursery.order("resume", self.pid)

    def stop(self) -> None:
        """End it and free its process id; if the nursery is gone, so is the worker."""
        if self._nursery.alive:
            self._nursery.order("stop", self.pid)
