"""Teachers that do not teach, and comparisons that are not fair, for edge students."""

import dataclasses

import torch

from edgedl_lib.inference.compression.taught import edge_students
from edgedl_lib.inference.compression.taught.distillation_study import TINY_LESSONS, image_sets, tiny_gain
from edgedl_lib.inference.compression.taught.lessons import Lesson, Training, teach, train_teachers
from edgedl_lib.nets.datasets import digits
from edgedl_lib.reproduce.sabotage import sabotage

SEEDS = (0, 1, 2, 3, 4)
SHORT = Training(100, 32, 1e-2)
SHAPES = {"shallower": (64, 20, 10), "narrower": (64, 8, 8, 10)}


def school():
    torch.set_num_threads(1)
    data = digits().flat()
    return data, train_teachers(data, SEEDS, (64, 20, 20, 10), SHORT, dropout=0.0)


@sabotage(
    "edge_distillation.survey_faster",
    "edge_distillation.survey_accuracy",
    "edge_distillation.survey_general",
    "edge_distillation.only_shallow_gain",
    "edge_distillation.caltech_gain",
    "edge_distillation.convergence",
)
def nobody_teaches():
    """The weights of soft targets and hint left at zero: the student is compared with itself."""
    data, teachers = school()
    ways = [Lesson(lesson.name, lesson.pupils_see) for lesson in edge_students.lessons()]
    study = edge_students.run_edge_study(data, teachers, SHAPES, SHORT, image_sets(data, SEEDS, 100), ways)
    everyone = list(study.combinations())
    return {
        "edge_distillation.survey_faster": study.mean("speedup", everyone).mean,
        "edge_distillation.survey_accuracy": study.mean("gain", everyone).mean,
        "edge_distillation.survey_general": study.mean("narrowing", everyone).mean,
        "edge_distillation.only_shallow_gain": study.shallow_advantage.mean,
        "edge_distillation.caltech_gain": study.gain(everyone[0]).mean,
        "edge_distillation.convergence": study.speedup(everyone[0]).mean,
    }


def stopped_early(data, teachers, lessons, widths, name):
    """The lessons, but the student alone gets a fifth of the updates."""
    full = teach(data, teachers, lessons, widths, SHORT)
    short = teach(data, teachers, [Lesson(name)], widths, dataclasses.replace(SHORT, steps=SHORT.steps // 5))
    logits = full.test_logits.clone()
    logits[full.row(name)] = short.test_logits[0]
    return dataclasses.replace(full, test_logits=logits)


@sabotage("edge_distillation.others_weak", "edge_distillation.honesty")
def unequal_updates():
    """The teacher's pupils train five times as long as the student alone: everybody seems to gain."""
    data, teachers = school()
    lessons = edge_students.lessons(supplies=("all",))
    taught = {name: stopped_early(data, teachers, lessons, widths, "all, alone") for name, widths in SHAPES.items()}
    tiny = stopped_early(data, teachers, TINY_LESSONS, (64, 8, 10), "hard")
    return {
        "edge_distillation.others_weak": edge_students.EdgeStudy(taught, teachers).weak_share,
        "edge_distillation.honesty": tiny_gain(tiny).mean,
    }
