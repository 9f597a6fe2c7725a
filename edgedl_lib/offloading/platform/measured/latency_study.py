"""Which latency model decides best? Predictions are judged by the cut they lead to, not by their R².

Layers of random shapes are measured and the models fitted to them; the networks on which they are judged contain none
of those layers. A model with a high R² may still misplace every small layer, and a model with large errors may still
choose the right cut: only the time lost by its decisions tells (after Kang et al. 2017 [12]).

All latencies here are the smallest over the rounds. The layers to fit and the networks to judge are measured one after
the other; a median would carry whatever else the machine did in the one phase and not in the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.partition.configurations import random_layer_configurations, single_layer_graph
from edgedl_lib.inference.partition.costs import chain_costs
from edgedl_lib.inference.partition.regression import FlopModel, LatencyModel, NeurosurgeonModel, RooflineModel
from edgedl_lib.inference.partition.regret import decision_regret
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.profile import measure_layers
from edgedl_lib.system.device import Device

RATES = np.geomspace(1e5, 1e8, 25)  # bit/s: from a poor cell to a good wireless network
SLOW_DOWNS = (1.0, 382 / 81)  # the phone's graphics unit and its processor against this machine, as in Neurosurgeon
CLOUD_SPEEDUP = 20.0  # the cloud against this machine
LARGEST_PARAMETER_COUNT = 16e6  # 64 MB: some dense layers must be too large for any cache, as AlexNet's are


@dataclass(frozen=True, eq=False)
class MeasuredLayers:
    """Layers and their least disturbed latency on this machine (N,), in s."""

    layers: tuple[Layer, ...]
    latency: np.ndarray


@dataclass(frozen=True, eq=False)
class ModelScore:
    """How well one latency model predicts and decides.

    Attributes
    ----------
    name : str
    predicted : tuple of ndarray
        Seconds per layer, one array per network.
    r_squared : float
        Coefficient of determination over all layers of all networks, in seconds.
    median_error : float
        Median of |predicted / measured - 1| over the same layers.
    regret : ndarray, shape (networks, cases)
        Relative time lost by the chosen cut, per network and per pair of phone and rate.
    """

    name: str
    predicted: tuple[np.ndarray, ...]
    r_squared: float
    median_error: float
    regret: np.ndarray

    @property
    def mean_regret(self) -> float:
        """Mean over all networks, phones and rates."""
        return float(self.regret.mean())

    @property
    def worst_regret(self) -> float:
        """The most that one decision loses."""
        return float(self.regret.max())


def measure_random_layers(
    count: int = 150, *, excluding: Sequence[LayerGraph] = (), seed: int = 0, budget: float = 0.02
) -> MeasuredLayers:
    """Measure `count` layers of random shapes, none of them in the networks `excluding`.

    Parameters
    ----------
    budget : float
        Seconds per layer, warm-up included.
    """
    layers = random_layer_configurations(
        seed, count, excluding=excluding, largest_parameter_count=LARGEST_PARAMETER_COUNT
    )
    latency = [measure_layers(single_layer_graph(layer), budget=budget, seed=seed).minimum[-1] for layer in layers]
    return MeasuredLayers(layers, np.array(latency))


def measure_networks(
    networks: Sequence[LayerGraph], *, budget: float = 0.5, seed: int = 0
) -> dict[LayerGraph, MeasuredLayers]:
    """Measure every layer of the networks in the order in which they run; `budget` seconds per network."""
    return {
        graph: MeasuredLayers(graph.layers, measure_layers(graph, budget=budget, seed=seed).minimum)
        for graph in networks
    }


def standard_models(host: Device) -> dict[str, LatencyModel]:
    """The models of the chapter, unfitted; the FLOP count as a textbook fits it and in its best form."""
    return {
        "FLOP count, least squares": FlopModel("absolute"),
        "FLOP count": FlopModel(),
        "roofline": RooflineModel(host),
        "regression per type": NeurosurgeonModel(),
    }


def compare_models(
    models: Mapping[str, LatencyModel],
    training: MeasuredLayers,
    networks: Mapping[LayerGraph, MeasuredLayers],
    rates: np.ndarray = RATES,
) -> list[ModelScore]:
    """Fit each model to `training`, then judge it on chain networks that contain none of those layers.

    Raises
    ------
    ValueError
        If no network is given.
    """
    if not networks:
        raise ValueError("no network to judge the models on; give at least one chain of layers")
    scores = []
    for name, model in models.items():
        model.fit(training.layers, training.latency)
        predicted = {graph: model.predict(graph.layers) for graph in networks}
        scores.append(_score(name, predicted, networks, rates))
    return scores


def cut_regret(graph: LayerGraph, measured: np.ndarray, predicted: np.ndarray, rates: np.ndarray = RATES) -> np.ndarray:
    """Relative time lost by the cuts that `predicted` leads to, for both phones at all rates.

    Parameters
    ----------
    measured, predicted : ndarray, shape (N,)
        Seconds per layer on this machine; phone and cloud are this machine scaled.
    rates : ndarray, shape (R,)
        bit/s.

    Returns
    -------
    ndarray, shape (2 R,)
    """
    regrets = []
    for slow_down in SLOW_DOWNS:
        truth, guess = (chain_costs(graph, slow_down * t, t / CLOUD_SPEEDUP) for t in (measured, predicted))
        regrets.append(decision_regret(truth, guess, rates).regret)
    return np.concatenate(regrets)


def r_squared(measured: np.ndarray, predicted: np.ndarray) -> float:
    """Coefficient of determination: 1 for a perfect prediction, 0 for no better than the mean.

    Examples
    --------
    >>> r_squared(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0]))
    0.0
    """
    residual = np.sum((measured - predicted) ** 2)
    return float(1.0 - residual / np.sum((measured - measured.mean()) ** 2))


def _score(name: str, predicted: dict, networks: Mapping[LayerGraph, MeasuredLayers], rates: np.ndarray) -> ModelScore:
    measured = np.concatenate([layers.latency for layers in networks.values()])
    guessed = np.concatenate([predicted[graph] for graph in networks])
    return ModelScore(
        name,
        tuple(predicted[graph] for graph in networks),
        r_squared(measured, guessed),
        float(np.median(np.abs(guessed / measured - 1.0))),
        np.stack([cut_regret(graph, layers.latency, predicted[graph], rates) for graph, layers in networks.items()]),
    )
