"""Experiments on Federated Dropout and lossy links: how much of the network, how many bits, how much is kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgedl_lib.training.codecs import Matrices, Quantise, Subsample
from edgedl_lib.training.communication.sketched.rounds import SKETCH_WIDTHS, TARGET, Trace, Variant
from edgedl_lib.training.communication.sketched.study import LOSSY_DOWN, LOSSY_UP, Traces, sweep

RATE = 0.4  # the better of 0.2 and 0.4 for every kept share, on the tuning seeds of sketched updates
KEPT = (1.0, 0.875, 0.75, 0.5, 0.25)
ROUNDS = {1.0: 25, 0.875: 25, 0.75: 30, 0.5: 60, 0.25: 60}  # longer where learning is slower
PAPER_WIDTHS = (64, 256, 256, 10)
PLAIN_ROUNDS = ROUNDS[0.75]  # of the uncompressed run that p = 0.75 is compared with
LINKS = {
    "down 4 bits": Variant(RATE, download=Matrices(Quantise(4))),
    "down 2 bits": Variant(RATE, download=Matrices(Quantise(2))),
    "up, 25 % kept": Variant(RATE, upload=Matrices(Subsample(0.25))),
    "down, 25 % kept": Variant(RATE, download=Matrices(Subsample(0.25))),
}


def dropout_study(seeds: Sequence[int], widths=SKETCH_WIDTHS, by_contributors: bool = False, kept=KEPT) -> Traces:
    """Traces for each kept share, 4 bits down and 2 bits up."""
    variants = {
        share: Variant(RATE, LOSSY_UP, LOSSY_DOWN, keep=share, by_contributors=by_contributors) for share in kept
    }
    return sweep(variants, seeds, ROUNDS, widths)


def at_round(trace: Trace, rounds: int) -> float:
    """Accuracy (%), the mean of three rounds up to a round: to compare runs of different lengths."""
    return 100 * float(trace.accuracy[rounds - 2 : rounds + 1].mean())


def costs(traces: Traces, share: float, rounds: int = 25) -> np.ndarray:
    """Points of accuracy that a kept share costs after so many rounds, one for each seed."""
    return np.array(
        [
            at_round(whole, rounds) - at_round(part, rounds)
            for whole, part in zip(traces[1.0], traces[share], strict=True)
        ]
    )


def mean_rounds(traces: Traces, target: float = TARGET) -> dict[float, float]:
    """Mean rounds to the target for each kept share; infinite if one seed never gets there."""
    return {share: float(np.mean([trace.rounds_to(target) for trace in runs])) for share, runs in traces.items()}


def slower_steps(rounds: dict[float, float]) -> int:
    """At how many steps of the kept share, from the whole network down, the rounds do not fall."""
    ordered = [rounds[share] for share in sorted(rounds, reverse=True)]
    return sum(later >= earlier for earlier, later in zip(ordered, ordered[1:], strict=False))


def smallest_share(traces: Traces, points: float = 1.0) -> float:
    """Smallest kept share whose final accuracy lies within so many points of the whole network's."""
    finals = {share: np.mean([trace.final for trace in runs]) for share, runs in traces.items()}
    return min(share for share, final in finals.items() if final >= finals[1.0] - points)


def best_accuracy(runs: Sequence[Trace]) -> list[float]:
    """Best accuracy (%) of each run."""
    return [100 * float(run.accuracy.max()) for run in runs]
