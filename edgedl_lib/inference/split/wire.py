"""How a tensor crosses a socket: a fixed header, the shape, then the raw buffer.  Nothing is ever unpickled.

A frame is, in little-endian order,

=========  =====  ====================================================================
field      bytes  meaning
=========  =====  ====================================================================
magic      4      ``b"EDSP"``
version    1      1
kind       1      see `Kind`
dtype      1      see `DTYPES`
ndim       1      number of dimensions, at most 8
number     8      float64 that belongs to the kind: the cut, or the server's seconds
length     8      bytes of the raw buffer, which must be the product of shape and item size
shape      4 x n  one unsigned integer for each dimension
buffer     ...    the elements in C order
=========  =====  ====================================================================

A peer that sends anything else gets one clear exception, before memory is spent on what it announces.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from socket import socket

import numpy as np

MAGIC = b"EDSP"
VERSION = 1
MAX_DIMENSIONS = 8
MAX_LENGTH = 2**32 - 1
MAX_BYTES = (
    64 * 2**20
)  # a boundary tensor of any network of the zoo is smaller; a larger length is a mistake or an attack
HEADER = struct.Struct("<4sBBBBdQ")
DIMENSION_BYTES = 4

#: dtype code -> NumPy dtype, always little-endian on the wire.
DTYPES = {
    code: np.dtype(name)
    for code, name in enumerate(("<f4", "<f8", "<f2", "i1", "u1", "<i2", "<i4", "<i8", "?"), start=1)
}
_CODES = {dtype: code for code, dtype in DTYPES.items()}


class Kind(IntEnum):
    """What a frame asks for or answers."""

    TENSOR = 0  # a tensor by itself
    RUN = 1  # run the layers after cut `number` on the tensor
    RESULT = 2  # the network's output, computed in `number` seconds
    PING = 3  # send the tensor back at once
    PONG = 4
    ERROR = 5  # the tensor holds UTF-8 text
    PROFILE = 6  # time each layer in `number` passes
    LATENCIES = 7  # seconds of each layer, float64
    SETUP = 8  # the tensor holds JSON text: what a worker is to compute from now on
    READY = 9  # it can
    TASK = 10  # compute task `number` on the tensor
    TIMES = 11  # what task `number` took, float64; its result follows
    DONE = 12  # the result of task `number`


class WireError(ValueError):
    """The bytes received are not a frame."""


class TruncatedFrame(WireError):
    """The stream ended inside a frame."""


class FrameTooLarge(WireError):
    """A frame announces more than the limit."""


class PeerClosed(ConnectionError):
    """The peer closed the connection between two frames."""


@dataclass(frozen=True, eq=False)
class Message:
    """One frame: its kind, one number and one tensor."""

    kind: Kind
    number: float
    tensor: np.ndarray

    @property
    def text(self) -> str:
        """The tensor's bytes read as UTF-8, for `Kind.ERROR` and `Kind.SETUP`."""
        return self.tensor.tobytes().decode("utf-8", errors="replace")


def error_message(text: str) -> Message:
    """A message that tells the peer, in one sentence, why its request failed."""
    return text_message(Kind.ERROR, text)


def text_message(kind: Kind, text: str) -> Message:
    """A message whose tensor holds UTF-8 text."""
    return Message(kind, 0.0, np.frombuffer(text.encode(), dtype=np.uint8))


def header_bytes(ndim: int) -> int:
    """Bytes of a frame before its raw buffer.

    >>> header_bytes(4)
    40
    """
    return HEADER.size + DIMENSION_BYTES * ndim


