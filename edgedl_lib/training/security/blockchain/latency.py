"""Expected latency of an epoch, the fork probability, and the block rate that is best.

With ``A = wait + hop`` and ``S`` the sum of the hops to all miners but the winner, the repeated part of an epoch takes
``(A + 1 / (rate * miners)) * exp(rate * S)`` seconds on average: a block is found sooner at a high rate, and more
often by two miners at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from edgedl_lib.training.security.blockchain.setting import Setting


def others(setting: Setting) -> float:
    """``S``: seconds to all miners but the winner, one after another, on average over winners."""
    hops = setting.hops
    return float((hops.sum() - hops).mean())


def fork_probability(setting: Setting, rate: ArrayLike) -> np.ndarray:
    """Probability that another miner finds a block before it has received the winner's.

    Parameters
    ----------
    rate : array_like
        Blocks that *each* miner finds per second.
    """
    return 1 - np.exp(-np.asarray(rate, dtype=float) * others(setting))


def attempt(setting: Setting, rate: ArrayLike) -> np.ndarray:
    """Expected seconds of one attempt: collect, mine, propagate."""
    return setting.wait + 1 / (np.asarray(rate, dtype=float) * setting.miners) + setting.hops.max()


def repeated(setting: Setting, rate: ArrayLike) -> np.ndarray:
    """Expected seconds of all attempts of an epoch: a fork repeats the whole bracket."""
    return attempt(setting, rate) / (1 - fork_probability(setting, rate))


def epoch_latency(setting: Setting, rate: ArrayLike) -> np.ndarray:
    """Expected seconds of an epoch, download and aggregation included."""
    return repeated(setting, rate) + setting.finish


def best_rate(setting: Setting) -> float:
    """Rate with the least expected latency; infinite for one miner, who has nobody to race with.

    >>> from edgedl_lib.training.security.blockchain.setting import letter_setting
    >>> round(best_rate(letter_setting(0)), 4)
    0.2618
    """
    return _closed_form(setting, others(setting))


def printed_rate(setting: Setting) -> float:
    """The closed form as the letter prints it, with one hop in place of the sum over the other miners."""
    return _closed_form(setting, float(setting.hops.max()))


def _closed_form(setting: Setting, total: float) -> float:
    if total == 0:
        return float("inf")
    bracket = setting.wait + setting.hops.max()
    return float(2 / (total * (1 + np.sqrt(1 + 4 * setting.miners * bracket / total))))
