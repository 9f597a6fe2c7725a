"""How a domain's training instances come about: filter, suggestions, a user's choice (Li et al. 2016 [104])."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.horizontal.deepcham.adaptation import GenericModel
from edgedl_lib.offloading.horizontal.deepcham.domains import Domain, Photographs, usable

SUGGESTIONS = 5


@dataclass(frozen=True)
class Labelling:
    """How users label.

    Attributes
    ----------
    users : int
        Helpers 0, 1, ... who take part.
    labels : int
        Photographs that each labels.
    noise : float
        Share of labels that are wrong.
    filtered : bool
        Whether phones drop badly exposed photographs.
    missing : tuple of int
        Classes that nobody labels.
    """

    users: int = 4
    labels: int = 35
    noise: float = 0.0
    filtered: bool = True
    missing: tuple[int, ...] = ()


@dataclass(frozen=True)
class Instances:
    """Labelled photographs.

    Attributes
    ----------
    photographs : Photographs
    labels : ndarray of int, shape (n,)
        What the users said.
    suggested : float
        Share of the photographs whose right label was among the suggestions.
    """

    photographs: Photographs
    labels: np.ndarray
    suggested: float

    @property
    def useless(self) -> float:
        """Share of badly exposed photographs among the labelled ones; 0 of none."""
        return float(self.photographs.useless.mean()) if len(self.photographs) else 0.0


def suggestions(model: GenericModel, photographs: Photographs, count: int = SUGGESTIONS) -> np.ndarray:
    """The generic model's first answers, best first, shape (n, count)."""
    return np.argsort(-model.probabilities(photographs.inputs), axis=1, kind="stable")[:, :count]


def generate(model: GenericModel, photographs: Photographs, domain: Domain, how: Labelling, seed: int) -> Instances:
    """Filter on the phones, suggest labels, let users choose.

    A label among the suggestions costs a tap, another one must be typed; both end up as labels.

    Raises
    ------
    ValueError
        Some helper has fewer photographs than labels are asked for.
    """
    offered = photographs.of(range(how.users))
    if how.filtered and len(offered):
        offered = offered.where(usable(offered))
    offered = offered.where(~np.isin(offered.targets, how.missing))
    chosen = offered.where(_first_of_each(offered.users, how))
    hits = (suggestions(model, chosen) == chosen.targets[:, None]).any(axis=1) if len(chosen) else np.zeros(0)
    labels = _answers(chosen.targets, domain, how.noise, np.random.default_rng([seed, 104]))
    return Instances(chosen, labels, float(hits.mean()) if len(hits) else float("nan"))


def _first_of_each(users: np.ndarray, how: Labelling) -> np.ndarray:
    mask = np.zeros(len(users), bool)
    for user in range(how.users):
        own = np.flatnonzero(users == user)
        if len(own) < how.labels:
            raise ValueError(f"user {user} has {len(own)} usable photographs, cannot label {how.labels}; ask for fewer")
        mask[own[: how.labels]] = True
    return mask


def _answers(targets: np.ndarray, domain: Domain, noise: float, generator: np.random.Generator) -> np.ndarray:
    """The right labels, some replaced by another class of the domain."""
    if not 0 <= noise <= 1:
        raise ValueError(f"label noise {noise} must lie between 0 and 1")
    wrong = generator.random(len(targets)) < noise
    places = np.searchsorted(domain.classes, targets)
    step = generator.integers(1, len(domain.classes), len(targets))
    return np.where(wrong, np.asarray(domain.classes)[(places + step) % len(domain.classes)], targets)
