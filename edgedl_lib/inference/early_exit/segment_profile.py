"""Time of each part of a network with exits, and the mean time per sample that follows from the exit shares.

Parts are the trunk segments, the branches, the decision (softmax, entropy, comparison) and reading the answer, timed
in one pass through the network, one after the other: a part that is repeated alone finds its weights and its
code in the cache, and looks up to twice as fast as it is in the program.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.inference.early_exit.accounting import ExitCosts
from edgedl_lib.inference.early_exit.batch_one import baseline_runner, runner
from edgedl_lib.inference.early_exit.criteria import criterion_named
from edgedl_lib.inference.early_exit.decision import decide
from edgedl_lib.inference.early_exit.network import MultiExitNetwork, exit_logits

UNDISTURBED = 0.25  # quantile of repeated times: on a busy machine half of the calls may be disturbed


@dataclass(frozen=True)
class SegmentProfile:
    """Seconds per sample at batch size one.

    Attributes
    ----------
    segments, branches : ndarray, shape (exits,)
        A last exit without layers of its own has a branch of (nearly) 0.
    decision : float
        Softmax, entropy and comparison of one exit.
    answer : float
        Arg max of the exit that answers, once per sample.
    baseline : float
        The whole network without early exits, answer included.
    """

    segments: np.ndarray
    branches: np.ndarray
    decision: float
    answer: float
    baseline: float

    @property
    def costs(self) -> ExitCosts:
        """Costs in seconds: each early branch is followed by its decision, the last exit decides nothing."""
        segments = (self.segments[0] + self.answer, *self.segments[1:])
        deciding = tuple(branch + self.decision for branch in self.branches[:-1])
        return ExitCosts(segments, (*deciding, self.branches[-1]), self.baseline)

    def predicted(self, shares: Sequence[float]) -> float:
        """Mean seconds per sample at these exit shares."""
        return self.costs.expected(shares)

    def predicted_speed_up(self, shares: Sequence[float]) -> float:
        """Baseline over the predicted mean: what early exit gains on this machine."""
        return self.costs.gain(shares)


def profile_pass(
    model: MultiExitNetwork, baseline: nn.Module, inputs: Tensor, criterion: str = "entropy"
) -> SegmentProfile:
    """Mean time of every part while the samples run through the network, one by one and to the end."""
    leaves = criterion_named(criterion).leaves
    segments, branches, rest = np.zeros(model.exits), np.zeros(model.exits), np.zeros(2)
    with torch.inference_mode():
        for sample in inputs.split(1):
            for index, (segment, branch) in enumerate(zip(model.segments, model.branches, strict=True)):
                start = perf_counter()
                sample = segment(sample)
                middle = perf_counter()
                logits = branch(sample)
                end = perf_counter()
                bool(leaves(logits, 0.0))
                decided = perf_counter()
                segments[index] += middle - start
                branches[index] += end - middle
                rest[0] += (decided - end) / model.exits
            start = perf_counter()
            int(logits.argmax())
            rest[1] += perf_counter() - start
    whole = _seconds(baseline_runner(baseline, inputs))
    return SegmentProfile(*(total / len(inputs) for total in (segments, branches, *rest, whole)))


def measure_segments(
    model: MultiExitNetwork, baseline: nn.Module, inputs: Tensor, *, windows: int = 7, criterion: str = "entropy"
) -> SegmentProfile:
    """Lower quartile over windows, after one that warms up, of the time of every part."""
    model.eval(), baseline.eval()
    return typical([profile_pass(model, baseline, inputs, criterion) for _ in range(windows + 1)][1:])


def typical(profiles: Sequence[SegmentProfile]) -> SegmentProfile:
    """Lower quartile of each part over several profiles."""
    names = [field.name for field in fields(SegmentProfile)]
    return SegmentProfile(
        *(np.quantile([getattr(each, name) for each in profiles], UNDISTURBED, axis=0) for name in names)
    )


@dataclass(frozen=True)
class Agreement:
    """Batch-1 wall time with real early return against the prediction of the segment profile, one entry per threshold.

    Attributes
    ----------
    thresholds, exit_share, seconds, speed_up, predicted : ndarray, shape (T,)
        Threshold of the first exit, share that leaves there, seconds per sample, baseline over it, and its prediction.
    """

    thresholds: np.ndarray
    exit_share: np.ndarray
    seconds: np.ndarray
    speed_up: np.ndarray
    predicted: np.ndarray

    @property
    def ratio(self) -> np.ndarray:
        """Measured over predicted speed-up, shape (T,)."""
        return self.speed_up / self.predicted

    @property
    def worst(self) -> float:
        """The ratio that is farthest from 1."""
        return float(self.ratio[np.abs(np.log(self.ratio)).argmax()])

    @property
    def correlation(self) -> float:
        """Of exit share and seconds; -1 when time falls in proportion to the share."""
        return float(np.corrcoef(self.exit_share, self.seconds)[0, 1])


def measure_agreement(
    model: MultiExitNetwork, baseline: nn.Module, inputs: Tensor, thresholds: Sequence[float], *, windows: int = 15
) -> Agreement:
    """Time the batch-1 loop at each threshold of a network with two exits, and all its parts, in the same rounds.

    Parameters
    ----------
    inputs : Tensor, shape (n, ...)
        Samples that the loop answers one by one.
    thresholds : sequence of float
        Entropies in nats.
    """
    model.eval(), baseline.eval()
    decisions = [decide(exit_logits(model, inputs), [threshold]) for threshold in thresholds]
    shares = np.array([decision.shares.numpy() for decision in decisions])  # (T, 2)
    rounds = [[_turn(model, baseline, sample, thresholds) for sample in inputs.split(1)] for _ in range(windows + 1)]
    times = np.array([[loops for loops, _ in turns] for turns in rounds[1:]])  # (windows, samples, T)
    profile = _mean([typical([turns[i][1] for turns in rounds[1:]]) for i in range(len(inputs))])
    seconds = np.quantile(times, UNDISTURBED, axis=0).mean(axis=0)
    predicted = np.array([profile.predicted_speed_up(row) for row in shares])
    return Agreement(np.array(thresholds), shares[:, 0], seconds, profile.baseline / seconds, predicted)


def _turn(model, baseline, sample, thresholds) -> tuple[list[float], SegmentProfile]:
    """One sample through every contender, one after the other: what disturbs one disturbs all."""
    loops = [_seconds(runner(model, sample, [threshold])) for threshold in thresholds]
    return loops, profile_pass(model, baseline, sample)


def _mean(profiles: Sequence[SegmentProfile]) -> SegmentProfile:
    names = [field.name for field in fields(SegmentProfile)]
    return SegmentProfile(*(np.mean([getattr(each, name) for each in profiles], axis=0) for name in names))


def thresholds_at(model: MultiExitNetwork, inputs: Tensor, shares: Sequence[float]) -> list[float]:
    """Entropies of exit 1 that let these shares of the samples leave."""
    entropy = criterion_named("entropy").measure(exit_logits(model, inputs)[0]).double().sort().values
    after = torch.cat([entropy, entropy[-1:] + 1e-3])
    return [float(after[round(share * len(entropy))]) if share else 0.0 for share in shares]


def _seconds(call) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start
