"""The other end of a split run: a process that finishes what the device began.

``python -m edgedl_lib.inference.split --model lenet5`` builds the network, prints ``port 12345`` and serves until it is
stopped, or, with ``--follow-parent``, until its standard input closes because the process that started it is gone.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Sequence

import torch

from edgedl_lib.inference.split.network import ChainNetwork, graph_by_name, random_image
from edgedl_lib.inference.split.profile import profile_cold
from edgedl_lib.inference.split.shaper import prepare
from edgedl_lib.inference.split.wire import Kind, Message, WireError, encode, error_message, receive

FRAME_SECONDS = 120.0  # a peer that began a frame must finish it in this time
WARM_UP_RUNS = 3
MAX_PASSES = 100  # of a profile, so that a request cannot keep the server busy for long


class SplitServer(socketserver.ThreadingTCPServer):
    """Answers each connection in a thread of its own, so that a stalled client never blocks the next."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, network: ChainNetwork, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.network = network
        super().__init__(address, Conversation)


class Conversation(socketserver.BaseRequestHandler):
    """Frames in, frames out, until the client leaves or breaks the protocol."""

    server: SplitServer

    def handle(self) -> None:
        torch.set_num_threads(1)
        connection = prepare(self.request)
        try:
            while _has_data(connection):
                message = receive(connection, deadline=time.perf_counter() + FRAME_SECONDS)
                self._send(connection, answer(self.server.network, message))
        except WireError as error:
            self._send(connection, error_message(str(error)))  # out of step: say why and hang up
        except OSError:
            pass  # the client is gone, and with it whoever could be told

    @staticmethod
    def _send(connection: socket.socket, message: Message) -> None:
        connection.settimeout(FRAME_SECONDS)
        connection.sendall(encode(message))


def answer(network: ChainNetwork, message: Message) -> Message:
    """Reply to one message; what cannot be done is answered by `Kind.ERROR` and one sentence."""
    if message.kind is Kind.PING:
        return Message(Kind.PONG, 0.0, message.tensor)
    if message.kind not in (Kind.RUN, Kind.PROFILE):
        return error_message(f"a server does not answer {message.kind.name}; send RUN, PROFILE or PING")
    try:
        if message.kind is Kind.PROFILE:
            return Message(Kind.LATENCIES, 0.0, profile_cold(network, _passes(message.number)))
        cut = network.checked(message.number)
        begun = time.perf_counter()
        output = network.run(message.tensor, cut, network.layer_count)
        return Message(Kind.RESULT, time.perf_counter() - begun, output)
    except ValueError as error:
        return error_message(str(error))


def _passes(number: float) -> int:
    if not 1 <= number <= MAX_PASSES:
        raise ValueError(f"{number} profile passes were asked for; the server grants 1 to {MAX_PASSES}")
    return int(number)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: build, announce the port, serve."""
    options = _options(arguments)
    torch.set_num_threads(1)
    network = ChainNetwork(graph_by_name(options.model), options.seed)
    for _ in range(WARM_UP_RUNS):
        network.run(random_image(network.graph), 0, network.layer_count)
    if options.follow_parent:
        threading.Thread(target=_leave_with_parent, daemon=True).start()
    with SplitServer(network, (options.host, options.port)) as server:
        print(f"port {server.server_address[1]}", flush=True)
        server.serve_forever(poll_interval=60)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="edgedl_lib.inference.split", description="Serve the rest of a split network."
    )
    parser.add_argument("--model", required=True, help="name of a chain, for instance lenet5")
    parser.add_argument("--seed", type=int, default=0, help="seed of the weights, the same as the client's")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--follow-parent", action="store_true", help="leave when standard input closes")
    return parser.parse_args(arguments)


def _has_data(connection: socket.socket) -> bool:
    """Wait, however long, until the client sends something or leaves; False if it left."""
    select.select([connection], [], [])
    return bool(connection.recv(1, socket.MSG_PEEK))


def _leave_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)
