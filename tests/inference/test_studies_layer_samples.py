"""Measuring random layers: nothing of the judged networks, each layer once, honest units."""

import numpy as np
import pytest

from edgedl_lib.inference.partition.configurations import layer_signature
from edgedl_lib.inference.partition.regression import NeurosurgeonModel
from edgedl_lib.inference.studies import layer_samples
from edgedl_lib.inference.studies.batched_regression import SingleOrBatched
from edgedl_lib.inference.studies.neurosurgeon_cases import applications
from edgedl_lib.nets.layers import dense, softmax


@pytest.fixture(scope="module")
def apps():
    return applications()


def test_samples_contain_no_layer_of_the_applications(apps):
    samples = layer_samples.draw_samples(0, 120, apps)
    judged = {layer_signature(layer) for application in apps for layer in application.graph.layers}
    assert len(samples.layers) == 120 and samples.latency is None
    assert not judged & {layer_signature(layer) for layer in samples.layers}


def test_samples_cover_the_types_and_batches_of_the_applications(apps):
    samples = layer_samples.draw_samples(0, 120, apps)
    assert {layer.kind for application in apps for layer in application.graph.layers} <= {
        layer.kind for layer in samples.layers
    }
    assert samples.batches.min() == 1 and samples.batches.max() > 50
    flop = samples.batches * np.array([layer.flop for layer in samples.layers])
    assert flop.max() <= 1.02 * layer_samples.LARGEST_FLOP


def test_samples_follow_from_the_seed(apps):
    first, second = (layer_samples.draw_samples(7, 20, apps) for _ in range(2))
    assert first.layers == second.layers and (first.batches == second.batches).all()


def test_measured_times_fit_a_model_that_predicts_every_application_layer(apps):
    small = [application for application in apps if application.code in ("POS", "CHK")]
    measured = layer_samples.measure(layer_samples.draw_samples(1, 24, apps), small, rounds=1)
    assert (measured.samples.latency > 0).all()
    model = NeurosurgeonModel().fit(measured.samples.layers, measured.samples.latency, measured.samples.batches)
    for times in measured.layer_times(model):
        assert times.measured.shape == times.predicted.shape == (3,)
        assert (times.measured > 0).all() and (times.predicted > 0).all()


def test_no_round_is_refused():
    with pytest.raises(ValueError, match="rounds is 0"):
        layer_samples.measure_in_turn([], rounds=0)


def test_single_samples_and_batches_are_fitted_apart():
    layers = [dense(f"fc{n}", (n,), m) for n in (64, 256, 1024, 2048) for m in (64, 256, 1024, 2048)] * 2
    batches = np.repeat([1, 128], 16)
    rate = np.where(batches == 1, 5e9, 50e9)
    latency = batches * np.array([layer.flop for layer in layers]) / rate
    model = SingleOrBatched().fit(layers, latency, batches)
    judged = dense("judged", (512,), 512)
    for batch, expected in ((1, 5e9), (128, 50e9)):
        assert model.predict([judged], batch)[0] == pytest.approx(batch * judged.flop / expected, rel=0.01)


def test_a_type_never_measured_in_batches_uses_the_model_for_one():
    layers = [dense("fc", (64,), 64), softmax("prob", (64,)), dense("fc", (64,), 64)]
    model = SingleOrBatched().fit(layers, [1e-3, 2e-3, 3e-3], [1, 1, 9])
    assert model.predict([layers[1]], 9)[0] > 0
    with pytest.raises(ValueError, match="measure some calls of one and of several"):
        SingleOrBatched().fit(layers, [1e-3, 2e-3, 3e-3], [1, 1, 1])
