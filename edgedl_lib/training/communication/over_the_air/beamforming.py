"""A receiver with several antennas: how many devices may speak at once? (Yang, Jiang, Shi and Ding 2018 [214])

With receive beam m and zero-forcing transmitters the error of the sum is ``max_i phi_i^2 |m|^2 / |m^H h_i|^2`` over the
noise.  A set of devices is *feasible* if one beam keeps that below the tolerance for all of them; the more feasible
devices, the more data in the round.  Channels come in divided by phi, so that the condition is the same for all:
``|m|^2 <= gamma |m^H h_i|^2``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

TOLERANCE = 1e-6  # relative, of the condition
TINY = 1e-12  # keeps a quotient finite
STEPS, RESTARTS = 150, 6


def zero_forcing(channels: np.ndarray, beam: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Transmit scalars that make every device arrive with its weight, shape (K,), up to a common factor.

    Parameters
    ----------
    channels : ndarray of complex, shape (K, antennas)
    beam : ndarray of complex, shape (antennas,)
    weights : ndarray, shape (K,)
        phi_i, the samples of a device.
    """
    arriving = channels @ beam.conj()
    return weights * arriving.conj() / np.abs(arriving) ** 2


def worst_gain(channels: np.ndarray, beams: np.ndarray) -> np.ndarray:
    """Smallest ``|m^H h_i|^2 / |m|^2`` over the devices, for each of several beams (..., antennas)."""
    arriving = np.abs(beams.conj() @ channels.T) ** 2
    return arriving.min(-1) / (np.abs(beams) ** 2).sum(-1)


