"""The wire protocol: what is sent comes back, and nothing else is taken for a frame."""

import pickle
import socket
import struct
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgedl_lib.inference.split import wire
from edgedl_lib.inference.split.wire import FrameTooLarge, Kind, Message, PeerClosed, TruncatedFrame, WireError

FRAME = wire.encode(Message(Kind.RUN, 3, np.arange(6, dtype=np.float32).reshape(2, 3)))


def packed(magic=wire.MAGIC, version=1, kind=0, code=1, ndim=1, number=0.0, length=4, shape=(1,), payload=b"\0" * 4):
    return (
        struct.pack("<4sBBBBdQ", magic, version, kind, code, ndim, number, length)
        + struct.pack(f"<{len(shape)}I", *shape)
        + payload
    )


@given(
    hnp.arrays(st.sampled_from(list(wire.DTYPES.values())), hnp.array_shapes(min_dims=0, max_dims=5, min_side=0)),
    st.sampled_from(Kind),
    st.floats(allow_nan=False),
)
def test_any_tensor_comes_back_bit_for_bit(tensor, kind, number):
    frame = wire.encode(Message(kind, number, tensor))
    message = wire.decode(frame)
    assert (message.kind, message.number) == (kind, number)
    assert message.tensor.shape == tensor.shape and message.tensor.dtype == tensor.dtype
    assert message.tensor.tobytes() == tensor.tobytes()
    assert len(frame) == wire.frame_bytes(tensor.shape, tensor.dtype)


@pytest.mark.parametrize("view", [lambda a: a.T, lambda a: a[::-1, ::2], lambda a: a.astype(">f4")])
def test_values_survive_whatever_the_memory_layout(view):
    tensor = view(np.arange(12, dtype=np.float32).reshape(3, 4))
    np.testing.assert_array_equal(wire.decode(wire.encode(Message(Kind.TENSOR, 0, tensor))).tensor, tensor)


def test_text_of_an_error_comes_back():
    assert wire.decode(wire.encode(wire.error_message("größer"))).text == "größer"


@pytest.mark.parametrize("length", range(len(FRAME)))
def test_a_frame_cut_short_anywhere_is_named_so(length):
    with pytest.raises(TruncatedFrame):
        wire.decode(FRAME[:length])


@pytest.mark.parametrize("length", range(len(FRAME)))
def test_a_stream_that_ends_anywhere_inside_a_frame_is_named_so(length):
    sender, receiver = socket.socketpair()
    with sender, receiver:
        sender.sendall(FRAME[:length])
        sender.close()
        with pytest.raises(PeerClosed if length == 0 else TruncatedFrame):
            wire.receive(receiver, deadline=time.perf_counter() + 2)


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (packed(magic=b"HTTP"), "does not speak this protocol"),
        (pickle.dumps(np.zeros(8)), "does not speak this protocol"),
        (packed(version=9), "version 9"),
        (packed(kind=77), "unknown kind 77"),
        (packed(code=0), "dtype code 0"),
        (packed(ndim=9), "9 dimensions"),
        (packed(length=5, payload=b"\0" * 5), "announces 5 bytes"),
        (packed(shape=(2,)), "holds 8"),
        (packed(ndim=3, shape=(0, 2**32 - 1, 2**32 - 1), length=0, payload=b""), "impossible shape"),
        (packed() + b"x", "1 bytes follow"),
    ],
)
def test_what_is_no_frame_is_refused_with_the_reason(frame, complaint):
    with pytest.raises(WireError, match=complaint):
        wire.decode(frame)


def test_a_huge_announcement_is_refused_before_its_bytes_are_awaited():
    sender, receiver = socket.socketpair()
    with sender, receiver:
        sender.sendall(packed(ndim=2, length=2**62, shape=(), payload=b""))
        with pytest.raises(FrameTooLarge, match="limit"):
            wire.receive(receiver, deadline=time.perf_counter() + 2)


def test_the_limit_is_the_callers_to_lower():
    wire.decode(FRAME, max_bytes=24)
    with pytest.raises(FrameTooLarge):
        wire.decode(FRAME, max_bytes=23)


@pytest.mark.parametrize(
    ("tensor", "complaint"),
    [
        (np.array([object()]), "dtype object"),
        (np.array(["text"]), "cannot be sent"),
        (np.zeros(2, complex), "complex128"),
        (np.zeros((1,) * 9), "9 dimensions"),
        (np.zeros((0, 2**33)), "at most"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_the_sender(tensor, complaint):
    with pytest.raises(WireError, match=complaint):
        wire.encode(Message(Kind.TENSOR, 0, tensor))


def test_a_peer_that_drips_bytes_cannot_stretch_the_deadline():
    sender, receiver = socket.socketpair()
    with sender, receiver:
        sender.sendall(FRAME[:-1])
        begun = time.perf_counter()
        with pytest.raises(TimeoutError):
            wire.receive(receiver, deadline=begun + 0.1)
        assert time.perf_counter() - begun < 1.0


def test_two_frames_in_one_stream_are_read_one_by_one():
    sender, receiver = socket.socketpair()
    with sender, receiver:
        sender.sendall(FRAME + wire.encode(Message(Kind.PING, 0, np.zeros(1))))
        assert wire.receive(receiver).kind is Kind.RUN
        assert wire.receive(receiver).kind is Kind.PING
