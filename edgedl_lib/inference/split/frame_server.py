"""A process that answers frames: connections, threads, broken peers and the end of the process that started it."""

from __future__ import annotations

import os
import select
import socket
import socketserver
import time
from typing import BinaryIO

import torch

from edgedl_lib.inference.split.shaper import prepare
from edgedl_lib.inference.split.wire import Message, WireError, encode, error_message, receive

ANY_PORT = ("127.0.0.1", 0)
FRAME_SECONDS = 120.0  # a peer that began a frame must finish it in this time


class FrameServer(socketserver.ThreadingTCPServer):
    """Answers each connection in a thread of its own, so that a stalled client never blocks the next.

    A subclass says in `answer` what it replies to one message.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int] = ANY_PORT) -> None:
        super().__init__(address, Conversation)

    def answer(self, message: Message) -> Message:
        """Reply to one message."""
        raise NotImplementedError

    def converse(self, connection: socket.socket, message: Message) -> None:
        """Answer one message over its connection; override to pace the reply."""
        send_frame(connection, self.answer(message))


class Conversation(socketserver.BaseRequestHandler):
    """Frames in, frames out, until the client leaves or breaks the protocol."""

    server: FrameServer

    def handle(self) -> None:
        torch.set_num_threads(1)
        connection = prepare(self.request)
        try:
            while _has_data(connection):
                message = receive(connection, deadline=time.perf_counter() + FRAME_SECONDS)
                self.server.converse(connection, message)
        except WireError as error:
            _say_why(connection, error)
        except OSError:
            pass  # the client is gone, and with it whoever could be told


def send_frame(connection: socket.socket, message: Message) -> None:
    """Send a message at once; a peer that does not take it has `FRAME_SECONDS`."""
    connection.settimeout(FRAME_SECONDS)
    connection.sendall(encode(message))


def leave_at_end_of(stream: BinaryIO) -> None:
    """Read until the other end of a pipe is gone, and with it the process that held it; then end this process."""
    while stream.read(4096):
        pass
    os._exit(0)


def _say_why(connection: socket.socket, error: WireError) -> None:
    try:
        send_frame(connection, error_message(str(error)))  # out of step: say why and hang up
    except OSError:
        pass


def _has_data(connection: socket.socket) -> bool:
    """Wait, however long, until the client sends something or leaves; False if it left."""
    select.select([connection], [], [])
    return bool(connection.recv(1, socket.MSG_PEEK))
