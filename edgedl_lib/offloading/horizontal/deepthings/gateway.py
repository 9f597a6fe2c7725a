"""The gateway: who has work, whose work is given away next, and which frames are complete."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgedl_lib.inference.tiles.reuse_plan import Place
from edgedl_lib.offloading.horizontal.deepthings.tasks import TileTask


@dataclass(eq=False)
class Frame:
    """A picture on its way through the cluster; times in seconds, ``finish`` None until the last tile is in."""

    source: int
    arrival: float
    start: float = 0.0
    finish: float | None = None
    lost: bool = False
    results: set[Place] = field(default_factory=set)
    overlaps: set[Place] = field(default_factory=set)


@dataclass(frozen=True, eq=False)
class Job:
    """A task of a frame; ``shared`` if the overlap of all its neighbours was there when it was handed out."""

    frame: Frame
    task: TileTask
    shared: bool = False

    @property
    def mac(self) -> int:
        """Multiply-accumulates that it takes."""
        return self.task.shared_mac if self.shared else self.task.mac

    @property
    def input_bytes(self) -> int:
        """Bytes of the picture that it needs."""
        return self.task.shared_input_bytes if self.shared else self.task.input_bytes


class Gateway:
    """Registered sources in a ring, and the results of every frame.

    Parameters
    ----------
    frames : list of Frame
        All that will come.
    tiles : int
        Results that complete a frame.
    """

    def __init__(self, frames: list[Frame], tiles: int) -> None:
        self.frames, self.tiles = frames, tiles
        self.sources: list[int] = []
        self.duplicates = 0

    @property
    def is_done(self) -> bool:
        """Is every frame complete or lost?"""
        return all(frame.finish is not None or frame.lost for frame in self.frames)

    def register(self, source: int) -> None:
        """A source holds tasks; asking twice changes nothing."""
        if source not in self.sources:
            self.sources.append(source)

    def cancel(self, source: int) -> None:
        """A source holds no tasks any more."""
        if source in self.sources:
            self.sources.remove(source)

    def next_victim(self, thief: int) -> int | None:
        """The registered source whose turn it is (round robin), never the thief itself; None if there is none."""
        for source in self.sources:
            if source != thief:
                self.sources.remove(source)
                self.sources.append(source)
                return source
        return None

    def accept(self, job: Job, now: float) -> bool:
        """Take a result; a second one for the same tile is thrown away."""
        frame = job.frame
        if job.task.place in frame.results:
            self.duplicates += 1
            return False
        frame.results.add(job.task.place)
        if len(frame.results) == self.tiles:
            frame.finish = now
        return True

    def lose(self, source: int) -> None:
        """Give up the incomplete frames of a source that left."""
        for frame in self.frames:
            if frame.source == source and frame.finish is None:
                frame.lost = True
