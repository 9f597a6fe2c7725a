"""A slower device on the same machine: it works, then rests for as long as the slower one would go on working."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from edgedl_lib.inference.split.shaper import wait_until

Result = TypeVar("Result")


def checked_slowdown(slowdown: float) -> float:
    """The factor by which a device is slower than this machine.

    Raises
    ------
    ValueError
        If it is below 1 or not finite.
    """
    if not 1 <= slowdown < float("inf"):
        raise ValueError(f"device_slowdown {slowdown} is below 1; the device cannot outrun this machine")
    return float(slowdown)


def at_pace_of(
    slowdown: float, function: Callable[..., Result], *arguments: object, make_up: bool = False
) -> tuple[Result, float]:
    """Call a function as a device would that is `slowdown` times slower than this machine.

    Parameters
    ----------
    slowdown : float
    function, *arguments
        What to call.
    make_up : bool
        Whether moments that went to other programs of this machine are taken off the rest, as far as it reaches: the
        slower device knows nothing of them.

    Returns
    -------
    result
        Of the function.
    busy : float
        Seconds for which it kept this processor busy; the device is busy `slowdown` times as long.
    """
    begun, busy = time.perf_counter(), time.thread_time()
    result = function(*arguments)
    busy = time.thread_time() - busy  # and not the clock: a moment lost to another program is not the device's work
    if make_up:
        wait_until(begun + slowdown * busy, precise=False)  # several such devices must not spin on the same cores
    else:
        wait_until(time.perf_counter() + (slowdown - 1) * busy)
    return result, busy
