"""Run a scenario: every job walks its task graph over the network, and what happened is measured.

A task starts when all its inputs are where it runs.  Among several candidate stations the one with the least work
outstanding takes it; if that one leaves, or the way to it drops, another candidate starts it afresh, each at most once.
A job is lost when no candidate is left, when its data are on a station that left, or when it takes longer than its
time-out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from simpy import Environment, Event, Interrupt, Process

from edgedl_lib.system.simulator.draws import Draws, draw
from edgedl_lib.system.simulator.measure import Account, Recorder, ScenarioRun
from edgedl_lib.system.simulator.network import Network, NoRoute, patient
from edgedl_lib.system.simulator.parts import PartFailed
from edgedl_lib.system.simulator.scenario import Application, Scenario, Task
from edgedl_lib.system.simulator.stability import require_stable
from edgedl_lib.system.simulator.topology import needed_bytes, ordered_tasks


def simulate(scenario: Scenario, seed: int = 0) -> ScenarioRun:
    """Run a scenario.

    Parameters
    ----------
    scenario : Scenario
    seed : int
        The same seed gives the same run, bit for bit.

    Returns
    -------
    ScenarioRun

    Raises
    ------
    UnstableQueue
        If the scenario asks for a steady state that does not exist.
    """
    if scenario.steady_state:
        require_stable(scenario)
    environment = Environment()
    network = Network(environment, scenario)
    recorder = Recorder(environment, scenario)
    floor = _Floor(environment, network, recorder)
    for draws in draw(scenario, seed):
        environment.process(floor.admit(draws))
    accounts: list[Account] = []
    environment.process(_read_meters(environment, scenario, network, accounts))
    environment.run()
    return recorder.run(seed, *accounts)


def _read_meters(
    environment: Environment, scenario: Scenario, network: Network, accounts: list[Account]
) -> Iterator[Event]:
    for time in (scenario.warm_up, scenario.duration):
        yield environment.timeout(time - environment.now)
        accounts.append(Account.read(network))


@dataclass(eq=False)
class _Job:
    """A job on its way: the stations that hold what its tasks made, by task and copy."""

    application: Application
    number: int
    places: dict[str, list[str]] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)


class _Floor:
    """Where jobs are carried out."""

    def __init__(self, environment: Environment, network: Network, recorder: Recorder) -> None:
        self.environment, self.network, self.recorder = environment, network, recorder
        self.outstanding = dict.fromkeys(network.processors, 0.0)  # seconds of work per slot, sent and not yet done

    def admit(self, draws: Draws) -> Iterator[Event]:
        """Start each job of a workload when it arrives."""
        rows = zip(draws.arrival.tolist(), draws.needed.tolist(), draws.factor.tolist(), strict=True)
        tasks = ordered_tasks(draws.application)
        for arrival, needed, factor in rows:
            yield self.environment.timeout(max(arrival - self.environment.now, 0.0))
            self.environment.process(self._job(draws.application, tasks, needed, factor))

    def _job(self, application: Application, tasks: tuple[Task, ...], needed: list[bool], factor: list[float]):
        job = _Job(application, self.recorder.enter(application.name))
        runs = [task for task, wanted in zip(tasks, needed, strict=True) if wanted]
        finals = {task.name for task in runs} - {name for task in runs for name in task.after}
        turn, first = {}, 0
        for task in tasks:
            turn[task.name], first = factor[first : first + task.copies], first + task.copies
        done: dict[str, list[Process]] = {}
        for task in runs:
            before = [process for name in task.after for process in done.get(name, ())]
            job.places[task.name] = [""] * task.copies
            done[task.name] = [
                self._start(job, self._copy(job, task, copy, work, before, task.name in finals))
                for copy, work in enumerate(turn[task.name])
            ]
        good = yield from self._until_done(job, [process for copies in done.values() for process in copies])
        self.recorder.leave(job.number, good)

    def _start(self, job: _Job, steps: Iterator[Event]) -> Process:
        process = self.environment.process(steps)
        job.processes.append(process)
        return process

    def _until_done(self, job: _Job, processes: list[Process]):
        everything = self.environment.all_of(processes)
        if job.application.timeout is None:
            yield everything
        else:
            yield everything | self.environment.timeout(job.application.timeout)
        if everything.triggered:
            return all(process.value for process in processes)
        for process in job.processes:
            if process.is_alive:
                process.interrupt("time-out")
        return False

    def _copy(self, job: _Job, task: Task, copy: int, work: float, before: list[Process], final: bool):
        """One copy of a task, once what it needs is there; its value says whether it was done."""
        try:
            if before:
                yield self.environment.all_of(before)
                if not all(process.value for process in before):
                    return False
            done = yield from self._anywhere(job, task, copy, work)
            if done and final:
                here, home = job.places[task.name][copy], job.application.source
                yield from self.network.send(job.application.result_bytes, here, home)
            return done
        except (Interrupt, PartFailed):
            return False

    def _anywhere(self, job: _Job, task: Task, copy: int, work: float):
        """Try candidates, the least loaded first, until one has done the work."""
        candidates = list(job.application.placement[task.name])
        inputs = self._inputs(job, task)
        while candidates:
            station = self._least_loaded(candidates, task, inputs)
            if station is None:
                return False
            candidates.remove(station)
            try:
                yield from self._on(station, job, task, work, inputs)
            except PartFailed:
                continue
            job.places[task.name][copy] = station
            self.recorder.count(station)
            return True
        return False

    def _on(self, station: str, job: _Job, task: Task, work: float, inputs: list[tuple[str, float]]):
        """Fetch the inputs to a station and compute there."""
        processor = self.network.processors[station]
        seconds = work * self._seconds(station, task)
        self.outstanding[station] += seconds / processor.slots
        try:
            yield from self._fetch(job, station, [each for each in inputs if each[0] != station and each[1]])
            yield from patient(processor, processor.execute(seconds=seconds))
        finally:
            self.outstanding[station] -= seconds / processor.slots

    def _fetch(self, job: _Job, station: str, inputs: list[tuple[str, float]]):
        """All inputs side by side."""
        if len(inputs) == 1:
            yield from self.network.send(inputs[0][1], inputs[0][0], station)
            return
        loads = [self._start(job, self._load(size, start, station)) for start, size in inputs]
        yield self.environment.all_of(loads)
        if not all(load.value for load in loads):
            raise NoRoute(station)

    def _load(self, size_bytes: float, start: str, station: str):
        try:
            yield from self.network.send(size_bytes, start, station)
        except (Interrupt, PartFailed):
            return False
        return True

    def _inputs(self, job: _Job, task: Task) -> list[tuple[str, float]]:
        """Stations that hold inputs, and the bytes to fetch from each copy there."""
        application = job.application
        if not task.after:
            return [(application.source, needed_bytes(application, task, None))]
        before = [application.task(name) for name in task.after if name in job.places]
        return [(place, needed_bytes(application, task, each)) for each in before for place in job.places[each.name]]

    def _seconds(self, station: str, task: Task) -> float:
        if task.flop is not None:
            return self.network.processors[station].seconds(task.flop)
        return task.seconds if isinstance(task.seconds, float) else task.seconds[station]

    def _least_loaded(self, candidates: list[str], task: Task, inputs: list[tuple[str, float]]) -> str | None:
        """Candidate that would be done first if nothing had to be sent; the first one among equals."""
        here = [
            station
            for station in candidates
            if self.network.processors[station].is_present
            and all(not size or self.network.route(start, station) is not None for start, size in inputs)
        ]
        return min(here, key=lambda station: self.outstanding[station] + self._seconds(station, task), default=None)
