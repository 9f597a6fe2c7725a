"""A slow link in user space: the sender releases bytes no faster than a `Link` or a `Trace` would deliver them.

The bytes of a message leave in packets.  Each packet waits until the moment at which its last byte would have arrived
over the modelled link, counted from the start of the message, so that errors of `sleep` do not add up.  The last packet
alone is timed to the microsecond: the receiver then has the whole message when the model says so.
"""

from __future__ import annotations

import math
import socket
import time

import numpy as np

from edgedl_lib.inference.split.wire import remaining
from edgedl_lib.system.link import Link
from edgedl_lib.system.trace import Trace

PACKET_BYTES = 1400  # an Ethernet payload: small enough that an outage of a trace stops a message in its middle
SEND_BUFFER_BYTES = 16 * 1024  # what the kernel may hold back unseen by the shaper
SPIN_SECONDS = 1e-3  # `sleep` may oversleep by about this much on a busy machine


class Shaper:
    """Sends bytes at the pace of a link.

    Parameters
    ----------
    link : Link, Trace or float
        A plain number is a constant rate in bit/s.

    Raises
    ------
    ValueError
        If the rate is negative or NaN.

    Examples
    --------
    >>> Shaper(8e6).transfer_time(1_000_000)
    1.0
    """

    def __init__(self, link: Link | Trace | float) -> None:
        self.link = link if isinstance(link, Link | Trace) else Link("constant rate", rate=float(link))

    def transfer_time(self, size_bytes: np.typing.ArrayLike, start: float = 0.0) -> np.ndarray | float:
        """Seconds that `size_bytes` bytes take when they leave at trace time `start`; a constant link ignores it."""
        if isinstance(self.link, Trace):
            return self.link.transfer_time(size_bytes, start)
        return self.link.transfer_time(size_bytes)

    def send(
        self, connection: socket.socket, data: bytes, *, start: float = 0.0, deadline: float | None = None
    ) -> float:
        """Send `data`; return the seconds it took.

        Parameters
        ----------
        connection : socket.socket
        data : bytes
        start : float
            Trace time (s) at which the first bit leaves.
        deadline : float, optional
            `time.perf_counter` seconds at which to give up.

        Raises
        ------
        TimeoutError
            If the link or the peer is too slow to take all bytes before the deadline, or the link never would.
        OSError
            If the peer is gone.
        """
        begun = time.perf_counter()
        ends = packet_ends(len(data))
        due = begun + np.atleast_1d(self.transfer_time(ends, start))
        sent, view = 0, memoryview(data)
        for end, moment in zip(ends.tolist(), due.tolist(), strict=True):
            _wait_for_link(moment, deadline, sent, len(data), precise=end == len(data))
            connection.settimeout(remaining(deadline))
            connection.sendall(view[sent:end])
            sent = end
        return time.perf_counter() - begun


def packet_ends(size_bytes: int) -> np.ndarray:
    """Offsets at which the packets of a message of `size_bytes` bytes end.

    >>> packet_ends(3000).tolist()
    [1400, 2800, 3000]
    """
    full = np.arange(PACKET_BYTES, size_bytes, PACKET_BYTES)
    return np.append(full, size_bytes) if size_bytes else full


def prepare(connection: socket.socket) -> socket.socket:
    """Keep the kernel from buffering or delaying what the shaper releases; return the socket."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    return connection


def wait_until(moment: float, *, precise: bool = True) -> None:
    """Return at `moment` (`time.perf_counter` seconds): sleep, and if `precise` spin through the last millisecond."""
    pause = moment - time.perf_counter() - (SPIN_SECONDS if precise else 0.0)
    if pause > 0:
        time.sleep(pause)
    while precise and time.perf_counter() < moment:
        pass


def _wait_for_link(moment: float, deadline: float | None, sent: int, size: int, *, precise: bool) -> None:
    latest = math.inf if deadline is None else deadline
    if moment <= latest and math.isfinite(moment):
        return wait_until(moment, precise=precise)
    if math.isfinite(latest):
        wait_until(latest, precise=False)
    raise TimeoutError(f"the link delivered {sent} of {size} bytes before the time allowed was over")
