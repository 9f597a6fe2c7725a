"""Domains and the people in them: where, when and with which phone photographs are taken (Li et al. 2016 [104])."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgedl_lib.nets.datasets import Split


@dataclass(frozen=True)
class Domain:
    """How images of one place, time of day and kind of phone differ from those the generic model was trained on.

    Attributes
    ----------
    name : str
    classes : tuple of int
        Labels that occur here, in rising order.
    tilt : float
        Degrees by which phones are held.
    noise : float
        Standard deviation of the sensor's noise; pixels lie in [0, 1].
    contrast : float
        1 is daylight.
    """

    name: str
    classes: tuple[int, ...]
    tilt: float = 0.0
    noise: float = 0.0
    contrast: float = 1.0


SOME = (0, 1, 2, 3, 4, 5, 6)
DOMAINS = (
    Domain("nothing shifted", SOME),
    Domain("held at a tilt", SOME, tilt=30, noise=0.1),
    Domain("a poor sensor", SOME, noise=0.4),
    Domain("dusk", (1, 3, 4, 6, 8, 9), tilt=10, noise=0.15, contrast=0.35),
)


@dataclass(frozen=True)
class Photographs:
    """Images taken in a domain.

    Attributes
    ----------
    inputs : Tensor, shape (n, 1, H, W)
    targets : ndarray of int, shape (n,)
    users : ndarray of int, shape (n,)
        Who took each.
    useless : ndarray of bool, shape (n,)
        Badly exposed.
    """

    inputs: Tensor
    targets: np.ndarray
    users: np.ndarray
    useless: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def where(self, mask: np.ndarray) -> Photographs:
        """The photographs for which the mask is true."""
        chosen = np.flatnonzero(mask)
        return Photographs(self.inputs[chosen], self.targets[chosen], self.users[chosen], self.useless[chosen])

    def of(self, users: range | tuple[int, ...]) -> Photographs:
        """The photographs of some users."""
        return self.where(np.isin(self.users, list(users)))


@dataclass(frozen=True)
class Crowd:
    """Who is present.

    Attributes
    ----------
    helpers, others : int
        Users who may label, and users who only ask.
    photos : int
        Photographs of each helper; the others share the rest of the images.
    useless : float
        Share of the helpers' photographs that are badly exposed.
    spread : float
        Degrees by which users differ in how they hold their phones (standard deviation).
    """

    helpers: int = 4
    others: int = 4
    photos: int = 75
    useless: float = 0.3
    spread: float = 4.0


def photograph(images: Split, domain: Domain, crowd: Crowd, seed: int) -> Photographs:
    """Let the crowd take photographs of the images whose class occurs in the domain.

    Users 0, 1, ... are the helpers; no image is photographed twice.

    Raises
    ------
    ValueError
        Too few images for the helpers to leave some to the others.
    """
    generator = np.random.default_rng(seed)
    present = generator.permutation(np.flatnonzero(np.isin(images.targets.numpy(), domain.classes)))
    helped = crowd.helpers * crowd.photos
    if helped + crowd.others > len(present):
        raise ValueError(f"{helped} photographs of helpers leave too few of the {len(present)} images; take fewer")
    rest = np.arange(len(present) - helped) % crowd.others + crowd.helpers
    users = np.concatenate([np.repeat(np.arange(crowd.helpers), crowd.photos), rest])
    useless = (generator.random(len(users)) < crowd.useless) & (users < crowd.helpers)
    tilts = domain.tilt + generator.normal(0, crowd.spread, crowd.helpers + crowd.others)
    contrast = np.where(useless, 0.2, 1.0) * domain.contrast
    shifted = shift(images.inputs[present], tilts[users], contrast, domain.noise, generator)
    return Photographs(shifted, images.targets.numpy()[present], users, useless)


def shift(
    images: Tensor, tilts: np.ndarray, contrast: np.ndarray, noise: float, generator: np.random.Generator
) -> Tensor:
    """Rotate (degrees), flatten the contrast around half grey, add noise; one tilt and one contrast per image."""
    angles = torch.from_numpy(np.radians(tilts)).float()
    turn = torch.zeros(len(images), 2, 3)
    turn[:, 0, 0] = turn[:, 1, 1] = angles.cos()
    turn[:, 0, 1], turn[:, 1, 0] = -angles.sin(), angles.sin()
    grid = functional.affine_grid(turn, list(images.shape), align_corners=False)
    turned = functional.grid_sample(images, grid, align_corners=False)
    scale = torch.from_numpy(contrast).float()[:, None, None, None]
    grain = torch.from_numpy(generator.normal(0, 1, turned.shape)).float()
    return (0.5 + scale * (turned - 0.5) + noise * grain).clamp(-0.5, 1.5)


def quality(photographs: Photographs) -> np.ndarray:
    """Deviation of the pixels, shape (n,): a badly exposed picture is nearly grey."""
    return photographs.inputs.flatten(1).std(dim=1).numpy()


def usable(photographs: Photographs, share: float = 0.8) -> np.ndarray:
    """Which photographs pass, shape (n,): each phone tells its median quality, the master answers with the median.

    One number from each phone, and one back: no photograph leaves a phone to be judged.
    """
    scores = quality(photographs)
    medians = [np.median(scores[photographs.users == user]) for user in np.unique(photographs.users)]
    return scores >= share * np.median(medians)


def tilted(domain: Domain, tilt: float) -> Domain:
    """The same place with phones held at another angle."""
    if not math.isfinite(tilt):
        raise ValueError(f"tilt {tilt} must be a number of degrees")
    return replace(domain, name=f"held at {tilt:g} degrees", tilt=tilt)
