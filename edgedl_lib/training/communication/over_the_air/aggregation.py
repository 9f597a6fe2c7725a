"""Federated averaging on the air: the step that the channel does, as one overridden step of the strategy [217]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.communication.over_the_air.inversion import rayleigh
from edgedl_lib.training.models import Arrays, flatten, unflatten
from edgedl_lib.training.strategy import ClientUpdate, FederatedAveraging


@dataclass(frozen=True)
class Air:
    """The channel from devices to receiver.

    Attributes
    ----------
    snr : float or None
        Receive SNR of one device's normalised entry (ratio, not dB); None is an air without noise.
    threshold : float
        Channels with ``|h|^2`` below it are silent.
    sub_channels : int
        Entries that are sent at once, each on its own fading channel; all of a round's symbols see the same channels.
    inverts : bool
        Whether devices invert their channel; without, far devices arrive weak.
    path_gain : tuple of float or None
        Mean power gain of each device, by its number; None is 1 for all.
    """

    snr: float | None = None
    threshold: float = 0.0
    sub_channels: int = 100
    inverts: bool = True
    path_gain: tuple[float, ...] | None = None


def superpose(messages: np.ndarray, gains: np.ndarray, air: Air, rng: np.random.Generator) -> np.ndarray:
    """What the receiver reads as the mean of real messages, shape (K, d) to (d,).

    Parameters
    ----------
    messages : ndarray, shape (K, d)
        Normalised with statistics common to all devices.
    gains : ndarray of complex, shape (K, d)
        Channel of each entry.

    Notes
    -----
    The sum is divided by K, silent devices included, as the paper does: it needs no signalling, and shrinks the mean
    by the truncated share.
    """
    heard = np.abs(gains) ** 2 >= air.threshold
    if air.inverts:
        total = (messages * heard).sum(0)  # each arrives as the inverse channel times the channel times the message
    else:
        total = (messages * np.abs(gains) * heard).sum(0)  # the phase is still turned back
    noise = 0.0 if air.snr is None else rng.normal(scale=np.sqrt(0.5 / air.snr), size=total.shape)
    return (total + noise) / len(messages)


class OverTheAir(FederatedAveraging):
    """Federated averaging whose mean is read from the superposition of analog signals.

    Parameters
    ----------
    air : Air
    """

    def __init__(self, *, air: Air, **settings) -> None:
        super().__init__(**{"weighting": "equal", **settings})
        self.air = air

    def aggregate(self, server_round: int, arrays: Arrays, updates: list[ClientUpdate]) -> Arrays:
        """Changes are brought to mean zero and variance one, superposed, and scaled back."""
        start, updates = flatten(arrays), sorted(updates, key=lambda update: update.client)
        changes = np.stack([flatten(update.arrays) for update in updates]).astype(float) - start
        centre, spread = changes.mean(), changes.std()  # common to all, agreed on a control channel
        if spread == 0:
            return unflatten((start + centre).astype(np.float32), arrays)
        rng = np.random.default_rng([self.seed, server_round, 217])
        gains = self._gains(updates, changes.shape[1], rng)
        mean = superpose((changes - centre) / spread, gains, self.air, rng)
        return unflatten((start + centre + spread * mean).astype(np.float32), arrays)

    def _gains(self, updates: list[ClientUpdate], entries: int, rng: np.random.Generator) -> np.ndarray:
        """Block fading: sub-channel by sub-channel within a round, the same for all its symbols."""
        block = rayleigh((len(updates), self.air.sub_channels), rng)
        if self.air.path_gain is not None:
            block *= np.sqrt([self.air.path_gain[update.client] for update in updates])[:, None]
        return np.tile(block, -(-entries // self.air.sub_channels))[:, :entries]
