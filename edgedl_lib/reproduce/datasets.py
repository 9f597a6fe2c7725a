"""The data sets of the notebooks by name, through the data cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .data_cache import DataUnavailable, fetch

if TYPE_CHECKING:
    from edgedl_lib.nets.datasets import Dataset

MNIST_FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
CIFAR10_FILES = ("cifar10_jpeg.zip", "cifar-10-python.tar.gz")  # whichever is there first


def load_dataset(name: str, seed: int = 0, **options) -> Dataset:
    """Load ``"digits"`` (bundled), ``"mnist"`` or ``"cifar10"``; options as of :mod:`edgedl_lib.nets.datasets`.

    Raises
    ------
    ValueError
        An unknown name.
    DataUnavailable
        MNIST or CIFAR-10 is neither in the data folder nor to be had from the network.
    """
    from edgedl_lib.nets import datasets

    if name == "digits":
        return datasets.digits(seed, **options)
    if name == "mnist":
        return datasets.mnist(*(fetch(f"mnist/{part}-ubyte.gz") for part in MNIST_FILES), seed=seed, **options)
    if name == "cifar10":
        return datasets.cifar10(_first_available(CIFAR10_FILES), seed, **options)
    raise ValueError(f"unknown data set {name!r}; choose digits, mnist or cifar10")


def _first_available(names: tuple[str, ...]):
    *others, last = names
    for name in others:
        try:
            return fetch(name)
        except DataUnavailable:
            continue
    return fetch(last)
