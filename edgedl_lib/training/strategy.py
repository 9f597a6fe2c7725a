"""Federated averaging as a Flower strategy made of small steps; a method of the survey overrides one of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.exchange import (
    decoded_record,
    encoded_record,
    from_record,
    moved,
    record_bytes,
    shapes_of,
    to_record,
)
from edgedl_lib.training.flower import (
    ArrayRecord,
    ConfigRecord,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
    Strategy,
)
from edgedl_lib.training.models import Arrays


class BadUpdate(ValueError):
    """An update that must not be averaged: from whom, and why."""

    def __init__(self, client: int, reason: str) -> None:
        super().__init__(f"client {client}: {reason}")
        self.client, self.reason = client, reason


class TooFewClients(ValueError):
    """A round asks for more clients than there are."""


@dataclass(frozen=True)
class ClientUpdate:
    """One client's answer.

    Attributes
    ----------
    client : int
        Its number, as it names itself.
    arrays : Arrays
        Its model.
    examples : int
    metrics : dict of str to float
    uplink_bytes : int
        Payload it took to send.
    """

    client: int
    arrays: Arrays
    examples: int
    metrics: dict[str, float]
    uplink_bytes: int


@dataclass(frozen=True)
class Rejection:
    """A client whose answer was not used in a round."""

    round: int
    client: int
    reason: str


@dataclass
class Round:
    """What happened in one round; the strategy fills it in, the history keeps it."""

    number: int
    chosen: tuple[int, ...] = ()
    participants: tuple[int, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    uplink_bytes: int = 0
    downlink_bytes: int = 0
    loss_before: float = float("nan")
    abandoned: bool = False


class FederatedAveraging(Strategy):
    """FederatedAveraging of McMahan et al. 2017 [198].

    Parameters
    ----------
    clients_per_round : int
        The paper's m = max(C K, 1).
    seed : int
        Of the choice of clients; nothing here draws from a global generator.
    weighting : {"examples", "equal"}
        n_k over the sum of the chosen clients' n_k, or the plain mean.
    minimum_updates : int
        With fewer usable answers the round is abandoned: the model stays as it was, and the history says so.
    upload, download : codec, optional
        Make what travels smaller.  With either, clients send what training *changed*, and the server adds it to its
        own weights; without, they send their models.
    """

    def __init__(
        self,
        *,
        clients_per_round: int,
        seed: int = 0,
        weighting: str = "examples",
        minimum_updates: int = 1,
        upload=None,
        download=None,
    ) -> None:
        if clients_per_round < 1:
            raise ValueError(f"clients_per_round {clients_per_round}: a round without clients trains nothing; give 1")
        if weighting not in ("examples", "equal"):
            raise ValueError(f"unknown weighting {weighting!r}; choose 'examples' or 'equal'")
        if not 1 <= minimum_updates <= clients_per_round:
            raise ValueError(f"minimum_updates {minimum_updates} must lie between 1 and {clients_per_round}")
        self.clients_per_round, self.seed, self.weighting = clients_per_round, seed, weighting
        self.minimum_updates, self.upload, self.download = minimum_updates, upload, download
        self.rounds: list[Round] = []
        self._nodes, self._asked = {}, None

    # The small steps, in the order in which a round takes them

    def choose(self, server_round: int, clients: list[int]) -> list[int]:
        """Numbers of the clients of this round: without replacement, seeded by the strategy's seed and the round."""
        if self.clients_per_round > len(clients):
            raise TooFewClients(
                f"a round needs {self.clients_per_round} clients but there are {len(clients)}; "
                "lower clients_per_round or wait for more clients"
            )
        rng = np.random.default_rng([self.seed, server_round])
        return [int(client) for client in rng.choice(clients, self.clients_per_round, replace=False)]

    def instructions(self, server_round: int, client: int) -> dict:
        """Numbers, strings or bytes for this client; an entry named like one of LocalTraining replaces it."""
        return {}

    def outgoing(self, server_round: int, client: int, arrays: Arrays) -> Arrays:
        """What this client is sent; return ``arrays`` itself where all get the same."""
        return arrays

    def inspect(self, update: ClientUpdate, arrays: Arrays) -> None:
        """Refuse an update that must not be averaged; ``arrays`` is what that client was sent.

        Raises
        ------
        BadUpdate
            Nothing came, other names, another shape, an entry that is not finite, no examples.
        """
        if update.arrays.keys() != arrays.keys():
            raise BadUpdate(update.client, f"sent arrays {list(update.arrays)}, expected {list(arrays)}")
        for name, values in update.arrays.items():
            if values.shape != arrays[name].shape:
                raise BadUpdate(update.client, f"{name} has shape {values.shape}, expected {arrays[name].shape}")
            if not np.isfinite(values).all():
                raise BadUpdate(update.client, f"{name} holds NaN or an overflow")
        if update.examples < 1:
            raise BadUpdate(update.client, f"says it trained on {update.examples} examples")

    def aggregate(self, server_round: int, arrays: Arrays, updates: list[ClientUpdate]) -> Arrays:
        """The new model: the mean of the updates' models, weighted by n_k over the sum of THEIR n_k."""
        weights = [each.examples if self.weighting == "examples" else 1 for each in updates]
        return weighted_mean([each.arrays for each in updates], weights)

    # What Flower calls

    def configure_train(self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid) -> Iterable[Message]:
        """One message for each chosen client, none of them shared."""
        nodes = self.clients_of(grid)
        self._arrays, self._record = from_record(arrays), arrays
        chosen = self.choose(server_round, sorted(nodes))
        self._sent, self._broadcast = {}, None
        self.rounds.append(Round(server_round, tuple(chosen)))
        return [self._message(server_round, client, nodes[client], dict(config)) for client in chosen]

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> tuple[ArrayRecord | None, MetricRecord]:
        """Inspect the replies, average the good ones; None if too few are left."""
        updates = self._accepted(list(replies))
        current = self.rounds[-1]
        current.abandoned = len(updates) < self.minimum_updates
        if current.abandoned:
            return None, MetricRecord({"updates": len(updates)})
        current.participants = tuple(each.client for each in updates)
        current.loss_before = _mean_metric(updates, "loss_before")
        self._arrays = self.aggregate(server_round, self._arrays, updates)
        return to_record(self._arrays), MetricRecord({"updates": len(updates), "loss_before": current.loss_before})

    def configure_evaluate(self, server_round: int, arrays, config, grid) -> Iterable[Message]:
        """The server tests by itself."""
        return []

    def aggregate_evaluate(self, server_round: int, replies) -> None:
        """The server tests by itself."""

    def summary(self) -> None:
        """Flower asks every strategy to describe itself in its log; our histories do it."""

    def clients_of(self, grid) -> dict[int, int]:
        """Node of each client's number: told by the grid, or asked of the nodes once."""
        if self._asked is not grid:
            self._nodes, self._asked = getattr(grid, "clients", None) or roll_call(grid), grid
        return self._nodes

    def _message(self, server_round: int, client: int, node: int, config: dict) -> Message:
        sent = self.outgoing(server_round, client, self._arrays)
        content = self._packed(server_round, client, sent)
        self._sent[node] = (client, sent)
        self.rounds[-1].downlink_bytes += record_bytes(content["arrays"])
        orders = {**config, "server-round": server_round, **self.instructions(server_round, client)}
        if self._encodes:
            orders["reply"] = "update"
        return Message(
            RecordDict({**content, "config": ConfigRecord(orders)}),
            node,
            MessageType.TRAIN,
            group_id=str(server_round),
        )

    @property
    def _encodes(self) -> bool:
        return self.upload is not None or self.download is not None

    def _packed(self, server_round: int, client: int, sent: Arrays) -> dict:
        """Records of the model; what all get alike is encoded once: the server broadcasts."""
        if sent is self._arrays and self._broadcast is not None:
            return self._broadcast
        if self.download is None:
            records = {"arrays": self._record if sent is self._arrays else to_record(sent)}
        else:
            stream = [self.seed, server_round, 1] if sent is self._arrays else [self.seed, server_round, 2, client]
            encoded = encoded_record(self.download, sent, np.random.default_rng(stream))
            records = {"arrays": encoded, "shapes": shapes_of(sent)}
        if sent is self._arrays:
            self._broadcast = records
        return records

    def _accepted(self, replies: list[Message]) -> list[ClientUpdate]:
        current, updates, refused = self.rounds[-1], [], []
        answers = {message.metadata.src_node_id: message for message in replies}
        for node, (client, sent) in self._sent.items():
            try:
                update = self._read(client, sent, answers.get(node))
                current.uplink_bytes += update.uplink_bytes
                self.inspect(update, sent)
                updates.append(update)
            except BadUpdate as bad:
                refused.append(Rejection(current.number, bad.client, bad.reason))
        current.rejected = tuple(sorted(refused, key=lambda bad: bad.client))
        return sorted(updates, key=lambda update: update.client)

    def _read(self, client: int, sent: Arrays, message: Message | None) -> ClientUpdate:
        if message is None:
            raise BadUpdate(client, "no reply")
        if message.has_error():
            raise BadUpdate(client, message.error.reason or "failed without a reason")
        try:
            return self._opened(client, sent, message.content)
        except BadUpdate:
            raise
        except (ValueError, TypeError, LookupError) as fault:  # whatever a client can write into a reply
            raise BadUpdate(client, f"its reply cannot be read: {type(fault).__name__}: {fault}") from fault

    def _opened(self, client: int, sent: Arrays, content: RecordDict) -> ClientUpdate:
        named = int(content["client"]["client"]) if "client" in content else None
        if named != client:
            raise BadUpdate(client, f"answers in the name of client {named}")
        if "arrays" not in content or not len(content["arrays"]):
            raise BadUpdate(client, "sent no arrays")
        metrics, record = dict(content["metrics"]), content["arrays"]
        examples = int(metrics.pop("num-examples"))
        if self.upload is not None:
            arrays = decoded_record(self.upload, record, content["shapes"])
        else:
            arrays = from_record(record)
        if self._encodes and arrays.keys() == sent.keys():
            arrays = moved(sent, arrays)  # the change, added to the server's own weights
        return ClientUpdate(client, arrays, examples, metrics, record_bytes(record))


