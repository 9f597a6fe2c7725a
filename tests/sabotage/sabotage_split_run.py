"""Wrong predictions of a split run, held against a modelled one: an AlexNet-like profile on a link of 20 Mb/s."""

import numpy as np

from edgedl_lib.inference.split.shaper import Shaper
from edgedl_lib.inference.split.sweep import SplitSweep, predict_latency
from edgedl_lib.inference.studies.neurosurgeon_alexnet import PROCESSORS, calibrated_latency
from edgedl_lib.nets.zoo.alexnet import alexnet
from edgedl_lib.reproduce.sabotage import sabotage

GRAPH = alexnet()
SERVER = calibrated_latency(GRAPH, PROCESSORS["phone GPU"])  # s, one process; the device is four times slower
SENT = np.concatenate([[152_000], GRAPH.output_bytes_per_layer()[:-1], [0]])
LINK, SLOWDOWN = Shaper(20e6), 4.0
TRUE = predict_latency(SERVER, SERVER, SENT, LINK, device_slowdown=SLOWDOWN)


def sweep(predicted):
    names = ("input", *GRAPH.layer_names)
    nothing = np.zeros(len(names))
    return SplitSweep(names, predicted, TRUE[None, :], nothing, nothing, nothing, SENT, 0.0)


@sabotage("split_run.median_relative_error")
def device_as_fast_as_the_server():
    """Both processes run on one machine, so the slow-down of the device is easily forgotten."""
    return sweep(predict_latency(SERVER, SERVER, SENT, LINK)).median_relative_error


@sabotage("split_run.median_relative_error")
def computing_alone():
    """Layer profiles add up to a latency, if nothing had to be sent."""
    return sweep(predict_latency(SERVER, SERVER, SENT / 8, LINK)).median_relative_error


@sabotage("split_run.best_cut_excess")
def no_transfer_at_all():
    """Comparing processors only, the device keeps nothing or everything."""
    device = SLOWDOWN * np.concatenate([[0.0], np.cumsum(SERVER)])
    return sweep(-device).best_cut_excess
