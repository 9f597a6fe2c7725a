"""Hashed layers beside dense networks of the same storage, over several seeds (Chen et al. 2015 [125])."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgedl_lib.inference.compression.one_bit.side_by_side import train_side_by_side
from edgedl_lib.inference.compression.storage.hashed import equal_storage_width, hashed_network, plain_network
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.nets.training import build, error

SHARES = (1.0, 1 / 8, 1 / 64)


@dataclass(frozen=True)
class HashedStudy:
    """Test errors in percent, one per seed.

    Attributes
    ----------
    dense : tuple of float
        The uncompressed network.
    hashed, equal_size : dict
        Share of stored values to the errors of the hashed network, and of a dense one that stores as much.
    inflated : dict
        Virtual width to the errors of hashed networks that all store what the first one does.
    stored_share : float
        Values in the state of the smallest hashed network over its virtual weights and biases.
    """

    dense: tuple[float, ...]
    hashed: dict[float, tuple[float, ...]]
    equal_size: dict[float, tuple[float, ...]]
    inflated: dict[int, tuple[float, ...]]
    stored_share: float


def hashed_study(
    data: Sequence[Dataset],
    seeds: Sequence[int],
    widths: tuple[int, int, int],
    *,
    epochs: int,
    virtual_widths: tuple[int, ...] = (50, 400),
    inflation_share: float = 1 / 8,
) -> HashedStudy:
    """Train all networks on the same samples.

    Parameters
    ----------
    data : sequence of Dataset
        One per seed, flat, equally large.
    virtual_widths : tuple of int
        Of the inflation experiment: the first one at ``inflation_share``, the others with the same storage.
    """
    inputs, hidden, classes = widths

    def run(make) -> tuple[float, ...]:
        networks = [build(lambda seed=seed: make(seed), seed) for seed in seeds]
        train_side_by_side(networks, [each.train for each in data], epochs=epochs, seed=seeds[0])
        return tuple(error(network, each.test) for network, each in zip(networks, data, strict=True))

    def hashed(share: float, width: int = hidden) -> tuple[float, ...]:
        return run(lambda seed: hashed_network((inputs, width, classes), share, seed))

    def dense(width: int) -> tuple[float, ...]:
        return run(lambda seed: plain_network((inputs, width, classes)))

    stored = inflation_share * virtual_size((inputs, virtual_widths[0], classes))
    smallest = hashed_network(widths, SHARES[-1])
    return HashedStudy(
        dense=dense(hidden),
        hashed={share: hashed(share) for share in SHARES},
        equal_size={share: dense(equal_storage_width(widths, share)) for share in SHARES[1:]},
        inflated={width: hashed(stored / virtual_size((inputs, width, classes)), width) for width in virtual_widths},
        stored_share=sum(value.numel() for value in smallest.state_dict().values()) / virtual_size(widths),
    )


def virtual_size(widths: tuple[int, int, int]) -> int:
    """Virtual weights and biases of a network with one hidden layer."""
    inputs, hidden, classes = widths
    return hidden * (inputs + 1) + classes * (hidden + 1)
