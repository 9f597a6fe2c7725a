"""Simulated beside really measured: one query through the stations of each plan, over link rates.

Every round first profiles each station and sends a ping, then asks all plans at all rates in random order.  Prediction
and measurement are medians over rounds, so that both see the same weather on a machine that has other work to do; yet
neither knows the other's figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.split.wire import frame_bytes
from edgedl_lib.offloading.cluster.chain import Chain, ChainResult, Station
from edgedl_lib.offloading.cluster.programs import Layers
from edgedl_lib.offloading.cluster.simulated import chain_latency, relative
from edgedl_lib.offloading.cluster.worker_setup import Setup

NETWORK = "IMC"  # an AlexNet on 115x115 pixels, about 10 ms on one core
LAST = 23  # its scores; the 24th layer only names the largest
AFTER_POOL2, AFTER_POOL5 = 8, 15
VARIED = None  # stands for the link whose rate is swept
CURVE_POINTS = 40
CAMERA = float("inf")  # the query is taken where the first station stands


@dataclass(frozen=True)
class Plan:
    """Stations and the link into each; a rate of `VARIED` is the one that is swept."""

    stations: tuple[Station, ...]
    links: tuple[float | None, ...]

    def rates(self, varied: float) -> tuple[float, ...]:
        """bit/s of the link into each station."""
        return tuple(varied if rate is VARIED else rate for rate in self.links)

    @property
    def depends_on_rate(self) -> bool:
        """Whether any link is the swept one."""
        return VARIED in self.links


@dataclass(frozen=True, eq=False)
class Comparison:
    """One plan, simulated and measured.

    Attributes
    ----------
    names : tuple of str
        Of the stations.
    rates : numpy.ndarray, shape (R,), bit/s
    measured : numpy.ndarray, shape (rounds, R), s
    simulated : numpy.ndarray, shape (R,), s
    curve : numpy.ndarray, shape (2, C)
        Rates (bit/s) between the least and the largest, and simulated latency (s), for a smooth line.
    transfer, compute : numpy.ndarray, shape (R, stations), s
        Medians of the measured parts.
    output_error : float
        Largest difference from the whole network in one process, as a share of the largest output.
    """

    names: tuple[str, ...]
    rates: np.ndarray
    measured: np.ndarray
    simulated: np.ndarray
    curve: np.ndarray
    transfer: np.ndarray
    compute: np.ndarray
    output_error: float

    @property
    def latency(self) -> np.ndarray:
        """Median measured seconds, shape (R,)."""
        return np.median(self.measured, axis=0)

    @property
    def ratio(self) -> float:
        """Measured over simulated, at the rate where they differ most."""
        return relative(self.latency, self.simulated)


def station(name: str, begin: int, end: int, slowdown: float) -> Station:
    """Layers of `NETWORK` on a device so many times slower than this machine."""
    return Station(name, Setup("layers", {"network": NETWORK, "begin": begin, "end": end}, slowdown))


def integral_plans() -> dict[str, Plan]:
    """The whole network on the end, or on an edge process three times as fast, as EdgeEye and DeepDecision decide."""
    return {
        "end": Plan((station("end", 0, LAST, 12.0),), (CAMERA,)),
        "edge": Plan((station("edge", 0, LAST, 4.0),), (VARIED,)),
    }


def partial_plans() -> dict[str, Plan]:
    """The first layers on the end and the rest at the edge, beside the whole network at the same edge."""
    split = (station("end", 0, AFTER_POOL5, 8.0), station("edge", AFTER_POOL5, LAST, 3.0))
    return {
        "cut after pool5": Plan(split, (CAMERA, VARIED)),
        "raw image": Plan((station("edge", 0, LAST, 3.0),), (VARIED,)),
    }


def vertical_plans() -> dict[str, Plan]:
    """Three levels and two cuts; the link into the cloud stays at 2 Mb/s."""
    stations = (
        station("end", 0, AFTER_POOL2, 9.0),
        station("edge", AFTER_POOL2, AFTER_POOL5, 5.0),
        station("cloud", AFTER_POOL5, LAST, 3.0),
    )
    return {"end, edge, cloud": Plan(stations, (CAMERA, VARIED, 2e6))}


def compare(plans: Mapping[str, Plan], rates: Sequence[float], rounds: int, seed: int = 0) -> dict[str, Comparison]:
    """Ask every plan at every rate, in every round, and simulate the same queries.

    Parameters
    ----------
    plans : mapping of name to Plan
        A plan without a varied link is asked once a round.
    rates : (R,) bit/s
    rounds : int
    seed : int
        Of the query and of the orders.
    """
    generator = np.random.default_rng(seed)
    with ExitStack() as stack:
        chains = {name: stack.enter_context(Chain(p.stations, p.rates(rates[0]))) for name, p in plans.items()}
        image = Layers(NETWORK, end=LAST).example()
        for chain in chains.values():
            chain.ask(image)  # opens the connections
        turns = [_round(plans, chains, rates, image, generator) for _ in range(rounds)]
    return {name: _comparison(plan, name, rates, turns, image) for name, plan in plans.items()}


@dataclass(frozen=True, eq=False)
class _Round:
    compute: dict[str, np.ndarray]  # plan -> (stations,) s, slow-down included
    overhead: float  # s
    results: dict[tuple[str, float], ChainResult]


def _round(plans, chains, rates, image, generator) -> _Round:
    compute = {name: chain.profile() for name, chain in chains.items()}
    overhead = float(np.median([chain.overhead() for chain in chains.values()]))
    queries = [(name, rate) for name, plan in plans.items() for rate in (rates if plan.depends_on_rate else rates[:1])]
    results = {}
    for index in generator.permutation(len(queries)):
        name, rate = queries[index]
        chains[name].set_rates(plans[name].rates(rate))
        results[name, rate] = chains[name].ask(image)
    return _Round(compute, overhead, results)


def _comparison(plan: Plan, name: str, rates: Sequence[float], turns: list[_Round], image: np.ndarray) -> Comparison:
    asked = rates if plan.depends_on_rate else [rates[0]] * len(rates)
    results = [[turn.results[name, rate] for rate in asked] for turn in turns]  # rounds x R
    compute = np.median([turn.compute[name] for turn in turns], axis=0)
    overhead = float(np.median([turn.overhead for turn in turns]))
    sizes, between = sent_bytes(plan), np.geomspace(min(rates), max(rates), CURVE_POINTS)

    def simulate(varied: Sequence[float]) -> np.ndarray:
        return np.array([chain_latency(compute, sizes, plan.rates(rate), overhead) for rate in varied])

    return Comparison(
        names=tuple(one.name for one in plan.stations), rates=np.array(rates, float),
        measured=np.array([[result.seconds for result in row] for row in results]), simulated=simulate(rates),
        curve=np.stack([between, simulate(between)]),
        transfer=np.median([[result.transfer for result in row] for row in results], axis=0),
        compute=np.median([[result.compute for result in row] for row in results], axis=0),
        output_error=max(_error(result.output, image) for row in results for result in row),
    )  # fmt: skip


def sent_bytes(plan: Plan) -> list[int]:
    """Frame into each station: bytes of the image at cut 0, float32 behind it."""
    begins = [one.setup.options["begin"] for one in plan.stations]
    chain = Layers(NETWORK).chain
    return [frame_bytes(chain.boundary_shape(cut), np.uint8 if cut == 0 else np.float32) for cut in begins]


def _error(output: np.ndarray, image: np.ndarray) -> float:
    whole = Layers(NETWORK, end=LAST)(0, image)
    return float(np.abs(output - whole).max() / np.abs(whole).max())
