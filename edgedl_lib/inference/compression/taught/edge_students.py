"""Which edge student gains from a teacher, by which technique (Sharma et al. 2018 [136])?

Students that are shallower than the teacher, narrower, or both; soft targets, a hint from the teacher's last hidden
layer, or both; few labels and plenty.  Each is compared with the same student trained alone, seed by seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.compression.taught.lessons import Lesson, Taught, Teachers, Training, teach
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.system.estimate import Estimate, estimate, paired

TECHNIQUES = ("soft targets", "hint", "both")
SUPPLIES = ("few", "all")
SOFT = {"soft": 0.9, "temperature": 4.0}
CHECKPOINTS = 40


def lessons(supplies: Sequence[str] = SUPPLIES, hint: float = 1.0) -> tuple[Lesson, ...]:
    """Alone and by each technique, for each supply of labelled images; named like ``"few, hint"``."""
    ways = {"alone": {}, "soft targets": SOFT, "hint": {"hint": hint}, "both": {**SOFT, "hint": hint}}
    return tuple(Lesson(f"{supply}, {way}", supply, **what) for supply in supplies for way, what in ways.items())


@dataclass(frozen=True)
class Combination:
    """A kind of student, a technique, and a supply of labelled images ("few" or "all")."""

    student: str
    technique: str
    supply: str


@dataclass(frozen=True, eq=False)
class EdgeStudy:
    """All students, taught in all ways.

    Attributes
    ----------
    taught : mapping of kind of student to Taught
    teachers : Teachers
    """

    taught: Mapping[str, Taught]
    teachers: Teachers

    def combinations(self, supply: str | None = None) -> Iterator[Combination]:
        """All, or those of one supply."""
        for student, taught in self.taught.items():
            for lesson in taught.lessons:
                own, technique = lesson.name.split(", ")
                if technique != "alone" and supply in (None, own):
                    yield Combination(student, technique, own)

    def gain(self, combination: Combination) -> Estimate:
        """Points of test accuracy that the teacher adds, paired."""
        alone, with_teacher = self._names(combination)
        taught = self.taught[combination.student]
        return paired(taught.error(alone), taught.error(with_teacher))

    def narrowing(self, combination: Combination) -> Estimate:
        """Points by which the teacher narrows the gap between training and test accuracy, paired."""
        alone, with_teacher = self._names(combination)
        taught = self.taught[combination.student]
        return paired(taught.gap(alone), taught.gap(with_teacher))

    def speedup(self, combination: Combination) -> Estimate:
        """Updates alone over updates with the teacher until the final error of the student alone is first reached.

        A student that never reaches it counts with all its updates, which flatters it.
        """
        taught = self.taught[combination.student]
        alone, with_teacher = (taught.curve[:, taught.row(name)] for name in self._names(combination))  # (C, S)
        return estimate(
            _first_reach(alone, taught.updates, alone[-1]) / _first_reach(with_teacher, taught.updates, alone[-1])
        )

    def mean(self, measure: str, combinations: Sequence[Combination]) -> Estimate:
        """Mean over combinations of "gain", "narrowing" or "speedup", with its interval over the seeds."""
        values = [getattr(self, measure)(combination).values for combination in combinations]
        return estimate(np.mean(values, axis=0))

    def singled_out(self, supply: str = "all") -> list[Combination]:
        """What the paper singles out: a shallower student fed from an intermediate and the last layer."""
        return [c for c in self.combinations(supply) if "shallower" in c.student and c.technique == "both"]

    def others(self, supply: str = "all") -> list[Combination]:
        """All other combinations."""
        chosen = self.singled_out(supply)
        return [c for c in self.combinations(supply) if c not in chosen]

    @property
    def shallow_advantage(self) -> Estimate:
        """Points that the singled-out combinations gain beyond the mean of the others, with all labels."""
        return paired(self.mean("gain", self.singled_out()).values, self.mean("gain", self.others()).values)

    @property
    def weak_share(self) -> float:
        """Share of the other combinations, with all labels, whose gain five seeds cannot tell from none."""
        return float(np.mean([self.gain(combination).low <= 0 for combination in self.others()]))

    @staticmethod
    def _names(combination: Combination) -> tuple[str, str]:
        return f"{combination.supply}, alone", f"{combination.supply}, {combination.technique}"


def _first_reach(curve: np.ndarray, updates: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Updates until each column of the curve (C, S) is at or below its target; the last moment if it never is."""
    reached = curve <= target
    return updates[np.where(reached.any(axis=0), reached.argmax(axis=0), len(updates) - 1)]


def run_edge_study(
    data: Dataset,
    teachers: Teachers,
    students: Mapping[str, Sequence[int]],
    training: Training,
    sets: Mapping,
    ways: Sequence[Lesson] | None = None,
) -> EdgeStudy:
    """Teach students of several shapes (name to widths) in all ways."""
    ways = lessons() if ways is None else ways
    taught = {
        name: teach(data, teachers, ways, widths, training, sets, CHECKPOINTS) for name, widths in students.items()
    }
    return EdgeStudy(taught, teachers)
