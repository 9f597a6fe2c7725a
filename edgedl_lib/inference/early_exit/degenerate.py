"""Cases with a known outcome: an untrained network, a single class, thresholds at both ends, a regression."""

from collections.abc import Callable

import torch
from torch import Tensor

from edgedl_lib.inference.early_exit.criteria import CRITERIA, entropy
from edgedl_lib.inference.early_exit.decision import decide
from edgedl_lib.inference.early_exit.joint_training import Recipe, train_jointly
from edgedl_lib.inference.early_exit.network import MultiExitNetwork, exit_logits
from edgedl_lib.nets.datasets import Dataset, Split
from edgedl_lib.nets.training import build

THRESHOLD = 0.1  # nats: "sure"
CONSTANT_SAMPLES = 256


def untrained_entropy(make: Callable[[], MultiExitNetwork], data: Dataset, seed: int) -> float:
    """Mean entropy (nats) at exit 1 of random weights: nearly ln(classes)."""
    return float(entropy(exit_logits(build(make, seed), data.test.inputs)[0]).mean())


def untrained_exits(make: Callable[[], MultiExitNetwork], data: Dataset, seed: int) -> float:
    """Samples (percent) that leave a network of random weights although only the sure may."""
    logits = exit_logits(build(make, seed), data.test.inputs)
    return 100 * float(decide(logits, [THRESHOLD]).shares[0])


def constant_class_exits(make: Callable[[], MultiExitNetwork], data: Dataset, recipe: Recipe, seed: int) -> float:
    """Samples (percent) that leave at exit 1 once every training image had the same label."""
    inputs = data.train.inputs[:CONSTANT_SAMPLES]
    network = train_jointly(make, Split(inputs, torch.zeros(len(inputs), dtype=torch.long)), recipe, seed)
    return 100 * float(decide(exit_logits(network, data.test.inputs), [THRESHOLD]).shares[0])


def answers_changed_at_zero(logits: Tensor) -> int:
    """Answers at thresholds of 0 that are not the final exit's."""
    decision = decide(logits, [0.0] * (len(logits) - 1))
    return int((decision.prediction != logits[-1].argmax(dim=-1)).sum())


def criteria_accepting_regression() -> int:
    """Criteria that would call a single real output confident; its softmax is always 1, so all must refuse."""
    accepting = 0
    for criterion in CRITERIA.values():
        try:
            criterion.measure(torch.zeros(1, 1))
        except ValueError:
            continue
        accepting += 1
    return accepting
