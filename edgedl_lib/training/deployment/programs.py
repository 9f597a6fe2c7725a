"""Programs that we start and must stop: each with a log, a time limit, and an error that shows the end of the log."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from edgedl_lib.training.flower import OFFLINE

PATIENCE = 60.0  # s, until a program that does not get ready counts as failed
GRACE = 3.0  # s, between asking a program to stop and killing it
TAIL = 12  # lines of a log shown in an error
POLL = 0.05  # s
COLOURED = {"FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR"}  # a notebook sets them; then Flower colours even its JSON


class ProgramFailed(RuntimeError):
    """A program ended, or did not get ready in time; the message holds the end of its log."""


class Program:
    """One program with its own log file, running until :meth:`stop`.

    Parameters
    ----------
    name : str
        For messages, and of the log file.
    command : sequence of str
    folder : pathlib.Path
        Where the log is written.
    environment : mapping, optional
        Added to ours.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] = ()) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**offline_environment(), **dict(environment)},
                cwd=folder,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def written(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace")

    def tail(self) -> str:
        """The last lines of its log."""
        lines = [line for line in self.written().splitlines() if line.strip()]
        return f"{self.log.name} ends with:\n" + "\n".join(f"  {line}" for line in lines[-TAIL:])

    def stop(self) -> None:
        """Ask it to end, then kill it and everything it has started."""
        family = self._family()
        if self.running:
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE)
        _kill(family)
        self.process.wait(GRACE)

    def kill(self) -> None:
        """End it and everything it has started at once, as a power cut would."""
        _kill(self._family())
        self.process.wait(GRACE)

    def _family(self) -> list[psutil.Process]:
        """Itself and its descendants; some of them leave its process group."""
        with contextlib.suppress(psutil.NoSuchProcess):
            this = psutil.Process(self.process.pid)
            return [this, *this.children(recursive=True)]
        return []


def _kill(family: list[psutil.Process]) -> None:
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, timeout=GRACE)


def finish(name: str, command: Sequence[str], folder: Path, *, environment=(), seconds: float = PATIENCE) -> str:
    """Run a program to its end; what it wrote.

    Raises
    ------
    ProgramFailed
        It ends with a status other than 0, or not in time.
    """
    program = Program(name, command, folder, environment)
    try:
        status = program.process.wait(seconds)
    except subprocess.TimeoutExpired:
        program.stop()
        raise ProgramFailed(f"{name} did not end within {seconds:g} s; {program.tail()}") from None
    if status:
        raise ProgramFailed(f"{name} ended with status {status}; {program.tail()}")
    return program.written()


def wait_until(ready: Callable[[], bool], what: str, programs: Sequence[Program], seconds: float = PATIENCE) -> None:
    """Wait for a condition while all of the programs run.

    Raises
    ------
    ProgramFailed
        One of them ended, or the time is over.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        for program in programs:
            if not program.running:
                status = program.process.returncode
                raise ProgramFailed(f"{program.name} ended with status {status} before {what}; {program.tail()}")
        if time.monotonic() > deadline:
            tails = "\n".join(program.tail() for program in programs)
            raise ProgramFailed(f"{what}: not within {seconds:g} s; {tails}")
        time.sleep(POLL)


def free_port() -> int:
    """A port of the loopback address that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def offline_environment() -> dict[str, str]:
    """Our environment, Flower's and Ray's reports to their makers switched off, and one thread for each process."""
    import edgedl_lib

    root = str(
        Path(edgedl_lib.__file__).resolve().parents[1]
    )  # not all of sys.path: a script's folder may hold anything
    scripts = os.path.dirname(sys.executable)
    plain = {name: value for name, value in os.environ.items() if name not in COLOURED}
    return {
        **plain,
        **OFFLINE,
        "NO_COLOR": "1",
        "OMP_NUM_THREADS": "1",
        "PATH": os.pathsep.join([scripts, os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]),
        "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": str(POLL),  # Flower's own choice is a second
    }
