"""Train, quantise every prefix, tune for every link: the study that the chapter shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.quantised_split.network import Split, load_splits, train_network
from edgedl_lib.inference.quantised_split.prefix import Ranges, calibrate, split_at
from edgedl_lib.inference.quantised_split.quantise import encode_boundary
from edgedl_lib.inference.quantised_split.tuner import (
    Boundaries,
    CostModel,
    auto_tune,
    candidate_cuts,
    describe_boundaries,
    split_latency,
)
from edgedl_lib.nets.torch_model import TorchModel

#: bit/s: a bad link, a poor one, then 3G, 4G and Wi-Fi as DADS (Hu et al. 2019) lists them.
RATES = (0.1e6, 0.5e6, 1.1e6, 5.85e6, 18.88e6)


@dataclass(frozen=True, eq=False)
class QuantisedSplitStudy:
    """All that was measured, over N + 1 cuts and R link rates.

    Attributes
    ----------
    boundaries : Boundaries
        Names, sizes and FLOP of the cuts.
    costs : CostModel
    rates : numpy.ndarray, shape (R,), bit/s
    candidates : numpy.ndarray of int
        What the candidate rule keeps.
    float_accuracy : float
        Of the unsplit float32 model on the test images.
    test_accuracy : dict of int to numpy.ndarray (N + 1,)
        By bits: accuracy on the test images when layers 1..p are quantised.
    validation_drop : numpy.ndarray, shape (N + 1,)
        Fraction lost at 8 bits on the validation images: all that the tuner sees.
    latency, float_latency : numpy.ndarray, shape (R, N + 1), s
        Of the 8-bit and of the float32 split.
    chosen : numpy.ndarray of int, shape (R,)
        The auto-tuner's cut.
    frame_bytes : numpy.ndarray of int, shape (N,)
        Length of the frames that were really encoded at cuts 0 to N - 1.
    """

    boundaries: Boundaries
    costs: CostModel
    rates: np.ndarray
    candidates: np.ndarray
    float_accuracy: float
    test_accuracy: dict[int, np.ndarray]
    validation_drop: np.ndarray
    latency: np.ndarray
    float_latency: np.ndarray
    chosen: np.ndarray
    frame_bytes: np.ndarray

    def worst_drop(self, bits: int = 8) -> float:
        """Largest loss of test accuracy over all cuts, in percentage points."""
        return float(100 * (self.float_accuracy - self.test_accuracy[bits].min()))

    @property
    def transfer_ratio(self) -> float:
        """Float32 bytes over 8-bit bytes, headers included, of all inner boundary tensors together."""
        return float(self.boundaries.float_bytes[1:-1].sum() / self.frame_bytes[1:].sum())

    @property
    def tuned_latency(self) -> np.ndarray:
        """Seconds at the chosen cut, shape (R,)."""
        return self.latency[np.arange(len(self.rates)), self.chosen]

    @property
    def speedups(self) -> np.ndarray:
        """Of the tuned split over the better of cloud alone (raw image) and edge alone (float32), shape (R,)."""
        return np.minimum(self.float_latency[:, 0], self.float_latency[:, -1]) / self.tuned_latency

    @property
    def inner_speedups(self) -> np.ndarray:
        """Of the best split that does send an activation, 8 bits over float32, shape (R,)."""
        return self.float_latency[:, 1:-1].min(axis=1) / self.latency[:, 1:-1].min(axis=1)

    @property
    def never_slower(self) -> float:
        """Share of link rates at which the best 8-bit split takes no longer than the best float32 split."""
        return float(np.mean(self.latency.min(axis=1) <= self.float_latency.min(axis=1)))

    @property
    def candidate_regret(self) -> float:
        """Largest excess, over the rates, of the best candidate's latency over the best of all cuts (a fraction)."""
        return float((self.latency[:, self.candidates].min(axis=1) / self.latency.min(axis=1) - 1).max())

    def storage_share(self, rate: float) -> float:
        """Percent of the float32 model's bytes that the edge stores at the cut chosen for `rate`."""
        cut = self.chosen[list(self.rates).index(rate)]
        return float(100 * self.boundaries.edge_storage[cut] / self.boundaries.float_storage)


def run_study(
    seed: int = 0,
    *,
    rates: Sequence[float] = RATES,
    costs: CostModel | None = None,
    bits: Sequence[int] = (8, 2),
    max_drop: float = 0.01,
    epochs: int = 20,
) -> QuantisedSplitStudy:
    """Train on the digits, quantise every prefix, and let the auto-tuner choose for each link rate.

    Parameters
    ----------
    seed : int
        Of the shuffle, the weights and the order of training.
    rates : sequence of float
        bit/s.
    costs : CostModel, optional
    bits : sequence of int
        Widths to test; must include 8.
    max_drop : float
        Fraction of validation accuracy that the tuner may give up.
    epochs : int

    Raises
    ------
    ValueError
        If a rate is negative, 8 bits are not among `bits`, or no candidate keeps the accuracy.
    """
    if 8 not in bits:
        raise ValueError(f"bits {tuple(bits)} lack 8, which the tuner needs; add it")
    costs = costs or CostModel()
    digits = load_splits(seed)
    network = train_network(digits.training, seed, epochs)
    ranges = calibrate(network, digits.validation.images)
    boundaries = describe_boundaries(network.graph, costs.batch)
    candidates = candidate_cuts(boundaries)
    on_validation = accuracy_by_cut(network, ranges, digits.validation, 8)
    drop = on_validation[0] - on_validation
    latency = np.array([split_latency(boundaries, costs, rate) for rate in rates])
    return QuantisedSplitStudy(
        boundaries=boundaries,
        costs=costs,
        rates=np.array(rates, dtype=float),
        candidates=candidates,
        float_accuracy=float(accuracy_by_cut(network, ranges, digits.test, 8, cuts=[0])[0]),
        test_accuracy={width: accuracy_by_cut(network, ranges, digits.test, width) for width in bits},
        validation_drop=drop,
        latency=latency,
        float_latency=np.array([split_latency(boundaries, costs, rate, bits=32) for rate in rates]),
        chosen=np.array([auto_tune(row, drop, candidates, max_drop) for row in latency]),
        frame_bytes=_encoded_lengths(network, ranges, digits.test, costs.batch),
    )


def accuracy_by_cut(
    network: TorchModel, ranges: Ranges, split: Split, bits: int, cuts: Sequence[int] | None = None
) -> np.ndarray:
    """Accuracy on `split` for each cut (all of them by default) with a prefix of `bits` bits."""
    cuts = range(len(network.graph) + 1) if cuts is None else cuts
    return np.array([split_at(network, cut, ranges, bits).accuracy(split) for cut in cuts])


def _encoded_lengths(network: TorchModel, ranges: Ranges, split: Split, batch: int) -> np.ndarray:
    """Bytes of one query's boundary tensor at each cut but the last, by encoding it."""
    images = split.images[:batch]
    splits = (split_at(network, cut, ranges) for cut in range(len(network.graph)))
    return np.array([len(encode_boundary(part.boundary, part.edge(images))) for part in splits])
