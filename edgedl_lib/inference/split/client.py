"""The device's end of a split run: compute the first layers, send the tensor, wait for the answer, or finish alone."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import torch

from edgedl_lib.inference.split.network import ChainNetwork, graph_by_name
from edgedl_lib.inference.split.pace import at_pace_of, checked_slowdown
from edgedl_lib.inference.split.process import ServerProcess
from edgedl_lib.inference.split.shaper import Shaper, prepare
from edgedl_lib.inference.split.wire import Kind, Message, WireError, encode, receive, remaining
from edgedl_lib.system.link import Link
from edgedl_lib.system.trace import Trace

TIMEOUT = 5.0  # s for sending, the server's part and the answer together


class ServerRefused(WireError):
    """The server answered, but with an error or with something that is no result of this network."""


@dataclass(frozen=True, eq=False)
class SplitResult:
    """One query.

    Attributes
    ----------
    cut : int
    output : numpy.ndarray
        What the whole network gives, whoever computed it.
    device_seconds : float
        Computing on the device, slow-down included, and after a failed exchange also the rest of the network.
    transfer_seconds : float
        From handing the tensor over to having the answer, less the server's own time; 0 if nothing was sent.
    server_seconds : float
        Computing on the server, by its own clock.
    total_seconds : float
        By the device's clock.
    fell_back : bool
        Whether the device had to finish alone.
    reason : str
        Why, in one sentence; empty otherwise.
    """

    cut: int
    output: np.ndarray
    device_seconds: float
    transfer_seconds: float
    server_seconds: float
    total_seconds: float
    fell_back: bool = False
    reason: str = ""


class SplitRunner:
    """Runs a network in two processes, as a context manager; leaving it stops the server it started.

    Parameters
    ----------
    model : str
        Name of a chain of the zoo ("lenet5") or of an application's analogue ("IMC", a small AlexNet).
    link : Link, Trace or float
        Uplink from device to server (a number is bit/s).  The answer, a few numbers, comes back unshaped.
    seed : int
        Of the weights on both sides.
    device_slowdown : float
        Both processes share one machine.  To stand for a device that is k times slower than its server, the device
        process sleeps k - 1 times as long as each of its computations kept the processor busy.
    timeout : float
        Seconds for sending, the server's part and the answer together, after which the device finishes alone.
    address : (host, port), optional
        Of a running server; by default one is started.

    Raises
    ------
    ValueError
        If the slow-down is below 1, the timeout not positive, or the network branches.

    Examples
    --------
    >>> with SplitRunner("lenet5", link=10e6) as runner:  # doctest: +SKIP
    ...     result = runner.run(image, cut=4)
    """

    def __init__(
        self, model: str, link: Link | Trace | float, *, seed: int = 0, device_slowdown: float = 1.0,
        timeout: float = TIMEOUT, address: tuple[str, int] | None = None,
    ) -> None:  # fmt: skip
        if not timeout > 0:
            raise ValueError(f"timeout {timeout} s is not positive; allow the exchange some time")
        self.network = ChainNetwork(graph_by_name(model), seed)
        self.shaper, self.timeout = Shaper(link), timeout
        self.device_slowdown = checked_slowdown(device_slowdown)
        self.server = None if address else ServerProcess(model, seed)
        self.address = address
        self._connection: socket.socket | None = None

    def __enter__(self) -> SplitRunner:
        torch.set_num_threads(1)
        if self.server:
            self.address = self.server.__enter__().address
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._hang_up()
        if self.server:
            self.server.__exit__(kind, error, traceback)

    def run(self, values: np.ndarray, cut: int, *, trace_start: float = 0.0) -> SplitResult:
        """Answer one query with layers 1 to `cut` on the device.

        Parameters
        ----------
        values : numpy.ndarray, shape (batch, ...)
            uint8 (an image as it is transmitted) or float32.
        cut : int
            0 leaves everything to the server, N everything to the device.
        trace_start : float
            Trace time (s) at which the query begins; a link of constant rate ignores it.

        Raises
        ------
        ValueError
            If the cut does not exist or the input does not fit: that is no fault of the link.
        """
        begun, last = time.perf_counter(), self.network.layer_count
        boundary = self._on_device(values, 0, self.network.checked(cut))
        computed = time.perf_counter()
        if cut == last:
            return SplitResult(cut, boundary, computed - begun, 0.0, 0.0, computed - begun)
        try:
            output, server_seconds = self._exchange(boundary, cut, trace_start + computed - begun)
        except (WireError, OSError) as error:
            return self._finish_alone(boundary, cut, begun, computed, error)
        done = time.perf_counter()
        return SplitResult(
            cut, output, computed - begun, done - computed - server_seconds, server_seconds, done - begun
        )

    def ping(self) -> float:
        """Seconds for one float32 to the server and back, through the shaped link.

        Raises
        ------
        OSError, WireError
            If the server does not answer properly within the timeout.
        """
        begun = time.perf_counter()
        self._ask(Message(Kind.PING, 0.0, np.zeros(1, np.float32)), Kind.PONG, 0.0)
        return time.perf_counter() - begun

    def profile_server(self, passes: int = 10) -> np.ndarray:
        """Seconds of each layer as the server's process runs them, shape (N,).

        Raises
        ------
        OSError, WireError
            If the server does not answer properly within the timeout.
        """
        request = Message(Kind.PROFILE, passes, np.zeros(0, np.float32))
        latencies = self._ask(request, Kind.LATENCIES, 0.0).tensor
        if latencies.shape != (self.network.layer_count,):
            raise ServerRefused(f"the server profiled {latencies.size} layers, not {self.network.layer_count}")
        return latencies

    def _on_device(self, values: np.ndarray, begin: int, end: int) -> np.ndarray:
        output, _ = at_pace_of(self.device_slowdown, self.network.run, values, begin, end)
        return output if end > begin else values

    def _exchange(self, boundary: np.ndarray, cut: int, trace_start: float) -> tuple[np.ndarray, float]:
        reply = self._ask(Message(Kind.RUN, cut, boundary), Kind.RESULT, trace_start)
        expected = self.network.boundary_shape(self.network.layer_count)
        if reply.tensor.shape != expected or reply.tensor.dtype != np.float32:
            self._hang_up()
            raise ServerRefused(f"the result is {reply.tensor.dtype} {reply.tensor.shape}, not float32 {expected}")
        return reply.tensor, reply.number

    def _ask(self, request: Message, wanted: Kind, trace_start: float) -> Message:
        """Send a request, return the reply; after any failure the next request opens a connection of its own."""
        deadline = time.perf_counter() + self.timeout
        try:
            connection = self._connected(deadline)
            self.shaper.send(connection, encode(request), start=trace_start, deadline=deadline)
            reply = receive(connection, deadline=deadline)
            if reply.kind is Kind.ERROR:
                raise ServerRefused(f"the server refused: {reply.text}")
            if reply.kind is not wanted:
                raise ServerRefused(f"the server answered {reply.kind.name} instead of {wanted.name}")
            return reply
        except BaseException:
            self._hang_up()
            raise

    def _connected(self, deadline: float) -> socket.socket:
        if self._connection is None:
            self._connection = prepare(socket.create_connection(self.address, timeout=remaining(deadline)))
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _finish_alone(
        self, boundary: np.ndarray, cut: int, begun: float, computed: float, error: Exception
    ) -> SplitResult:
        given_up = time.perf_counter()
        output = self._on_device(boundary, cut, self.network.layer_count)
        done = time.perf_counter()
        device_seconds = (computed - begun) + (done - given_up)
        return SplitResult(
            cut, output, device_seconds, given_up - computed, 0.0, done - begun, True, self._reason(error)
        )

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer from {self.address} within {self.timeout} s: {error}"
        return f"no usable answer from {self.address}: {error}"
