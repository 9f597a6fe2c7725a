"""Early exit as a device runs it: one sample at a time, and what nobody needs is never computed.

Also the batch, in two forms: with the samples that have left still in it, which saves nothing, and without them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgedl_lib.inference.early_exit.criteria import check_threshold, criterion_named
from edgedl_lib.inference.early_exit.decision import ExitDecision
from edgedl_lib.inference.early_exit.network import MultiExitNetwork


@dataclass(frozen=True)
class Answer:
    """Which exit answered a sample, and what."""

    exit: int
    prediction: int


@torch.inference_mode()
def answer(model: nn.Module, inputs: Tensor, thresholds: Sequence[float], criterion: str = "entropy") -> Answer:
    """Run one sample, shape (1, ...), up to the first exit that is sure enough.

    The hot path: nothing is checked here, :func:`runner` checks once for all samples.
    """
    leaves = criterion_named(criterion).leaves
    last = len(thresholds)
    for index, logits in enumerate(model(inputs)):  # a generator: the next exit runs only if it is asked for
        if index == last or bool(leaves(logits, thresholds[index])):
            return Answer(index, int(logits.argmax()))
    raise ValueError(f"{len(thresholds)} thresholds need a network of {len(thresholds) + 1} exits, this one has fewer")


def runner(
    model: MultiExitNetwork, inputs: Tensor, thresholds: Sequence[float], criterion: str = "entropy"
) -> Callable[[], list[Answer]]:
    """A function without arguments that answers every sample, one after the other, to be timed.

    Raises
    ------
    ValueError
        Thresholds out of range or of the wrong number, NaN inputs, a model in training mode.
    """
    for threshold in thresholds:
        check_threshold(criterion, threshold)
    if len(thresholds) != model.exits - 1:
        raise ValueError(f"{model.exits} exits need {model.exits - 1} thresholds, got {len(thresholds)}")
    if torch.isnan(inputs).any():
        raise ValueError("the inputs hold NaN; clean the data before predicting")
    if model.training:
        raise ValueError("the model is in training mode, dropout would decide who leaves; call eval() first")
    samples = inputs.split(1)
    return lambda: [answer(model, sample, thresholds, criterion) for sample in samples]


def run_one_by_one(
    model: MultiExitNetwork, inputs: Tensor, thresholds: Sequence[float], criterion: str = "entropy"
) -> ExitDecision:
    """Answers of batch-1 inference with real early return, in the form that ``decide`` gives for a whole split."""
    answers = runner(model, inputs, thresholds, criterion)()
    exits, predictions = ([getattr(one, name) for one in answers] for name in ("exit", "prediction"))
    return ExitDecision(torch.tensor(exits), torch.tensor(predictions), model.exits)


def baseline_runner(baseline: nn.Module, inputs: Tensor) -> Callable[[], list[int]]:
    """The same loop for a network without early exits."""
    samples = inputs.split(1)

    @torch.inference_mode()
    def run() -> list[int]:
        return [int(baseline(sample).argmax()) for sample in samples]

    return run


@torch.inference_mode()
def run_batch(
    model: MultiExitNetwork, inputs: Tensor, thresholds: Sequence[float], *, compact: bool, criterion: str = "entropy"
) -> ExitDecision:
    """Answer a whole batch; ``compact`` removes the samples that have left before the next segment runs.

    Without it every sample runs through every segment, whatever the thresholds: the early answers are free to read but
    the work is done anyway.
    """
    leaves = criterion_named(criterion).leaves
    exits, predictions = torch.full((len(inputs),), model.exits - 1), torch.empty(len(inputs), dtype=torch.long)
    inside, features = torch.arange(len(inputs)), inputs  # whose features these are
    waiting = torch.ones(len(inputs), dtype=torch.bool)
    for index, (segment, branch) in enumerate(zip(model.segments, model.branches, strict=True)):
        features = segment(features)
        logits = branch(features)
        leaving = waiting[inside].clone()
        if index < len(thresholds):
            leaving &= leaves(logits, thresholds[index])
        exits[inside[leaving]], predictions[inside[leaving]] = index, logits.argmax(dim=1)[leaving]
        waiting[inside[leaving]] = False
        if compact:
            inside, features = inside[~leaving], features[~leaving]
        if compact and not len(inside):
            break
    return ExitDecision(exits, predictions, model.exits)
