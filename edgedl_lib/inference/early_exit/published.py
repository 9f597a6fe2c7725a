"""What BranchyNet's authors reported: Table I of the paper and the sweeps in the notebooks of their repository."""

from dataclasses import dataclass

from edgedl_lib.system.catalogue import DATA
from edgedl_lib.system.catalogue_file import read_rows

COLUMNS = ("network", "run", "thresholds", "accuracy_percent", "cpu_ms", "cpu_gain", "gpu_ms", "gpu_gain")
COLUMNS += ("exits_percent", "source", "evidence")

THRESHOLD_GRID = (1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.0, 3.0, 5.0, 10.0)
"""Entropies (nats) that the authors swept for B-LeNet and B-ResNet; 2.303 = ln 10 is the largest possible."""


@dataclass(frozen=True)
class PublishedRun:
    """One row of the authors' results; ``None`` where they print nothing.

    Attributes
    ----------
    run : str
        ``"table"`` (the paper's Table I) or ``"notebook"``.
    thresholds : tuple of float
        Entropies in nats, one for each early exit; empty for a baseline.
    accuracy : float or None
        In percent.
    cpu_seconds, gpu_seconds : float or None
    cpu_gain, gpu_gain : float or None
        By the authors' timer, which leaves the branches out.
    shares : tuple of float
        Of the samples, at each exit the row tells of, in [0, 1], as printed (they may miss a few to 1).
    """

    network: str
    run: str
    thresholds: tuple[float, ...]
    accuracy: float | None
    cpu_seconds: float | None
    cpu_gain: float | None
    gpu_seconds: float | None
    gpu_gain: float | None
    shares: tuple[float, ...]

    @property
    def complete_shares(self) -> tuple[float, ...]:
        """The shares brought to a sum of 1: the table's rounding leaves 0.07 % of B-LeNet's samples unaccounted for."""
        return tuple(share / sum(self.shares) for share in self.shares)


def published_runs(network: str | None = None, run: str | None = None) -> list[PublishedRun]:
    """Rows of data/branchynet.csv, of one network or one kind of run if named.

    Raises
    ------
    ValueError
        No such row.
    """
    rows = [_parsed(row) for row in read_rows(DATA / "branchynet.csv", COLUMNS)]
    chosen = [row for row in rows if network in (None, row.network) and run in (None, row.run)]
    if not chosen:
        raise ValueError(f"no published run of {network!r} in {run!r}; networks: {sorted({r.network for r in rows})}")
    return chosen


def table_row(network: str) -> PublishedRun:
    """The row of Table I of one network, for instance ``"B-LeNet"``."""
    return published_runs(network, "table")[0]


def _parsed(row: dict[str, str]) -> PublishedRun:
    def number(column: str, scale: float = 1.0) -> float | None:
        return float(row[column]) * scale if row[column] else None

    return PublishedRun(
        row["network"],
        row["run"],
        tuple(map(float, row["thresholds"].split())),
        number("accuracy_percent"),
        number("cpu_ms", 1e-3),
        number("cpu_gain"),
        number("gpu_ms", 1e-3),
        number("gpu_gain"),
        tuple(float(share) / 100 for share in row["exits_percent"].split()),
    )


def shares_behind_gains() -> dict[str, float]:
    """Exit share behind each gain of the B-LeNet sweep if the authors' timer saw trunk segments alone.

    At 100 % exits the gain is trunk over segment 1; with that ratio r, a gain g needs the share (1 - 1/g) / (1 - 1/r).
    Keys are the claims' names of the thresholds, ``"t1e4"`` for 0.0001 and so on.
    """
    *others, everybody = published_runs("B-LeNet", "notebook")
    names = {1e-4: "t1e4", 1e-3: "t1e3", 1e-2: "t1e2", 0.025: "t25e3", 0.1: "t1e1", 0.5: "t5e1"}
    return {names[r.thresholds[0]]: (1 - 1 / r.cpu_gain) / (1 - 1 / everybody.cpu_gain) for r in others}
