"""A training step on the machine at hand: what it must remember, and how long it takes beside an inference.

Memory of training is 4 (P (2 + o) + b sum a) bytes: parameters, gradients and o optimiser slots, and for each of b
samples the activations a that the backward pass needs again (Chen, Biookaghazadeh, Zhao 2018 [168]). Which
activations those are is counted here twice: from the layers, and from the tensors that autograd really keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from edgedl_lib.offloading.platform.measured.timing import Timing, measure_in_turn, ratio_in_turn

FLOAT_BYTES = 4
INDEX_BYTES = 8  # max pooling remembers which input won, as a 64-bit index


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes of one training step: by formula and as tracked."""

    parameters: int
    gradients: int
    optimiser: int
    activations: int
    tracked_activations: int

    @property
    def formula(self) -> int:
        """Bytes by the formula."""
        return self.parameters + self.gradients + self.optimiser + self.activations

    @property
    def tracked(self) -> int:
        """The same, with the activations that autograd kept."""
        return self.parameters + self.gradients + self.optimiser + self.tracked_activations

    @property
    def activation_error(self) -> float:
        """Relative error of the formula where it can be wrong: the activations."""
        return self.activations / self.tracked_activations - 1.0


@dataclass(frozen=True)
class StepTiming:
    """Times (s) of a whole training step and of one inference on the same batch, in the same rounds."""

    name: str
    parameters: int
    training: Timing
    inference: Timing

    @property
    def step_over_inference(self) -> float:
        """Training step over inference: forward, backward and update against forward alone."""
        return ratio_in_turn(self.training, self.inference)


def convolutional_network(width: int = 16, depth: int = 2, side: int = 32, classes: int = 10) -> nn.Sequential:
    """`depth` blocks of convolution, ReLU and pooling, each twice as wide as the one before, and a classifier."""
    layers: list[nn.Module] = []
    channels = 3
    for block in range(depth):
        filters = width * 2**block
        layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels = filters
    features = channels * (side // 2**depth) ** 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, classes))


def dense_network(width: int = 256, depth: int = 2, inputs: int = 256, classes: int = 10) -> nn.Sequential:
    """`depth` hidden layers of `width` neurons with ReLU, and a classifier."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, classes))


def stored_activation_bytes(network: nn.Sequential, inputs: torch.Tensor) -> int:
    """Bytes that the backward pass needs again, from the layers alone.

    A layer with weights keeps its input, a ReLU its output, a max pooling its input and the winners' indices. A
    tensor that two layers keep is stored once. The softmax of the loss keeps its output.
    """
    values = [inputs]  # every layer's output stays alive, or a later one could take over its address
    with torch.no_grad():
        for layer in network:
            values.append(layer(values[-1]))
    kept: dict[int, int] = {}
    indices = 0
    for layer, x, y in zip(network, values, values[1:], strict=False):
        for tensor in _kept_by(layer, x, y):
            kept[tensor.data_ptr()] = tensor.numel() * FLOAT_BYTES
        indices += y.numel() * INDEX_BYTES if isinstance(layer, nn.MaxPool2d) else 0
    return sum(kept.values()) + indices + values[-1].numel() * FLOAT_BYTES


def tracked_activation_bytes(network: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> int:
    """Bytes of the tensors that autograd saves in a forward pass with its loss, weights left out, each storage once."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    saved: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage  # kept alive, or its address could be used again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        nn.functional.cross_entropy(network(inputs), labels)
    return sum(storage.nbytes() for storage in saved.values()) - labels.untyped_storage().nbytes()


def training_memory(network: nn.Sequential, inputs: torch.Tensor, *, optimiser_slots: int = 1) -> TrainingMemory:
    """Memory of one step with `optimiser_slots` numbers per parameter (0 plain SGD, 1 momentum, 2 Adam).

    Raises
    ------
    ValueError
        If `optimiser_slots` is negative.
    """
    if optimiser_slots < 0:
        raise ValueError(f"an optimiser cannot keep {optimiser_slots} numbers per parameter; use 0, 1 or 2")
    weights = FLOAT_BYTES * sum(parameter.numel() for parameter in network.parameters())
    labels = torch.zeros(len(inputs), dtype=torch.long)
    return TrainingMemory(
        weights,
        weights,
        optimiser_slots * weights,
        stored_activation_bytes(network, inputs),
        tracked_activation_bytes(network, inputs, labels),
    )


def measure_steps(
    networks: dict[str, tuple[nn.Module, torch.Tensor]], *, seed: int = 0, windows: int = 7
) -> dict[str, StepTiming]:
    """Time a step of SGD with momentum and an inference for every network, all in the same rounds.

    Parameters
    ----------
    networks : dict of name to (module, batch)
    """
    calls: dict[str, Callable[[], object]] = {}
    for name, (network, inputs) in networks.items():
        calls[f"train {name}"] = training_step(network, inputs, seed=seed)
        calls[f"infer {name}"] = _inference(network, inputs)
    timings = measure_in_turn(calls, windows=windows)
    return {
        name: StepTiming(name, _parameters(network), timings[f"train {name}"], timings[f"infer {name}"])
        for name, (network, _) in networks.items()
    }


def size_cases(
    widths: tuple[int, ...], depths: tuple[int, ...], filters: tuple[int, ...], *, seed: int = 0
) -> dict[str, tuple[nn.Module, torch.Tensor]]:
    """Networks that differ in one size each, with a batch, named "width 128", "depth 2", "filters 16".

    Dense networks of two layers by width and of 256 neurons by depth, batch 64; convolutional by filters, batch 16.
    """
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(64, 256, generator=generator)
    images = torch.randn(16, 3, 32, 32, generator=generator)
    return (
        {f"width {width}": (dense_network(width, 2), vectors) for width in widths}
        | {f"depth {depth}": (dense_network(256, depth), vectors) for depth in depths}
        | {f"filters {width}": (convolutional_network(width, 2), images) for width in filters}
    )


def smallest_growth(steps: Sequence[StepTiming]) -> float:
    """Smallest ratio of the training times of consecutive networks."""
    seconds = [step.training.median for step in steps]
    return min(after / before for before, after in pairwise(seconds))


def training_step(network: nn.Module, inputs: torch.Tensor, *, seed: int = 0) -> Callable[[], None]:
    """One whole step on one batch as a function: forward, loss, backward, update."""
    labels = torch.randint(10, (len(inputs),), generator=torch.Generator().manual_seed(seed))
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)

    def step() -> None:
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(inputs), labels).backward()
        optimiser.step()

    return step


def _inference(network: nn.Module, inputs: torch.Tensor) -> Callable[[], object]:
    def infer() -> torch.Tensor:
        with torch.inference_mode():
            return network(inputs)

    return infer


def _kept_by(layer: nn.Module, x: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
    if isinstance(layer, nn.Conv2d | nn.Linear | nn.MaxPool2d):
        return [x]
    return [y] if isinstance(layer, nn.ReLU) else []


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
