"""Where a front node places a job: LAVEA's three schemes and what they are compared with (Yi et al. 2017 [106]).

A scheme sees what a front node can know: its own line exactly, its links, and each neighbour's last report.  It never
sees a neighbour's present state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


class Report(NamedTuple):
    """What a neighbour last said of itself.

    Attributes
    ----------
    time : float
        Seconds, when it was true.
    present : int
        Jobs in line and in service.
    backlog : float
        Seconds until a job that arrived then would have started.
    own_load : float
        Share of its time that jobs of its own users have asked for so far.
    """

    time: float
    present: int
    backlog: float
    own_load: float


NOTHING_YET = Report(0.0, 0, 0.0, 0.0)


@dataclass(slots=True)
class View:
    """What the front node knows when a job arrives.

    Attributes
    ----------
    now : float
    present : int
        Jobs at the front node itself.
    backlog : float
        Seconds of work at the front node itself.
    transmission : list of float
        Seconds until the job would have reached each neighbour, its wait for the link included.
    reports : list of Report
        One per neighbour.
    sent : list of float
        Seconds of work placed at each neighbour that its report cannot know of yet.
    chance : float
        In [0, 1).
    """

    now: float
    present: int
    backlog: float
    transmission: list[float]
    reports: list[Report]
    sent: list[float]
    chance: float


#: Index of a neighbour, or -1 for the front node itself.
Scheme = Callable[[View], int]
HERE = -1


def front_only(view: View) -> int:
    """Keep everything."""
    return HERE


def random_node(view: View) -> int:
    """Any node, the front included, with equal chance."""
    return int(view.chance * (len(view.reports) + 1)) - 1


def shortest_transmission(view: View) -> int:
    """STTF: a busy front node sends to the neighbour that the job reaches first, whatever waits there."""
    return HERE if view.present == 0 else _smallest(view.transmission)


def shortest_queue(view: View) -> int:
    """SQLF: the node that reported the fewest jobs; the front node knows its own line."""
    lines = [report.present for report in view.reports]
    best = _smallest(lines)
    return HERE if view.present <= lines[best] else best


def shortest_scheduling(view: View) -> int:
    """SSLF: the node at which the job will start first, transmission and predicted wait together."""
    starts = [
        transmission + _predicted_wait(view.now + transmission, report, sent)
        for transmission, report, sent in zip(view.transmission, view.reports, view.sent, strict=True)
    ]
    best = _smallest(starts)
    return HERE if view.backlog <= starts[best] else best


def _predicted_wait(time: float, report: Report, sent: float) -> float:
    """Brings a report up to date: what was sent since is added, what was served since is taken away.

    A node serves one second of work per second, less what its own users keep bringing.
    """
    served = (time - report.time) * (1.0 - min(report.own_load, 1.0))
    return max(report.backlog + sent - served, 0.0)


def scheduling_as_reported(view: View) -> int:
    """SSLF without the prediction: the wait as it was reported."""
    starts = [a + report.backlog for a, report in zip(view.transmission, view.reports, strict=True)]
    best = _smallest(starts)
    return HERE if view.backlog <= starts[best] else best


def _smallest(values: list) -> int:
    return values.index(min(values))


SCHEMES: dict[str, Scheme] = {
    "front only": front_only,
    "random": random_node,
    "STTF": shortest_transmission,
    "SQLF": shortest_queue,
    "SSLF": shortest_scheduling,
}
