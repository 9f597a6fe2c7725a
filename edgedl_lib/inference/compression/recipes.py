"""Recipes: one trained network compressed by every family, alone and combined, and measured on the same axes.

A recipe is a function of a few lines that makes a compressed model; its source is what a reader sees behind a point of
the Pareto figure.  Size is what would be stored, latency is that of ONNX Runtime at batch 1: zeros and code books that
no kernel exploits are executed as floats, and take as long.
"""

from __future__ import annotations

import copy
import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import nn

from edgedl_lib.inference.compression.compact_filters import compact
from edgedl_lib.inference.compression.eight_bits import onnx_runtime
from edgedl_lib.inference.compression.factors import factorise
from edgedl_lib.inference.compression.one_bit.binary import Sign, clip_weights
from edgedl_lib.inference.compression.one_bit.coded_layers import stored_bytes, with_codes
from edgedl_lib.inference.compression.sparsity.filters import prune_filters
from edgedl_lib.inference.compression.sparsity.retraining import prune_and_retrain
from edgedl_lib.inference.compression.storage import deep_compression
from edgedl_lib.inference.compression.taught import distillation
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import build, train

FLOAT_BYTES = 4
LENET5_DENSITY = {"conv1": 0.66, "conv2": 0.12, "dense1": 0.08, "dense2": 0.19}  # kept shares, Han et al. 2015 [129]


