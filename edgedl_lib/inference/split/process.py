"""Start and stop the server process; it never outlives the process that started it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType

import edgedl_lib
from edgedl_lib.inference.split import server  # also tells the book's dependency tracker what runs over there

START_SECONDS = 60.0
STOP_SECONDS = 5.0
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}


class ServerStartError(RuntimeError):
    """The server process ended, or was silent for too long, before it announced its port."""


class ServerProcess:
    """A server of one network in an operating-system process of its own, as a context manager.

    Parameters
    ----------
    model : str
        Name of a chain, as `graph_by_name` takes it.
    seed : int
        Of the weights.
    start_seconds : float
        How long it may take to announce its port.

    Attributes
    ----------
    address : tuple of (str, int)
        Where it listens, once entered.

    Raises
    ------
    ServerStartError
        On entering, with the last line that the process wrote.
    """

    def __init__(self, model: str, seed: int = 0, start_seconds: float = START_SECONDS) -> None:
        self.model, self.seed, self.start_seconds = model, seed, start_seconds
        self.address: tuple[str, int] | None = None

    def __enter__(self) -> ServerProcess:
        self._errors = tempfile.TemporaryFile()
        options = ["--model", self.model, "--seed", str(self.seed), "--follow-parent"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", server.__package__, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=child_environment(),
        )  # fmt: skip
        try:
            self.address = ("127.0.0.1", self._announced_port())
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.stdin.close()  # which ends it
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process.stdout.close()
        self._errors.close()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._process.kill()
        self._process.wait()

    def _announced_port(self) -> int:
        lines: list[bytes] = []
        reader = threading.Thread(target=lambda: lines.append(self._process.stdout.readline()), daemon=True)
        reader.start()
        reader.join(self.start_seconds)
        words = lines[0].split() if lines else []
        if len(words) == 2 and words[0] == b"port":
            return int(words[1])
        self.kill()
        raise ServerStartError(f"the server of {self.model!r} did not start{self._last_words()}")

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else f" within {self.start_seconds} s; allow more with start_seconds"


def child_environment() -> dict[str, str]:
    """This process's environment, one thread for each library, and this very copy of the package on the path."""
    root = str(Path(edgedl_lib.__file__).parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | ONE_THREAD | {"PYTHONPATH": os.pathsep.join(paths)}
