"""Several cameras look at one object: synthetic views of digits, and images cut into patches.

DDNN's own pictures (six street cameras) are not public, so six cameras of unequal quality look at digits that are easy
to confuse.  A camera sees the object or not; a blank frame is all zeros and its own label is ``ABSENT``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from edgedl_lib.nets.datasets import Dataset, Split

ABSENT = -1  # label of a camera that does not see the object, as in the authors' code
VISIBILITY = (0.45, 0.5, 0.6, 0.7, 0.8, 0.9)  # probability that camera 1 to 6 sees the object
NOISE = (0.25, 0.22, 0.19, 0.15, 0.1, 0.05)  # standard deviation of a pixel, whose range is [0, 1]
CONFUSABLE = (3, 5, 8)


@dataclass(frozen=True)
class Scene:
    """What makes a picture difficult, in pixels.

    Attributes
    ----------
    size, digit : int
        Side of the picture and of the digit in it.
    shift : int
        The digit lies off the centre by at most this much.
    band : int
        Rows hidden by something in the foreground.
    """

    size: int
    digit: int
    shift: int
    band: int

    @property
    def raw_bytes(self) -> int:
        """One byte a pixel."""
        return self.size**2


SMALL = Scene(size=12, digit=11, shift=1, band=2)  # for the 8x8 digits
LARGE = Scene(size=16, digit=14, shift=1, band=3)  # for MNIST


@dataclass(frozen=True)
class Views:
    """What all cameras saw of each object.

    Attributes
    ----------
    inputs : Tensor, shape (samples, cameras, H, W), float32 in [0, 1]
    targets : Tensor, shape (samples,), int64
        Class of the object.
    visible : Tensor, shape (samples, cameras), bool
    """

    inputs: Tensor
    targets: Tensor
    visible: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def cameras(self) -> int:
        """Number of cameras."""
        return self.inputs.shape[1]

    @property
    def device_targets(self) -> Tensor:
        """Label of each camera's own picture, shape (samples, cameras): the class, or ``ABSENT``."""
        return torch.where(self.visible, self.targets[:, None], ABSENT)

    def split(self) -> Split:
        """For training: targets of shape (samples, 1 + cameras), the object's class and then the cameras' labels."""
        return Split(self.inputs, torch.cat([self.targets[:, None], self.device_targets], dim=1))

    def only(self, cameras: Sequence[int]) -> "Views":
        """The same objects seen by some of the cameras (indices from 0)."""
        chosen = _checked(cameras, self.cameras)
        return Views(self.inputs[:, chosen], self.targets, self.visible[:, chosen])

    def without(self, failed: Sequence[int]) -> "Views":
        """The same objects after some cameras have failed: their frames are blank before anything else happens."""
        gone = _checked(failed, self.cameras) if failed else []
        inputs, visible = self.inputs.clone(), self.visible.clone()
        inputs[:, gone], visible[:, gone] = 0.0, False
        return Views(inputs, self.targets, visible)


@dataclass(frozen=True)
class ViewSets:
    """Views for training, for choosing thresholds and for testing; no object is in two of them."""

    train: Views
    validation: Views
    test: Views
    classes: int

    def only(self, cameras: Sequence[int]) -> "ViewSets":
        """All three sets, seen by some of the cameras."""
        return ViewSets(*(part.only(cameras) for part in (self.train, self.validation, self.test)), self.classes)


