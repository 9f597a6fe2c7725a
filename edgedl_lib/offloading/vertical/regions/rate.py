"""Which steps fit into a budget of bytes: the coarseness of the background first, then that of everything.

All plans of one frame lie on one path.  It starts where every block has the high-quality step, coarsens the background
until it is WIDEST_GAP step numbers coarser than the regions, and then both together, to the last step.  Bytes fall
along the path, so a search along it finds a plan that fits, measured with the real encoder.
"""

import numpy as np

from edgedl_lib.offloading.vertical.regions.codec import STEPS, Plan, encode

WIDEST_GAP = 64  # step numbers: the background is quantised at most four times as coarsely as the regions
NEAR = 0.99  # share of the budget that is used well enough


def plan_at(position: int, regions: np.ndarray, high: int) -> Plan:
    """The plan at a position of a frame's path; `high` is the step number of high quality."""
    last = STEPS - 1
    coarse = min(high + position, last)
    if not regions.any() or regions.all():
        return Plan(np.zeros_like(regions), coarse, coarse)
    behind = max(0, position - WIDEST_GAP)
    return Plan(regions, min(high + behind, last), coarse)


def path_length(regions: np.ndarray, high: int) -> int:
    """Positions on the path of these regions."""
    whole = not regions.any() or regions.all()
    return STEPS - high + (0 if whole else WIDEST_GAP)


def fit(coefficients: np.ndarray, regions: np.ndarray, high: int, budget: float, start: bytes | None = None) -> bytes:
    """A stream on the path with at most `budget` bytes and not much less; the last one if none is small enough.

    Bytes fall nearly exponentially along the path, so each try stands where a straight line through the logarithms of
    both ends meets the budget, and every third try in the middle.

    Parameters
    ----------
    coefficients : ndarray, shape (blocks, 64)
    regions : ndarray of bool, shape (blocks,)
        No block or every block means uniform compression.
    start : bytes, optional
        The stream at uniformly high quality, if it is known already.
    """
    coefficients = np.asfortranarray(coefficients)  # the encoder walks along frequencies
    stream = start or encode(coefficients, plan_at(0, regions, high))
    if len(stream) <= budget:
        return stream
    low, top = 0, path_length(regions, high) - 1  # low is too large, top is the last resort
    best = encode(coefficients, plan_at(top, regions, high))
    sizes = [len(stream), len(best)]
    tries = 0
    while top - low > 1 and sizes[1] <= budget and len(best) < NEAR * budget:
        middle = between(low, top, np.log(sizes[0] / budget) / np.log(sizes[0] / sizes[1]), tries % 3 == 2)
        stream = encode(coefficients, plan_at(middle, regions, high))
        tries += 1
        if len(stream) <= budget:
            top, best, sizes[1] = middle, stream, len(stream)
        else:
            low, sizes[0] = middle, len(stream)
    return best


def between(low: int, top: int, share: float, halve: bool) -> int:
    """A position strictly between both ends, at the given share of the way or in the middle."""
    guess = (low + top) // 2 if halve else round(low + share * (top - low))
    return int(min(max(guess, low + 1), top - 1))
