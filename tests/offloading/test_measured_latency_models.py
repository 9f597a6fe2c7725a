"""Latency models judged by the cuts they choose."""

import numpy as np
import pytest

from edgedl_lib.inference.partition.regression import FlopModel, NeurosurgeonModel
from edgedl_lib.nets.zoo import alexnet, autoencoder_ad, lenet5
from edgedl_lib.offloading.platform.measured.latency_study import (
    MeasuredLayers,
    compare_models,
    cut_regret,
    measure_networks,
    measure_random_layers,
    r_squared,
)
from edgedl_lib.system.device import Device

ALEXNET, LENET = alexnet(), lenet5()
PROCESSOR = Device("a model of a processor", peak_flop_per_s=50e9, memory_bandwidth=10e9, overhead=2e-6)


def simulated(graph):
    return MeasuredLayers(graph.layers, np.maximum(PROCESSOR.layer_latency(graph), 1e-7))


class Perfect:
    """Answers with the simulated times."""

    def fit(self, layers, latency):
        return self

    def predict(self, layers):
        return simulated(LENET).latency


def test_a_perfect_predictor_loses_nothing_and_explains_everything():
    network = {LENET: simulated(LENET)}
    (score,) = compare_models({"perfect": Perfect()}, simulated(LENET), network)
    assert score.mean_regret == score.worst_regret == score.median_error == 0.0
    assert score.r_squared == 1.0


def test_the_right_times_in_the_wrong_places_lose_time():
    truth = simulated(ALEXNET).latency
    assert cut_regret(ALEXNET, truth, truth).max() == 0.0
    assert cut_regret(ALEXNET, truth, truth[::-1]).max() > 0.0


def test_regret_is_never_negative_and_has_one_entry_per_phone_and_rate():
    rng = np.random.default_rng(0)
    truth = simulated(LENET).latency
    regret = cut_regret(LENET, truth, truth * rng.uniform(0.1, 10.0, truth.size), rates=np.array([1e5, 1e6, 1e7]))
    assert regret.shape == (6,)
    assert regret.min() >= 0.0


def test_a_high_r_squared_can_decide_badly():
    """A model that is right on the heavy layers and far too slow on all light ones explains most of the variance."""
    truth = simulated(ALEXNET).latency
    guess = np.maximum(truth, 0.1 * truth.max())
    assert r_squared(truth, guess) > 0.8
    assert cut_regret(ALEXNET, truth, guess).max() > 0.2


def test_no_network_is_an_error():
    with pytest.raises(ValueError, match="no network"):
        compare_models({"flop": FlopModel()}, simulated(LENET), {})


def test_random_layers_are_measured_and_models_fitted_to_them():
    graphs = [autoencoder_ad(), LENET]
    training = measure_random_layers(30, excluding=graphs, budget=0.004)
    assert len(training.layers) == len(training.latency) == 30
    assert training.latency.min() > 0
    networks = measure_networks(graphs, budget=0.02)
    scores = compare_models({"flop": FlopModel(), "regression": NeurosurgeonModel()}, training, networks)
    assert [score.regret.shape for score in scores] == [(2, 50), (2, 50)]
    assert all(len(score.predicted) == 2 and np.isfinite(score.mean_regret) for score in scores)
