"""Transfer times for arrays of sizes and rates (one `Link` knows one rate; a scan needs all of them at once)."""

import numpy as np

from edgedl_lib.system.link import bits


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
    size_bits, rate = np.broadcast_arrays(bits(size_bytes), np.asarray(rate, float))
    seconds = np.divide(size_bits, rate, out=np.full(rate.shape, np.inf), where=rate > 0)
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