def six_cameras(
    data: Dataset,
    seed: int,
    *,
    scene: Scene = SMALL,
    classes: Sequence[int] = CONFUSABLE,
    copies: int = 8,
    limit: int | None = None,
) -> ViewSets:
    """Six cameras of rising quality look at the images of some classes.

    Camera 1 misses more than half of the objects and its pictures are noisy; camera 6 sees nine of ten, clearly.

    Parameters
    ----------
    data : Dataset
        One-channel images in [0, 1]; its three parts stay apart, so no digit is seen in training and in test.
    classes : sequence of int
        At least two; they are renumbered from 0.
    copies : int
        Scenes made of each image: other shifts, bands, noise, other cameras that see it.
    limit : int, optional
        Use at most this many training images, and a third as many for validation and for test.
    """
    if len(set(classes)) < 2:
        raise ValueError(f"classes {tuple(classes)} leave nothing to tell apart; name at least two")
    generator = torch.Generator().manual_seed(seed)
    limits = (limit, limit and limit // 3, limit and limit // 3)
    parts = [
        _pictures(_of_classes(part, classes, most), scene, copies, generator)
        for part, most in zip((data.train, data.validation, data.test), limits, strict=True)
    ]
    return ViewSets(*parts, classes=len(classes))


def patches(data: Dataset, rows: int = 3, columns: int = 2, limit: int | None = None) -> ViewSets:
    """Cut every image into patches, one for each device, row by row; all of them always see their part.

    The authors' PyTorch experiment.  Images are enlarged where their sides are no multiples of twice rows x columns.
    """
    size = 2 * rows * columns
    side = -(-data.input_shape[-1] // size) * size  # next multiple
    parts = [part if limit is None else part.subset(min(limit, len(part))) for part in (data.train, data.validation)]
    return ViewSets(*(_cut(part, side, rows, columns) for part in (*parts, data.test)), classes=data.classes)


def _cut(split: Split, side: int, rows: int, columns: int) -> Views:
    images = functional.interpolate(split.inputs, size=(side, side), mode="bilinear", align_corners=False)[:, 0]
    height, width = side // rows, side // columns
    tiles = images.unfold(1, height, height).unfold(2, width, width).flatten(1, 2)  # (n, rows * columns, h, w)
    return Views(tiles.contiguous(), split.targets, torch.ones(tiles.shape[:2], dtype=torch.bool))


def _of_classes(split: Split, classes: Sequence[int], limit: int | None) -> Split:
    chosen = split.where(torch.isin(split.targets, torch.tensor(classes)))
    chosen = chosen if limit is None else chosen.subset(min(limit, len(chosen)))
    return Split(chosen.inputs, torch.stack([chosen.targets == label for label in classes]).int().argmax(dim=0))


def _pictures(split: Split, scene: Scene, copies: int, generator: torch.Generator) -> Views:
    images = functional.interpolate(split.inputs, size=(scene.digit,) * 2, mode="bilinear", align_corners=False)
    images, targets = images[:, 0].repeat(copies, 1, 1), split.targets.repeat(copies)
    shape = (len(targets), len(VISIBILITY))
    seen = torch.rand(shape, generator=generator) < torch.tensor(VISIBILITY)
    seen[:, -1] |= ~seen.any(dim=1)  # every object is in view of someone
    frames = _banded(_shifted(images, shape, scene, generator), scene, generator)
    frames += torch.tensor(NOISE)[:, None, None] * torch.randn(frames.shape, generator=generator)
    return Views(frames.clamp(0, 1) * seen[..., None, None], targets, seen)


def _shifted(images: Tensor, shape: tuple[int, int], scene: Scene, generator: torch.Generator) -> Tensor:
    """Each image in the frame of each camera, off the centre by up to ``shift``; what leaves the frame is lost."""
    room = scene.size + 2 * scene.shift - scene.digit
    wide = functional.pad(images, [room // 2, room - room // 2] * 2)  # (n, size + 2 shift, size + 2 shift)
    start = torch.randint(0, 2 * scene.shift + 1, (2, *shape), generator=generator)  # top and left of the window
    rows, columns = (start[axis][..., None] + torch.arange(scene.size) for axis in (0, 1))  # (n, cameras, size)
    sample = torch.arange(len(images))[:, None, None, None]
    return wide[sample, rows[..., :, None], columns[..., None, :]]


def _banded(frames: Tensor, scene: Scene, generator: torch.Generator) -> Tensor:
    """Hide a band of rows in each frame."""
    first = torch.randint(0, scene.size - scene.band + 1, frames.shape[:2], generator=generator)[..., None]
    row = torch.arange(scene.size)
    hidden = (row >= first) & (row < first + scene.band)  # (n, cameras, H)
    return frames * ~hidden[..., None]


def _checked(cameras: Sequence[int], available: int) -> list[int]:
    chosen = list(cameras)
    if not chosen or not set(chosen) <= set(range(available)):
        raise ValueError(f"cameras {chosen} must be some of 0 to {available - 1}")
    return chosen
