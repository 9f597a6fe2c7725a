"""Run a scenario: every job walks its task graph over the network, and what happened is measured.

A task starts when all its inputs are where it runs.  Among several candidate stations the one with the least work
outstanding takes it; if that one leaves, or the way to it drops, another candidate starts it afresh, each at most once.
What a station had made and still held when it left is made again elsewhere.  A job is lost when no candidate is left,
or when it takes longer than its time-out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from simpy import Environment, Event, Interrupt, Process

from edgedl_lib.system.simulator.draws import Draws, draw
from edgedl_lib.system.simulator.measure import Account, Recorder, ScenarioRun
from edgedl_lib.system.simulator.network import Network, patient
from edgedl_lib.system.simulator.parts import DeviceLeft, PartFailed
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
    """A job on its way.

    `factors` says how much work each copy of each task is, `places` which station holds what it made, and `remade` who
    is at work to replace what was lost.
    """

    application: Application
    number: int
    factors: dict[str, list[float]]
    places: dict[str, list[str]] = field(default_factory=dict)
    remade: dict[tuple[str, int], Process] = field(default_factory=dict)
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
        job = _Job(application, self.recorder.enter(application.name), _by_task(tasks, factor))
        runs = [task for task, wanted in zip(tasks, needed, strict=True) if wanted]
        finals = {task.name for task in runs} - {name for task in runs for name in task.after}
        done: dict[str, list[Process]] = {}
        for task in runs:
            before = [process for name in task.after for process in done.get(name, ())]
            job.places[task.name] = [""] * task.copies
            copies = [self._copy(job, task, copy, before, task.name in finals) for copy in range(task.copies)]
            done[task.name] = [self._start(job, steps) for steps in copies]
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

    def _copy(self, job: _Job, task: Task, copy: int, before: list[Process], final: bool):
        """One copy of a task, once what it needs is there; its value says whether it was done."""
        try:
            if before:
                yield self.environment.all_of(before)
                if not all(process.value for process in before):
                    return False
            done = yield from self._anywhere(job, task, copy)
            if done and final:
                done = yield from self._deliver(job, task, copy)
            return done
        except Interrupt:
            return False

    def _anywhere(self, job: _Job, task: Task, copy: int):
        """Try candidates, the least loaded first, until one has done the work."""
        candidates = list(job.application.placement[task.name])
        while candidates:
            if not (yield from self._recover(job, task)):
                return False
            inputs = self._inputs(job, task)
            station = self._least_loaded(candidates, task, inputs)
            if station is None:
                return False
            try:
                yield from self._on(station, task, job.factors[task.name][copy], job, inputs)
            except PartFailed as error:
                if not isinstance(error, DeviceLeft) or error.name == station:  # else who held an input left
                    candidates.remove(station)
                continue
            job.places[task.name][copy] = station
            self.recorder.count(station)
            return True
        return False

    def _deliver(self, job: _Job, task: Task, copy: int):
        """Send a result home."""
        while True:
            here = job.places[task.name][copy]
            try:
                yield from self.network.send(job.application.result_bytes, here, job.application.source)
            except PartFailed:
                if self.network.processors[here].is_present or not (yield from self._remake(job, task, copy)):
                    return False
            else:
                return True

    def _recover(self, job: _Job, task: Task):
        """Make again what a task needs and a station took away with it."""
        for before in (job.application.task(name) for name in task.after if name in job.places):
            for copy, place in enumerate(job.places[before.name]):
                gone = not self.network.processors[place].is_present
                if (
                    gone
                    and needed_bytes(job.application, task, before)
                    and not (yield from self._remake(job, before, copy))
                ):
                    return False
        return True

    def _remake(self, job: _Job, task: Task, copy: int):
        """Do a copy of a task once more, once for all who need it."""
        key = task.name, copy
        if key not in job.remade or not job.remade[key].is_alive:
            job.remade[key] = self._start(job, self._copy(job, task, copy, [], final=False))
        return (yield job.remade[key])

    def _on(self, station: str, task: Task, work: float, job: _Job, inputs: list[tuple[str, float]]):
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
        for load in loads:
            if load.value is not None:
                raise load.value

    def _load(self, size_bytes: float, start: str, station: str):
        """One of several inputs; its value is what went wrong."""
        try:
            yield from self.network.send(size_bytes, start, station)
        except (Interrupt, PartFailed) as error:
            return error
        return None

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


def _by_task(tasks: tuple[Task, ...], factor: list[float]) -> dict[str, list[float]]:
    """A job's factors, which stand copy after copy and task after task, by task."""
    rest = iter(factor)
    return {task.name: list(islice(rest, task.copies)) for task in tasks}
