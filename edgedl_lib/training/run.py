"""Run a federated task: in this process, vectorised, on Flower's Ray engine, or as separate programs."""

from __future__ import annotations

import time

import numpy as np

from edgedl_lib.training.exchange import from_record, to_record
from edgedl_lib.training.flower import ConfigRecord, ensure_identity, quiet
from edgedl_lib.training.grid import InProcessGrid, VectorisedGrid
from edgedl_lib.training.history import History
from edgedl_lib.training.strategy import FederatedAveraging, Round
from edgedl_lib.training.task import Task, client_app

STALLED = 5  # rounds in a row without one usable update end a run


class RunFailed(RuntimeError):
    """No client's update could be used; ``history`` holds what happened until then."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


def run(
    task: Task,
    strategy: FederatedAveraging,
    rounds: int,
    *,
    engine: str = "in-process",
    evaluate_every: int = 1,
    target: float | None = None,
) -> History:
    """Train and test.

    Parameters
    ----------
    engine : {"in-process", "vectorised", "ray", "deployment"}
        The same task and strategy on each; "vectorised" trains all clients of a round in one program.
    evaluate_every : int
        Test after every so many rounds, and after the last.
    target : float, optional
        Stop after the first test whose accuracy reaches it.

    Raises
    ------
    RunFailed
        Five rounds in a row, or all of the run, without one usable update.
    TooFewClients
        A round asks for more clients than the task has.
    """
    settings = {"evaluate_every": evaluate_every, "target": target}
    if engine in ("ray", "deployment"):
        from edgedl_lib.training import deployment

        return deployment.run(task, strategy, rounds, engine=engine, **settings)
    return rounds_of(_grid(task, strategy, engine), task, strategy, rounds, **settings)


def rounds_of(
    grid,
    task: Task,
    strategy: FederatedAveraging,
    rounds: int,
    *,
    evaluate_every: int = 1,
    target: float | None = None,
    timeout: float = 3600.0,
    patience: float = 0.0,
) -> History:
    """The rounds of a run on any grid of Flower's: what the server application does.

    Flower's own ``Strategy.start`` also runs our strategies; this loop adds the early stop at a target, and refuses
    to end normally when no client could be used.

    Parameters
    ----------
    timeout : float
        Longest wait for the answers of a round (s).
    patience : float
        Longest wait for all of the task's clients to be there before the first round (s).  After it the run starts
        with those who came, or says that they are too few.
    """
    if rounds < 1 or evaluate_every < 1:
        raise ValueError(f"rounds {rounds} and evaluate_every {evaluate_every} must be at least 1")
    ensure_identity()
    quiet()
    _wait(grid, len(task.data.clients), patience)
    strategy.rounds.clear()
    arrays, curve = to_record(task.initial_arrays()), _Curve(task)
    curve.add(arrays)
    for number in range(1, rounds + 1):
        messages = strategy.configure_train(number, arrays, ConfigRecord(), grid)
        averaged, _ = strategy.aggregate_train(number, grid.send_and_receive(messages, timeout=timeout))
        arrays = arrays if averaged is None else averaged
        tested = number % evaluate_every == 0 or number == rounds
        curve.add(arrays if tested else None)
        _check_alive(strategy, number == rounds, curve, arrays)
        if target is not None and tested and curve.accuracy[-1] >= target:
            break
    return _history(strategy, curve, arrays)


def _wait(grid, wanted: int, patience: float) -> None:
    """Flower would wait for ever, one second at a time; a grid in this process never needs to wait."""
    deadline = time.monotonic() + patience
    while len(list(grid.get_node_ids())) < wanted and time.monotonic() < deadline:
        time.sleep(0.1)


class _Curve:
    """Tests so far."""

    def __init__(self, task: Task) -> None:
        self.task, self.loss, self.accuracy = task, [], []

    def add(self, arrays) -> None:
        """Test the model, or note that it was not tested."""
        loss, accuracy = (np.nan, np.nan) if arrays is None else self.task.evaluate(from_record(arrays))
        self.loss.append(loss)
        self.accuracy.append(accuracy)


def _check_alive(strategy: FederatedAveraging, last: bool, curve: _Curve, arrays) -> None:
    recent = strategy.rounds[-STALLED:]
    stalled = len(recent) == STALLED and not any(map(_reached, recent))
    in_vain = last and not any(each.participants for each in strategy.rounds)
    if not stalled and not in_vain:
        return
    reasons = {f"client {bad.client}: {bad.reason}" for each in recent for bad in each.rejected}
    rounds = f"rounds {recent[0].number} to {recent[-1].number}"
    shown = "; ".join(sorted(reasons)[:3])
    raise RunFailed(f"no update could be used in {rounds} ({shown})", _history(strategy, curve, arrays))


def _reached(each: Round) -> bool:
    """Whether one usable answer came, even if too few for the round to count."""
    return bool(each.participants) or len(each.rejected) < len(each.chosen)


def _grid(task: Task, strategy: FederatedAveraging, engine: str):
    if engine == "in-process":
        app = client_app(task, upload=strategy.upload, download=strategy.download)
        return InProcessGrid(app, len(task.data.clients))
    if engine == "vectorised":
        return VectorisedGrid(task, upload=strategy.upload, download=strategy.download)
    raise ValueError(f"unknown engine {engine!r}; choose in-process, vectorised, ray or deployment")


def _history(strategy: FederatedAveraging, curve: _Curve, arrays) -> History:
    rounds = strategy.rounds
    return History(
        accuracy=np.array(curve.accuracy),
        loss=np.array(curve.loss),
        uplink_bytes=np.array([each.uplink_bytes for each in rounds]),
        downlink_bytes=np.array([each.downlink_bytes for each in rounds]),
        participants=tuple(each.participants for each in rounds),
        rejected=tuple(bad for each in rounds for bad in each.rejected),
        abandoned=tuple(each.number for each in rounds if each.abandoned),
        loss_before=np.array([each.loss_before for each in rounds]),
        arrays=from_record(arrays),
    )