def weighted_mean(models: list[Arrays], weights) -> Arrays:
    """Entry by entry mean in double precision, back in each array's own type (integers rounded).

    Raises
    ------
    ValueError
        No model, or weights that sum to nothing.
    """
    total = float(sum(weights))
    if not models or not total > 0:
        raise ValueError(f"cannot average {len(models)} models with weights that sum to {total}")
    averaged = {}
    for name, first in models[0].items():
        mean = sum(
            np.multiply(each[name], weight, dtype=np.float64) for each, weight in zip(models, weights, strict=True)
        )
        mean /= total
        averaged[name] = (np.rint(mean) if np.issubdtype(first.dtype, np.integer) else mean).astype(first.dtype)
    return averaged


def roll_call(grid) -> dict[int, int]:
    """Ask every node which client it is: node of each client's number.

    Raises
    ------
    TooFewClients
        Nobody answers.
    ValueError
        Two nodes say that they are the same client.
    """
    nodes = sorted(grid.get_node_ids())
    questions = [Message(RecordDict(), node, MessageType.QUERY) for node in nodes]
    present: dict[int, int] = {}
    for answer in grid.send_and_receive(questions, timeout=60):
        if answer.has_error():
            continue
        client = int(answer.content["client"]["client"])
        if client in present:
            raise ValueError(f"two nodes say that they are client {client}; give each its own partition-id")
        present[client] = answer.metadata.src_node_id
    if not present:
        raise TooFewClients(f"none of {len(nodes)} nodes says which client it is; start clients first")
    return present


def _mean_metric(updates: list[ClientUpdate], name: str) -> float:
    values = [each.metrics[name] for each in updates if name in each.metrics]
    weights = [each.examples for each in updates if name in each.metrics]
    return float(np.average(values, weights=weights)) if values else float("nan")
