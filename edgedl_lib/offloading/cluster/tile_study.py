"""Tiles of one picture on real workers beside the simulator, and batches in which a worker is killed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.split.wire import frame_bytes
from edgedl_lib.offloading.cluster.batch import Batch, Task
from edgedl_lib.offloading.cluster.networks import TILE_NETWORK
from edgedl_lib.offloading.cluster.programs import Layers, Tiles
from edgedl_lib.offloading.cluster.simulated import batch_run, relative
from edgedl_lib.offloading.cluster.worker_setup import Setup
from edgedl_lib.offloading.cluster.workers import Workers

GRID = (2, 3)  # six tiles: as many rounds for each worker, whether they are one, two or three
SLOWDOWN = 20.0
RATES = (5e6, 10e6, 20e6)  # bit/s of each worker's link, both ways
COUNTS = (1, 2, 3)  # workers
CURVE_POINTS = 30
KILL_RATE = 10e6


class Picture:
    """A picture cut into tasks, and what the untiled network makes of it."""

    def __init__(self, grid: tuple[int, int] = GRID, seed: int = 0) -> None:
        self.program = Tiles(TILE_NETWORK, grid)
        whole = Layers(TILE_NETWORK)
        self.image = np.random.default_rng(seed).integers(0, 256, whole.example().shape, dtype=np.uint8)
        self.reference = whole(0, self.image)
        crops = self.program.crops(self.image)
        self.tasks = [Task(number, part, self.program.output_shape(number)) for number, part in enumerate(crops)]

    @property
    def sent_bytes(self) -> list[int]:
        """Frame of each task."""
        return [frame_bytes(task.values.shape, np.uint8) for task in self.tasks]

    @property
    def reply_bytes(self) -> list[int]:
        """Frames of each answer: its times and its tile."""
        times = frame_bytes((1, 3), np.float64)
        return [times + frame_bytes(task.shape, np.float32) for task in self.tasks]

    def error(self, batch: Batch) -> float:
        """Largest difference of the merged map from the untiled one, as a share of its largest value."""
        merged = self.program.merged(batch.in_order())
        return float(np.abs(merged - self.reference).max() / np.abs(self.reference).max())

    def wrong_tasks(self, batch: Batch) -> int:
        """Tasks without a result, or with another one than this process computes."""
        return sum(
            task.number not in batch.outputs
            or not np.allclose(batch.outputs[task.number], self.program(task.number, task.values), rtol=0, atol=1e-5)
            for task in self.tasks
        )


@dataclass(frozen=True, eq=False)
class TileComparison:
    """Makespans, simulated and measured.

    Attributes
    ----------
    counts : (C,)
        Workers.
    rates : (R,) bit/s
    measured : numpy.ndarray, shape (rounds, C, R), s
    simulated : numpy.ndarray, shape (C, R), s
    curve_rates : numpy.ndarray, shape (P,), bit/s
    curves : numpy.ndarray, shape (C, P), s
        Simulated makespans between the least and the largest rate, for smooth lines.
    output_error : float
        Over all batches; see `Picture.error`.
    """

    counts: tuple[int, ...]
    rates: tuple[float, ...]
    measured: np.ndarray
    simulated: np.ndarray
    curve_rates: np.ndarray
    curves: np.ndarray
    output_error: float

    @property
    def latency(self) -> np.ndarray:
        """Median measured makespan, shape (C, R), s."""
        return np.median(self.measured, axis=0)

    @property
    def ratio(self) -> float:
        """Measured over simulated where they differ most."""
        return relative(self.latency.ravel(), self.simulated.ravel())

    @property
    def speedup(self) -> float:
        """Of the most workers over one: median over rounds and rates of the ratio inside one round."""
        return float(np.median(self.measured[:, 0] / self.measured[:, -1]))


def tile_setup(grid: tuple[int, int] = GRID, rate: float = KILL_RATE, slowdown: float = SLOWDOWN) -> Setup:
    """What each worker is told; its answers cross a link of the same rate."""
    return Setup("tiles", {"network": TILE_NETWORK, "grid": list(grid)}, slowdown, reply_rate=rate)


def compare_tiles(
    picture: Picture, rounds: int, *, counts: Sequence[int] = COUNTS, rates: Sequence[float] = RATES, seed: int = 0
) -> TileComparison:
    """Run the picture's tiles on 1, 2, 3 workers at all rates, in random order in every round, and simulate the same.

    Profiles of all tasks, on one worker after the other, are taken between the batches; medians on both sides.
    """
    generator, cases = np.random.default_rng(seed), [(count, rate) for count in counts for rate in rates]
    turns, profiles, overheads, error = [], [], [], 0.0
    with Workers(max(counts), tile_setup(picture.program.grid), rate=rates[0]) as workers:
        workers.run(picture.tasks)  # opens the connections
        for _ in range(rounds):
            seconds = {}
            overheads.append(workers.overhead())
            for turn, index in enumerate(generator.permutation(len(cases))):
                if turn % len(rates) == 0:
                    profiles.append(_profile(workers, picture, len(profiles)))
                count, rate = cases[index]
                workers.set_rate(rate)
                batch = workers.run(picture.tasks, among=count)
                seconds[count, rate], error = batch.seconds, max(error, picture.error(batch))
            turns.append([[seconds[count, rate] for rate in rates] for count in counts])
    compute, overhead = np.median(profiles, axis=0), float(np.median(overheads))
    between = np.geomspace(min(rates), max(rates), CURVE_POINTS)

    def simulated(varied: Sequence[float]) -> np.ndarray:
        return np.array([[simulate(picture, compute, n, rate, overhead).seconds for rate in varied] for n in counts])

    return TileComparison(
        tuple(counts), tuple(rates), np.array(turns), simulated(rates), between, simulated(between), error
    )


def _profile(workers: Workers, picture: Picture, turn: int) -> np.ndarray:
    """Seconds of each task on a slow worker, (tasks,), by one pass on one of the workers."""
    name = workers.names[turn % len(workers.names)]
    return SLOWDOWN * workers.profile(range(len(picture.tasks)), on=name)


def simulate(
    picture: Picture, compute: np.ndarray, workers: int, rate: float, overhead: float = 0.0, leaves=None
) -> Batch:
    """The picture's batch on the simulator; `compute` in s for each task, slow-down included."""
    return batch_run(compute, picture.sent_bytes, picture.reply_bytes, rate, workers, overhead=overhead, leaves=leaves)


