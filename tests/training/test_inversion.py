"""Model inversion: what an attacker must find, must not find, and how its slopes are checked."""

import numpy as np
import pytest

from edgedl_lib.training.security.inversion import attack, protection, scores, updates

CLASSES, PIXELS = 4, 12


@pytest.fixture
def model():
    generator = np.random.default_rng(0)
    return protection.Softmax(generator.normal(size=(CLASSES, PIXELS)), generator.normal(size=CLASSES))


@pytest.fixture
def images():
    return np.random.default_rng(1).uniform(size=(6, PIXELS))


def test_the_analytic_slope_equals_finite_differences(model, images):
    labels = np.array([0, 1, 2, 3, 0, 1])
    slopes = attack.FiniteDifferences(model, 1e-6)(images, labels)
    np.testing.assert_allclose(model.gradient(images, labels), slopes, atol=1e-8)


def test_black_box_queries_are_counted(model, images):
    slope = attack.FiniteDifferences(model, 0.01)
    slope(images, np.zeros(6, int))
    assert slope.queries == 2 * 6 * PIXELS


def test_inversion_raises_the_confidence_and_stays_in_range(model):
    labels = np.arange(CLASSES)
    found = attack.invert(model, model.gradient, labels, PIXELS)
    black = model(np.zeros((1, PIXELS)))[0]
    assert (found.confidence > black).all() and found.images.min() >= 0 and found.images.max() <= 1
    np.testing.assert_allclose(found.confidence, model(found.images)[labels, labels])


def test_inversion_stops_at_its_target(model):
    found = attack.invert(model, model.gradient, np.arange(CLASSES), PIXELS, target=0.5)
    further = attack.invert(model, model.gradient, np.arange(CLASSES), PIXELS, target=0.9)
    assert found.steps < further.steps and (found.confidence >= 0.5).all()


def test_a_decision_alone_has_no_slope(model):
    decide = protection.label_only(model)
    found = attack.invert(decide, attack.FiniteDifferences(decide, 0.01), np.arange(CLASSES), PIXELS)
    losers = np.arange(CLASSES) != model(np.zeros((1, PIXELS))).argmax()
    assert (found.images[losers] == 0).all() and found.steps <= attack.PATIENCE


def test_rounding_bypassed_by_the_analytic_slope_protects_nothing(model):
    coarse = protection.rounded(model, 0.1)
    honest = attack.invert(coarse, attack.FiniteDifferences(coarse, 1e-4), np.arange(CLASSES), PIXELS)
    bypass = attack.invert(coarse, model.gradient, np.arange(CLASSES), PIXELS)
    assert bypass.confidence.mean() > honest.confidence.mean() + 0.2


def test_rounding_keeps_sums_near_one_and_multiples_of_its_step(model, images):
    shares = protection.rounded(model, 0.05)(images)
    np.testing.assert_allclose(shares / 0.05, np.round(shares / 0.05), atol=1e-9)


def test_a_flat_image_recovers_nothing():
    references = np.random.default_rng(3).uniform(size=(CLASSES, PIXELS))
    assert not scores.recovered(np.ones((CLASSES, PIXELS)), np.arange(CLASSES), references).any()
    assert scores.recovered(references, np.arange(CLASSES), references).all()


def test_correlations_are_pearsons(images):
    expected = np.corrcoef(images)[:3, 3:]
    np.testing.assert_allclose(scores.correlations(images[:3], images[3:]), expected, atol=1e-12)


def test_one_gradient_step_on_one_image_shows_that_image(model, images):
    device = updates.Device(images[:1], np.array([2]), frozenset((2,)))
    step = updates.gradient_step(model, device, 0.3)
    np.testing.assert_allclose(scores.image_read(step.weight, step.bias, 2), images[0], rtol=1e-12)


def test_a_class_that_did_not_move_shows_nothing():
    with pytest.raises(ValueError, match="class 1 did not move"):
        scores.image_read(np.zeros((3, 2)), np.zeros(3), 1)


def test_a_clipped_update_keeps_its_direction(model):
    small = updates.clipped(model, 0.5)
    assert np.abs(small.weight).sum() + np.abs(small.bias).sum() == pytest.approx(0.5)
    np.testing.assert_allclose(small.weight / small.weight[0, 0], model.weight / model.weight[0, 0])
    assert updates.clipped(model, 1e9).bias is not None and np.array_equal(updates.clipped(model, 1e9).bias, model.bias)


@pytest.mark.parametrize("devices", [1, 50])
def test_laplace_noise_has_the_scale_of_sensitivity_over_epsilon(devices):
    quiet = protection.Softmax(np.zeros((100, 1000)), np.zeros(100))
    draw = updates.noisy_mean(quiet, 2 * 1.5 / 0.5, devices, np.random.default_rng(0)).weight
    assert draw.var() == pytest.approx(2 * 6.0**2 / devices, rel=0.03)


def test_the_noise_of_one_device_is_laplaces():
    from scipy.stats import kstest

    quiet = protection.Softmax(np.zeros((10, 1000)), np.zeros(10))
    draw = updates.noisy_mean(quiet, 2.0, 1, np.random.default_rng(1)).weight.ravel()
    assert kstest(draw, "laplace", args=(0, 2.0)).pvalue > 0.01


def test_a_modular_sum_is_the_sum(model):
    negative = protection.Softmax(-3 * model.weight, model.bias)
    np.testing.assert_allclose(updates.modular_sum([model, negative]), -2 * model.weight, atol=2**-20)
    with pytest.raises(ValueError, match="wrap around"):
        updates.modular_sum([protection.Softmax(1e4 * model.weight, model.bias)])


def test_ten_devices_hold_two_neighbouring_digits_each():
    labels = np.repeat(np.arange(10), 20)
    devices = updates.neighbouring_digits(np.zeros((200, 4)), labels, 10)
    assert [device.classes for device in devices[:2] + devices[9:]] == [{0, 1}, {1, 2}, {9, 0}]
    assert all(set(device.labels.tolist()) == device.classes and len(device.labels) == 20 for device in devices)


def test_impossible_requests_are_refused(model):
    with pytest.raises(ValueError, match="lower per_class 11"):
        updates.neighbouring_digits(np.zeros((200, 4)), np.repeat(np.arange(10), 20), 11)
    with pytest.raises(ValueError, match="not in \\(0, 1\\]"):
        protection.rounded(model, 0.0)
    with pytest.raises(ValueError, match="must be positive"):
        attack.FiniteDifferences(model, 0.0)
    with pytest.raises(ValueError, match="at least one step"):
        attack.invert(model, model.gradient, np.arange(4), PIXELS, steps=0)
    with pytest.raises(ValueError, match="must be positive"):
        updates.clipped(model, 0.0)
    with pytest.raises(ValueError, match="bound of an update"):
        updates.train([], 1, 1.0, epsilon=1.0)
