"""Error against rank: the experiments behind the chapter's section on low rank.

The small networks of the study are trained in the notebook; nothing here trains anything but the fine-tuning.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from edgedl_lib.inference.compression.factors.factorise import factorise
from edgedl_lib.inference.compression.factors.low_rank import (
    factored_linear,
    layer_inputs,
    rank_for_gain,
    replace_layers,
    spectrum_energy,
)
from edgedl_lib.inference.compression.factors.separable import separable_rank_for_gain
from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.training import error, train

HIDDEN = 200  # of the dense network of the reference experiment: 784-200-10 on MNIST


def dense_network(features: int, hidden: int = HIDDEN, classes: int = 10) -> nn.Sequential:
    """Flatten, one hidden layer and the classes: the network whose first matrix is factored."""
    layers = {"flatten": nn.Flatten(), "dense1": nn.Linear(features, hidden), "relu1": nn.ReLU()}
    return nn.Sequential(OrderedDict(layers, dense2=nn.Linear(hidden, classes)))


def conv_network(side: int, filters: tuple[int, int] = (8, 16), classes: int = 10) -> nn.Sequential:
    """Two 5x5 convolutions with pooling and one dense layer, for grey images of ``side`` pixels."""
    maps = filters[1] * (side // 4) ** 2
    layers = {
        "conv1": nn.Conv2d(1, filters[0], 5, padding=2),
        "relu1": nn.ReLU(),
        "pool1": nn.MaxPool2d(2),
        "conv2": nn.Conv2d(filters[0], filters[1], 5, padding=2),
        "relu2": nn.ReLU(),
        "pool2": nn.MaxPool2d(2),
        "flatten": nn.Flatten(),
        "dense1": nn.Linear(maps, classes),
    }
    return nn.Sequential(OrderedDict(layers))


@dataclass(frozen=True)
class Truncation:
    """Error (percent) of one trained network at the ranks that divide its multiply-accumulates by ``gains``.

    Attributes
    ----------
    baseline : float
        Error of the network as trained.
    gains, ranks, errors : tuple
        From the mildest truncation to the strongest.
    """

    baseline: float
    gains: tuple[float, ...]
    ranks: tuple[int, ...]
    errors: tuple[float, ...]

    @property
    def losses(self) -> np.ndarray:
        """Points lost at each gain."""
        return np.array(self.errors) - self.baseline

    def loss_at(self, gain: float) -> float:
        """Points lost at one gain."""
        return float(self.losses[self.gains.index(gain)])

    def largest_gain(self, budget: float = 1.0) -> float:
        """Largest gain that costs at most ``budget`` points; 1 if none does."""
        return max((gain for gain, loss in zip(self.gains, self.losses, strict=True) if loss <= budget), default=1.0)


def truncate_dense(
    model: nn.Module,
    test: Split,
    gains: Sequence[float],
    *,
    name: str = "dense1",
    data: Split | None = None,
    refine: Callable[[nn.Module], object] | None = None,
) -> Truncation:
    """Factor one dense layer at falling ranks and measure the error on ``test``.

    Parameters
    ----------
    data : Split, optional
        Training samples: factors then minimise the change of the layer's output on them, not that of its weights.
    refine : callable, optional
        Trains the factored model further, in place.
    """
    layer = model.get_submodule(name)
    inputs = None if data is None else layer_inputs(model, name, data.inputs)
    ranks = tuple(rank_for_gain(layer.out_features, layer.in_features, gain) for gain in gains)
    errors = []
    for rank in ranks:
        factored = replace_layers(model, {name: factored_linear(layer, rank, inputs)})
        if refine is not None:
            refine(factored)
        errors.append(error(factored, test))
    return Truncation(error(model, test), tuple(gains), ranks, tuple(errors))


def largest_fall(errors: np.ndarray) -> float:
    """How far the mean error of shape (seeds, ranks) falls at most from one rank to the next smaller; 0 if never.

    >>> largest_fall(np.array([[2.0, 5.0, 4.5, 9.0]]))
    0.5
    """
    return float(max(0.0, -np.diff(np.mean(errors, axis=0)).min()))


def energy_of_quarter(matrix: Tensor) -> float:
    """Share of the squared weights (percent) in the upper quarter of the singular values."""
    energy = spectrum_energy(matrix.detach())
    return 100 * float(energy[len(energy) // 4 - 1])


def separable_ranks(model: nn.Module, gain: float) -> dict[str, int]:
    """Rank of every convolution that divides its multiply-accumulates by ``gain``, or the smallest there is."""
    convolutions = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d)}
    return {name: separable_rank_for_gain(layer, gain) for name, layer in convolutions.items()}


@dataclass(frozen=True)
class Recovery:
    """Error (percent) of a network as trained, with separable filters, and after fine-tuning those."""

    baseline: float
    truncated: float
    tuned: float

    @property
    def loss(self) -> float:
        """Points lost after fine-tuning."""
        return self.tuned - self.baseline

    @property
    def recovered(self) -> float:
        """Share of the lost points that came back; NaN where nothing was lost."""
        lost = self.truncated - self.baseline
        return (self.truncated - self.tuned) / lost if lost > 0 else float("nan")


def recover(
    model: nn.Module,
    train_split: Split,
    test: Split,
    gain: float,
    *,
    epochs: int,
    seed: int,
    layers: Sequence[str] | None = None,
) -> Recovery:
    """Separate the convolutions at ``gain``, all or those named in ``layers``, then fine-tune the whole network."""
    ranks = separable_ranks(model, gain)
    factored = factorise(model, ranks=ranks if layers is None else {name: ranks[name] for name in layers})
    truncated = error(factored, test)
    train(factored, train_split, epochs=epochs, seed=seed)
    return Recovery(error(model, test), truncated, error(factored, test))
