"""Training a network with exits beside a baseline that was trained just as long.

Half of the time trains the plain trunk.  From there, one copy goes on alone (the baseline of every comparison) and one
gets branches and goes on with the joint loss.  The authors' scripts read their baseline off the jointly trained trunk,
whose last layer had no gradient since; here the baseline is a network of its own.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from edgedl_lib.inference.early_exit.branchynet import start_from, trunk
from edgedl_lib.inference.early_exit.network import MultiExitNetwork, joint_objective
from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.training import build, train

SECOND_HALF = 1000  # added to the seed, so that the second half visits the samples in another order


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train: ``epochs`` for each half."""

    epochs: int
    learning_rate: float = 1e-3
    batch_size: int = 64


@dataclass(frozen=True)
class TrainedBaseline:
    """The plain trunk after half of the training and after all of it."""

    halfway: nn.Sequential
    full: nn.Sequential


def train_baseline(make: Callable[[], MultiExitNetwork], split: Split, recipe: Recipe, seed: int) -> TrainedBaseline:
    """Train the trunk of ``make()`` for twice ``recipe.epochs``, and keep it as it was halfway."""
    network = trunk(build(make, seed))
    _train(network, split, recipe, seed)
    halfway = copy.deepcopy(network)
    _train(network, split, recipe, seed + SECOND_HALF)
    return TrainedBaseline(halfway, network)


def train_jointly(
    make: Callable[[], MultiExitNetwork],
    split: Split,
    recipe: Recipe,
    seed: int,
    start: nn.Sequential | None = None,
    weights: Sequence[float] | None = None,
) -> MultiExitNetwork:
    """Train all exits at once for ``recipe.epochs``, from a trained trunk or from random weights.

    Parameters
    ----------
    start : nn.Sequential, optional
        Baseline whose weights the trunk takes over.
    weights : sequence of float, length exits, optional
        Of the exits' losses; 1 each if not given, as in the authors' code.
    """
    network = build(make, seed)
    if start is not None:
        start_from(network, start)
    _train(network, split, recipe, seed + SECOND_HALF, objective=joint_objective(weights))
    return network


def _train(network: nn.Module, split: Split, recipe: Recipe, seed: int, **options) -> None:
    settings = {"epochs": recipe.epochs, "learning_rate": recipe.learning_rate, "batch_size": recipe.batch_size}
    train(network, split, seed=seed, **settings, **options)