def best_beam(channels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Beam with the largest worst gain that an ascent finds from several starts, and that gain.

    The objective is not concave: the answer is a lower bound, good to a fraction of a percent in small cells.
    """
    beams = _starts(channels, rng)
    best, best_gain = beams[0], -np.inf
    for step in range(STEPS):
        arriving = beams.conj() @ channels.T  # (starts, K): m^H h_i
        gains = np.abs(arriving) ** 2
        worst = gains.min(1)
        if worst.max() > best_gain:
            best, best_gain = beams[worst.argmax()], worst.max()
        sharpness = 5.0 * 100.0 ** (step / STEPS)  # towards the minimum itself
        share = np.exp(-sharpness * (gains / (worst[:, None] + TINY) - 1).clip(max=50))
        beams = _uphill(beams, channels, share / share.sum(1, keepdims=True), arriving, step)
    return best, float(best_gain)


def feasible(channels: np.ndarray, gamma: float, rng: np.random.Generator) -> bool:
    """Whether one beam serves all these devices within the tolerance ``gamma``."""
    return len(channels) == 0 or gamma * best_beam(channels, rng)[1] >= 1 - TOLERANCE


def gain_bound(sets: np.ndarray, rounds: int = 40) -> np.ndarray:
    """Upper bound of the worst gain that any beam gives each of several sets, shape (sets,).

    For every weighting w of the devices no beam does better than the largest eigenvalue of ``sum w_i h_i h_i^H``; the
    weights go where the gain is small (multiplicative updates), and the smallest eigenvalue seen counts.  The limit is
    the semidefinite relaxation.

    Parameters
    ----------
    sets : ndarray of complex, shape (sets, devices, antennas)
    """
    weights = np.full(sets.shape[:2], 1 / sets.shape[1])
    bound = np.full(len(sets), np.inf)
    for step in range(rounds):
        matrix = np.einsum("sk,skn,skm->snm", weights, sets, sets.conj())
        values, vectors = np.linalg.eigh(matrix)
        bound = np.minimum(bound, values[:, -1])
        gains = np.abs(np.einsum("skn,sn->sk", sets, vectors[:, :, -1].conj())) ** 2
        weights = weights * np.exp(-gains / (gains.max(1, keepdims=True) * np.sqrt(1 + step / 4)))
        weights /= weights.sum(1, keepdims=True)
    return bound


def ky_fan_selection(channels: np.ndarray, gamma: float, rng: np.random.Generator) -> tuple[int, ...]:
    """Devices chosen by the difference-of-convex method of [214].

    ``||x||_1 - |||x|||_k`` is the sum of the violations ``x_i = (1 - gamma |m^H h_i|^2)_+`` without the k largest: zero
    exactly if all but k devices are served.  We descend on it for k = 0, 1, ... and stop at the first k whose kept
    devices are feasible.  The rank-one difference ``tr M - ||M||`` is zero all along, because we move the beam itself.
    """
    for kept in range(len(channels), 0, -1):
        beam = _descend(channels, gamma, kept, rng)
        order = np.argsort(-np.abs(channels @ beam.conj()), kind="stable")[:kept]
        if feasible(channels[order], gamma, rng):
            return tuple(sorted(order.tolist()))
    return ()


def relaxed_selection(channels: np.ndarray, gamma: float, rng: np.random.Generator) -> tuple[int, ...]:
    """The baseline: minimise ``||x||_1`` over matrices of any rank, sort the devices, take what one beam serves."""
    matrix = np.eye(channels.shape[1], dtype=complex) / channels.shape[1]
    for step in range(STEPS):
        served = np.einsum("kn,nm,km->k", channels.conj(), matrix, channels).real
        missing = channels[gamma * served < 1]
        slope = gamma * np.einsum("kn,km->nm", missing, missing.conj())
        matrix = _spectraplex(matrix + 0.1 / np.sqrt(1 + step) * slope / max(np.linalg.norm(slope), TINY))
    served = np.einsum("kn,nm,km->k", channels.conj(), matrix, channels).real
    return prefix_selection(np.argsort(-served, kind="stable").tolist(), channels, gamma, rng)


def larger_feasible_set(
    channels: np.ndarray, gamma: float, size: int, rng: np.random.Generator
) -> tuple[int, ...] | None:
    """A feasible set of ``size`` devices, or None: every one is tried, those beyond the bound without a search.

    Feasible sets stay feasible when a device leaves, so None here means that no larger set is feasible either.
    """
    if size > len(channels):
        return None
    chosen = np.array(list(combinations(range(len(channels)), size)))
    hopeful = chosen[gamma * gain_bound(channels[chosen]) >= 1]
    return next((tuple(row.tolist()) for row in hopeful if feasible(channels[row], gamma, rng)), None)


def prefix_selection(
    order: Sequence[int], channels: np.ndarray, gamma: float, rng: np.random.Generator
) -> tuple[int, ...]:
    """The longest feasible beginning of an order of devices."""
    for size in range(len(order), 0, -1):
        if feasible(channels[list(order[:size])], gamma, rng):
            return tuple(sorted(order[:size]))
    return ()


def strongest_first(channels: np.ndarray) -> list[int]:
    """Devices by the strength of their channel: the heuristic without any beam in mind."""
    return np.argsort(-np.linalg.norm(channels, axis=1), kind="stable").tolist()


def _descend(channels: np.ndarray, gamma: float, kept: int, rng: np.random.Generator) -> np.ndarray:
    beams = _starts(channels, rng)
    best, least = beams[0], np.inf
    for step in range(STEPS):
        arriving = beams.conj() @ channels.T
        violations = np.maximum(1 - gamma * np.abs(arriving) ** 2, 0)
        inside = np.argsort(np.argsort(violations, axis=1, kind="stable"), axis=1) < kept
        total = (violations * inside).sum(1)
        if total.min() < least:
            best, least = beams[total.argmin()], total.min()
        if least == 0:
            break
        beams = _uphill(beams, channels, (violations > 0) & inside, arriving, step)
    return best


def _uphill(beams, channels, share, arriving, step: int) -> np.ndarray:
    """One step of shrinking length towards the devices with a share, back on the unit sphere."""
    slope = (share * arriving.conj()) @ channels  # sum of share_i h_i (h_i^H m)
    length = np.linalg.norm(slope, axis=1, keepdims=True)
    moved = beams + 0.5 / (1 + 0.05 * step) * slope / np.maximum(length, TINY)
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


def _starts(channels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shape = (RESTARTS, channels.shape[1])
    beams = np.concatenate([channels, rng.normal(size=shape) + 1j * rng.normal(size=shape)])
    return beams / np.linalg.norm(beams, axis=1, keepdims=True)


def _spectraplex(matrix: np.ndarray) -> np.ndarray:
    """The nearest positive matrix of trace one."""
    values, vectors = np.linalg.eigh((matrix + matrix.conj().T) / 2)
    ordered = values[::-1]
    levels = (np.cumsum(ordered) - 1) / np.arange(1, len(values) + 1)
    level = levels[np.flatnonzero(ordered > levels)[-1]]
    return (vectors * np.maximum(values - level, 0)) @ vectors.conj().T
