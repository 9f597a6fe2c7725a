"""The measurements of the chapter: four ways to answer in four domains, over users, labels and their faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from edgedl_lib.nets.datasets import Dataset, Split
from edgedl_lib.offloading.horizontal.deepcham.adaptation import (
    Fusion,
    GenericModel,
    adapt,
    constrained,
    generic_model,
    product,
)
from edgedl_lib.offloading.horizontal.deepcham.domains import DOMAINS, Crowd, Domain, Photographs, photograph
from edgedl_lib.offloading.horizontal.deepcham.labelling import Instances, Labelling, generate

FOUR_USERS = Labelling(users=4, labels=35)
CROWD = Crowd()
SUM = Fusion()
ARMS = ("generic", "constrained", "adapted", "fused")
CLEAN_IMAGES = 800


@dataclass(frozen=True)
class Town:
    """A generic model, trained elsewhere, and images that nobody has seen yet."""

    model: GenericModel
    images: Split
    seed: int

    def visit(self, domain: Domain, crowd: Crowd = CROWD) -> Visit:
        """Take photographs in a domain."""
        photographs = photograph(self.images, domain, crowd, self.seed)
        return Visit(self.model, domain, photographs, crowd, self.seed)


@dataclass(frozen=True)
class Visit:
    """One domain on one day: photographs of helpers and of others."""

    model: GenericModel
    domain: Domain
    photographs: Photographs
    crowd: Crowd
    seed: int

    @property
    def others(self) -> Photographs:
        """What the method is judged on: photographs of users who label nothing."""
        return self.photographs.of(range(self.crowd.helpers, self.crowd.helpers + self.crowd.others))

    def instances(self, how: Labelling) -> Instances:
        """What the helpers label."""
        return generate(self.model, self.photographs, self.domain, how, self.seed)

    def answers(self, how: Labelling = FOUR_USERS, fusion: Fusion = SUM) -> Answers:
        """Answers of every arm for the photographs of the others."""
        made, asked, classes = self.instances(how), self.others, self.domain.classes
        adapted = adapt(self.model.features(made.photographs.inputs), made.labels, classes)
        generic = self.model.probabilities(asked.inputs)
        learnt = adapted.probabilities(self.model.features(asked.inputs))
        return Answers(asked.targets, classes, generic, constrained(generic, classes), learnt, fusion)


@dataclass(frozen=True)
class Answers:
    """Probabilities of every arm.

    Attributes
    ----------
    targets : ndarray of int, shape (n,)
    classes : tuple of int
    generic : ndarray, shape (n, all classes)
    constrained, adapted : ndarray, shape (n, len(classes))
    fusion : Fusion
    """

    targets: np.ndarray
    classes: tuple[int, ...]
    generic: np.ndarray
    constrained: np.ndarray
    adapted: np.ndarray
    fusion: Fusion

    def labels(self, arm: str) -> np.ndarray:
        """Answers of one of `ARMS`, or of "product", shape (n,)."""
        if arm == "generic":
            return self.generic.argmax(axis=1)
        scores = {
            "constrained": lambda: self.constrained,
            "adapted": lambda: self.adapted,
            "fused": lambda: self.fusion.combine(self.constrained, self.adapted),
            "product": lambda: product(self.constrained, self.adapted),
        }
        if arm not in scores:
            raise ValueError(f"unknown arm {arm!r}; choose one of {', '.join((*ARMS, 'product'))}")
        return np.asarray(self.classes)[scores[arm]().argmax(axis=1)]

    def accuracy(self, arm: str) -> float:
        """Percent of right answers."""
        return 100 * float((self.labels(arm) == self.targets).mean())

    def recall(self, arm: str, label: int) -> float:
        """Percent of the photographs of one class that are recognised."""
        return 100 * float((self.labels(arm)[self.targets == label] == label).mean())

    def gain(self, arm: str = "fused") -> float:
        """Percent by which an arm's accuracy exceeds the generic model's: a ratio, not points."""
        return 100 * (self.accuracy(arm) / self.accuracy("generic") - 1)


def town(data: Dataset, seed: int, clean: int = CLEAN_IMAGES, most: int | None = None) -> Town:
    """Train the generic model on the first clean images; all others, or `most` of them, belong to the domains."""
    rest = [Split(data.train.inputs[clean:], data.train.targets[clean:]), data.validation, data.test]
    unseen = Split(*(torch.cat([getattr(part, name) for part in rest]) for name in ("inputs", "targets")))
    unseen = unseen.subset(most or len(unseen))
    return Town(generic_model(data.train.subset(clean), data.classes, seed), unseen, seed)


def all_answers(towns: Sequence[Town], domains: Sequence[Domain] = DOMAINS) -> list[list[Answers]]:
    """Answers with the usual labelling: a row for each town, a column for each domain."""
    return [[place.visit(domain).answers() for domain in domains] for place in towns]


def accuracies(answers: Sequence[Sequence[Answers]]) -> np.ndarray:
    """Percent right, shape (towns, domains, arms)."""
    return np.array([[[each.accuracy(arm) for arm in ARMS] for each in row] for row in answers])


def lending_adaptation(place: Town, domain: Domain, other: Domain) -> Answers:
    """Answers in a domain with the adaptation model of another one: what staying local is about."""
    made = place.visit(other).instances(FOUR_USERS)
    visit = place.visit(domain)
    learnt = adapt(place.model.features(made.photographs.inputs), made.labels, other.classes)
    return replace(visit.answers(), adapted=learnt.probabilities(place.model.features(visit.others.inputs)))


def over_labels(towns: Sequence[Town], domain: Domain, users: Sequence[int], labels: Sequence[int]) -> np.ndarray:
    """Percent right of the fused model, shape (towns, users, labels of each)."""

    def accuracy(visit: Visit, count: int, each: int) -> float:
        return visit.answers(Labelling(count, each)).accuracy("fused")

    visits = [place.visit(domain) for place in towns]
    return np.array([[[accuracy(visit, count, each) for each in labels] for count in users] for visit in visits])


def over_weights(towns: Sequence[Town], domain: Domain, how: Labelling, weights: Sequence[float]) -> np.ndarray:
    """Percent right of the fused model, shape (towns, weights): the models are trained once, the votes counted anew."""
    answers = [place.visit(domain).answers(how) for place in towns]
    return np.array(
        [[replace(each, fusion=Fusion(weight)).accuracy("fused") for weight in weights] for each in answers]
    )
