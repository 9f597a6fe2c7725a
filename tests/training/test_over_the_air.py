"""Averaging on the air: limits that must hold exactly, formulas against draws, beams against bounds."""

import numpy as np
import pytest
from scipy.special import exp1

from edgedl_lib.training.communication.over_the_air import beamforming, inversion, latency, study
from edgedl_lib.training.communication.over_the_air.aggregation import Air, OverTheAir, superpose
from edgedl_lib.training.models import flatten
from edgedl_lib.training.run import run
from edgedl_lib.training.strategy import FederatedAveraging


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def learned(strategy, seed=0, rounds=2):
    return flatten(run(study.air_task(seed), strategy, rounds, engine="vectorised").arrays)


def test_an_air_without_noise_and_threshold_is_federated_averaging():
    plain = learned(FederatedAveraging(clients_per_round=20, seed=0, weighting="equal"))
    np.testing.assert_allclose(learned(OverTheAir(air=Air(), clients_per_round=20)), plain, atol=1e-6)


def test_noise_is_that_of_the_receive_snr(rng):
    messages = rng.normal(size=(4, 100_000))
    gains = inversion.rayleigh(messages.shape, rng)
    error = superpose(messages, gains, Air(snr=10.0), rng) - messages.mean(0)
    assert error.std() * 4 == pytest.approx(np.sqrt(0.5 / 10), rel=0.02)


def test_one_device_is_a_plain_noisy_link(rng):
    message = rng.normal(size=(1, 1000))
    heard = superpose(message, inversion.rayleigh(message.shape, rng), Air(), rng)
    np.testing.assert_array_equal(heard, message[0])


def test_truncation_shrinks_the_mean_by_the_silent_share(rng):
    messages = np.ones((10, 100_000))
    heard = superpose(messages, inversion.rayleigh(messages.shape, rng), Air(threshold=0.7), rng)
    assert heard.mean() == pytest.approx(np.exp(-0.7), rel=0.01)


def test_runs_in_lockstep_equal_the_engine():
    airs = [Air(snr=1.0, threshold=0.3), Air(inverts=False)]
    accuracy = study.final_accuracies(airs, [3], rounds=2, last=1)
    for air, found in zip(airs, accuracy[:, 0], strict=True):
        strategy = OverTheAir(air=study._placed(air, 3), clients_per_round=20, seed=3)
        history = run(study.air_task(3), strategy, 2, engine="vectorised")
        assert history.accuracy[-1] == pytest.approx(found, abs=1e-6)


def test_no_threshold_takes_infinite_power():
    assert np.isinf(inversion.inversion_power(0.0)) and inversion.receive_snr(inversion.Cell(), 0.0) == 0
    assert inversion.inversion_power(0.5) == exp1(0.5) and inversion.truncated_share(0.0) == 0


def test_an_aggregation_on_the_air_does_not_see_the_crowd():
    uplink = latency.Uplink(parameters=2001, sub_channels=1000)
    assert latency.analog_symbols(uplink) == 3
    assert (
        latency.digital_symbols(uplink, 100) > latency.digital_symbols(uplink, 10) > latency.digital_symbols(uplink, 1)
    )


def test_the_ratio_equals_its_formula():
    uplink, devices = latency.Uplink(parameters=10**9, sub_channels=1000), np.array([10.0, 100.0])
    formula = devices * 16 / np.log2(1 + devices * 10 / 1.5)
    np.testing.assert_allclose(latency.latency_ratio(uplink, devices), formula, rtol=1e-5)
    assert latency.scaling_exponent(devices, devices**0.8) == pytest.approx(0.8)
    assert latency.law_spread(devices, devices / np.log2(devices)) == pytest.approx(1)


def test_the_best_beam_of_one_device_is_matched_to_it(rng):
    channel = inversion.rayleigh((1, 4), rng)
    beam, gain = beamforming.best_beam(channel, rng)
    assert gain == pytest.approx(np.linalg.norm(channel) ** 2, rel=1e-6)
    assert abs(np.vdot(beam, channel[0])) == pytest.approx(np.linalg.norm(channel), rel=1e-6)


def test_two_orthogonal_devices_share_the_beam(rng):
    channels = np.array([[2, 0], [0, 1]], complex)
    _, gain = beamforming.best_beam(channels, rng)
    assert gain == pytest.approx(1 / (1 / 4 + 1), rel=1e-3)  # |m1|^2 4 = |m2|^2


def test_no_beam_beats_the_bound(rng):
    for _ in range(10):
        channels = inversion.rayleigh((6, 4), rng)
        bound = beamforming.gain_bound(channels[None])[0]
        _, gain = beamforming.best_beam(channels, rng)
        assert gain <= bound * (1 + 1e-9) and gain > 0.6 * bound


def test_a_selection_is_feasible_and_no_larger_set_is_when_none_is_found(rng):
    channels = inversion.rayleigh((6, 3), rng)
    chosen = beamforming.ky_fan_selection(channels, 0.6, rng)
    assert beamforming.feasible(channels[list(chosen)], 0.6, rng)
    better = beamforming.larger_feasible_set(channels, 0.6, len(chosen) + 1, rng)
    assert better is None or len(better) == len(chosen) + 1


def test_everybody_fits_a_generous_tolerance_and_nobody_a_strict_one(rng):
    channels = inversion.rayleigh((5, 4), rng)
    for select in (beamforming.ky_fan_selection, beamforming.relaxed_selection):
        assert select(channels, 1e6, rng) == (0, 1, 2, 3, 4)
        assert select(channels, 1e-6, rng) == ()
    assert beamforming.larger_feasible_set(channels, 1e6, 6, rng) is None


def test_spectraplex_projection_is_the_nearest():
    rng = np.random.default_rng(2)
    matrix = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    matrix = matrix + matrix.conj().T
    nearest = beamforming._spectraplex(matrix)
    assert np.trace(nearest).real == pytest.approx(1) and np.linalg.eigvalsh(nearest).min() > -1e-12
    for _ in range(200):
        other = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
        other = other @ other.conj().T
        other /= np.trace(other).real
        assert np.linalg.norm(nearest - matrix) <= np.linalg.norm(other - matrix) + 1e-12


def test_zero_forcing_arrives_with_the_weights(rng):
    channels, beam = inversion.rayleigh((5, 3), rng), inversion.rayleigh((3,), rng)
    weights = np.arange(1.0, 6)
    arriving = (channels @ beam.conj()) * beamforming.zero_forcing(channels, beam, weights)
    np.testing.assert_allclose(arriving, weights, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: inversion.Cell(radius=0.0), "radius 0.0 must be positive"),
        (lambda: inversion.truncated_share(-0.1), "not negative"),
        (lambda: inversion.inversion_power(np.nan), "finite"),
        (lambda: inversion.receive_snr(inversion.Cell(), 0.5, 0.0), "share of the radius"),
        (lambda: latency.digital_symbols(latency.Uplink(), 0), "give 1 to that many"),
        (lambda: latency.digital_symbols(latency.Uplink(sub_channels=10), 11), "cannot share 10"),
    ],
)
def test_impossible_requests_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
