"""The factory: assembly lines, a fog node for every four, one uplink and one server for all.

Each image visits up to three first-come-first-served stations: its line's fog node, the shared uplink, the server.
``run_factory`` does whole arrays at once (Lindley's recursion); ``simulate_factory`` runs the same in SimPy, event by
event, to read and to check.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from torch import nn

from edgedl_lib.inference.early_exit.inspection.images import RAW_BYTES, SIDE
from edgedl_lib.inference.early_exit.inspection.network import InspectionNetwork, feature_bytes
from edgedl_lib.inference.early_exit.inspection.policy import POLICIES
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.system.link import Link
from edgedl_lib.system.queueing import lindley_waits

IMAGES_PER_SECOND = 5.0  # of one line
LINES_PER_NODE = 4
JITTER = 0.1  # of the time between two images
SERVER_SECONDS = 0.02  # of the whole network on the server: our assumption, 50 images/s
FOG_SLOWDOWN = 3.0  # fog node against server
LONGEST_DELAY = 1.0  # s, that 95 % of the images must keep
MOST_LINES = 32
UPLINK = Link("factory uplink", rate=2e6)


@dataclass(frozen=True)
class Stations:
    """Seconds that one image spends being served at each station under a policy; 0 where it does not go.

    Attributes
    ----------
    fog, fog_sent : an image that the fog node answers, and one that it prepares for sending
    uplink, server : an image that is sent
    """

    fog: float
    fog_sent: float
    uplink: float
    server: float

    def service(self, at_fog: np.ndarray) -> np.ndarray:
        """Sum of the service times of images, by who answers: what the delay is when nobody waits."""
        return np.where(at_fog, self.fog, self.fog_sent + self.uplink + self.server)


def stations(policy: str, uplink: Link = UPLINK) -> Stations:
    """Service times of a policy, in proportion to the FLOP of the parts; an early answer costs the fog its exit.

    Raises
    ------
    ValueError
        If the policy is unknown.
    """
    if policy not in POLICIES:
        raise ValueError(f"policy {policy!r} is unknown: use one of {', '.join(POLICIES)}")
    flop = part_flop()
    seconds_per_flop = SERVER_SECONDS / (flop["fog"] + flop["narrow"] + flop["server"])
    if policy == "server only":
        return Stations(0.0, 0.0, uplink.transfer_time(RAW_BYTES), SERVER_SECONDS)
    prefix = FOG_SLOWDOWN * seconds_per_flop * (flop["fog"] + flop["exit"])
    narrowing = FOG_SLOWDOWN * seconds_per_flop * flop["narrow"]
    sending = uplink.transfer_time(feature_bytes())
    return Stations(prefix, prefix + narrowing, sending, seconds_per_flop * flop["server"])


def part_flop() -> dict[str, float]:
    """FLOP of the four parts of the network for one image: fog, its exit, the narrowing layer, the server's part."""
    network = InspectionNetwork().eval()
    fog = layer_graph(network.fog, (1, SIDE, SIDE))
    wide = fog.layers[-1].output_shape
    narrow = layer_graph(network.narrow, wide)
    server = nn.Sequential(network.server, network.server_exit)
    parts = {
        "fog": fog,
        "exit": layer_graph(network.fog_exit, wide),
        "narrow": narrow,
        "server": layer_graph(server, narrow.layers[-1].output_shape),
    }
    return {name: float(graph.flop) for name, graph in parts.items()}


@dataclass(frozen=True, eq=False)
class Products:
    """J images of all lines in order of time: when each is taken (s), on which line, and whether the fog answers it."""

    time: np.ndarray
    line: np.ndarray
    at_fog: np.ndarray


def draw_products(seed: int, lines: int, duration: float, at_fog: np.ndarray) -> Products:
    """Images of `lines` lines for `duration` s; each behaves like a random one of those in `at_fog` (n,), bool.

    Lines are regular up to a tenth of their period, and out of step with each other.

    Raises
    ------
    ValueError
        If there is no line or no time, or nobody to behave like.
    """
    if lines < 1 or not duration > 0 or len(at_fog) == 0:
        raise ValueError(f"{lines} lines for {duration} s like {len(at_fog)} images: all three must be positive")
    rng, period = np.random.default_rng(seed), 1 / IMAGES_PER_SECOND
    count = int(duration * IMAGES_PER_SECOND)
    phase = rng.uniform(0, period, (lines, 1))
    time = phase + period * (np.arange(count) + rng.uniform(0, JITTER, (lines, count)))
    line = np.repeat(np.arange(lines), count)
    order = np.argsort(time.ravel(), kind="stable")
    behaves = rng.choice(np.asarray(at_fog, dtype=bool), size=line.size)
    return Products(time.ravel()[order], line[order], behaves)


