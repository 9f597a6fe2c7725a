"""Wrong comparisons of the four modes: free transfers, a fixed cut, fat features, no early answers, open books."""

import dataclasses

import torch

from edgedl_lib.inference.early_exit.decision import decide
from edgedl_lib.offloading.modes import scenarios
from edgedl_lib.offloading.modes.answers import Answers
from edgedl_lib.offloading.modes.network import segment_graphs, three_level_network, trunk_graph
from edgedl_lib.offloading.modes.scenarios import MODES, Setting, mode_scenario
from edgedl_lib.offloading.modes.study import measure_run, mode_figures
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system.simulator.run import simulate

ANSWERS = Answers(whole=0.95, exits=0.95, shares=(0.6, 0.3, 0.1), threshold=0.8)
RATES = (3e4, 3e5, 1e7)


def setting(answers=ANSWERS) -> Setting:
    network = three_level_network()
    return Setting(trunk_graph(network), tuple(float(graph.flop) for graph in segment_graphs(network)), answers)


def figures(rates=RATES, of=None, **changed) -> dict:
    """The figures of a short comparison; `of` is the rate that is really simulated for a rate."""
    chosen, of = dataclasses.replace(setting(), **changed), of or (lambda rate: rate)
    runs = [(rate, simulate(mode_scenario(mode, chosen, of(rate), 20.0), 0)) for rate in rates for mode in MODES]
    return mode_figures([measure_run(run, rate, 0.9) for rate, run in runs])


@sabotage("modes.winners")
def transfers_are_free():
    """Without a price for bytes one mode wins everywhere."""
    return figures(of=lambda rate: 1e9)["winners"]


@sabotage("modes.cut_against_ends")
def the_cut_never_moves():
    """A cut that was good once and is kept."""
    kept, scenarios.best_cut = scenarios.best_cut, lambda setting, rate: 6
    try:
        return figures()["cut_against_ends"]
    finally:
        scenarios.best_cut = kept


@sabotage("modes.vertical_bytes")
def features_travel_as_float32():
    """Four bytes for each element: half a picture becomes two."""

    class Fat(Setting):
        def sent_bytes(self, layer):
            return 4 * super().sent_bytes(layer)

    fat = Fat(**vars(setting()))
    runs = [(mode, simulate(mode_scenario(mode, fat, 1e6, 20.0), 0)) for mode in MODES]
    return mode_figures([measure_run(run, 1e6, 0.9) for _, run in runs])["vertical_bytes"]


@sabotage("modes.vertical_accuracy_loss")
def the_camera_always_answers():
    """A threshold of zero: nobody asks the edge."""
    targets = torch.arange(1000) % 10
    end, cloud = targets.clone(), targets.clone()
    end[::6], cloud[::25] = (end[::6] + 1) % 10, (cloud[::25] + 1) % 10
    logits = torch.stack([torch.eye(10)[answer] for answer in (end, cloud)])
    whole = float((cloud == targets).double().mean())
    return 100 * (whole - decide(logits, [0.0], "probability").accuracy(targets))


@sabotage("modes.horizontal_gain")
def tiles_over_a_slow_link():
    """The same tiles where each byte takes a millisecond."""
    return figures(of=lambda rate: 8e4)["horizontal_gain"]


@sabotage("modes.little_error")
def the_rate_is_taken_from_the_plan():
    """Arrivals per second as planned, though the run ends a little after the last arrival."""
    run = simulate(mode_scenario("end alone", setting(), 1e6, 20.0), 0)
    planned = 2.0 * float((run.left - run.arrival).mean())
    return 100 * abs(run.mean_in_system / planned - 1)
