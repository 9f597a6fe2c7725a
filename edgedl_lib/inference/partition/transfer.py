"""Transfer times for arrays of sizes and rates (one `Link` knows one rate; a scan needs all of them at once)."""

import numpy as np

BITS_PER_BYTE = 8


def transfer_time(size_bytes, rate):
    """Seconds that `size_bytes` occupy a link of `rate`, broadcast over both.

    Parameters
    ----------
    size_bytes : float or ndarray, bytes
    rate : float or ndarray, bit/s
        0 means that the link is down: then nothing can be handed over, not even an empty message, and the time is
        infinite.  ``inf`` means a link that costs nothing.

    Examples
    --------
    >>> transfer_time(1_000, 8_000.0)
    np.float64(1.0)
    >>> transfer_time(np.array([0, 500]), 0.0)
    array([inf, inf])
    """
    size_bytes, rate = np.broadcast_arrays(np.asarray(size_bytes, float), np.asarray(rate, float))
    seconds = np.divide(BITS_PER_BYTE * size_bytes, rate, out=np.full(rate.shape, np.inf), where=rate > 0)
    return seconds[()]


def sending_energy(seconds, watts):
    """Joules that a radio of `watts` spends in `seconds` of sending; a link that is down stays unusable at 0 W.

    Examples
    --------
    >>> sending_energy(np.array([0.5, np.inf]), 0.0)
    array([ 0., inf])
    """
    seconds, watts = np.broadcast_arrays(np.asarray(seconds, float), np.asarray(watts, float))
    return np.multiply(seconds, watts, out=np.full(seconds.shape, np.inf), where=np.isfinite(seconds))[()]