def run_factory(products: Products, times: Stations) -> np.ndarray:
    """Delay of every image from camera to answer, (J,) s; arrays in, arrays out."""
    ready = products.time.copy()
    node = products.line // LINES_PER_NODE
    fog = np.where(products.at_fog, times.fog, times.fog_sent)
    for each in np.unique(node):
        rows = np.flatnonzero(node == each)
        ready[rows] += lindley_waits(products.time[rows], fog[rows]) + fog[rows]
    sent = np.flatnonzero(~products.at_fog)
    sent = sent[np.argsort(ready[sent], kind="stable")]
    for service in (times.uplink, times.server):
        ready[sent] += lindley_waits(ready[sent], service) + service
    return ready - products.time


def simulate_factory(products: Products, times: Stations) -> np.ndarray:
    """The same factory in SimPy: one process per image, one resource per station; delays (J,) in s."""
    import simpy

    environment = simpy.Environment()
    nodes = [simpy.Resource(environment) for _ in range(int(products.line.max()) // LINES_PER_NODE + 1)]
    uplink, server = simpy.Resource(environment), simpy.Resource(environment)
    delays = np.zeros(len(products.time))

    def serve(station: simpy.Resource, seconds: float) -> Iterable:
        with station.request() as turn:
            yield turn
            yield environment.timeout(seconds)

    def image(number: int, start: float, line: int, at_fog: bool) -> Iterable:
        yield environment.timeout(start)
        yield from serve(nodes[line // LINES_PER_NODE], times.fog if at_fog else times.fog_sent)
        if not at_fog:
            yield from serve(uplink, times.uplink)
            yield from serve(server, times.server)
        delays[number] = environment.now - start

    columns = (products.time.tolist(), products.line.tolist(), products.at_fog.tolist())
    for number, row in enumerate(zip(*columns, strict=True)):
        environment.process(image(number, *row))
    environment.run()
    return delays


@dataclass(frozen=True, eq=False)
class LineSweep:
    """Delays over the number of lines; arrays (K,) in s.

    Attributes
    ----------
    lines, mean, p95
    """

    lines: np.ndarray
    mean: np.ndarray
    p95: np.ndarray

    @property
    def saturation(self) -> int:
        """Largest number of lines up to which 95 % of the images are answered within a second; 0 if none."""
        late = np.flatnonzero(self.p95 >= LONGEST_DELAY)
        return int(self.lines[late[0] - 1] if late.size and late[0] else 0 if late.size else self.lines[-1])


def sweep_lines(
    policy: str, at_fog: np.ndarray, seed: int = 0, duration: float = 60.0, lines: Iterable[int] | None = None
) -> LineSweep:
    """Mean and 95th percentile of the delay for every number of lines, 1 to 32 unless given.

    Parameters
    ----------
    policy : one of ``policy.POLICIES``
    at_fog : (n,) bool, who of n example images is answered by the fog
    duration : s, of each run
    """
    lines = np.arange(1, MOST_LINES + 1) if lines is None else np.asarray(list(lines))
    times = stations(policy)
    delays = [run_factory(draw_products(seed, count, duration, at_fog), times) for count in lines]
    return LineSweep(
        lines, np.array([each.mean() for each in delays]), np.array([np.percentile(each, 95) for each in delays])
    )


def single_line_wait(at_fog: dict[str, np.ndarray], seed: int = 0, duration: float = 60.0) -> float:
    """Largest difference, over policies and images, between delay and service times when there is one line, s."""
    largest = 0.0
    for policy, flags in at_fog.items():
        products, times = draw_products(seed, 1, duration, flags), stations(policy)
        waits = simulate_factory(products, times) - times.service(products.at_fog)
        largest = max(largest, float(np.abs(waits).max()))
    return largest
