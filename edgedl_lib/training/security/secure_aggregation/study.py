"""Runs whose figures the page shows: exact sums, refusals, bytes, work, and what leaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.security.secure_aggregation import cost
from edgedl_lib.training.security.secure_aggregation.client import Client
from edgedl_lib.training.security.secure_aggregation.curious import read_late_vector
from edgedl_lib.training.security.secure_aggregation.keys import seeded_entropy
from edgedl_lib.training.security.secure_aggregation.parameters import Parameters, ProtocolError, TooFewClients
from edgedl_lib.training.security.secure_aggregation.protocol import Outcome, run
from edgedl_lib.training.security.secure_aggregation.server import Server
from edgedl_lib.training.security.secure_aggregation.wire import pack_clients

STOPS = ("advertise", "share", "mask", "unmask")  # the stages of the shorter protocol

Run = Callable[..., Outcome]


def inputs(parameters: Parameters, seed: int) -> np.ndarray:
    """Whole numbers of the agreed size, one row for each client."""
    shape = (parameters.clients, parameters.length)
    return np.random.default_rng(seed).integers(0, 2**parameters.input_bits, shape)


def silent(parameters: Parameters, count: int, stage: str | None, seed: int) -> dict[int, str]:
    """Which clients fall silent before which stage; without a stage, before all of them in turn."""
    chosen = np.random.default_rng(seed).permutation(parameters.clients)[:count].tolist()
    return {client: stage or STOPS[rank % len(STOPS)] for rank, client in enumerate(chosen)}


def sum_is_exact(parameters: Parameters, silent_before: dict[int, str], seed: int, run: Run = run) -> bool:
    """Whether a run gives the sum of exactly those who sent a vector."""
    values = inputs(parameters, seed)
    outcome = run(parameters, values, silent_before, seeded_entropy(seed))
    late = {client for client, stage in silent_before.items() if stage in STOPS[:3]}
    expected = tuple(client for client in range(parameters.clients) if client not in late)
    return outcome.contributors == expected and np.array_equal(outcome.total, values[list(expected)].sum(axis=0))


def exact_share(users: Sequence[int], shares: Sequence[float], seed: int, length: int = 1000, run: Run = run) -> float:
    """Share of exact sums over numbers of users, drop-out shares and the stages before which they happen."""
    exact = []
    for clients in users:
        parameters = Parameters(clients, -(-2 * clients // 3), length)
        for share in shares:
            count = min(round(share * clients), clients - parameters.threshold)
            for stage in STOPS:
                exact.append(sum_is_exact(parameters, silent(parameters, count, stage, seed), seed, run))
    return float(np.mean(exact))


def refusals(parameters: Parameters, seed: int, make_server: Callable[[Parameters], Server] = Server) -> float:
    """Share of runs with one client too few, before each stage in turn, that end without a sum."""
    values, refused = inputs(parameters, seed), []
    for stage in STOPS:
        missing = silent(parameters, parameters.clients - parameters.threshold + 1, stage, seed)
        try:
            run(parameters, values, missing, seeded_entropy(seed), make_server=make_server)
            refused.append(False)
        except TooFewClients:
            refused.append(True)
    return float(np.mean(refused))


def most_silent(parameters: Parameters, stage: str | None, seed: int) -> int:
    """Largest number of clients that may fall silent with the sum still exact, by bisection; see :func:`silent`."""
    possible, impossible = 0, parameters.clients
    while impossible - possible > 1:
        middle = (possible + impossible) // 2
        if _survives(parameters, silent(parameters, middle, stage, seed), seed):
            possible = middle
        else:
            impossible = middle
    return possible


def _survives(parameters: Parameters, missing: dict[int, str], seed: int) -> bool:
    try:
        return sum_is_exact(parameters, missing, seed)
    except TooFewClients:
        return False


def counted_bytes(users: Sequence[int], length: int, seed: int) -> np.ndarray:
    """Bytes that the first client sent and received in a run in which all stay."""
    result = []
    for clients in users:
        parameters = Parameters(clients, -(-2 * clients // 3), length)
        result.append(run(parameters, inputs(parameters, seed), {}, seeded_entropy(seed)).traffic(0))
    return np.array(result)


def bytes_per_user(users: Sequence[int], counted: np.ndarray) -> float:
    """Slope of the counted bytes over the number of users, less the vector's own growth, over the formula's."""
    vectors = [cost.client_bytes(Parameters(n, n, 200))["masked vector"] for n in users]
    slope = np.polyfit(users, counted - np.array(vectors), 1)[0]
    return float(slope / (7 * cost.FORMULA_BITS / 8))


@dataclass(frozen=True)
class Work:
    """Masks generated in one run."""

    server: int
    client: int


def work(parameters: Parameters, count: int, seed: int) -> Work:
    """Masks generated if `count` clients fall silent before they send their vectors."""
    missing = silent(parameters, count, "mask", seed)
    outcome = run(parameters, inputs(parameters, seed), missing, seeded_entropy(seed))
    return Work(outcome.server.masks_made, outcome.clients[outcome.contributors[0]].masks_made)


def late_entries_read(parameters: Parameters, seed: int, **variant) -> float:
    """Per cent of a late vector's entries that the server gets right."""
    values, late = inputs(parameters, seed), parameters.clients // 2
    outcome = run(parameters, values, {late: "mask"}, seeded_entropy(seed), **variant)
    return 100 * float(np.mean(read_late_vector(outcome, late) == values[late]))


def second_requests_answered(parameters: Parameters, seed: int, make_client: Callable[..., Client] = Client) -> float:
    """Share of clients that hand out another share when the server asks again and calls client 0 silent."""
    entropy = seeded_entropy(seed)
    outcome = run(parameters, inputs(parameters, seed), {}, entropy, make_client=make_client)
    others = pack_clients(range(1, parameters.clients), parameters.clients)
    answered = [_answers(client, others) for client in outcome.clients[1:]]
    return float(np.mean(answered))


def _answers(client: Client, request: bytes) -> bool:
    try:
        client.unmask(request)
    except ProtocolError:
        return False
    return True
