"""The same placement in the simulator: processors, channels and processes, to be read beside ``placement``."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from simpy import Environment

from edgedl_lib.offloading.horizontal.lavea.cluster import EdgeCluster, JobStream
from edgedl_lib.offloading.horizontal.lavea.placement import PlacementRun
from edgedl_lib.offloading.horizontal.lavea.schemes import HERE, NOTHING_YET, Report, Scheme, View
from edgedl_lib.system.link import bits
from edgedl_lib.system.simulator.lines import Work
from edgedl_lib.system.simulator.parts import Channel, Processor


class SimulatedNode:
    """An edge node: one core, links to its neighbours, and the last report that it gave."""

    def __init__(self, environment: Environment, name: str, link_rates: tuple[float, ...]) -> None:
        self.environment = environment
        self.core = Processor(environment, name, level="edge")
        self.links = [Channel(environment, f"{name} to its neighbour {k}", rate) for k, rate in enumerate(link_rates)]
        self.jobs: list[Work] = []
        self.transfers: list[list[Work]] = [[] for _ in link_rates]
        self.sent: list[list[tuple[float, float]]] = [[] for _ in link_rates]
        self.own_work = 0.0
        self.report = NOTHING_YET

    def execute(self, seconds: float) -> Work:
        """Put a job in line."""
        job = self.core.execute(seconds=seconds)
        self.jobs.append(job)
        return job

    def backlog(self) -> float:
        """Seconds until a job that arrives now would start."""
        self.jobs = [job for job in self.jobs if not job.triggered]
        return sum(_remaining(job, 1.0, self.environment.now) for job in self.jobs)

    def transmission(self, neighbour: int, size_bytes: float) -> float:
        """Seconds until `size_bytes` handed over now would have reached a neighbour."""
        link, now = self.links[neighbour], self.environment.now
        self.transfers[neighbour] = [sent for sent in self.transfers[neighbour] if not sent.triggered]
        waiting = sum(_remaining(sent, link.rate, now) for sent in self.transfers[neighbour])
        return waiting + float(bits(size_bytes)) / link.rate

    def say(self) -> None:
        """Report the present state."""
        now = self.environment.now
        self.report = Report(now, self.core.present, self.backlog(), self.own_work / now)


def _remaining(work: Work, rate: float, now: float) -> float:
    """Seconds that a present job still needs at full speed."""
    return work.amount / rate - (0.0 if work.start is None else now - work.start)


class SimulatedCluster:
    """A cluster on SimPy that runs a job stream under one scheme."""

    def __init__(self, cluster: EdgeCluster, stream: JobStream, scheme: Scheme, report_period: float = 1.0) -> None:
        self.cluster, self.stream, self.scheme, self.report_period = cluster, stream, scheme, report_period
        self.environment = Environment()
        self.nodes = [
            SimulatedNode(self.environment, f"node {node}", rates) for node, rates in enumerate(cluster.link_rates)
        ]
        self.where, self.finish = np.array(stream.home), np.full(stream.jobs, np.nan)

    def run(self) -> PlacementRun:
        """Run until the last job is done."""
        everyone = [self.environment.process(self._job(job)) for job in range(self.stream.jobs)]
        self.environment.process(self._reports())
        self.environment.run(self.environment.all_of(everyone))
        return PlacementRun(self.stream, self.where, self.finish, np.asarray(self.cluster.places)[self.stream.home])

    def _reports(self) -> Generator:
        while True:
            yield self.environment.timeout(self.report_period)
            for node in self.nodes:
                node.say()

    def _job(self, job: int) -> Generator:
        stream, home = self.stream, int(self.stream.home[job])
        yield self.environment.timeout(float(stream.arrival[job]))
        seconds, size = float(stream.seconds[job]), float(stream.size_bytes[job])
        node = self.nodes[home]
        node.own_work += seconds
        choice = self.scheme(self._view(home, job)) if self.cluster.places[home] else HERE
        if choice != HERE:
            self.where[job] = self.cluster.neighbours[home][choice]
            yield self._send(node, choice, size, seconds)
        yield self.nodes[self.where[job]].execute(seconds)
        self.finish[job] = self.environment.now

    def _send(self, node: SimulatedNode, choice: int, size_bytes: float, seconds: float) -> Work:
        there = self.environment.now + node.transmission(choice, size_bytes)
        node.sent[choice].append((there, seconds))
        transfer = node.links[choice].send(size_bytes)
        node.transfers[choice].append(transfer)
        return transfer

    def _view(self, home: int, job: int) -> View:
        node, known = self.nodes[home], self.cluster.neighbours[home]
        size = float(self.stream.size_bytes[job])
        reports = [self.nodes[other].report for other in known]
        sent = [
            sum(seconds for there, seconds in node.sent[k] if there > report.time) for k, report in enumerate(reports)
        ]
        transmission = [node.transmission(k, size) for k in range(len(known))]
        chance = float(self.stream.chance[job])
        return View(self.environment.now, node.core.present, node.backlog(), transmission, reports, sent, chance)
