"""Hand tasks to idle workers, one at a time each; survive workers that die, fall silent or talk nonsense.

The rule that makes it safe is short: a task leaves the list of open tasks only when its result is accepted, and a
result is accepted only once.  A worker that is lost gives its task back; whoever is idle next takes it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping

import numpy as np

from edgedl_lib.inference.split.wire import WireError
from edgedl_lib.offloading.cluster.batch import Attempt, Batch, Loss, NoWorkerLeft, Task, TaskRefused
from edgedl_lib.offloading.cluster.peer import Answer, Peer, WorkerRefused, soon

PATIENCE = 10.0  # s that a worker may take for one task, sending and answering included


class Board:
    """The open tasks and the accepted results of one batch, shared by the threads that talk to workers."""

    def __init__(self, tasks: Iterable[Task], finished: Mapping[int, np.ndarray]) -> None:
        tasks = list(tasks)
        self.outputs: dict[int, np.ndarray] = dict(finished)
        self.attempts: list[Attempt] = []
        self.losses: list[Loss] = []
        self.failure: Exception | None = None
        self.duplicates = 0
        self.begun = time.perf_counter()
        self._open = deque(task for task in tasks if task.number not in self.outputs)
        self._unfinished = {task.number for task in self._open}
        if len(self._unfinished) < len(self._open):
            raise ValueError("two tasks of the batch have the same number; a number is a task's identity")
        self._changed = threading.Condition()

    def take(self) -> Task | None:
        """The next open task; waits while others hold the last ones, None when nothing is left to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._open or not self._unfinished or self.failure)
            return self._open.popleft() if self._open and not self.failure else None

    def accept(self, answer: Answer, worker: str, begun: float) -> bool:
        """Keep a result, unless that task has one already; whether it was kept."""
        arrived, ready = answer.times[0, :2] - self.begun
        with self._changed:
            self.attempts.append(Attempt(answer.task, worker, begun, self.now(), arrived, ready))
            if answer.task not in self._unfinished:
                self.duplicates += 1
                return False
            self._unfinished.remove(answer.task)
            self.outputs[answer.task] = answer.output
            self._changed.notify_all()
            return True

    def give_back(self, task: Task, worker: str, begun: float, reason: str) -> None:
        """A worker is lost: its task is the next to be taken."""
        with self._changed:
            self.attempts.append(Attempt(task.number, worker, begun, self.now()))
            self.losses.append(Loss(worker, task.number, reason, self.now()))
            if task.number in self._unfinished:
                self._open.appendleft(task)
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """End the batch: the tasks in hand are finished, no other is begun."""
        with self._changed:
            self.failure = self.failure or error
            self._changed.notify_all()

    def now(self) -> float:
        """Seconds since the batch began."""
        return time.perf_counter() - self.begun

    @property
    def complete(self) -> bool:
        """Whether every task has its result."""
        return not self._unfinished


class Coordinator:
    """Runs batches on workers that are set up alike.

    Parameters
    ----------
    peers : mapping of worker name to Peer
    patience : float
        Seconds within which a worker must have answered a task; a silent one is dropped then.

    Attributes
    ----------
    lost : list of Loss
        Of all batches; these workers get no more tasks, unless a new one of the same name is welcomed.
    """

    def __init__(self, peers: Mapping[str, Peer], *, patience: float = PATIENCE) -> None:
        if not patience > 0:
            raise ValueError(f"a patience of {patience} s drops every worker at once; give it some time")
        self.peers, self.patience = dict(peers), patience
        self.lost: list[Loss] = []

    def run(
        self, tasks: Iterable[Task], finished: Mapping[int, np.ndarray] | Batch | None = None, among: int | None = None
    ) -> Batch:
        """Compute all tasks.

        Parameters
        ----------
        tasks : iterable of Task
        finished : Batch or mapping of task number to output, optional
            Results that exist already; those tasks are not computed again.
        among : int, optional
            How many of the workers take part, the first ones; by default all.

        Raises
        ------
        NoWorkerLeft
            If all workers are lost; the error holds what was finished.
        TaskRefused
            If a worker says that a task cannot be done.
        """
        done = finished.outputs if isinstance(finished, Batch) else finished or {}
        board, before = Board(tasks, done), self._duplicates()
        threads = [
            threading.Thread(target=self._attend, args=(name, board), daemon=True, name=name)
            for name in tuple(self.peers)[:among]
        ]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException as interruption:
            board.fail(RuntimeError(f"interrupted by {type(interruption).__name__}"))
            raise
        return self._outcome(board, self._duplicates() - before)

    def welcome(self, peers: Mapping[str, Peer]) -> None:
        """Give tasks to more workers, from the next batch on."""
        self.peers |= peers
        self.lost = [loss for loss in self.lost if loss.worker not in peers]

    def dismiss(self, name: str) -> None:
        """Give a worker no more tasks."""
        self.peers.pop(name).close()

    def close(self) -> None:
        """Hang up on everybody."""
        for peer in self.peers.values():
            peer.close()

    def _attend(self, name: str, board: Board) -> None:
        """Keep one worker busy until nothing is left to do or the worker is lost."""
        try:
            while (task := board.take()) is not None:
                begun = board.now()
                try:
                    board.accept(self._ask(name, task), name, begun)
                except (WireError, OSError) as error:
                    board.give_back(task, name, begun, self._reason(error))
                    return self.peers[name].close()
                except WorkerRefused as error:
                    board.fail(_Refusal(f"{name} refuses task {task.number}: {error}"))
        except Exception as error:  # a fault of this program must end the batch, not hang it
            board.fail(error)

    def _ask(self, name: str, task: Task) -> Answer:
        answer = self.peers[name].perform(task.number, task.values, soon(self.patience))
        if task.shape is not None and answer.output.shape != task.shape:
            raise WireError(f"its result of task {task.number} has shape {answer.output.shape}, not {task.shape}")
        return answer

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"silent for {self.patience:g} s"
        if isinstance(error, ConnectionError):
            return f"connection lost: {error}"
        return str(error)

    def _duplicates(self) -> int:
        return sum(peer.duplicates for peer in self.peers.values())

    def _outcome(self, board: Board, late: int) -> Batch:
        for loss in board.losses:
            self.lost.append(loss)
            self.peers.pop(loss.worker)
        batch = Batch(board.outputs, tuple(board.attempts), tuple(board.losses), board.duplicates + late, board.now())
        if isinstance(board.failure, _Refusal):
            raise TaskRefused(str(board.failure), batch)
        if board.failure:
            raise board.failure
        if not board.complete:
            raise NoWorkerLeft(f"no worker is left ({'; '.join(map(str, self.lost)) or 'none was given'})", batch)
        return batch


class _Refusal(RuntimeError):
    """A worker's refusal, on its way from its thread."""
