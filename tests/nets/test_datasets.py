"""Image sets: complete, disjoint, scaled, and refused when damaged."""

import gzip
import io
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from edgedl_lib.nets import datasets
from edgedl_lib.nets.datasets import Split, cifar10, digits, mnist, read_idx
from edgedl_lib.reproduce.data_cache import available
from edgedl_lib.reproduce.datasets import load_dataset


def rows(split):
    return {tuple(image.flatten().tolist()) for image in split.inputs}


def test_digits_are_split_without_overlap_and_with_all_classes():
    data = digits(seed=3)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [1097, 250, 450]
    assert not rows(data.train) & rows(data.test)
    assert not rows(data.validation) & rows(data.test)
    assert all(part.targets.bincount().min() >= 24 for part in (data.train, data.validation, data.test))
    assert (data.train.inputs.min(), data.train.inputs.max()) == (0, 1)


def test_the_split_is_a_function_of_the_seed():
    assert torch.equal(digits(1).test.inputs, digits(1).test.inputs)
    assert not torch.equal(digits(1).test.inputs, digits(2).test.inputs)


def test_enlarged_digits_keep_their_range_and_meaning():
    small, large = digits(size=8).test, digits(size=28).test
    assert large.inputs.shape == (450, 1, 28, 28)
    assert torch.equal(small.targets, large.targets)
    assert large.inputs.min() >= 0 and large.inputs.max() <= 1
    with pytest.raises(ValueError, match="size 4 is below the 8 pixels"):
        digits(size=4)


def test_splits_can_be_cut_and_flattened():
    data = digits().flat()
    assert data.input_shape == (64,)
    assert len(data.train.subset(5)) == 5
    assert set(data.train.where(data.train.targets != 3).targets.tolist()) == set(range(10)) - {3}
    with pytest.raises(ValueError, match="cannot take 5000 of 1097"):
        data.train.subset(5000)
    with pytest.raises(ValueError, match="2 inputs but 3 targets"):
        Split(torch.zeros(2, 1), torch.zeros(3))


def write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))


def test_idx_files_are_read_and_damage_is_named(tmp_path):
    images = np.arange(2 * 3 * 3).reshape(2, 3, 3)
    write_idx(tmp_path / "images.gz", images)
    assert np.array_equal(read_idx(tmp_path / "images.gz"), images)
    whole = (tmp_path / "images.gz").read_bytes()
    (tmp_path / "cut.gz").write_bytes(whole[:-6])
    with pytest.raises(ValueError, match="cut.gz is not a complete gzip file"):
        read_idx(tmp_path / "cut.gz")
    (tmp_path / "short.gz").write_bytes(gzip.compress(gzip.decompress(whole)[:-1]))
    with pytest.raises(ValueError, match=r"announces shape \(2, 3, 3\) but holds 17 bytes"):
        read_idx(tmp_path / "short.gz")
    (tmp_path / "other.gz").write_bytes(gzip.compress(b"PNG.."))
    with pytest.raises(ValueError, match="does not start like an IDX file"):
        read_idx(tmp_path / "other.gz")


def test_mnist_files_become_three_splits(tmp_path):
    paths = [tmp_path / name for name in ("a.gz", "b.gz", "c.gz", "d.gz")]
    arrays = [np.full((20, 28, 28), 255), np.arange(20) % 10, np.zeros((5, 28, 28)), np.arange(5)]
    for path, array in zip(paths, arrays, strict=True):
        write_idx(path, array)
    data = mnist(*paths, validation=4)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [16, 4, 5]
    assert data.train.inputs.mean() == 1
    with pytest.raises(ValueError, match="cannot hold out 20 of 20"):
        mnist(*paths, validation=20)


def pictures(generator, count):
    return generator.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def write_both_forms(folder):
    """The same twenty pictures per part as archive and as zip (PNG inside, so that nothing is lost)."""
    generator, labels = np.random.default_rng(0), np.repeat(np.arange(10), 2)
    with tarfile.open(folder / "c.tar.gz", "w:gz") as archive, zipfile.ZipFile(folder / "c.zip", "w") as packed:
        names = {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]}
        for part, batches in names.items():
            images = pictures(generator, 20)
            for name, chosen in zip(batches, np.array_split(np.arange(20), len(batches)), strict=True):
                flat = images[chosen].transpose(0, 3, 1, 2).reshape(len(chosen), -1)
                raw = pickle.dumps({b"data": flat, b"labels": labels[chosen].tolist()})
                entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                entry.size = len(raw)
                archive.addfile(entry, io.BytesIO(raw))
            for index, (image, label) in enumerate(zip(images, labels, strict=True)):
                buffer = io.BytesIO()
                Image.fromarray(image).save(buffer, "PNG")
                packed.writestr(f"{part}/{datasets.CIFAR10_CLASSES[label]}/{index:04}.jpg", buffer.getvalue())


def test_cifar_is_the_same_from_both_forms(tmp_path):
    write_both_forms(tmp_path)
    first, second = cifar10(tmp_path / "c.tar.gz", validation=4), cifar10(tmp_path / "c.zip", validation=4)
    assert first.input_shape == (3, 32, 32)
    assert torch.equal(first.test.inputs, second.test.inputs)
    assert torch.equal(first.test.targets, second.test.targets)
    assert rows(first.train) == rows(second.train)
    assert len(cifar10(tmp_path / "c.zip", validation=2, limit=10).train) == 8
    with pytest.raises(ValueError, match="limit 5 leaves no image"):
        cifar10(tmp_path / "c.zip", limit=5)


def test_unknown_data_set_is_named():
    with pytest.raises(ValueError, match="unknown data set 'imagenet'"):
        load_dataset("imagenet")


@pytest.mark.skipif(not available("mnist/train-images-idx3-ubyte.gz"), reason="MNIST is not in the data folder")
def test_real_mnist():
    data = load_dataset("mnist")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [55_000, 5_000, 10_000]
    assert data.test.targets.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.skipif(not available("cifar10_jpeg.zip"), reason="CIFAR-10 is not in the data folder")
def test_real_cifar():
    data = load_dataset("cifar10", limit=500, validation=100)
    assert data.test.targets.bincount().tolist() == [50] * 10
    assert abs(data.train.inputs.mean()) < 0.15 and 0.8 < data.train.inputs.std() < 1.2
