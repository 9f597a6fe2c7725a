"""DeepIoT on a dense network: search, cut, re-instantiate, fine-tune, and compare at equal size."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.inference.compression.taught.compressor import Search, SearchSettings, flipped, search
from edgedl_lib.inference.compression.taught.stacked_mlp import (
    BatchOrder,
    StackedMLP,
    batch_order,
    stack_error,
    train_stack,
)
from edgedl_lib.inference.compression.taught.unit_pruning import (
    dense_parameters,
    equal_share,
    fold_scales,
    largest_units,
    random_units,
    shrink,
)
from edgedl_lib.nets.datasets import Dataset, Split
from edgedl_lib.nets.training import predict
from edgedl_lib.system.estimate import Estimate, estimate, paired

RIVALS = ("dense", "random", "magnitude")
FINE_TUNING_RATE = 1e-3


@dataclass(frozen=True, eq=False)
class DeepIoTStudy:
    """One search a seed and its rivals at equal size, all with as many updates.

    Attributes
    ----------
    data : Dataset
        Flat.
    search : Search
    dense : StackedMLP
        Where all began.
    critic : StackedMLP
        After the search, before anything is cut.
    networks : dict of str to list of Sequential
        Final networks by method ("DeepIoT", "random", "magnitude", "dense"), small and dense, one a seed.
    """

    data: Dataset
    search: Search
    dense: StackedMLP
    critic: StackedMLP
    networks: dict[str, list[nn.Sequential]]

    def errors(self, method: str) -> list[float]:
        """Test error (percent) after fine-tuning, one a seed."""
        test = self.data.test
        return [float(stack_error(predict(network, test.inputs), test.targets)) for network in self.networks[method]]

    def advantage(self, rival: str) -> Estimate:
        """Points of error of the rival above DeepIoT's, paired; counted in images, so that a draw is exactly zero."""
        images = len(self.data.test)
        rival_wrong, own_wrong = (np.rint(np.array(self.errors(m)) * images / 100) for m in (rival, "DeepIoT"))
        more = paired(rival_wrong, own_wrong)
        points = 100 / images
        return Estimate(
            more.mean * points, more.low * points, more.high * points, tuple(points * v for v in more.values)
        )

    @property
    def size_reduction(self) -> Estimate:
        """Percent of the parameters that are gone."""
        full = dense_parameters(self.dense.widths)
        return estimate([100 * (1 - dense_parameters(widths(small)) / full) for small in self.networks["DeepIoT"]])

    @property
    def kept_units(self) -> np.ndarray:
        """Percent of units kept, shape (layers, seeds)."""
        return np.array([(100 * mask.double().mean(dim=1)).round(decimals=6).tolist() for mask in self.search.masks])

    @property
    def spread(self) -> Estimate:
        """Points between the layers that keep the largest and the smallest share."""
        return estimate(np.ptp(self.kept_units, axis=0).round(6))

    @property
    def largest_difference(self) -> float:
        """Between logits of the masked critic and of its small dense re-instantiation, on all test images."""
        masked = _logits(self.critic, self.data.test.inputs, [scale.unsqueeze(1) for scale in self.search.scales])
        small = [predict(network, self.data.test.inputs) for network in reinstantiate(self.critic, self.search)]
        return float((masked - torch.stack(small)).abs().max())


def widths(network: nn.Sequential) -> tuple[int, ...]:
    """Inputs, hidden units, classes of a dense network.

    >>> from edgedl_lib.inference.compression.taught.stacked_mlp import mlp
    >>> widths(mlp((64, 8, 10)))
    (64, 8, 10)
    """
    layers = [module for module in network if isinstance(module, nn.Linear)]
    return (layers[0].in_features, *(layer.out_features for layer in layers))


def reinstantiate(critic: StackedMLP, found: Search) -> list[nn.Sequential]:
    """Small dense networks, one a run, that answer like the masked and scaled critic."""
    return [
        shrink(critic.network(run), [mask[run] for mask in found.masks], [scale[run] for scale in found.scales])
        for run in range(critic.runs)
    ]


def run_study(
    data: Dataset,
    seeds: Sequence[int],
    shape: Sequence[int],
    settings: SearchSettings,
    *,
    epochs: int,
    fine_tuning: int,
) -> DeepIoTStudy:
    """Train dense networks, search on them, and fine-tune what DeepIoT and its rivals keep.

    Parameters
    ----------
    shape : sequence of int
        Widths of the dense network.
    epochs : int
        Of the first training.
    fine_tuning : int
        Updates after the cut; the rivals, which need no search, get the search's updates on top.
    """
    dense = train_dense(data.train, seeds, shape, epochs)
    critic = copy.deepcopy(dense)
    found = search(critic, data.train, seeds, settings)
    chosen = copy.deepcopy(critic)
    fold_scales(chosen, found.scales)
    tune(chosen, data.train, seeds, found.masks, fine_tuning)
    rivals, masks = _rivals(dense, found, seeds)
    tune(rivals, data.train, list(seeds) * len(RIVALS), masks, settings.steps + fine_tuning)
    networks = {"DeepIoT": _cut(chosen, found.masks)}
    cut = _cut(rivals, masks)
    for number, name in enumerate(RIVALS):
        networks[name] = cut[number * len(seeds) : (number + 1) * len(seeds)]
    return DeepIoTStudy(data, found, dense, critic, networks)


