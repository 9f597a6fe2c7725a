"""Synchronous SGD over several nodes, dense or compressed, in plain arrays.

One iteration is one gradient of each node: there are no local epochs, so this is not a round of federated averaging.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.communication.dgc import network
from edgedl_lib.training.communication.dgc.compression import (
    ALL,
    Ingredients,
    Memory,
    Message,
    clip_locally,
    compress,
    density_at,
)


@dataclass(frozen=True)
class Job:
    """What is trained, and how.

    Attributes
    ----------
    density : float
        Share of the entries of each matrix that a node sends after warm-up; 1 without `ingredients` is dense SGD.
    ingredients : Ingredients or None
        None: dense momentum SGD.
    clip : float
        Largest norm of the whole gradient, split over the nodes; used if clipping is on.
    keep_every : int
        Messages of every so manieth iteration are kept, to be encoded.
    """

    train: Split
    test: Split
    widths: tuple[int, ...] = (64, 128, 128, 10)
    nodes: int = 4
    batch_size: int = 16
    learning_rate: float = 0.05
    momentum: float = 0.9
    iterations: int = 1200
    density: float = 0.001
    ingredients: Ingredients | None = ALL
    clip: float = 1.0
    keep_every: int = 40

    @property
    def epoch(self) -> int:
        """Iterations in which all nodes together see the training set once."""
        return -(-len(self.train) // (self.nodes * self.batch_size))


@dataclass(frozen=True)
class Outcome:
    """One finished training.

    Attributes
    ----------
    accuracy : float
        Percent of the test set, mean over the last five evaluations.
    curve : numpy.ndarray, shape (evaluations, 3)
        Iteration, loss (nats) and accuracy (%) on the test set.
    messages : tuple of tuple of Message
        Kept messages after warm-up, one per matrix.
    weights : list of Tensor
    """

    accuracy: float
    curve: np.ndarray
    messages: tuple[tuple[Message, ...], ...]
    weights: network.Weights


def train(job: Job, seed: int, evaluate_every: int = 20) -> Outcome:
    """Run one job; everything random depends on `seed` alone."""
    run = _Run(job, seed)
    curve, kept = [], []
    for iteration in range(job.iterations):
        messages = run.step(iteration)
        if messages and iteration % job.keep_every == 0 and iteration >= 5 * job.epoch:
            kept.append(messages)
        if (iteration + 1) % evaluate_every == 0:
            curve.append((iteration + 1, *network.evaluate(run.weights, job.test.inputs, job.test.targets)))
    curve = np.array(curve)
    return Outcome(float(curve[-5:, 2].mean()), curve, tuple(kept), run.weights)


def without(name: str) -> Ingredients:
    """All ingredients but one."""
    return replace(ALL, **{name: False})


class _Run:
    """State of one training."""

    def __init__(self, job: Job, seed: int) -> None:
        self.job, self.rng = job, np.random.default_rng(seed)
        self.weights = network.initial_weights(job.widths, seed)
        self.velocity = [torch.zeros_like(each) for each in self.weights]  # of dense tensors, and of the receiver
        self.memories = [Memory.empty(job.nodes, each.numel()) for each in self.weights]
        self.parts = np.array_split(self.rng.permutation(len(job.train)), job.nodes)

    def step(self, iteration: int) -> tuple[Message, ...]:
        """One iteration; the messages of the matrices, none if training is dense."""
        job, use = self.job, self.job.ingredients
        found = self.gradients()
        if use is None:
            self.move([each.sum(0) for each in found], job.learning_rate, momentum=True)
            return ()
        if use.clipping:
            clip_locally(found, job.clip)
        epoch = iteration // job.epoch
        density = density_at(epoch, job.density, use.warm_up)
        messages = tuple(self.send(index, found[index], density) for index in range(0, len(found), 2))
        rate = job.learning_rate * (min(1.0, (epoch + 1) / 5) if use.warm_up else 1.0)
        self.apply(messages, found, rate)
        return messages

    def gradients(self) -> network.Weights:
        """Each node's gradient of a batch of its own, divided by the number of nodes."""
        rows = np.stack([self.rng.choice(part, self.job.batch_size, replace=False) for part in self.parts])
        inputs, targets = self.job.train.inputs[rows], self.job.train.targets[rows]
        return [each / self.job.nodes for each in network.gradients(self.weights, inputs, targets)]

    def send(self, index: int, gradient: torch.Tensor, density: float) -> Message:
        """Compress one matrix."""
        flat = gradient.reshape(self.job.nodes, -1)
        return compress(flat, self.memories[index], density, self.job.ingredients, self.job.momentum)

    def apply(self, messages: tuple[Message, ...], found: network.Weights, rate: float) -> None:
        """Plain SGD with what arrived if the momentum is in it already; biases came dense and get theirs here."""
        total = [each.sum(0) for each in found]
        for index, message in enumerate(messages):
            total[2 * index] = message.total.view_as(self.weights[2 * index])
        self.move(total, rate, momentum=not self.job.ingredients.correction)

    def move(self, total: network.Weights, rate: float, *, momentum: bool) -> None:
        for index, step in enumerate(total):
            if momentum or index % 2:
                step = self.velocity[index].mul_(self.job.momentum).add_(step)
            self.weights[index].sub_(step, alpha=rate)
