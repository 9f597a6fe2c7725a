"""Time of each part of a network with exits, and the mean time per sample that follows from the exit shares.

Parts are the trunk segments, the branches, the decision (softmax, entropy, comparison) and the loop around them.
Everything that a deployed program executes is in it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgedl_lib.inference.early_exit.accounting import ExitCosts
from edgedl_lib.inference.early_exit.batch_one import baseline_runner
from edgedl_lib.inference.early_exit.criteria import criterion_named
from edgedl_lib.inference.early_exit.network import MultiExitNetwork
from edgedl_lib.system.timing import Timing, measure_in_turn


@dataclass(frozen=True)
class SegmentProfile:
    """Seconds per sample at batch size one.

    Attributes
    ----------
    segments, branches : tuple of float, length exits
    decision : float
        Softmax, entropy and comparison of one exit.
    baseline : float
        The whole network without early exits.
    """

    segments: tuple[float, ...]
    branches: tuple[float, ...]
    decision: float
    baseline: float

    @property
    def costs(self) -> ExitCosts:
        """Costs in seconds: each early branch is followed by its decision, the last exit decides nothing."""
        deciding = tuple(branch + self.decision for branch in self.branches[:-1])
        return ExitCosts(self.segments, (*deciding, self.branches[-1]), self.baseline)

    def predicted(self, shares: Sequence[float]) -> float:
        """Mean seconds per sample at these exit shares."""
        return self.costs.expected(shares)

    def predicted_speed_up(self, shares: Sequence[float]) -> float:
        """Baseline over the predicted mean: what early exit gains on this machine."""
        return self.costs.gain(shares)


def part_calls(
    model: MultiExitNetwork, baseline: nn.Module, sample: Tensor, criterion: str = "entropy"
) -> dict[str, Callable[[], object]]:
    """One function per part, each on the tensors that reach it; to be timed in turn.

    Parameters
    ----------
    sample : Tensor, shape (1, ...)
    """
    if len(sample) != 1:
        raise ValueError(f"the profile is for batch size one, got {len(sample)} samples")
    leaves = criterion_named(criterion).leaves
    calls: dict[str, Callable[[], object]] = {"baseline": baseline_runner(baseline, sample)}
    features = sample
    with torch.inference_mode():
        for index, (segment, branch) in enumerate(zip(model.segments, model.branches, strict=True)):
            calls[f"segment {index + 1}"] = _call(segment, features)
            features = segment(features)
            if not isinstance(branch, nn.Identity):
                calls[f"branch {index + 1}"] = _call(branch, features)
        logits = branch(features)
    calls["decision"] = torch.inference_mode()(lambda: bool(leaves(logits, 0.0)))
    return calls


def profile_from(timings: Mapping[str, Timing], exits: int) -> SegmentProfile:
    """Profile from the timings of :func:`part_calls`: the least disturbed window of each part."""

    def seconds(name: str) -> float:
        return timings[name].minimum if name in timings else 0.0

    segments, branches = ([seconds(f"{part} {n + 1}") for n in range(exits)] for part in ("segment", "branch"))
    return SegmentProfile(tuple(segments), tuple(branches), seconds("decision"), seconds("baseline"))


def measure_segments(
    model: MultiExitNetwork, baseline: nn.Module, sample: Tensor, *, windows: int = 7, criterion: str = "entropy"
) -> SegmentProfile:
    """Time every part of a network and its baseline in turn, on one sample of shape (1, ...)."""
    model.eval(), baseline.eval()
    return profile_from(measure_in_turn(part_calls(model, baseline, sample, criterion), windows=windows), model.exits)


def _call(module: nn.Module, features: Tensor) -> Callable[[], object]:
    return torch.inference_mode()(lambda: module(features))
