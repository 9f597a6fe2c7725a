"""Knowledge distillation: a small student learns from a teacher's softened answers (Hinton et al. 2015 [86]).

With logits v of the teacher and z of the student, p = softmax(v / T) and q = softmax(z / T),

    loss = a T^2 CE(p, q) + (1 - a) CE(label, softmax(z)).

The gradient of CE(p, q) with respect to z is (q - p) / T, and q - p itself shrinks as 1 / T: the factor T^2 keeps the
soft part's weight the same at every temperature.  When predicting, T is 1.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.training import Objective, predict, train

NO_LABEL = -1  # a sample whose label is unknown: only the teacher speaks


def soft_cross_entropy(logits: Tensor, teacher_logits: Tensor, temperature: Tensor | float) -> Tensor:
    """T^2 times the cross entropy (nats) of the student's softened answer with the teacher's, per sample.

    Parameters
    ----------
    logits, teacher_logits : Tensor, shape (n, classes) or (R, n, classes)
        Logits, not probabilities.
    temperature : float or Tensor, shape (R, 1, 1)
        Above zero.
    """
    wanted = torch.softmax(_classes_second(teacher_logits / temperature), dim=1)
    answered = torch.log_softmax(_classes_second(logits / temperature), dim=1)
    entropy = -(wanted * answered).sum(dim=1, keepdim=True)  # (R, 1, n)
    return (entropy * temperature**2).squeeze(1)


def distillation_loss(
    logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: Tensor | float, weight: Tensor | float
) -> Tensor:
    """The loss of [86], per sample: ``weight`` of the teacher's soft targets, the rest of the hard labels.

    Parameters
    ----------
    logits, teacher_logits : Tensor, shape (n, classes) or (R, n, classes)
    labels : Tensor of int64, shape (n,) or (R, n)
        ``NO_LABEL`` where unknown; such a sample has no hard part.
    temperature, weight : float or Tensor, shape (R, 1, 1) and (R, 1)
    """
    hard = functional.cross_entropy(_classes_second(logits), labels, reduction="none", ignore_index=NO_LABEL)
    return weight * soft_cross_entropy(logits, teacher_logits, temperature) + (1 - weight) * hard


def _classes_second(values: Tensor) -> Tensor:
    """Classes from the last axis to the second: a softmax over ten neighbours in memory is five times slower."""
    return values.movedim(-1, 1)


def distillation_objective(temperature: float, weight: float) -> Objective:
    """The loss as an objective for ``nets.training.train``; its targets are those of :func:`transfer_split`.

    Raises
    ------
    ValueError
        A temperature that is not above zero, or a weight outside [0, 1].
    """
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature {temperature} must be positive and finite; 1 leaves the answers as they are")
    if not 0 <= weight <= 1:
        raise ValueError(f"weight {weight} of the soft targets must lie in [0, 1]")

    def objective(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        teacher_logits, labels = targets[:, :-1], targets[:, -1].long()
        return distillation_loss(model(inputs), teacher_logits, labels, temperature, weight).mean()

    objective.cache_key = (temperature, weight)
    return objective


def transfer_split(teacher: nn.Module, split: Split) -> Split:
    """The split with targets of shape (n, classes + 1): the teacher's logits (in evaluation mode), then the label."""
    logits = predict(teacher, split.inputs)
    return Split(split.inputs, torch.cat([logits, split.targets.unsqueeze(1).float()], dim=1))


def distil(
    teacher: nn.Module,
    student: nn.Module,
    split: Split,
    *,
    temperature: float = 4.0,
    weight: float = 0.9,
    epochs: int,
    seed: int,
    **training,
) -> nn.Module:
    """Train a copy of the student on the teacher's answers and return it, in evaluation mode.

    Parameters
    ----------
    split : Split
        The transfer set; labels may be ``NO_LABEL``.
    weight : float
        Of the soft targets: 1 ignores the labels, 0 ignores the teacher.
    training
        Further arguments of ``nets.training.train``.
    """
    student = copy.deepcopy(student)
    objective = distillation_objective(temperature, weight)
    train(student, transfer_split(teacher, split), epochs=epochs, seed=seed, objective=objective, **training)
    return student