def frame_bytes(shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> int:
    """Exact bytes of the frame of a tensor of this shape and dtype.

    >>> frame_bytes((1, 6, 6, 256), "float32")
    36904
    """
    return header_bytes(len(shape)) + math.prod(shape) * np.dtype(dtype).itemsize


def encode(message: Message) -> bytes:
    """Bytes of one frame.

    Raises
    ------
    WireError
        If the dtype cannot be sent, or there are more than eight dimensions.
    FrameTooLarge
        If the tensor is larger than `MAX_BYTES`.

    Examples
    --------
    >>> len(encode(Message(Kind.TENSOR, 0.0, np.zeros((2, 3), np.float32))))
    56
    """
    tensor = check_sendable(message.tensor)
    dtype = tensor.dtype.newbyteorder("<")
    header = HEADER.pack(MAGIC, VERSION, message.kind, _CODES[dtype], tensor.ndim, float(message.number), tensor.nbytes)
    shape = struct.pack(f"<{tensor.ndim}I", *tensor.shape)
    return header + shape + tensor.astype(dtype, copy=False).tobytes()


def check_sendable(tensor: np.typing.ArrayLike) -> np.ndarray:
    """The tensor as an array, if a frame can hold it.

    Raises
    ------
    WireError, FrameTooLarge
        See `encode`.
    """
    tensor = np.asarray(tensor)
    if tensor.dtype.newbyteorder("<") not in _CODES:
        known = ", ".join(known.name for known in DTYPES.values())
        raise WireError(f"a tensor of dtype {tensor.dtype} cannot be sent; convert it to one of {known}")
    _check_limits(tensor.ndim, tensor.nbytes, MAX_BYTES)
    if any(length > MAX_LENGTH for length in tensor.shape):
        raise WireError(
            f"a tensor of shape {tensor.shape} cannot be sent; a dimension has at most {MAX_LENGTH} entries"
        )
    return tensor


def decode(frame: bytes, *, max_bytes: int = MAX_BYTES) -> Message:
    """The message in one complete frame; the inverse of `encode`.

    Raises
    ------
    WireError
        If the bytes are no frame, are cut short (`TruncatedFrame`), announce too much (`FrameTooLarge`) or go on
        after the frame.
    """
    view, position = memoryview(frame), 0

    def take(count: int) -> memoryview:
        nonlocal position
        if position + count > len(view):
            raise TruncatedFrame(f"the frame ends after {len(view)} bytes; {position + count} were announced")
        position += count
        return view[position - count : position]

    message = _read(take, max_bytes)
    if position != len(view):
        raise WireError(f"{len(view) - position} bytes follow the frame; send one frame at a time")
    return message


def receive(connection: socket, *, deadline: float | None = None, max_bytes: int = MAX_BYTES) -> Message:
    """Read one message from a socket.

    Parameters
    ----------
    connection : socket.socket
    deadline : float, optional
        `time.perf_counter` seconds by which the whole frame must be there, however slowly the peer drips its bytes.
    max_bytes : int
        Largest buffer accepted.

    Raises
    ------
    PeerClosed
        If the peer closed the connection before the first byte.
    WireError
        See `decode`.
    TimeoutError
        If the deadline passes.
    """
    started = False

    def take(count: int) -> bytearray:
        nonlocal started
        buffer = _read_exactly(connection, count, deadline, inside_frame=started)
        started = True
        return buffer

    return _read(take, max_bytes)


def remaining(deadline: float | None) -> float | None:
    """Seconds until a deadline, for `socket.settimeout`; None means for ever.

    Raises
    ------
    TimeoutError
        If the deadline has passed.
    """
    if deadline is None:
        return None
    seconds = deadline - time.perf_counter()
    if seconds <= 0:
        raise TimeoutError("the time allowed for the exchange is over")
    return seconds


def _read(take: Callable[[int], bytes], max_bytes: int) -> Message:
    magic, version, kind, code, ndim, number, length = HEADER.unpack(take(HEADER.size))
    if magic != MAGIC:
        raise WireError(f"the frame begins with {bytes(magic)!r}, not {MAGIC!r}: the peer does not speak this protocol")
    if version != VERSION:
        raise WireError(
            f"the peer speaks version {version} of the protocol, this side {VERSION}: install the same edgedl"
        )
    if kind not in Kind._value2member_map_ or code not in DTYPES:
        raise WireError(f"the frame has the unknown kind {kind} or dtype code {code}")
    _check_limits(ndim, length, max_bytes)
    shape = struct.unpack(f"<{ndim}I", take(DIMENSION_BYTES * ndim))
    expected = math.prod(shape) * DTYPES[code].itemsize
    if length != expected:
        raise WireError(f"the frame announces {length} bytes, but shape {shape} of {DTYPES[code]} holds {expected}")
    flat = np.frombuffer(take(length), dtype=DTYPES[code])
    try:
        return Message(Kind(kind), number, flat.reshape(shape))
    except ValueError as error:  # an empty tensor may announce dimensions beyond NumPy's own limit
        raise WireError(f"the frame has the impossible shape {shape}: {error}") from error


def _check_limits(ndim: int, length: int, max_bytes: int) -> None:
    if ndim > MAX_DIMENSIONS:
        raise WireError(f"a tensor of {ndim} dimensions cannot be sent; {MAX_DIMENSIONS} is the limit")
    if length > max_bytes:
        raise FrameTooLarge(f"a tensor of {length} bytes exceeds the limit of {max_bytes} bytes")


def _read_exactly(connection: socket, count: int, deadline: float | None, *, inside_frame: bool) -> bytearray:
    buffer = bytearray(count)
    view, filled = memoryview(buffer), 0
    while filled < count:
        connection.settimeout(remaining(deadline))
        received = connection.recv_into(view[filled:])
        if received == 0 and not (filled or inside_frame):
            raise PeerClosed("the peer closed the connection")
        if received == 0:
            raise TruncatedFrame(f"the connection ended inside a frame: {filled} of the next {count} bytes arrived")
        filled += received
    return buffer
