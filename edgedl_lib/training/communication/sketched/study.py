"""Experiments on sketched and structured updates: which variants, at which step sizes, on how many clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.codecs import (
    Chain,
    ErrorFeedback,
    LowPrecision,
    LowRank,
    Matrices,
    Quantise,
    RandomMask,
    Rotate,
    Subsample,
    TopK,
    WholeModel,
)
from edgedl_lib.training.communication.sketched.rounds import SKETCH_WIDTHS, TARGET, Trace, Variant, digits_task, learn
from edgedl_lib.training.data import FederatedData
from edgedl_lib.training.task import Task

BLOCK = 1024  # of rotations: at most one block of padding
LOSSY_UP, LOSSY_DOWN = Matrices(Quantise(2)), Matrices(Quantise(4))  # of Federated Dropout
TUNING_SEEDS = (100, 101)  # other digits in other hands than in any claim
TUNING_ROUNDS = 25
SMALL_STEPS = (0.0125, 0.025, 0.05, 0.1, 0.2)
GRID = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)

# Step sizes: the best of SMALL_STEPS (low rank) or GRID (all others) by the mean accuracy of the last ten of
# TUNING_ROUNDS rounds over TUNING_SEEDS; `tune` finds them again.
VARIANTS: dict[str, Variant] = {
    "uncompressed": Variant(0.4),
    "low rank 25 %": Variant(0.05, structure=Matrices(LowRank(0.25))),
    "low rank 6.25 %": Variant(0.025, structure=Matrices(LowRank(0.0625))),
    "mask 25 %": Variant(0.8, structure=Matrices(RandomMask(0.25))),
    "mask 6.25 %": Variant(1.6, structure=Matrices(RandomMask(0.0625))),
    "I, 1 bit": Variant(0.2, WholeModel(Quantise(1))),
    "HD, 1 bit": Variant(0.4, WholeModel(Chain(Rotate(BLOCK), Quantise(1)))),
    "HD, 2 bits": Variant(0.4, WholeModel(Chain(Rotate(BLOCK), Quantise(2)))),
    "I, 6.25 %, 2 bits": Variant(0.2, WholeModel(Chain(Subsample(0.0625), Quantise(2)))),
    "HD, 6.25 %, 2 bits": Variant(0.4, WholeModel(Chain(Rotate(BLOCK), Subsample(0.0625), Quantise(2)))),
    "FedPAQ, 1 level": Variant(0.2, WholeModel(LowPrecision(1))),
    "top 1 % + memory": Variant(0.4, ErrorFeedback(WholeModel(TopK(0.01)))),
    "dropout 0.75, 4/2 bits": Variant(0.4, LOSSY_UP, LOSSY_DOWN, keep=0.75),
}
SKETCHES = tuple(name for name in VARIANTS if name.startswith(("I,", "HD,")))
MANY = 200  # clients a round of the last experiment, in the quick profile
FEW = 4
CROWD_WIDTHS = (64, 64, 64, 10)
CROWD_FRACTIONS = (0.1, 0.01)
CROWD_RATES, LONELY_RATES = (0.4, 0.4), (0.1, 0.1)  # for each fraction: the best of 0.1, 0.2, 0.4 on a tuning seed

Traces = dict[str, list[Trace]]


def sweep(variants: Mapping[str, Variant], seeds: Sequence[int], rounds: int | Mapping[str, int], widths=SKETCH_WIDTHS):
    """A trace for every variant and seed: name -> list of traces.

    `rounds` is one number, or one for each name.
    """
    length = rounds if isinstance(rounds, Mapping) else dict.fromkeys(variants, rounds)
    return {
        name: [learn(digits_task(seed, tuple(widths)), variant, length[name]) for seed in seeds]
        for name, variant in variants.items()
    }


def tune(variant: Variant, grid: Sequence[float], widths=SKETCH_WIDTHS) -> dict[float, float]:
    """Mean accuracy (%) of the last ten of `TUNING_ROUNDS` rounds for each step size."""

    def score(rate: float) -> float:
        candidate = replace(variant, learning_rate=rate)
        traces = [learn(digits_task(seed, tuple(widths)), candidate, TUNING_ROUNDS) for seed in TUNING_SEEDS]
        return 100 * float(np.mean([trace.accuracy[-10:] for trace in traces]))

    return {rate: score(rate) for rate in grid}


def finals(traces: Traces, name: str) -> np.ndarray:
    """Final accuracy (%) of a variant, one for each seed."""
    return np.array([trace.final for trace in traces[name]])


def loss_of(traces: Traces, name: str, baseline: str = "uncompressed") -> np.ndarray:
    """Points of accuracy that a variant costs, one for each seed."""
    return finals(traces, baseline) - finals(traces, name)


def saving(traces: Traces, name: str, direction: str = "uplink", target: float = TARGET) -> np.ndarray:
    """Bytes to the target, uncompressed over the variant's, one for each seed; zero if it never gets there."""
    return np.array(
        [
            plain.bytes_to(target, direction) / trace.bytes_to(target, direction)
            for plain, trace in zip(traces["uncompressed"], traces[name], strict=True)
        ]
    )


def best_sketch(traces: Traces) -> str:
    """The sketch that saves most on average."""
    return max(SKETCHES, key=lambda name: saving(traces, name).mean())


@dataclass(frozen=True)
class CrowdCost:
    """Points of accuracy lost when 1 % instead of 10 % is kept, rotated and at one bit, by clients a round."""

    many: float
    few: float


def crowd(seed: int, many: int = MANY, few: int = FEW, rounds: int = 12, mask=Subsample) -> CrowdCost:
    """Does averaging over many clients make up for sending less (the 1,024-client experiment of [203])?

    Devices redraw thirty digits each and train for one epoch.
    """
    task = crowd_task(seed, many)
    return CrowdCost(_thinning(task, CROWD_RATES, many, rounds, mask), _thinning(task, LONELY_RATES, few, rounds, mask))


def crowd_task(seed: int, clients: int) -> Task:
    """Clients that redraw thirty digits each from all training digits; one local epoch."""
    task, rng = digits_task(seed, CROWD_WIDTHS), np.random.default_rng([seed, clients])
    pooled = task.data.pooled()
    rows = rng.integers(0, len(pooled), (clients, 30))
    splits = tuple(Split(pooled.inputs[own], pooled.targets[own]) for own in rows)
    data = FederatedData("redrawn digits", splits, task.data.test, 10)
    return replace(task, data=data, training=replace(task.training, epochs=1))


def _thinning(task: Task, rates: tuple[float, float], per_round: int, rounds: int, mask) -> float:
    finals = [
        learn(task, Variant(rate, WholeModel(Chain(Rotate(BLOCK), mask(part), Quantise(1)))), rounds, per_round).final
        for part, rate in zip(CROWD_FRACTIONS, rates, strict=True)
    ]
    return finals[0] - finals[1]
