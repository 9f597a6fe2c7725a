"""Small image sets as tensors: scikit-learn's digits, which every machine has, MNIST and CIFAR-10 from their files.

Every set is split into train, validation and test; the test part is the data set's own where it has one.
"""

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)  # per channel, over the training images
CIFAR10_DEVIATION = (0.2470, 0.2435, 0.2616)

IDX_UNSIGNED_BYTE = 0x08  # third byte of the magic number


@dataclass(frozen=True)
class Split:
    """Images and labels that are used together.

    Attributes
    ----------
    inputs : Tensor, shape (n, C, H, W) or (n, features), float32
    targets : Tensor, shape (n,) of int64 labels, or (n, classes) of soft labels
    """

    inputs: Tensor
    targets: Tensor

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.targets):
            raise ValueError(f"{len(self.inputs)} inputs but {len(self.targets)} targets; give one target for each")

    def __len__(self) -> int:
        return len(self.targets)

    def flat(self) -> "Split":
        """The same samples as vectors."""
        return replace(self, inputs=self.inputs.flatten(1))

    def subset(self, count: int) -> "Split":
        """The first ``count`` samples."""
        if not 0 < count <= len(self):
            raise ValueError(f"cannot take {count} of {len(self)} samples")
        return Split(self.inputs[:count], self.targets[:count])

    def where(self, mask: Tensor) -> "Split":
        """The samples for which the mask, shape (n,), is true."""
        return Split(self.inputs[mask], self.targets[mask])


@dataclass(frozen=True)
class Dataset:
    """Three disjoint splits of one set of images."""

    name: str
    train: Split
    validation: Split
    test: Split
    classes: int

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch."""
        return tuple(self.train.inputs.shape[1:])

    def flat(self) -> "Dataset":
        """The same data as vectors."""
        return self._map(Split.flat)

    def _map(self, change: Callable[[Split], Split]) -> "Dataset":
        parts = {name: change(getattr(self, name)) for name in ("train", "validation", "test")}
        return replace(self, **parts)


def digits(seed: int = 0, size: int = 8) -> Dataset:
    """The 1,797 handwritten digits of scikit-learn, 8x8 pixels in [0, 1]: 1,097 train, 250 validation, 450 test.

    Parameters
    ----------
    seed : int
        Of the split, which keeps the shares of the classes.
    size : int
        Pixels per side; above 8 the images are enlarged (bilinear), so that networks for 28x28 images can run on them.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    if size < 8:
        raise ValueError(f"size {size} is below the 8 pixels of the digits")
    bunch = load_digits()
    images = torch.from_numpy(bunch.images).float().unsqueeze(1) / 16  # (n, 1, 8, 8)
    labels = torch.from_numpy(bunch.target).long()
    rest, test = train_test_split(np.arange(len(labels)), test_size=450, random_state=seed, stratify=labels)
    train, validation = train_test_split(rest, test_size=250, random_state=seed, stratify=labels[rest])
    if size > 8:
        images = functional.interpolate(images, size=(size, size), mode="bilinear", align_corners=False)
    parts = [Split(images[rows], labels[rows]) for rows in (train, validation, test)]
    return Dataset(f"digits {size}x{size}", *parts, classes=10)


def mnist(
    train_images: Path, train_labels: Path, test_images: Path, test_labels: Path, seed: int = 0, validation: int = 5_000
) -> Dataset:
    """MNIST, 28x28 pixels in [0, 1], from its four gzipped IDX files (LeCun et al. 1998).

    The validation images are drawn from the 60,000 training images; the 10,000 test images are the original ones.
    """
    inputs, targets = _labelled(read_idx(train_images), read_idx(train_labels))
    test = Split(*_labelled(read_idx(test_images), read_idx(test_labels)))
    return Dataset("MNIST", *_held_out(inputs, targets, validation, seed), test, classes=10)


