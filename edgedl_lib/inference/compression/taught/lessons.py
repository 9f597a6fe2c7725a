"""Lessons given side by side: the same student, taught in different ways from the same start and for as many updates.

A lesson says which images a student sees, whose answers it copies and at which temperature.  For every seed all
lessons share the student's initial weights, the order of its images and the teacher, so that their results can be
compared pair by pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.inference.compression.taught.distillation import distillation_loss
from edgedl_lib.inference.compression.taught.stacked_mlp import (
    StackedMLP,
    batch_order,
    predict_stack,
    stack_error,
    train_stack,
)
from edgedl_lib.nets.datasets import Dataset, Split


@dataclass(frozen=True)
class Training:
    """How long and how fast everybody trains.

    Attributes
    ----------
    steps, batch_size : int
        Updates, and images in each.
    learning_rate : float
        Of Adam.
    """

    steps: int
    batch_size: int = 32
    learning_rate: float = 3e-3


@dataclass(frozen=True, eq=False)
class Teachers:
    """One trained teacher a seed, and what it says of the training images.

    Attributes
    ----------
    seeds : tuple of int
    logits : Tensor, shape (S, n, classes)
    hidden : Tensor, shape (S, n, units)
        Last hidden layer, scaled to a mean square of one for each teacher.
    error : tuple of float
        Percent of the test images.
    parameter_count : int
        Of one teacher.
    """

    seeds: tuple[int, ...]
    logits: Tensor
    hidden: Tensor
    error: tuple[float, ...]
    parameter_count: int


def train_teachers(
    data: Dataset, seeds: Sequence[int], widths: Sequence[int], training: Training, dropout: float = 0.4
) -> Teachers:
    """Train one large network a seed with dropout, as in [86]; it is off when the network teaches."""
    stack = StackedMLP(widths, seeds, dropout)
    everything = torch.arange(len(data.train))
    order = batch_order([everything] * len(seeds), seeds, training.steps, training.batch_size)
    labels = data.train.targets

    def objective(stack: StackedMLP, inputs: Tensor, rows: Tensor) -> Tensor:
        logits = stack(inputs)
        return nn.functional.cross_entropy(logits.flatten(0, 1), labels[rows].flatten(), reduction="none").view_as(rows)

    rate = training.learning_rate
    train_stack(stack, data.train.inputs, order, objective, learning_rate=rate, seed=seeds[0])
    return describe_teachers(stack, data, seeds)


@torch.no_grad()
def describe_teachers(stack: StackedMLP, data: Dataset, seeds: Sequence[int]) -> Teachers:
    """Collect the answers of trained networks, in evaluation mode, on the flat data."""
    stack.eval()
    hidden, logits = stack.activations(data.train.inputs)[-2:]
    scale = hidden.square().mean(dim=(1, 2), keepdim=True).sqrt()
    error = stack_error(predict_stack(stack, data.test.inputs), data.test.targets)
    count = sum(parameter.numel() for parameter in stack.parameters()) // stack.runs
    return Teachers(tuple(seeds), logits, hidden / scale, tuple(error.tolist()), count)


@dataclass(frozen=True)
class Lesson:
    """One way to teach.

    Attributes
    ----------
    name : str
    pupils_see : str
        Name of a set of training images.
    soft : float
        Weight of the teacher's soft targets; the labels have the rest.
    temperature : float
    hint : float
        Weight of the regression of the teacher's hidden layer.
    argmax_only : bool
        Copy only the teacher's best class: pseudo-labels, which is not distillation.
    """

    name: str
    pupils_see: str = "all"
    soft: float = 0.0
    temperature: float = 1.0
    hint: float = 0.0
    argmax_only: bool = False


@dataclass(frozen=True, eq=False)
class Taught:
    """What came of the lessons, L lessons for each of S seeds.

    Attributes
    ----------
    lessons : tuple of Lesson
    data : Dataset
    test_logits, validation_logits : Tensor, shape (L, S, n, classes)
    training_error : ndarray, shape (L, S)
        Percent of the images that the lesson showed, by their true labels.
    updates : ndarray, shape (C,)
        When the curve was recorded.
    curve : ndarray, shape (C, L, S)
        Validation error, percent.
    parameter_count : int
        Of one student.
    """

    lessons: tuple[Lesson, ...]
    data: Dataset
    test_logits: Tensor
    validation_logits: Tensor
    training_error: np.ndarray
    updates: np.ndarray
    curve: np.ndarray
    parameter_count: int

    @cached_property
    def _errors(self) -> np.ndarray:
        return stack_error(self.test_logits, self.data.test.targets).numpy()

    def row(self, name: str) -> int:
        """Where a lesson stands.

        Raises
        ------
        KeyError
            No lesson of that name.
        """
        names = [lesson.name for lesson in self.lessons]
        if name not in names:
            raise KeyError(f"no lesson {name!r}; there are {', '.join(names)}")
        return names.index(name)

    def error(self, name: str) -> np.ndarray:
        """Test error (percent) for each seed, shape (S,)."""
        return self._errors[self.row(name)]

    def gap(self, name: str) -> np.ndarray:
        """Test error less training error, points, shape (S,): how much the student overfits."""
        return self.error(name) - self.training_error[self.row(name)]


def teach(
    data: Dataset,
    teachers: Teachers,
    lessons: Sequence[Lesson],
    widths: Sequence[int],
    training: Training,
    sets: Mapping[str, Sequence[Tensor]] | None = None,
    checkpoints: int = 0,
) -> Taught:
    """Give every lesson to one student a seed, all side by side.

    Parameters
    ----------
    data : Dataset
        Flat.
    widths : sequence of int
        Of the student.
    sets : mapping of name to one Tensor of row numbers a seed, optional
        Images beyond the set "all".
    checkpoints : int
        How often the validation error is recorded.
    """
    runs = [(lesson, place) for lesson in lessons for place in range(len(teachers.seeds))]
    seeds = [teachers.seeds[place] for _, place in runs]
    sets = {"all": [torch.arange(len(data.train))] * len(teachers.seeds), **(sets or {})}
    samples = [sets[lesson.pupils_see][place] for lesson, place in runs]
    stack = StackedMLP(widths, seeds)
    school = _School(data, teachers, [lesson for lesson, _ in runs], [place for _, place in runs], stack)
    recorder = _Recorder(stack, data.validation, training.steps, checkpoints)
    order = batch_order(samples, seeds, training.steps, training.batch_size)
    train_stack(
        stack,
        data.train.inputs,
        order,
        school.objective,
        learning_rate=training.learning_rate,
        extra=school.projections,
        each_step=recorder,
    )
    return _report(data, lessons, stack, samples, recorder)


class _School:
    """The objective of all runs together: each has its teacher, temperature and weights."""

    def __init__(
        self, data: Dataset, teachers: Teachers, lessons: list[Lesson], places: list[int], stack: StackedMLP
    ) -> None:
        self.labels, self.logits, self.hidden = data.train.targets, teachers.logits, teachers.hidden
        self.places = torch.tensor(places).unsqueeze(1)  # (R, 1)
        self.soft, self.hint = (
            torch.tensor([getattr(lesson, name) for lesson in lessons]).unsqueeze(1) for name in ("soft", "hint")
        )
        self.temperature = torch.tensor([float(lesson.temperature) for lesson in lessons]).view(-1, 1, 1)
        self.argmax_only = torch.tensor([lesson.argmax_only for lesson in lessons]).unsqueeze(1)
        self.hinted = torch.nonzero(self.hint[:, 0]).flatten()
        self.projections = [self._projection(stack.widths[-2])] if len(self.hinted) else []

    def _projection(self, units: int) -> nn.Parameter:
        """From the student's hidden units to the teacher's, the same start for every hinted run."""
        generator = torch.Generator().manual_seed(0)
        start = torch.randn(units, self.hidden.shape[-1], generator=generator) / units**0.5
        return nn.Parameter(start.repeat(len(self.hinted), 1, 1))

    def objective(self, stack: StackedMLP, inputs: Tensor, rows: Tensor) -> Tensor:
        """Loss of each sample, shape (R, batch)."""
        *_, hidden, logits = stack.activations(inputs)
        answers = self.logits[self.places, rows]
        labels = torch.where(self.argmax_only, answers.argmax(dim=-1), self.labels[rows])
        loss = distillation_loss(logits, answers, labels, self.temperature, self.soft)
        if not self.projections:
            return loss
        wanted = self.hidden[self.places[self.hinted], rows[self.hinted]]
        distance = (hidden[self.hinted] @ self.projections[0] - wanted).square().mean(dim=-1)
        return loss.index_add(0, self.hinted, self.hint[self.hinted] * distance)


class _Recorder:
    """Validation errors at regular moments of the training."""

    def __init__(self, stack: StackedMLP, split: Split, steps: int, checkpoints: int) -> None:
        self.stack, self.split = stack, split
        self.moments = set(np.linspace(0, steps, checkpoints + 1).astype(int)[1:]) if checkpoints else set()
        self.updates: list[int] = []
        self.errors: list[Tensor] = []

    def __call__(self, updates: int) -> None:
        if updates in self.moments and updates not in self.updates:
            self.updates.append(updates)
            self.errors.append(stack_error(predict_stack(self.stack, self.split.inputs), self.split.targets))


def _report(
    data: Dataset, lessons: Sequence[Lesson], stack: StackedMLP, samples: list[Tensor], recorder: _Recorder
) -> Taught:
    shape = (len(lessons), -1)
    recorder(max(recorder.moments, default=-1))
    test, validation = (predict_stack(stack, part.inputs) for part in (data.test, data.validation))
    right = predict_stack(stack, data.train.inputs).argmax(dim=-1) == data.train.targets
    shown = [100 * (1 - right[run, own].double().mean().item()) for run, own in enumerate(samples)]
    return Taught(
        lessons=tuple(lessons),
        data=data,
        test_logits=test.unflatten(0, shape),
        validation_logits=validation.unflatten(0, shape),
        training_error=np.array(shown).reshape(shape),
        updates=np.array(recorder.updates),
        curve=np.array([errors.tolist() for errors in recorder.errors]).reshape(len(recorder.updates), *shape)
        if recorder.updates
        else np.empty((0, len(lessons), stack.runs // len(lessons))),
        parameter_count=sum(parameter.numel() for parameter in stack.parameters()) // stack.runs,
    )
