"""Wrong teachers and wrong comparisons for knowledge distillation."""

from functools import lru_cache

import numpy as np
import torch

from edgedl_lib.inference.compression.taught import distillation_study as study
from edgedl_lib.inference.compression.taught.lessons import Lesson, Training, train_teachers
from edgedl_lib.inference.compression.taught.stacked_mlp import StackedMLP, batch_order, stack_error, train_stack
from edgedl_lib.nets.datasets import digits
from edgedl_lib.reproduce.sabotage import sabotage

SEEDS = (0, 1)
SHORT = Training(250, 32, 1e-2)


@lru_cache
def taught(*lessons):
    torch.set_num_threads(1)
    data = digits().flat()
    teachers = train_teachers(data, SEEDS, (64, 60, 60, 10), SHORT, dropout=0.2)
    return study.run_study(data, teachers, (64, 30, 10), SHORT, 110, lessons)


@sabotage(
    "distillation.few_labels",
    "distillation.dark_knowledge",
    "distillation.transfer_trend",
    "distillation.student_soft_errors",
)
def teacher_asked_for_labels():
    """The teacher's best class taken as a label, on the images that have one anyway: no more than the label."""
    hard = [Lesson("few hard", "few"), Lesson("all hard")]
    argmax = [
        Lesson("all soft T=4", "few", argmax_only=True),
        *(Lesson(f"few soft T={t}", "few", argmax_only=True) for t in study.TEMPERATURES),
        Lesson("all soft T=20", argmax_only=True),
    ]
    results = taught(*hard, *argmax)
    return {
        "distillation.few_labels": results.ratio("all soft T=4", "few hard").mean,
        "distillation.dark_knowledge": results.dark_knowledge.mean,
        "distillation.transfer_trend": results.closed_gap.mean,
        "distillation.student_soft_errors": results.ratio("all soft T=20", "all hard").mean,
    }


@sabotage("distillation.teacher_errors")
def teacher_keeps_its_dropout():
    """A teacher in training mode drops most of its hidden units while it answers."""
    data = digits().flat()
    stack = StackedMLP((64, 30, 10), (0,), dropout=0.9)
    order = batch_order([torch.arange(len(data.train))], (0,), SHORT.steps, SHORT.batch_size)
    train_stack(stack, data.train.inputs, order, _cross_entropy(data), learning_rate=1e-2)
    still = float(stack_error(stack(data.test.inputs), data.test.targets))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return float(stack_error(stack.train()(data.test.inputs), data.test.targets)) / still


def _cross_entropy(data):
    def objective(stack, inputs, rows):
        logits = stack(inputs).movedim(-1, 1)
        return torch.nn.functional.cross_entropy(logits, data.train.targets[rows], reduction="none")

    return objective


@sabotage(
    "distillation.omitted3_errors",
    "distillation.omitted3_recall",
    "distillation.omitted3_recall.soft",
    "distillation.omitted3_recall.hard",
    "distillation.omitted3_bias_gain",
)
def labels_without_threes():
    """Hard labels in the teacher's place, a set from which no 3 was removed, and the bias lowered instead of raised."""
    hard = taught(Lesson("no 3 hard", "no 3"), Lesson("all hard"), Lesson("no 3 soft", "no 3", 1, 4))
    before = hard.taught.error("no 3 soft")
    lowered = hard.taught.test_logits[hard.taught.row("no 3 soft")].clone()
    lowered[..., 3] -= 3.5
    after = stack_error(lowered, hard.taught.data.test.targets).numpy()
    return {
        "distillation.omitted3_errors": float(np.mean(after / before)),
        "distillation.omitted3_recall": hard.recall("no 3 hard").mean,
        "distillation.omitted3_recall.soft": hard.recall("no 3 hard").mean,
        "distillation.omitted3_recall.hard": hard.recall("all hard").mean,
        "distillation.omitted3_bias_gain": float(np.mean(before - after)),
    }


@sabotage("distillation.only_7_8_errors", "distillation.only_7_8_corrected")
def only_two_classes_by_label():
    """Hard labels of 7 and 8 know two classes; raising their bias instead of lowering it gains nothing."""
    results = taught(Lesson("hard", "only 7, 8"), Lesson("soft", "only 7, 8", 1, 4))
    raised = results.taught.test_logits[results.taught.row("soft")].clone()
    raised[..., 7:9] += 7.6
    after = stack_error(raised, results.taught.data.test.targets).numpy()
    return {
        "distillation.only_7_8_errors": float(results.taught.error("hard").mean()),
        "distillation.only_7_8_corrected": float(np.mean(after / results.taught.error("soft"))),
    }


@sabotage("distillation.logit_limit")
def forgotten_temperature_square():
    """Without T^2 the soft part fades as the temperature rises."""
    return study.logit_limit() / 1000.0**2
