"""All modes over all rates of the air: latency, energy of the cameras, bytes and accuracy, from one simulator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.early_exit.network import MultiExitNetwork
from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.offloading.modes.answers import cut_accuracy, measure_answers
from edgedl_lib.offloading.modes.network import segment_graphs, trunk_graph
from edgedl_lib.offloading.modes.scenarios import MICROCONTROLLER, MODES, Setting, best_cut, mode_scenario
from edgedl_lib.system.catalogue import specification
from edgedl_lib.system.link import BITS_PER_BYTE
from edgedl_lib.system.radio import radio_power
from edgedl_lib.system.simulator.measure import ScenarioRun
from edgedl_lib.system.simulator.run import simulate

RATES = tuple(np.logspace(4, 7, 10).tolist())
RADIO = "wifi"
FULL = 0.999  # busy share from which on a line only grows


@dataclass(frozen=True)
class ModeResult:
    """One mode at one rate.

    Attributes
    ----------
    mode : str
    rate : float
        bit/s of the air.
    latency, slowest : float
        Mean and 95th percentile, s; infinite where pictures arrive faster than the mode can handle them.
    energy : float
        Joules that the cameras' processors and radios spend on one picture, idling not counted.
    sent_bytes : float
        Bytes over the air for one picture, answers included.
    accuracy : float
        In [0, 1].
    load : float
        Busiest station's or connection's share of time in use.
    little_error : float
        Relative difference of the two sides of Little's law in this run.
    """

    mode: str
    rate: float
    latency: float
    slowest: float
    energy: float
    sent_bytes: float
    accuracy: float
    load: float
    little_error: float


def setting_of(network: MultiExitNetwork, data: Dataset, **changes) -> Setting:
    """The comparison's setting for a trained network."""
    levels = tuple(float(graph.flop) for graph in segment_graphs(network))
    return Setting(trunk_graph(network), levels, measure_answers(network, data), **changes)


def compare_modes(
    network: MultiExitNetwork,
    data: Dataset,
    rates: Iterable[float] = RATES,
    *,
    modes: Sequence[str] = MODES,
    duration: float = 100.0,
    seed: int = 0,
    **changes,
) -> list[ModeResult]:
    """Simulate each mode at each rate.

    Parameters
    ----------
    network : MultiExitNetwork
        Trained, three levels.
    data : Dataset
        Pictures of 24x24; accuracies are those of its test split.
    rates : iterable of float
        bit/s of the air that cameras and edge share.
    modes : sequence of str
    duration : float
        Seconds of pictures in each run.
    seed : int
    changes
        Of `Setting`: ``cameras``, ``frame_rate``, ``speeds`` and so on.
    """
    setting = setting_of(network, data, **changes)
    accuracy = _Accuracy(network, data, setting)
    return [
        measure_run(simulate(mode_scenario(mode, setting, rate, duration), seed), rate, accuracy.of(mode, rate))
        for rate in rates
        for mode in modes
    ]


def fastest_modes(results: Iterable[ModeResult]) -> dict[float, str]:
    """Mode of the lowest mean latency at each rate."""
    table: dict[float, ModeResult] = {}
    for result in results:
        if result.rate not in table or result.latency < table[result.rate].latency:
            table[result.rate] = result
    return {rate: result.mode for rate, result in table.items()}


class _Accuracy:
    """Accuracy of a mode at a rate; a cut is measured once."""

    def __init__(self, network: MultiExitNetwork, data: Dataset, setting: Setting) -> None:
        self.network, self.data, self.setting = network, data, setting
        self.cuts: dict[int, float] = {}

    def of(self, mode: str, rate: float) -> float:
        if mode == "vertical":
            return self.setting.answers.exits
        if mode != "partial":
            return self.setting.answers.whole  # tiles change no value
        cut = best_cut(self.setting, rate)
        if cut not in self.cuts:
            self.cuts[cut] = cut_accuracy(self.network, self.data, cut)
        return self.cuts[cut]


def measure_run(run: ScenarioRun, rate: float, accuracy: float) -> ModeResult:
    """What one run of a mode's scenario at `rate` bit/s says; a mode that falls ever further behind has no latency."""
    load = max(usage.utilisation for usage in run.usage.values())
    jobs, sent, little = int(run.counted().sum()), run.bytes_carried("air"), run.little()
    computing = specification(MICROCONTROLLER, "power_w").value * _busy_seconds(run)
    radio = radio_power(RADIO, rate) * sent * BITS_PER_BYTE / rate
    figures = [run.latency().mean(), run.percentile(95), (computing + radio) / jobs, sent / jobs]
    if load > FULL:
        figures = [np.inf, np.inf, np.nan, np.nan]
    return ModeResult(
        run.scenario.name, rate, *map(float, figures), accuracy, float(load), abs(little[0] / little[1] - 1)
    )


def _busy_seconds(run: ScenarioRun) -> float:
    """Seconds that cameras computed after the warm-up."""
    span = run.scenario.duration - run.scenario.warm_up
    ends = [station.name for station in run.scenario.stations if station.level == "end"]
    return span * sum(run.utilisation(name) for name in ends)


def mode_figures(results: Sequence[ModeResult]) -> dict[str, float]:
    """What the comparison claims: winners, the cut against both ends, bytes, gain by tiles, closed books."""
    table = {(result.mode, result.rate): result for result in results}
    rates = sorted({result.rate for result in results})

    def latency(mode: str, rate: float) -> float:
        return table[mode, rate].latency

    ends = [min(latency("end alone", rate), latency("integral", rate)) for rate in rates]
    usable = [rate for rate in rates if np.isfinite(latency("integral", rate))]
    return {
        "winners": len(set(fastest_modes(results).values())),
        "cut_against_ends": max(latency("partial", r) / end for r, end in zip(rates, ends, strict=True)),
        "vertical_bytes": table["vertical", usable[0]].sent_bytes / table["integral", usable[0]].sent_bytes,
        "horizontal_gain": latency("end alone", rates[-1]) / latency("horizontal", rates[-1]),
        "little_error": 100 * max(result.little_error for result in results),
    }
