"""Checks that all partition methods share: each failure is one sentence that names the value and the remedy."""

import numpy as np


def finite_vector(name, values, length, per):
    """Return `values` as a read-only float vector of `length` finite, non-negative entries.

    Raises
    ------
    ValueError
        If the shape is wrong or an entry is NaN, infinite or negative.
    """
    vector = np.array(values, dtype=float)
    if vector.shape != (length,):
        raise ValueError(f"{name} has shape {vector.shape}, expected ({length},): give one value per {per}")
    bad = np.flatnonzero(~(np.isfinite(vector) & (vector >= 0)))
    if bad.size:
        raise ValueError(f"{name}[{bad[0]}] is {vector[bad[0]]}: give a finite number of at least 0")
    vector.flags.writeable = False
    return vector


def checked_rates(rates):
    """Return `rates` (bit/s; one or many) as a vector; 0 (link down) and inf (free link) are allowed.

    Raises
    ------
    ValueError
        If there is none, or one of them is NaN or negative.
    """
    vector = np.atleast_1d(np.asarray(rates, dtype=float))
    if vector.ndim != 1 or vector.size == 0:
        raise ValueError(f"rates has shape {vector.shape}: give one rate or a non-empty vector of rates in bit/s")
    bad = np.flatnonzero(~(vector >= 0))
    if bad.size:
        raise ValueError(f"rate {vector[bad[0]]} bit/s is no link rate: give 0 (link down), a positive number or inf")
    return vector


def checked_scalar(name, value, *, positive=False):
    """Return `value` as a float that is finite and at least 0 (above 0 if `positive`).

    Raises
    ------
    ValueError
        Otherwise.
    """
    value = float(value)
    if not np.isfinite(value) or value < 0 or (positive and value == 0):
        raise ValueError(f"{name} is {value}: give a finite number {'above' if positive else 'of at least'} 0")
    return value


def checked_setting(rate, rtt, server_load):
    """Return rate, round-trip time and server load of one setting as floats.

    Raises
    ------
    ValueError
        If there are several rates, or one of the three is out of its range.
    """
    if np.ndim(rate) != 0:
        raise ValueError(f"rate has shape {np.shape(rate)}: a graph is cut for one rate at a time")
    rate = float(checked_rates(rate)[0])
    return rate, checked_scalar("rtt", rtt), checked_scalar("server_load", server_load, positive=True)


def checked_names(names):
    """Return `names` as a tuple of distinct strings, at least one.

    Raises
    ------
    ValueError
        If there is none, or a name occurs twice.
    """
    names = tuple(names)
    if not names:
        raise ValueError("the model has 0 layers: give at least one layer")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the layer name {twice!r} occurs more than once: give every layer its own name")
    return names
