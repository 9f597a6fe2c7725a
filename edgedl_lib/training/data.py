"""One data set spread over many clients, with a common test set that the server keeps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.partition import Partition


@dataclass(frozen=True)
class FederatedData:
    """What every client holds, and on what the server tests.

    Attributes
    ----------
    name : str
    clients : tuple of Split
        Local training data, client 0 first.
    test : Split
        Held by the server.
    classes : int
    """

    name: str
    clients: tuple[Split, ...]
    test: Split
    classes: int

    def __post_init__(self) -> None:
        if not self.clients:
            raise ValueError(f"{self.name} has no clients; give at least one part")
        for client, split in enumerate(self.clients):
            if len(split) == 0:
                raise ValueError(f"client {client} of {self.name} holds no sample; give it some or leave it out")

    @property
    def sizes(self) -> np.ndarray:
        """Number of samples of each client, shape (K,)."""
        return np.array([len(split) for split in self.clients])

    def label_counts(self) -> np.ndarray:
        """Samples of each class that each client holds, shape (K, classes)."""
        return np.stack([np.bincount(split.targets.numpy(), minlength=self.classes) for split in self.clients])

    def pooled(self) -> Split:
        """All clients' data in one place: what a central training would use."""
        inputs = torch.cat([split.inputs for split in self.clients])
        return Split(inputs, torch.cat([split.targets for split in self.clients]))


def federated(train: Split, test: Split, partition: Partition, classes: int, name: str) -> FederatedData:
    """Give each client its part of the training samples; a part that two clients share is an error."""
    _check_disjoint(partition, len(train))
    parts = [torch.from_numpy(np.asarray(rows, dtype=np.int64)) for rows in partition]
    return FederatedData(name, tuple(Split(train.inputs[rows], train.targets[rows]) for rows in parts), test, classes)


def digits_pool(seed: int, train: int = 1500) -> tuple[Split, Split]:
    """The 1,797 digits of scikit-learn as vectors of 64 pixels in [0, 1]: ``train`` samples and the rest as test."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    if not 0 < train < len(bunch.target):
        raise ValueError(f"train {train} must lie between 1 and {len(bunch.target) - 1}; the rest is the test set")
    inputs = torch.from_numpy(bunch.data).float() / 16  # (1797, 64)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(inputs)))
    targets = torch.from_numpy(bunch.target).long()
    first, rest = order[:train], order[train:]
    return Split(inputs[first], targets[first]), Split(inputs[rest], targets[rest])


def _check_disjoint(partition: Sequence[np.ndarray], count: int) -> None:
    rows = np.concatenate([np.asarray(part, dtype=np.int64) for part in partition])
    if rows.size and (rows.min() < 0 or rows.max() >= count):
        raise ValueError(f"the partition names sample {rows.max()} but there are only {count}")
    if len(np.unique(rows)) != len(rows):
        raise ValueError("two clients hold the same sample; a partition is disjoint")
