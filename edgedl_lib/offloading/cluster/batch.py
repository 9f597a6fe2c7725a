"""What a batch of tasks came to: every output once, every attempt, every worker lost on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from edgedl_lib.inference.split.wire import check_sendable


@dataclass(frozen=True, eq=False)
class Task:
    """One piece of work.

    Attributes
    ----------
    number : int
        Its identity: two results of the same number are the same result.
    values : numpy.ndarray
    shape : tuple of int, optional
        Of the result; another one is not believed.

    Raises
    ------
    ValueError
        If the number is negative or the values cannot be sent.
    """

    number: int
    values: np.ndarray
    shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.number, int | np.integer) or self.number < 0:
            raise ValueError(f"a task's number is a whole number from 0, not {self.number!r}")
        check_sendable(self.values)  # here, where it is the caller's fault, and not in a worker's conversation


@dataclass(frozen=True)
class Attempt:
    """One task handed to one worker.

    Attributes
    ----------
    task : int
    worker : str
    begun, ended : float
        Seconds since the batch began; from the first byte sent to the answer, or to the loss.
    arrived, ready : float
        When the worker had the input and when its output was ready; NaN if it was lost.
    """

    task: int
    worker: str
    begun: float
    ended: float
    arrived: float = np.nan
    ready: float = np.nan

    @property
    def lost(self) -> bool:
        """Whether no result came of it."""
        return bool(np.isnan(self.ready))


@dataclass(frozen=True)
class Loss:
    """A worker that was dropped, the task that it held, and why, in one sentence."""

    worker: str
    task: int
    reason: str
    when: float

    def __str__(self) -> str:
        return f"{self.worker} (task {self.task}): {self.reason}"


@dataclass(frozen=True, eq=False)
class Batch:
    """The outputs of a batch and how they came about.

    Attributes
    ----------
    outputs : mapping of task number to numpy.ndarray
    attempts : tuple of Attempt
        In the order in which they ended.
    losses : tuple of Loss
    duplicates : int
        Results that arrived a second time and were thrown away.
    seconds : float
    """

    outputs: Mapping[int, np.ndarray]
    attempts: tuple[Attempt, ...] = ()
    losses: tuple[Loss, ...] = ()
    duplicates: int = 0
    seconds: float = 0.0
    share: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        done = [attempt.worker for attempt in self.attempts if not attempt.lost]
        object.__setattr__(self, "share", {worker: done.count(worker) for worker in dict.fromkeys(done)})

    def in_order(self) -> list[np.ndarray]:
        """Outputs by task number."""
        return [self.outputs[number] for number in sorted(self.outputs)]


class BatchError(RuntimeError):
    """The batch could not be finished; `batch` holds what was."""

    def __init__(self, reason: str, batch: Batch) -> None:
        self.batch = batch
        done = ", ".join(map(str, sorted(batch.outputs))) or "none"
        super().__init__(
            f"{reason}. Finished tasks: {done}; pass this error's batch on as `finished` to go on from there"
        )


class NoWorkerLeft(BatchError):
    """All workers were lost before all tasks were done."""


class TaskRefused(BatchError):
    """A healthy worker says that a task cannot be done; every other worker would say the same."""