def cifar10(path: Path, seed: int = 0, validation: int = 5_000, limit: int | None = None) -> Dataset:
    """CIFAR-10, 3x32x32, each channel brought to mean 0 and deviation 1 (Krizhevsky 2009).

    Parameters
    ----------
    path : Path
        The original ``cifar-10-python.tar.gz``, or a zip with ``train/<class>/*.jpg`` and ``test/<class>/*.jpg``.
    limit : int, optional
        Read at most this many training and this many test images, the same share of each class.
    """
    read = _cifar_archive if str(path).endswith((".tar.gz", ".tgz")) else _cifar_pictures
    inputs, targets = read(Path(path), "train", limit)
    test = Split(*read(Path(path), "test", limit))
    return Dataset("CIFAR-10", *_held_out(inputs, targets, validation, seed), test, classes=10)


def read_idx(path: Path) -> np.ndarray:
    """Array of unsigned bytes in a gzipped IDX file.

    Raises
    ------
    ValueError
        The file is not gzipped IDX, holds another type, or is cut short.
    """
    try:
        raw = gzip.decompress(Path(path).read_bytes())
    except (OSError, EOFError) as fault:
        raise ValueError(f"{Path(path).name} is not a complete gzip file: {fault}; fetch it again") from fault
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] != IDX_UNSIGNED_BYTE:
        raise ValueError(
            f"{Path(path).name} does not start like an IDX file of bytes; expected 00 00 08, got {raw[:3]}"
        )
    shape = struct.unpack_from(f">{raw[3]}I", raw, 4)
    body = raw[4 + 4 * raw[3] :]
    if len(body) != np.prod(shape):
        raise ValueError(f"{Path(path).name} announces shape {shape} but holds {len(body)} bytes; fetch it again")
    return np.frombuffer(body, np.uint8).reshape(shape)


def _labelled(images: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(images.copy()).float().unsqueeze(1) / 255, torch.from_numpy(labels.astype(np.int64))


def _held_out(inputs: Tensor, targets: Tensor, validation: int, seed: int) -> tuple[Split, Split]:
    if not 0 < validation < len(targets):
        raise ValueError(f"cannot hold out {validation} of {len(targets)} images for validation")
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(seed))
    train, held_out = order[validation:], order[:validation]
    return Split(inputs[train], targets[train]), Split(inputs[held_out], targets[held_out])


def _cifar_archive(path: Path, part: str, limit: int | None) -> tuple[Tensor, Tensor]:
    names = [f"data_batch_{number}" for number in range(1, 6)] if part == "train" else ["test_batch"]
    with tarfile.open(path) as archive:
        batches = [_unpickled(archive.extractfile(f"cifar-10-batches-py/{name}").read()) for name in names]
    images = np.concatenate([batch[b"data"] for batch in batches]).reshape(-1, 3, 32, 32)
    labels = np.concatenate([batch[b"labels"] for batch in batches])
    chosen = _same_share(labels, limit)
    return _normalised(images[chosen]), torch.from_numpy(labels[chosen].astype(np.int64))


def _unpickled(raw: bytes) -> dict:
    return pickle.loads(raw, encoding="bytes")  # the archive's checksum has been verified


def _cifar_pictures(path: Path, part: str, limit: int | None) -> tuple[Tensor, Tensor]:
    from PIL import Image

    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if f"{part}/" in name and name.endswith(".jpg"))
        labels = np.array([CIFAR10_CLASSES.index(name.split("/")[-2]) for name in names])
        chosen = _same_share(labels, limit)
        pictures = [np.asarray(Image.open(io.BytesIO(archive.read(names[index])))) for index in chosen]
    images = np.stack(pictures).transpose(0, 3, 1, 2)
    return _normalised(images), torch.from_numpy(labels[chosen])


def _same_share(labels: np.ndarray, limit: int | None) -> np.ndarray:
    """Indices of the first images of each class, ``limit`` in all."""
    if limit is None:
        return np.arange(len(labels))
    per_class = limit // len(CIFAR10_CLASSES)
    if per_class < 1:
        raise ValueError(f"limit {limit} leaves no image for each of the {len(CIFAR10_CLASSES)} classes")
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:per_class] for label in np.unique(labels)]))


def _normalised(images: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(images)).float() / 255  # (n, 3, 32, 32)
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (CIFAR10_MEAN, CIFAR10_DEVIATION))
    return (tensor - mean) / deviation
