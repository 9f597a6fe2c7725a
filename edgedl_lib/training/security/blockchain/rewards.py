"""Who is paid for what: devices for the samples that they trained on, miners for the samples of their devices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgedl_lib.training.security.blockchain.chain import Update
from edgedl_lib.training.security.blockchain.setting import Setting

TOLERANCE = 0.05  # by how much a claim may exceed what the time allows


def data_rewards(updates: Sequence[Update], per_sample: float = 1.0) -> dict[int, float]:
    """Reward of each device whose update stands in the block."""
    return {update.device: per_sample * update.samples for update in updates}


def mining_rewards(updates: Sequence[Update], miners: int, winner: int, per_sample: float = 1.0) -> np.ndarray:
    """Reward of each miner, shape (M,): the winner's, in proportion to the samples of its own devices."""
    rewards = np.zeros(miners)
    rewards[winner] = per_sample * sum(update.samples for update in updates if update.device % miners == winner)
    return rewards


def plausible(update: Update, setting: Setting) -> bool:
    """Whether the computation time allows the samples that the device wants to be paid for.

    >>> from edgedl_lib.training.security.blockchain.setting import letter_setting
    >>> [plausible(Update(0, claimed, 0.003, b"", b""), letter_setting(0)) for claimed in (30, 40)]
    [True, False]
    """
    return update.samples <= (1 + TOLERANCE) * update.seconds * setting.clock / setting.cycles_per_sample
