"""The experiments on distillation: few labels, what the wrong classes tell, digits never seen, a student too small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgedl_lib.inference.compression.taught.distillation import soft_cross_entropy
from edgedl_lib.inference.compression.taught.lessons import Lesson, Taught, Teachers, Training, teach
from edgedl_lib.inference.compression.taught.stacked_mlp import stack_error
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.system.estimate import Estimate, estimate, paired

TEMPERATURES = (1, 2, 4, 8)
TINY_TEMPERATURES = (1, 2, 4, 8, 20)
OMITTED = 3
SEEN_PAIR = (7, 8)
BIASES = sorted(np.linspace(-12, 12, 97), key=abs)  # candidates for a correction, in logits; least change first

LESSONS = (
    Lesson("few hard", "few"),
    *(Lesson(f"few soft T={t}", "few", soft=1, temperature=t) for t in TEMPERATURES),
    Lesson("all soft T=1", soft=1),
    Lesson("all soft T=4", soft=1, temperature=4),
    Lesson("all hard"),
    Lesson("all soft T=20", soft=1, temperature=20),
    Lesson("no 3 hard", "no 3"),
    Lesson("no 3 soft", "no 3", soft=1, temperature=4),
    Lesson("only 7, 8 soft", "only 7, 8", soft=1, temperature=4),
)
TINY_LESSONS = (
    Lesson("hard"),
    *(Lesson(f"soft T={t}", soft=1, temperature=t) for t in TINY_TEMPERATURES),
)


def image_sets(data: Dataset, seeds: Sequence[int], labelled: int) -> dict[str, list[Tensor]]:
    """Row numbers by name of the set, one tensor a seed: few images, none of a 3, only 7 and 8."""
    labels = data.train.targets
    pair = torch.nonzero((labels == SEEN_PAIR[0]) | (labels == SEEN_PAIR[1])).flatten()
    draws = [torch.randperm(len(labels), generator=torch.Generator().manual_seed(1000 + seed)) for seed in seeds]
    return {
        "few": [draw[:labelled] for draw in draws],
        "no 3": [torch.nonzero(labels != OMITTED).flatten()] * len(seeds),
        "only 7, 8": [pair] * len(seeds),
    }


@dataclass(frozen=True, eq=False)
class DistillationStudy:
    """Results of [86] at our scale: the lessons, the teachers, and the numbers that are claimed."""

    teachers: Teachers
    taught: Taught

    def ratio(self, name: str, baseline: str) -> Estimate:
        """Error of one lesson over that of another, seed by seed."""
        return estimate(self.taught.error(name) / self.taught.error(baseline))

    def gain(self, name: str, baseline: str) -> Estimate:
        """Points of error that one lesson saves over another, paired."""
        return paired(self.taught.error(baseline), self.taught.error(name))

    @property
    def dark_knowledge(self) -> Estimate:
        """Points saved by soft targets on the same few images, mean over the temperatures."""
        soft = np.mean([self.taught.error(f"few soft T={t}") for t in TEMPERATURES], axis=0)
        return paired(self.taught.error("few hard"), soft)

    @property
    def closed_gap(self) -> Estimate:
        """Share of the gap between teacher and student alone that the transfer closes."""
        alone, taught = self.taught.error("few hard"), self.taught.error("all soft T=4")
        return estimate((alone - taught) / (alone - np.array(self.teachers.error)))

    def recall(self, name: str, digit: int = OMITTED, corrected: bool = False) -> Estimate:
        """Percent of a digit's test images that are recognised."""
        logits = self.corrected(name, (digit,)) if corrected else self.taught.test_logits[self.taught.row(name)]
        mine = self.taught.data.test.targets == digit
        return estimate((100 * (logits[:, mine].argmax(dim=-1) == digit).double().mean(dim=-1)).tolist())

    def corrected(self, name: str, classes: tuple[int, ...]) -> Tensor:
        """Test logits with the best bias for these classes, chosen for each seed on the validation images."""
        row = self.taught.row(name)
        return correct_bias(
            self.taught.validation_logits[row],
            self.taught.data.validation.targets,
            self.taught.test_logits[row],
            classes,
            BIASES,
        )

    def corrected_error(self, name: str, classes: tuple[int, ...]) -> np.ndarray:
        """Percent of wrong answers for each seed after the correction."""
        return stack_error(self.corrected(name, classes), self.taught.data.test.targets).numpy()


def correct_bias(
    validation_logits: Tensor, targets: Tensor, test_logits: Tensor, classes: tuple[int, ...], biases: Sequence[float]
) -> Tensor:
    """Add to some classes' logits the common bias that makes the fewest validation errors; one choice a run.

    Parameters
    ----------
    validation_logits, test_logits : Tensor, shape (R, n, classes)
    targets : Tensor, shape (n,)
        Of the validation images.
    biases : sequence of float
        Candidates; of equals, the first wins.
    """
    raised = torch.zeros(validation_logits.shape[-1])
    raised[list(classes)] = 1
    errors = torch.stack([stack_error(validation_logits + float(bias) * raised, targets) for bias in biases])
    chosen = torch.tensor(np.asarray(biases, dtype=np.float32))[errors.argmin(dim=0)]  # (R,)
    return test_logits + chosen.view(-1, 1, 1) * raised


def run_study(
    data: Dataset,
    teachers: Teachers,
    widths: Sequence[int],
    training: Training,
    labelled: int,
    lessons: Sequence[Lesson] = LESSONS,
) -> DistillationStudy:
    """Give the lessons of [86] to one student a seed, on flat data."""
    sets = image_sets(data, teachers.seeds, labelled)
    return DistillationStudy(teachers, teach(data, teachers, lessons, widths, training, sets))


def tiny_gain(taught: Taught) -> Estimate:
    """Points that soft targets save for a tiny student, mean over the temperatures, paired by seed."""
    soft = np.mean([taught.error(lesson.name) for lesson in taught.lessons if lesson.soft], axis=0)
    return paired(taught.error("hard"), soft)


def logit_limit(temperature: float = 1000.0, seed: int = 0, samples: int = 8, classes: int = 10) -> float:
    """Norm of the soft loss's gradient over that of logit matching, (z - v) / N, for logits of zero mean.

    Hinton et al. 2015, equation 4: the two agree when the temperature is high against the logits.
    """
    generator = torch.Generator().manual_seed(seed)
    logits, teacher = torch.randn(2, samples, classes, generator=generator, dtype=torch.float64)
    logits, teacher = (values - values.mean(dim=1, keepdim=True) for values in (logits, teacher))
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(soft_cross_entropy(logits, teacher, temperature).sum(), logits)
    return float(gradient.norm() / ((logits.detach() - teacher) / classes).norm())