@dataclass(frozen=True, eq=False)
class KillStudy:
    """Batches in which one of three workers was killed at a random moment.

    Attributes
    ----------
    batches, simulated : tuple of Batch
        In the simulated twin the same worker leaves when its loss was noticed.
    lost_tasks : int
        Tasks without a result or with a wrong one.
    duplicates : int
        Results accepted beyond one for each task.
    extra_attempts : int
        Most attempts beyond one for each task, in any batch.
    """

    batches: tuple[Batch, ...]
    simulated: tuple[Batch, ...]
    lost_tasks: int
    duplicates: int
    extra_attempts: int

    @property
    def ratio(self) -> float:
        """Measured over simulated makespan, median over batches."""
        pairs = zip(self.batches, self.simulated, strict=True)
        return float(np.median([real.seconds / twin.seconds for real, twin in pairs]))

    @property
    def noticed(self) -> int:
        """Kills that fell into their batch."""
        return sum(bool(batch.losses) for batch in self.batches)

    def example(self) -> tuple[Batch, Batch]:
        """A batch whose worker died in its middle, and its simulated twin."""
        pairs = [pair for pair in zip(self.batches, self.simulated, strict=True) if pair[0].losses]
        if not pairs:
            raise ValueError("no kill fell into its batch; kill more workers, or earlier")
        return min(pairs, key=lambda pair: abs(pair[0].losses[0].when / pair[0].seconds - 0.5))


def kill_study(picture: Picture, kills: int, *, count: int = 3, rate: float = KILL_RATE, seed: int = 0) -> KillStudy:
    """Kill a random worker at a random moment in each of some batches; a new worker takes its place afterwards."""
    generator, batches, profiles = np.random.default_rng(seed), [], []
    with Workers(count, tile_setup(picture.program.grid, rate), rate=rate) as workers:
        usual = min(workers.run(picture.tasks).seconds for _ in range(2))
        overhead = workers.overhead()
        for _ in range(kills):
            profiles.append(_profile(workers, picture, len(profiles)))
            victim = str(generator.choice(list(workers.processes)))
            batches.append(_batch_with_a_kill(workers, picture, victim, generator.uniform(0.0, 0.9) * usual))
            workers.replace_lost(also=[victim])
    compute = np.median(profiles, axis=0)
    twins = [simulate(picture, compute, count, rate, overhead, _leaves(batch)) for batch in batches]
    return _kill_study(picture, batches, twins)


def _kill_study(picture: Picture, batches: Sequence[Batch], twins: Sequence[Batch]) -> KillStudy:
    tasks = len(picture.tasks)
    done = [sum(not attempt.lost for attempt in batch.attempts) for batch in batches]
    return KillStudy(
        tuple(batches), tuple(twins), sum(map(picture.wrong_tasks, batches)),
        sum(one - len(batch.outputs) for one, batch in zip(done, batches, strict=True)),
        max(len(batch.attempts) - tasks for batch in batches),
    )  # fmt: skip


def _batch_with_a_kill(workers: Workers, picture: Picture, victim: str, delay: float) -> Batch:
    killer = threading.Timer(delay, workers[victim].kill)
    killer.start()
    try:
        return workers.run(picture.tasks)
    finally:
        killer.join()


def _leaves(batch: Batch) -> dict[str, float]:
    return {loss.worker: loss.when for loss in batch.losses}
