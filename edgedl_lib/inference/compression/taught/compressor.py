"""DeepIoT's compressor: an LSTM reads the layers one after the other and says which hidden units to keep.

Yao et al. 2017 [151].  Layer by layer the weights W become a short vector v = w_a W W_b, the LSTM turns it into a
state h (which remembers the layers before), and p = sigmoid(h W_c) are the units' keep probabilities.  The network
itself is the critic: it runs with masks z ~ Bernoulli(p), and REINFORCE moves p towards masks with a small loss.
R compressors run side by side, one for each run of a stack.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.inference.compression.taught.stacked_mlp import StackedMLP, batch_order
from edgedl_lib.nets.datasets import Split

THRESHOLD_STEPS = 33  # of the authors' script, one for each 500 iterations there
THRESHOLD_INCREMENT = 0.025
BELOW_THRESHOLD = 0.5  # while searching, units below the threshold keep this part of their probability
MOVING_AVERAGE = 0.9  # of the loss's mean and deviation: the baseline
WEIGHT_DECAY = 5e-4  # of the critic
CRITIC_MOMENTS = (0.5, 0.9)  # of Adam


class Compressor(nn.Module):
    """R compressors for R dense networks of the same shape.

    Parameters
    ----------
    widths : sequence of int
        Inputs, hidden units, classes of the networks.
    seeds : sequence of int
        One per run; equal seeds start equal.
    size : int
        Of the vectors v and of the LSTM's state.
    keep : float
        Initial keep probability (0.8 in the authors' script, 0.5 for recurrent layers).
    """

    def __init__(self, widths: Sequence[int], seeds: Sequence[int], size: int = 32, keep: float = 0.8) -> None:
        super().__init__()
        if not 0 < keep < 1:
            raise ValueError(f"initial keep probability {keep} must lie between 0 and 1")
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]

        def start(*shape: int) -> nn.Parameter:
            limit = 1 / math.sqrt(shape[0])
            draws = [torch.rand(shape, generator=generator) * 2 * limit - limit for generator in generators]
            return nn.Parameter(torch.stack(draws))

        hidden = list(zip(widths[:-2], widths[1:-1], strict=True))
        self.left = nn.ParameterList(start(inputs, 1).transpose(1, 2) for inputs, _ in hidden)  # w_a (R, 1, in)
        self.right = nn.ParameterList(start(units, size) for _, units in hidden)  # W_b (R, units, size)
        self.input_gates, self.state_gates = start(size, 4 * size), start(size, 4 * size)
        self.gate_bias = nn.Parameter(torch.zeros(len(seeds), 1, 4 * size))
        self.output = nn.ParameterList(start(size, units) for _, units in hidden)  # W_c (R, size, units)
        offset = math.log(keep / (1 - keep))
        self.output_bias = nn.ParameterList(torch.full((len(seeds), 1, units), offset) for _, units in hidden)

    def forward(self, weights: Sequence[Tensor]) -> list[Tensor]:
        """Keep probabilities, one Tensor (R, 1, units) a hidden layer, from weights (R, inputs, units).

        The weights are detached: the compressor reads the critic and must not change it.
        """
        state = cell = torch.zeros_like(self.gate_bias[..., : self.gate_bias.shape[-1] // 4])
        probabilities = []
        for layer, weight in enumerate(weights):
            vector = self.left[layer] @ weight.detach() @ self.right[layer]  # (R, 1, size)
            state, cell = self._lstm(vector, state, cell)
            probabilities.append(torch.sigmoid(state @ self.output[layer] + self.output_bias[layer]))
        return probabilities

    def _lstm(self, inputs: Tensor, state: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        gates = inputs @ self.input_gates + state @ self.state_gates + self.gate_bias
        enter, forget, candidate, leave = gates.chunk(4, dim=-1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(candidate)
        return torch.sigmoid(leave) * torch.tanh(cell), cell


def thresholds(steps: int = THRESHOLD_STEPS, increment: float = THRESHOLD_INCREMENT) -> np.ndarray:
    """The ramp of the pruning threshold, from its first step to its last.

    >>> thresholds()[[0, -1]].round(3).tolist()
    [0.025, 0.825]
    """
    return increment * np.arange(1, steps + 1)


def soft_prune(probability: Tensor, threshold: float) -> Tensor:
    """While searching: units below the threshold are masked more often, but may come back."""
    return torch.where(probability >= threshold, probability, BELOW_THRESHOLD * probability)


def hard_prune(probability: Tensor, threshold: float) -> Tensor:
    """After the search: units below the threshold are gone; the others are scaled by their keep probability."""
    return torch.where(probability >= threshold, probability, torch.zeros_like(probability))


@dataclass(frozen=True)
class SearchSettings:
    """How the compressor searches.

    Attributes
    ----------
    iterations : int
        Alternating updates of critic and compressor at each threshold (500 in the authors' script).
    ramp : tuple of float
        Thresholds, one after the other.
    critic_rate, compressor_rate : float
        Of Adam and RMSProp; a critic rate of zero leaves the network as it is.
    signs : tuple of float, optional
        Of each run's reward; minus one teaches the compressor to raise the loss.
    """

    iterations: int = 20
    ramp: tuple[float, ...] = tuple(thresholds())
    batch_size: int = 64
    critic_rate: float = 1e-3
    compressor_rate: float = 1e-2
    size: int = 32
    keep: float = 0.8
    signs: tuple[float, ...] | None = None

    @property
    def steps(self) -> int:
        """Updates in all."""
        return self.iterations * len(self.ramp)


@dataclass(frozen=True, eq=False)
class Search:
    """Where the search ended.

    Attributes
    ----------
    probabilities : list of Tensor, shape (R, units)
        Keep probabilities, one a hidden layer.
    threshold : float
        The last one.
    kept : ndarray, shape (len(ramp), layers, R)
        Share of units at or above the threshold, at the end of each of its steps.
    loss : ndarray, shape (steps, R)
        Task loss (nats) with sampled masks.
    """

    probabilities: list[Tensor]
    threshold: float
    kept: np.ndarray
    loss: np.ndarray

    @property
    def scales(self) -> list[Tensor]:
        """Hard-pruned keep probabilities, shape (R, units); the unit of highest probability of a layer always stays."""
        pruned = [hard_prune(probability, self.threshold) for probability in self.probabilities]
        return [
            torch.where(p == p.amax(dim=1, keepdim=True), p, scale)
            for p, scale in zip(self.probabilities, pruned, strict=True)
        ]

    @property
    def masks(self) -> list[Tensor]:
        """Which units stay, boolean, shape (R, units)."""
        return [scale > 0 for scale in self.scales]


def search(critic: StackedMLP, split: Split, seeds: Sequence[int], settings: SearchSettings) -> Search:
    """Search for the units to keep; the critic is trained along, in place.

    Parameters
    ----------
    critic : StackedMLP
        Trained dense networks, one a run.
    split : Split
        Flat training images.
    seeds : sequence of int
        Of the compressor's start, of the order of images and of the masks, one a run.
    """
    compressor = Compressor(critic.widths, seeds, settings.size, settings.keep)
    walk = _Walk(critic, compressor, split, seeds, settings)
    everything = torch.arange(len(split))
    order = batch_order([everything] * len(seeds), seeds, settings.steps, settings.batch_size)
    losses, kept = [], []
    for step, (rows, weights) in enumerate(zip(order.rows, order.weights, strict=True)):
        threshold = settings.ramp[step // settings.iterations]
        losses.append(walk.step(rows, weights, threshold))
        if (step + 1) % settings.iterations == 0:
            kept.append([(p >= threshold).double().mean(dim=(1, 2)).tolist() for p in walk.probabilities()])
    found = [p.squeeze(1) for p in walk.probabilities()]
    return Search(found, float(settings.ramp[-1]), np.array(kept), torch.stack(losses).numpy())


class _Walk:
    """State of the alternating updates: optimisers, baseline, random masks."""

    def __init__(
        self, critic: StackedMLP, compressor: Compressor, split: Split, seeds: Sequence[int], settings: SearchSettings
    ) -> None:
        self.critic, self.compressor, self.split, self.settings = critic, compressor, split, settings
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.signs = torch.tensor(settings.signs or [1.0] * len(seeds)).unsqueeze(1)
        self.mean = self.square = None
        search_steps = torch.optim.RMSprop(compressor.parameters(), settings.compressor_rate, foreach=True)
        rate, decay = settings.critic_rate, WEIGHT_DECAY
        critic_steps = torch.optim.Adam(critic.parameters(), rate, CRITIC_MOMENTS, weight_decay=decay, fused=True)
        self.optimisers = [critic_steps, search_steps] if rate else [search_steps]

    @torch.no_grad()
    def probabilities(self) -> list[Tensor]:
        return self.compressor(list(self.critic.weights)[:-1])

    def step(self, rows: Tensor, weights: Tensor, threshold: float) -> Tensor:
        """One update of both with the same masks; returns each run's loss, shape (R,)."""
        found = [soft_prune(p, threshold) for p in self.compressor(list(self.critic.weights)[:-1])]
        masks = self._sample(found, rows.shape[1])
        losses = self._losses(rows, masks)  # (R, batch)
        surprise = self._surprise(losses.detach(), weights)
        reinforced = self.signs * self._log_probability(masks, found) * surprise
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        ((losses + reinforced) * weights).sum().backward()  # the two parts share no parameter
        for optimiser in self.optimisers:
            optimiser.step()
        return (losses.detach() * weights).sum(dim=1)

    @staticmethod
    def _log_probability(masks: list[Tensor], probabilities: list[Tensor]) -> Tensor:
        """Of each image's masks of all layers together, shape (R, batch): z log p + (1 - z) log(1 - p), summed."""
        pairs = zip(masks, probabilities, strict=True)
        return sum((z @ torch.logit(p).transpose(1, 2)).squeeze(2) + (1 - p).log().sum(dim=2) for z, p in pairs)

    def _sample(self, probabilities: list[Tensor], batch: int) -> list[Tensor]:
        """One mask for each image, drawn from the run's own generator: runs do not depend on their neighbours."""
        drawn = [
            torch.stack([torch.rand(batch, p.shape[-1], generator=generator) for generator in self.generators])
            for p in probabilities
        ]
        return [(numbers < p.detach()).float() for numbers, p in zip(drawn, probabilities, strict=True)]

    def _losses(self, rows: Tensor, masks: list[Tensor]) -> Tensor:
        logits = self.critic(self.split.inputs[rows], masks)
        return nn.functional.cross_entropy(logits.movedim(-1, 1), self.split.targets[rows], reduction="none")

    def _surprise(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Loss less its moving average, over its moving deviation if that exceeds one, shape (R, batch)."""
        mean, square = ((values * weights).sum(dim=1, keepdim=True) for values in (losses, losses.square()))
        if self.mean is None:
            self.mean, self.square = mean, square
        self.mean = MOVING_AVERAGE * self.mean + (1 - MOVING_AVERAGE) * mean
        self.square = MOVING_AVERAGE * self.square + (1 - MOVING_AVERAGE) * square
        deviation = (self.square - self.mean.square()).clamp_min(0).sqrt()
        return (losses - self.mean) / deviation.clamp_min(1)


def flipped(settings: SearchSettings, runs: int) -> SearchSettings:
    """The same search without thresholds and with a fixed critic, for twice the runs: right reward, then reversed."""
    ramp, signs = (0.0,) * len(settings.ramp), (1.0,) * runs + (-1.0,) * runs
    return replace(settings, ramp=ramp, critic_rate=0.0, signs=signs)
