"""The other end of a split run: a process that finishes what the device began.

``python -m edgedl_lib.inference.split --model lenet5`` builds the network, prints ``port 12345`` and serves until it is
stopped, or, with ``--follow-parent``, until its standard input closes because the process that started it is gone.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Sequence

import torch

from edgedl_lib.inference.split.frame_server import ANY_PORT, FrameServer, leave_at_end_of
from edgedl_lib.inference.split.network import ChainNetwork, graph_by_name, random_image
from edgedl_lib.inference.split.profile import profile_cold
from edgedl_lib.inference.split.wire import Kind, Message, error_message

WARM_UP_RUNS = 3
MAX_PASSES = 100  # of a profile, so that a request cannot keep the server busy for long


class SplitServer(FrameServer):
    """Finishes what clients began, with one network for all of them."""

    def __init__(self, network: ChainNetwork, address: tuple[str, int] = ANY_PORT) -> None:
        self.network = network
        super().__init__(address)

    def answer(self, message: Message) -> Message:
        return answer(self.network, message)


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
        threading.Thread(target=leave_at_end_of, args=(sys.stdin.buffer,), daemon=True).start()
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
