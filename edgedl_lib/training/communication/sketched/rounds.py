"""Federated averaging of digits through codecs: accuracy over rounds and over bytes, for many codecs.

The rounds are those of `FederatedAveraging` with the same seeds, without messages: a sweep over codecs spends its time
on codecs and training.  A test holds one against the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from edgedl_lib.training.codecs import Codec, CodecError, Dense, ErrorFeedback, decode_arrays, encode_arrays
from edgedl_lib.training.communication.dropout.submodel import Units, combined, draw_units, submodel
from edgedl_lib.training.communication.sketched.perceptrons import he_perceptron, train_together
from edgedl_lib.training.data import digits_pool, federated
from edgedl_lib.training.exchange import difference, moved
from edgedl_lib.training.history import crossing
from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.models import Arrays
from edgedl_lib.training.partition import iid
from edgedl_lib.training.task import Task

CLIENTS = 50
CLIENTS_PER_ROUND = 10
TARGET = 0.95
SKETCH_WIDTHS = (64, 128, 128, 10)


@dataclass(frozen=True)
class Variant:
    """One way to make federated averaging cheap.

    Attributes
    ----------
    learning_rate : float
        Tuned for this variant.
    upload, download : codec, optional
        What updates and models go through; an `ErrorFeedback` is copied for each client.
    structure : codec, optional
        The space within which clients train (`RandomMask`, `LowRank`); then also the upload codec.
    keep : float
        Share of the hidden units that a client gets (Federated Dropout).
    by_contributors : bool
        Divide an entry's sum by the clients that hold it instead of by all.
    """

    learning_rate: float = 0.2
    upload: Codec | ErrorFeedback | None = None
    download: Codec | None = None
    structure: Codec | None = None
    keep: float = 1.0
    by_contributors: bool = False


@dataclass(frozen=True)
class Trace:
    """Accuracy before the first round and after each, and the bytes of each round, all clients together."""

    accuracy: np.ndarray
    uplink_bytes: np.ndarray
    downlink_bytes: np.ndarray

    def rounds_to(self, target: float = TARGET) -> float:
        """Rounds until the running maximum reaches the target, interpolated; infinite if it never does."""
        return crossing(self.accuracy, target)

    def bytes_to(self, target: float = TARGET, direction: str = "uplink") -> float:
        """Bytes until then, in one direction."""
        rounds = self.rounds_to(target)
        if not np.isfinite(rounds):
            return float("inf")
        sent = np.concatenate([[0], np.cumsum(getattr(self, f"{direction}_bytes"))])
        return float(np.interp(rounds, np.arange(len(sent)), sent))

    @property
    def final(self) -> float:
        """Mean accuracy (%) after the last three rounds."""
        return 100 * float(np.mean(self.accuracy[-3:]))


@cache
def digits_task(seed: int, widths: tuple[int, ...] = SKETCH_WIDTHS) -> Task:
    """Fifty clients with thirty digits each; three local epochs of batches of ten."""
    train, test = digits_pool(seed)
    data = federated(train, test, iid(len(train), CLIENTS, seed), 10, "digits")
    return Task("digits", data, partial(he_perceptron, *widths), LocalTraining(0.2, 3, 10), seed)


def learn(task: Task, variant: Variant, rounds: int, per_round: int = CLIENTS_PER_ROUND) -> Trace:
    """Train for some rounds."""
    variant = replace(variant, upload=variant.structure) if variant.structure else variant
    task = replace(task, training=replace(task.training, learning_rate=variant.learning_rate))
    arrays, memories = task.initial_arrays(), {}
    accuracy, uplink, downlink = [task.evaluate(arrays)[1]], [], []
    for number in range(1, rounds + 1):
        rng = np.random.default_rng([task.seed, number])
        chosen = sorted(int(each) for each in rng.choice(len(task.data.clients), per_round, replace=False))
        arrays, sent, received = _round(task, variant, number, chosen, arrays, memories)
        uplink.append(sent)
        downlink.append(received)
        accuracy.append(task.evaluate(arrays)[1])
    return Trace(np.array(accuracy), np.array(uplink), np.array(downlink))


def _round(task: Task, variant: Variant, number: int, chosen: list[int], arrays: Arrays, memories: dict):
    parts = [_units(task, variant, number, client, arrays) for client in chosen]
    received, downlink = _downloads(task, variant, number, chosen, arrays, parts)
    rngs = [task.client_rng(number, client) for client in chosen]
    splits = [task.data.clients[client] for client in chosen]
    trained = train_together(received, splits, task.training, rngs, variant.structure)
    changes, places, uplink = [], [], 0
    for client, mine, base, rng, units in zip(chosen, trained, received, rngs, parts, strict=True):
        codec = _remembering(variant.upload, memories, client)
        try:
            change, size = _through(codec, difference(mine, base), rng)
        except CodecError:  # it diverged: refused, as the engine's strategy does, and the others go on
            continue
        changes.append(change)
        places.append(units)
        uplink += size
    if not changes:
        return arrays, uplink, downlink
    return moved(arrays, combined(changes, places, arrays, variant.by_contributors)), uplink, downlink


def _units(task: Task, variant: Variant, number: int, client: int, arrays: Arrays) -> Units | None:
    if variant.keep == 1:
        return None
    return draw_units(arrays, variant.keep, np.random.default_rng([task.seed, number, client, 3]))


def _downloads(task: Task, variant: Variant, number: int, chosen, arrays: Arrays, parts: Sequence[Units | None]):
    if parts[0] is None:  # all get the same: it is encoded once
        model, size = _through(variant.download, arrays, np.random.default_rng([task.seed, number, 1]))
        return [model] * len(parts), size * len(parts)
    rngs = [np.random.default_rng([task.seed, number, 2, client]) for client in chosen]
    models = [_through(variant.download, submodel(arrays, units), rng) for units, rng in zip(parts, rngs, strict=True)]
    return [model for model, _ in models], sum(size for _, size in models)


def _through(codec, arrays: Arrays, rng: np.random.Generator) -> tuple[Arrays, int]:
    """What comes out at the other end, and how many bytes it took."""
    codec = Dense() if codec is None else codec
    encode = codec.encode_arrays if isinstance(codec, ErrorFeedback) else partial(encode_arrays, codec)
    packets = encode(arrays, rng)
    return decode_arrays(packets), packets.size_bytes


def _remembering(codec, memories: dict, client: int):
    if not isinstance(codec, ErrorFeedback):
        return codec
    return memories.setdefault(client, ErrorFeedback(codec.codec))
