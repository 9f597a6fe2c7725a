"""Jobs placed over edge nodes, computed event by event without a simulator's overhead.

One core per node serves first come, first served, so the moment at which a node becomes free says all about its line.
``placement_events`` is the same on SimPy; a test holds one against the other.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.horizontal.lavea.cluster import EdgeCluster, JobStream
from edgedl_lib.offloading.horizontal.lavea.schemes import HERE, NOTHING_YET, Report, Scheme, View


@dataclass(frozen=True)
class PlacementRun:
    """What happened to J jobs.

    Attributes
    ----------
    stream : JobStream
    node : numpy.ndarray of int, shape (J,)
        Where each job was served.
    finish : numpy.ndarray, shape (J,)
        Seconds.
    placing : numpy.ndarray of bool, shape (J,)
        Whether the job reached a node that places jobs.
    """

    stream: JobStream
    node: np.ndarray
    finish: np.ndarray
    placing: np.ndarray

    @property
    def response(self) -> np.ndarray:
        """Seconds from arrival at the home node to the end, shape (J,)."""
        return self.finish - self.stream.arrival

    @property
    def mean_response(self) -> float:
        """Mean over the jobs that could be placed; a neighbour's own jobs are load, not measured."""
        return float(self.response[self.placing].mean())

    @property
    def kept_share(self) -> float:
        """Share of those jobs that were served at home."""
        return float(np.mean((self.node == self.stream.home)[self.placing]))


class Nodes:
    """The lines of all nodes, and what they reported last."""

    def __init__(self, cluster: EdgeCluster, report_period: float) -> None:
        if not report_period > 0:
            raise ValueError(f"nodes report every so many seconds; the period must be positive, not {report_period}")
        self.cluster, self.report_period = cluster, report_period
        self.free = [0.0] * cluster.nodes
        self.ends = [deque() for _ in range(cluster.nodes)]
        self.own_work = [0.0] * cluster.nodes
        self.reports = [NOTHING_YET] * cluster.nodes
        self.next_report = report_period
        self.seconds_per_byte = [cluster.transfer_seconds(node) for node in range(cluster.nodes)]
        self.link_free = [[0.0] * len(known) for known in cluster.neighbours]
        self.sent = [[deque() for _ in known] for known in cluster.neighbours]
        self.moving: list[tuple[float, int, int, float]] = []

    def present(self, node: int, now: float) -> int:
        """Jobs in line and in service."""
        ends = self.ends[node]
        while ends and ends[0] <= now:
            ends.popleft()
        return len(ends)

    def backlog(self, node: int, now: float) -> float:
        """Seconds until a job that arrives now would start."""
        return max(self.free[node] - now, 0.0)

    def serve(self, node: int, now: float, seconds: float) -> float:
        """Put a job in line; seconds at which it ends."""
        end = max(self.free[node], now) + seconds
        self.free[node] = end
        self.ends[node].append(end)
        return end

    def view(self, node: int, now: float, size_bytes: float, chance: float) -> View:
        """What `node` knows when a job of `size_bytes` arrives."""
        links, costs = self.link_free[node], self.seconds_per_byte[node]
        transmission = [max(free - now, 0.0) + size_bytes * cost for free, cost in zip(links, costs, strict=True)]
        reports = [self.reports[other] for other in self.cluster.neighbours[node]]
        sent = [_unknown_work(sent, report.time) for sent, report in zip(self.sent[node], reports, strict=True)]
        return View(now, self.present(node, now), self.backlog(node, now), transmission, reports, sent, chance)

    def send(self, node: int, choice: int, view: View, job: int, seconds: float) -> None:
        """Put a job on the link to a neighbour."""
        there = view.now + view.transmission[choice]
        self.link_free[node][choice] = there
        self.sent[node][choice].append((there, seconds))
        heapq.heappush(self.moving, (there, job, self.cluster.neighbours[node][choice], seconds))

    def report(self, now: float) -> None:
        """Every node says how it is."""
        for node in range(self.cluster.nodes):
            load = self.own_work[node] / now
            self.reports[node] = Report(now, self.present(node, now), self.backlog(node, now), load)


def _unknown_work(sent: deque, reported: float) -> float:
    """Work that reached a neighbour after its report, or has not yet."""
    while sent and sent[0][0] <= reported:
        sent.popleft()
    return sum(seconds for _, seconds in sent)


def place(cluster: EdgeCluster, stream: JobStream, scheme: Scheme, report_period: float = 1.0) -> PlacementRun:
    """Run a job stream through a cluster under one scheme.

    Parameters
    ----------
    report_period : float
        Seconds between two reports of a node; on average a report is half as old.

    Returns
    -------
    PlacementRun
    """
    nodes = Nodes(cluster, report_period)
    where, finish = np.array(stream.home), np.empty(stream.jobs)
    columns = (stream.arrival, stream.home, stream.seconds, stream.size_bytes, stream.chance)
    for job, (now, home, seconds, size, chance) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        _advance(nodes, now, finish)
        nodes.own_work[home] += seconds
        choice, view = HERE, None
        if cluster.places[home]:
            view = nodes.view(home, now, size, chance)
            choice = scheme(view)
        if choice == HERE:
            finish[job] = nodes.serve(home, now, seconds)
        else:
            where[job] = cluster.neighbours[home][choice]
            nodes.send(home, choice, view, job, seconds)
    _advance(nodes, np.inf, finish)
    return PlacementRun(stream, where, finish, np.asarray(cluster.places)[stream.home])


def _advance(nodes: Nodes, now: float, finish: np.ndarray) -> None:
    """Let transfers end and nodes report until `now`, in the order of time."""
    while True:
        arriving = nodes.moving[0][0] if nodes.moving else np.inf
        if min(arriving, nodes.next_report) > now or (arriving == now == np.inf):
            return
        if arriving <= nodes.next_report or now == np.inf:
            there, job, node, seconds = heapq.heappop(nodes.moving)
            finish[job] = nodes.serve(node, there, seconds)
        else:
            nodes.report(nodes.next_report)
            nodes.next_report += nodes.report_period