@dataclass(frozen=True)
class Setting:
    """What every recipe is given.

    Attributes
    ----------
    reference : nn.Module
        The trained network; a recipe works on a copy.
    data : Dataset
    seed, epochs : int
        Of retraining or of training a smaller network; ``epochs`` is that of the latter, a repair takes a quarter.
    """

    reference: nn.Module
    data: Dataset
    seed: int
    epochs: int = 16

    @property
    def repair_epochs(self) -> int:
        """Epochs after a change to a trained network."""
        return max(1, self.epochs // 4)

    def copy(self) -> nn.Module:
        """A copy of the reference network."""
        return copy.deepcopy(self.reference)

    def trained(self, make: Callable[[], nn.Module]) -> nn.Module:
        """A new network, trained on the labels."""
        model = build(make, self.seed)
        train(model, self.data.train, epochs=self.epochs, seed=self.seed)
        return model

    def repaired(self, model: nn.Module) -> nn.Module:
        """The model after a few epochs of further training."""
        train(model, self.data.train, epochs=self.repair_epochs, seed=self.seed)
        return model

    def eight_bit(self, model: nn.Module) -> Compressed:
        """The model with int8 weights and activations."""
        plain = onnx_runtime.to_onnx(model, self.data.input_shape)
        int8 = onnx_runtime.quantise_static(plain, self.data.validation.inputs[:100])
        return Compressed(model, stored=_eight_bit_bytes(model), executable=int8)


@dataclass(frozen=True)
class Compressed:
    """A compressed model: the module, the bytes that it stores, and what ONNX Runtime executes."""

    model: nn.Module
    stored: int | None = None
    executable: bytes | None = field(default=None, repr=False)


Method = Callable[[Setting], Compressed]


@dataclass(frozen=True)
class Recipe:
    """A named way to compress; ``family`` is one of the survey's four, "reference" or "combined"."""

    name: str
    family: str
    method: Method

    @property
    def source(self) -> str:
        """The lines that make the model."""
        lines = textwrap.dedent(inspect.getsource(self.method)).splitlines()
        return "\n".join(line for line in lines if not line.startswith("@"))


RECIPES: dict[str, Recipe] = {}


def recipe(name: str, family: str) -> Callable[[Method], Method]:
    """Enter a function into :data:`RECIPES`."""

    def register(method: Method) -> Method:
        RECIPES[name] = Recipe(name, family, method)
        return method

    return register


@dataclass(frozen=True)
class Candidate:
    """A compressed model on the four axes.

    Attributes
    ----------
    error : float
        Wrong answers on the test split, percent.
    stored_bytes : int
    mac : int
        Multiply-accumulates that a dense kernel executes, zeros included.
    latency : float
        Median seconds per sample at batch 1 in ONNX Runtime.
    """

    recipe: Recipe
    error: float
    stored_bytes: int
    mac: int
    latency: float


def evaluate(setting: Setting, recipes: Sequence[Recipe] | None = None, windows: int = 7) -> list[Candidate]:
    """Make every model and measure it; the latencies are taken in turn."""
    recipes = list(RECIPES.values()) if recipes is None else list(recipes)
    products = [recipe.method(setting) for recipe in recipes]
    shape = setting.data.input_shape
    sessions = [
        onnx_runtime.OrtSession(product.executable or onnx_runtime.to_onnx(product.model, shape))
        for product in products
    ]
    names = [recipe.name for recipe in recipes]
    timings = onnx_runtime.latencies(dict(zip(names, sessions, strict=True)), windows=windows)
    return [
        Candidate(
            recipe,
            error=_error(session, setting.data),
            stored_bytes=_float_bytes(product.model) if product.stored is None else product.stored,
            mac=layer_graph(product.model, shape).mac,
            latency=timings[recipe.name].median,
        )
        for recipe, product, session in zip(recipes, products, sessions, strict=True)
    ]


def pareto(costs: np.ndarray) -> np.ndarray:
    """Indices of the rows that no other row beats: at least as good in every column, better in one.

    >>> pareto(np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 4.0]]))
    array([0, 1])
    """
    costs = np.asarray(costs, float)
    if costs.ndim != 2 or np.isnan(costs).any():
        raise ValueError(f"expected a table of costs without NaN, one row per model, got shape {costs.shape}")
    no_worse = (costs[:, None] <= costs[None]).all(axis=2)  # [i, j]: i is at least as good as j everywhere
    better = (costs[:, None] < costs[None]).any(axis=2)
    return np.flatnonzero(~(no_worse & better).any(axis=0))


def _error(session: onnx_runtime.OrtSession, data: Dataset) -> float:
    """Percent wrong, by what is executed, not by the model that it was made from."""
    return 100 * float((session.run(data.test.inputs).argmax(axis=1) != data.test.targets.numpy()).mean())


def _float_bytes(model: nn.Module) -> int:
    return FLOAT_BYTES * sum(parameter.numel() for parameter in model.parameters())


def _eight_bit_bytes(model: nn.Module) -> int:
    """One byte per weight, a float scale per filter, biases (and norms) as floats."""
    weights = [layer.weight for layer in model.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    count = sum(weight.numel() for weight in weights)
    return count + FLOAT_BYTES * sum(len(weight) for weight in weights) + _float_bytes(model) - FLOAT_BYTES * count


@recipe("reference", "reference")
def reference(setting: Setting) -> Compressed:
    """The trained network as it is, in float32."""
    return Compressed(setting.copy())


@recipe("pruned", "pruning and sharing")
def pruned(setting: Setting) -> Compressed:
    """Magnitude pruning in three rounds to LeNet-5's densities; values and relative indices are stored."""
    model, repair = setting.copy(), {"epochs": setting.repair_epochs, "seed": setting.seed}
    prune_and_retrain(model, setting.data, LENET5_DENSITY, rounds=3, **repair)
    return Compressed(model, stored=deep_compression.code(model, 5, setting.data, setting.seed).files["pruned"].size)


@recipe("half of the filters", "pruning and sharing")
def filters_pruned(setting: Setting) -> Compressed:
    """The filters and units of least norm are cut out, what is left is a smaller dense network, repaired."""
    return Compressed(setting.repaired(prune_filters(setting.reference, 0.5)))


@recipe("Deep Compression", "pruning and sharing")
def deep(setting: Setting) -> Compressed:
    """Pruned to LeNet-5's densities, 31 values shared per layer, Huffman-coded."""
    repair = {"rounds": 3, "prune_epochs": setting.repair_epochs, "share_epochs": setting.repair_epochs}
    small = deep_compression.compress(setting.reference, LENET5_DENSITY, 5, setting.data, setting.seed, **repair)
    return Compressed(small.module, stored=small.size)


@recipe("int8", "pruning and sharing")
def int8(setting: Setting) -> Compressed:
    """Post-training quantisation of weights and activations."""
    return setting.eight_bit(setting.copy())


@recipe("binary weights", "pruning and sharing")
def binary(setting: Setting) -> Compressed:
    """One bit per weight in the two middle layers; first and last layer stay real."""
    model = with_codes(setting.reference, Sign(), keep_real=("conv1", "dense2"))
    options = {"epochs": setting.epochs, "seed": setting.seed, "after_step": clip_weights, "learning_rate": 3e-3}
    train(model, setting.data.train, **options)
    return Compressed(_as_floats(model), stored=stored_bytes(model))


@recipe("low rank", "low rank")
def low_rank(setting: Setting) -> Compressed:
    """SVD and Tucker-2 at 80 % of the energy, repaired by a few epochs."""
    return Compressed(setting.repaired(factorise.factorise(setting.reference, energy=0.8).requires_grad_(True)))


@recipe("separable", "compact filters")
def separable(setting: Setting) -> Compressed:
    """A network of depth-wise separable convolutions, trained from scratch."""
    return Compressed(setting.trained(compact.separable_digit_network))


@recipe("half as wide", "compact filters")
def narrow(setting: Setting) -> Compressed:
    """A plain convolutional network of half the width, trained from scratch on the labels."""
    return Compressed(setting.trained(lambda: compact.plain_digit_network(0.5)))


@recipe("half as wide, distilled", "distillation")
def distilled(setting: Setting) -> Compressed:
    """The same narrow network, taught by the reference."""
    student = build(lambda: compact.plain_digit_network(0.5), setting.seed)
    options = {"epochs": setting.epochs, "seed": setting.seed}
    return Compressed(distillation.distil(setting.reference, student, setting.data.train, **options))


@recipe("distilled + int8", "combined")
def distilled_int8(setting: Setting) -> Compressed:
    """The distilled narrow network in eight bits."""
    return setting.eight_bit(distilled(setting).model)


@recipe("low rank + Deep Compression", "combined")
def low_rank_deep(setting: Setting) -> Compressed:
    """Factors first, then half of their weights pruned, 31 values shared, Huffman-coded."""
    repair = {"rounds": 1, "prune_epochs": setting.repair_epochs, "share_epochs": setting.repair_epochs}
    small = deep_compression.compress(low_rank(setting).model, 0.5, 5, setting.data, setting.seed, **repair)
    return Compressed(small.module, stored=small.size)


def _as_floats(model: nn.Module) -> nn.Module:
    """Ordinary layers with the coded weights as floats: what a runtime without bit kernels executes."""
    plain = copy.deepcopy(model)
    for name, layer in model.named_children():
        if hasattr(layer, "coded_weight"):
            setattr(plain, name, _ordinary(layer))
    return plain.eval()


def _ordinary(layer: nn.Linear | nn.Conv2d) -> nn.Module:
    if isinstance(layer, nn.Linear):
        ordinary = nn.Linear(layer.in_features, layer.out_features, layer.bias is not None)
    else:
        window = (layer.kernel_size, layer.stride, layer.padding)
        ordinary = nn.Conv2d(layer.in_channels, layer.out_channels, *window, bias=layer.bias is not None)
    ordinary.load_state_dict({**layer.state_dict(), "weight": layer.coded_weight.detach()})
    return ordinary
