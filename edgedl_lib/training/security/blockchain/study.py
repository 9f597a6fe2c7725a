"""Sweeps of BlockFL whose figures the page shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgedl_lib.training.security.blockchain import events, latency, rewards
from edgedl_lib.training.security.blockchain.chain import Update, accepted, alterations, verify_chain
from edgedl_lib.training.security.blockchain.learning import Training, train_with_chain, train_with_server
from edgedl_lib.training.security.blockchain.race import draw_race, race
from edgedl_lib.training.security.blockchain.regression import draw_samples
from edgedl_lib.training.security.blockchain.setting import Setting, letter_setting

EPOCHS = 30


@dataclass(frozen=True)
class RateSweep:
    """Simulated epochs over block rates.

    Attributes
    ----------
    rates : numpy.ndarray, shape (R,)
    latency : numpy.ndarray, shape (R,)
        Mean seconds of an epoch's attempts.
    fork : numpy.ndarray, shape (R,)
        Share of attempts that forked.
    """

    rates: np.ndarray
    latency: np.ndarray
    fork: np.ndarray

    @property
    def best_rate(self) -> float:
        """Rate with the least simulated latency."""
        return float(self.rates[self.latency.argmin()])


def sweep_rates(setting: Setting, rates: Sequence[float], attempts: int, seed: int) -> RateSweep:
    """The race at several rates, all from the same draws."""
    draws = draw_race(setting, attempts, seed)
    runs = [race(setting, rate, draws) for rate in rates]
    return RateSweep(
        np.asarray(rates), np.array([run.mean_epoch for run in runs]), np.array([run.fork_share for run in runs])
    )


def around(rate: float, factor: float = 2.5, count: int = 61) -> np.ndarray:
    """Rates around one, evenly spaced in their logarithm."""
    return rate * np.geomspace(1 / factor, factor, count)


def u_shape(setting: Setting, attempts: int, seed: int) -> float:
    """Simulated latency at a tenth and at ten times the best rate over that at the best rate: the smaller."""
    best = latency.best_rate(setting)
    sweep = sweep_rates(setting, [best / 10, best, 10 * best], attempts, seed)
    return float(min(sweep.latency[0], sweep.latency[2]) / sweep.latency[1])


def least_latencies(miners: Sequence[int], attempts: int, seed: int) -> np.ndarray:
    """Simulated latency at the best rate, for several numbers of miners, shape (len(miners),)."""
    settings = [letter_setting(seed, miners=count) for count in miners]
    return np.array(
        [sweep_rates(setting, [latency.best_rate(setting)], attempts, seed).latency[0] for setting in settings]
    )


def twin_difference(setting: Setting, rate: float, attempts: int, seed: int) -> float:
    """Largest relative difference between event simulation and arrays, epoch by epoch."""
    draws = draw_race(setting, attempts, seed)
    by_events = events.epochs(events.simulate(setting, rate, draws), setting.finish)
    by_arrays = race(setting, rate, draws).epochs(setting.finish)
    if by_events.shape != by_arrays.shape:
        return float("inf")
    return float(np.max(np.abs(by_events / by_arrays - 1)))


def completion(setting: Setting, rate: float, epochs: int, seed: int) -> float:
    """Seconds until the given number of epochs is done."""
    needed = int(np.ceil(epochs / (1 - float(latency.fork_probability(setting, rate))) * 3)) + 50
    done = race(setting, rate, draw_race(setting, needed, seed)).epochs(setting.finish)
    if len(done) < epochs:
        raise RuntimeError(f"{needed} attempts gave {len(done)} of {epochs} epochs at rate {rate:g}; draw more")
    return float(done[:epochs].sum())


@dataclass(frozen=True)
class Faults:
    """Runs with the same data and draws, apart from who is faulty."""

    server: Training
    chain: Training
    verifying: Training

    @property
    def ratio(self) -> float:
        """Error of the median device with the chain over that with the server."""
        return self.chain.median_error() / self.server.median_error()


def faulty_aggregator(seed: int, faulty_miners: Sequence[int] = (0,), epochs: int = EPOCHS, **changes) -> Faults:
    """One faulty aggregator: the server, or some of the miners."""
    setting = letter_setting(seed, **changes)
    devices = draw_samples(setting.samples, seed)
    return Faults(
        train_with_server(setting, devices, epochs, seed),
        train_with_chain(setting, devices, epochs, seed, faulty_miners),
        train_with_chain(setting, devices, epochs, seed, faulty_miners, verifying=True),
    )


def rejected_alterations(seed: int, blocks: int = 8, check=verify_chain) -> float:
    """Share of altered chains that verification rejects."""
    setting = letter_setting(seed)
    devices = draw_samples(setting.samples, seed)
    made = train_with_chain(setting, devices, blocks, seed, ()).blocks
    return float(np.mean([not accepted(forged, check) for forged in alterations(made)]))


def rejected_claims(updates: Sequence[Update], setting: Setting, factors: Sequence[float] = (1.2, 1.5, 2, 3)) -> float:
    """Share of inflated sample counts that the computation time gives away."""
    inflated = [replace(update, samples=int(np.ceil(f * update.samples))) for update in updates for f in factors]
    return float(np.mean([not rewards.plausible(update, setting) for update in inflated]))


def reward_correlation(updates: Sequence[Update], paid: dict[int, float]) -> float:
    """Pearson correlation between samples and rewards; 0 if all are paid alike."""
    samples = np.array([update.samples for update in updates], dtype=float)
    rewarded = np.array([paid[update.device] for update in updates], dtype=float)
    if rewarded.std() == 0 or samples.std() == 0:
        return 0.0
    return float(np.corrcoef(samples, rewarded)[0, 1])