def train_dense(split: Split, seeds: Sequence[int], shape: Sequence[int], epochs: int) -> StackedMLP:
    """Train one dense network a seed."""
    stack = StackedMLP(shape, seeds)
    tune(stack, split, seeds, None, epochs * -(-len(split) // 64), 3e-3)
    return stack


def tune(
    stack: StackedMLP,
    split: Split,
    seeds: Sequence[int],
    masks: Sequence[Tensor] | None,
    steps: int,
    learning_rate: float = FINE_TUNING_RATE,
) -> None:
    """Train the stack in place for a number of updates; masked units, (R, units) a hidden layer, stay silent."""
    silent = None if masks is None else [mask.float().unsqueeze(1) for mask in masks]

    def objective(stack: StackedMLP, inputs: Tensor, rows: Tensor) -> Tensor:
        logits = stack(inputs, silent)
        return nn.functional.cross_entropy(logits.movedim(-1, 1), split.targets[rows], reduction="none")

    train_stack(stack, split.inputs, _order(split, seeds, steps), objective, learning_rate=learning_rate)


def _order(split: Split, seeds: Sequence[int], steps: int) -> BatchOrder:
    return batch_order([torch.arange(len(split))] * len(seeds), seeds, steps, 64)


def _rivals(dense: StackedMLP, found: Search, seeds: Sequence[int]) -> tuple[StackedMLP, list[Tensor]]:
    """The same dense networks three times, with everything, random units or the largest units, equally large."""
    plain = [dense.network(run) for run in range(dense.runs)]
    kept = [_counts(dense.widths, found, run) for run in range(dense.runs)]
    everything = [[torch.ones(units, dtype=torch.bool) for units in dense.widths[1:-1]] for _ in plain]
    drawn = [random_units(dense.widths, counts, seed) for counts, seed in zip(kept, seeds, strict=True)]
    largest = [largest_units(network, counts) for network, counts in zip(plain, kept, strict=True)]
    by_run = [*everything, *drawn, *largest]
    return StackedMLP.of(plain * len(RIVALS)), [torch.stack(layer) for layer in zip(*by_run, strict=True)]


def _counts(shape: Sequence[int], found: Search, run: int) -> list[int]:
    hidden = [int(mask[run].sum()) for mask in found.masks]
    return equal_share(shape, dense_parameters((shape[0], *hidden, shape[-1])))


def _cut(stack: StackedMLP, masks: Sequence[Tensor]) -> list[nn.Sequential]:
    return [shrink(stack.network(run), [mask[run] for mask in masks]) for run in range(stack.runs)]


def _logits(stack: StackedMLP, inputs: Tensor, scales: Sequence[Tensor]) -> Tensor:
    with torch.no_grad():
        return torch.cat([stack(batch, scales) for batch in inputs.split(512)], dim=1)


def flipped_ratio(data: Dataset, dense: StackedMLP, seeds: Sequence[int], settings: SearchSettings) -> Estimate:
    """Loss after a search with reversed reward over that with the right one; same start, critic fixed, no threshold."""
    twice = StackedMLP.of([dense.network(run) for _ in range(2) for run in range(dense.runs)])
    found = search(twice, data.train, [*seeds, *seeds], flipped(settings, len(seeds)))
    last = found.loss[-max(1, len(found.loss) // 4) :].mean(axis=0)
    return estimate(last[len(seeds) :] / last[: len(seeds)])


def compress(
    network: nn.Sequential, split: Split, seed: int, settings: SearchSettings | None = None, fine_tuning: int = 200
) -> nn.Sequential:
    """Compress one trained dense network: search, cut, fine-tune; returns a small dense network.

    Parameters
    ----------
    network : Sequential
        Dense layers with ReLU between them, as of ``stacked_mlp.mlp``.
    split : Split
        Flat training images, or the features that the network reads.
    """
    critic = StackedMLP.of([network])
    found = search(critic, split, [seed], settings or SearchSettings())
    fold_scales(critic, found.scales)
    tune(critic, split, [seed], found.masks, fine_tuning)
    return _cut(critic, found.masks)[0]


def compress_tail(
    network: nn.Sequential, split: Split, seed: int, settings: SearchSettings | None = None, fine_tuning: int = 200
) -> nn.Sequential:
    """Compress the dense layers behind the flattening of a convolutional network; its filters stay as they are."""
    whole = copy.deepcopy(network).eval()
    names = [name for name, _ in whole.named_children()]
    place = next((i for i, module in enumerate(whole) if isinstance(module, nn.Flatten)), None)
    if place is None:
        raise ValueError("the network has no Flatten layer; use compress for a dense network")
    features = Split(predict(whole[: place + 1], split.inputs), split.targets)
    tail = compress(whole[place + 1 :], features, seed, settings, fine_tuning)
    dense = iter(module for module in tail if isinstance(module, nn.Linear))
    for name in names[place + 1 :]:
        if isinstance(getattr(whole, name), nn.Linear):
            setattr(whole, name, next(dense))
    return whole.eval()
