"""What the page measures of Deep Gradient Compression."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.communication.dgc.compression import (
    ALL,
    DROPPING,
    TOP_K_ALONE,
    Ingredients,
    Memory,
    compress,
)
from edgedl_lib.training.communication.dgc.payload import ENCODINGS, encode
from edgedl_lib.training.communication.dgc.training import Job, Outcome, train, without
from edgedl_lib.training.data import digits_pool

METHODS: dict[str, Ingredients | None] = {
    "dense": None,
    "top-k alone": TOP_K_ALONE,
    "gradient dropping": DROPPING,
    "DGC": ALL,
    **{f"without {name.replace('_', '-')}": without(name) for name in Ingredients.names()},
}


def outcomes(seeds, iterations: int = 1200, methods=METHODS, task=digits_pool, **settings) -> dict[str, list[Outcome]]:
    """Every method on every seed; all methods of a seed see the same data and start alike."""
    found = {}
    for name in methods:
        runs = []
        for seed in seeds:
            job = Job(*task(seed), iterations=iterations, ingredients=METHODS[name], **settings)
            runs.append(train(job, seed))
        found[name] = runs
    return found


def accuracies(found: dict[str, list[Outcome]]) -> dict[str, np.ndarray]:
    """Percent, one per seed."""
    return {name: np.array([each.accuracy for each in runs]) for name, runs in found.items()}


def hard_task(seed: int, train_samples: int = 3000) -> tuple[Split, Split]:
    """200 Gaussian clouds in 32 dimensions, twenty for each of ten classes: lines cannot part them."""
    rng = np.random.default_rng(seed)
    centres, count = rng.normal(size=(200, 32)), train_samples + 1000
    clouds = rng.integers(200, size=count)
    inputs = centres[clouds] + rng.normal(scale=0.8, size=(count, 32))
    inputs, targets = torch.from_numpy(inputs).float(), torch.from_numpy(clouds % 10)
    return Split(inputs[:train_samples], targets[:train_samples]), Split(
        inputs[train_samples:], targets[train_samples:]
    )


def compression(outcome: Outcome, widths=(64, 128, 128, 10)) -> dict[str, float]:
    """Bytes of a dense gradient over those of a really encoded one, for every encoding; biases are dense."""
    biases = 4 * sum(widths[1:])
    dense = 4 * sum(a * b for a, b in zip(widths[:-1], widths[1:], strict=True)) + biases
    return {encoding: dense / (_matrix_bytes(outcome, encoding) + biases) for encoding in ENCODINGS}


def _matrix_bytes(outcome: Outcome, encoding: str) -> float:
    sizes = [
        len(encode(message, node, encoding))
        for messages in outcome.messages
        for message in messages
        for node in range(len(message.positions))
    ]
    return sum(sizes) / len(outcome.messages) / len(outcome.messages[0][0].positions)


def downlink_growth(outcome: Outcome) -> float:
    """Entries of the aggregated update over those that one node sends."""
    union = sum(message.union for messages in outcome.messages for message in messages)
    return union / sum(message.positions.shape[1] for messages in outcome.messages for message in messages)


def sparsity(widths=(64, 128, 128, 10), density: float = 0.001) -> float:
    """Percent of the entries of all matrices that are not sent."""
    pairs = list(zip(widths[:-1], widths[1:], strict=True))
    sent = sum(
        compress(torch.ones(1, a * b), Memory.empty(1, a * b), density).positions.numel() for a, b in pairs
    )  # all equal: ties must not send everything
    return 100 * (1 - sent / sum(a * b for a, b in pairs))


def sent_after(interval: int, use: Ingredients, momentum: float = 0.9) -> float:
    """What an entry with a constant gradient of one sends after so many iterations of silence."""
    memory, gradient = Memory.empty(1, 2), torch.tensor([[1.0, 0.0]], dtype=torch.float32)
    for _ in range(interval - 1):
        memory.residual[0, 1] = 1e9  # a louder neighbour takes the only place
        compress(gradient, memory, 0.5, replace(use, masking=False), momentum)
    memory.residual[0, 1] = 0.0
    return float(compress(gradient, memory, 0.5, use, momentum).values[0, 0])


def send_gaps(density: float, seed: int, entries: int = 4000, iterations: int = 6000) -> np.ndarray:
    """Iterations between two sends of the same entry when gradients are independent noise."""
    generator = torch.Generator().manual_seed(seed)
    memory, last, gaps = Memory.empty(1, entries), np.full(entries, -1), []
    for iteration in range(iterations):
        sent = compress(torch.randn(1, entries, generator=generator), memory, density).positions[0].numpy()
        known = sent[last[sent] >= 0]
        gaps.extend(iteration - last[known])
        last[sent] = iteration
    return np.array(gaps)
