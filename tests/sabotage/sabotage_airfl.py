"""Wrong versions of averaging on the air: bands shared wrongly, thresholds of the wrong kind, sums that are none."""

from dataclasses import replace
from functools import cache

import numpy as np
from scipy.stats import spearmanr
from torch import nn

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.communication.over_the_air import beamforming, inversion, latency, study
from edgedl_lib.training.communication.over_the_air.aggregation import Air, OverTheAir
from edgedl_lib.training.lockstep import accuracy_side_by_side
from edgedl_lib.training.models import flatten, unflatten

CROWD = np.array([10, 20, 50, 100, 200])
ROUNDS = 25


@cache
def accuracy(air: Air) -> float:
    """Accuracy in percent of one seed."""
    return 100 * float(study.final_accuracies([air], [0], ROUNDS)[0, 0])


@sabotage("airfl.accelerates_aggregation", "airfl.baa_latency_gain")
def everybody_has_the_whole_band():
    """Forgets that digital uploads share the sub-channels: the ratio no longer sees how many they are."""
    uplink = latency.Uplink()
    ratio = latency.digital_symbols(uplink, 1) / latency.analog_symbols(uplink)
    return {"airfl.accelerates_aggregation": float(ratio), "airfl.baa_latency_gain": float(ratio)}


@sabotage("airfl.baa_latency_scaling", "airfl.baa_latency_law")
def power_is_shared_too():
    """Shares the power among the devices like the band, as if they had one battery: worse than proportional."""
    uplink = latency.Uplink()
    ratio = CROWD * uplink.bits / np.log2(1 + uplink.snr / uplink.gap / CROWD)
    return {
        "airfl.baa_latency_scaling": latency.scaling_exponent(CROWD, ratio),
        "airfl.baa_latency_law": latency.law_spread(CROWD, ratio),
    }


@sabotage("airfl.baa_snr_truncation_tradeoff")
def power_of_an_untruncated_channel():
    """Takes the mean gain instead of its inverse for the power: the threshold makes no difference."""
    thresholds = np.geomspace(0.01, 2, 25)
    snr = inversion.Cell().power / (1 + 0 * thresholds) - np.arange(25) % 2
    return spearmanr(inversion.truncated_share(thresholds), snr).statistic


@sabotage("airfl.baa_snr_data_tradeoff")
def scheduling_the_border():
    """Schedules the devices outside the interior: the SNR falls with what is left out."""
    interiors = np.linspace(1, 0.2, 17)
    snr = [inversion.receive_snr(inversion.Cell(), 0.2, 1.2 - share) for share in interiors]
    return spearmanr(inversion.data_left_out(interiors), np.array(snr, float)).statistic


@sabotage("airfl.truncated_share", "airfl.inversion_power")
def threshold_of_the_amplitude():
    """Compares the amplitude with a threshold that is meant for the power."""
    gains, level = np.abs(inversion.rayleigh((200_000,), np.random.default_rng(0))), 0.5
    silent = gains < level
    needed = (1 / gains[~silent] ** 2).sum() / len(gains)
    return {
        "airfl.truncated_share": 100 * abs(silent.mean() / inversion.truncated_share(level) - 1),
        "airfl.inversion_power": 100 * abs(needed / inversion.inversion_power(level) - 1),
    }


@sabotage("airfl.baa_model_params")
def padded_convolutions():
    """Keeps the pictures' size with padding: the first dense layer triples."""
    layers = [nn.Conv2d(1, 32, 5), nn.Conv2d(32, 64, 5), nn.Linear(64 * 49, 512), nn.Linear(512, 10)]
    return sum(each.numel() for layer in layers for each in layer.parameters())


class OwnStatistics(OverTheAir):
    """Every device normalises by itself."""

    def aggregate(self, server_round, arrays, updates):
        """Scale each change to variance one and send that: the receiver cannot undo it."""
        start = flatten(arrays)
        changes = np.stack([flatten(update.arrays) - start for update in updates])
        alike = (changes - changes.mean(1, keepdims=True)) / changes.std(1, keepdims=True)
        return unflatten((start + alike.mean(0)).astype(np.float32), arrays)


@sabotage("airfl.accuracy_10db", "airfl.noise_hardly_matters")
def statistics_of_its_own():
    """Normalises every device by its own mean and spread: the sum is not the mean any more."""
    strategy = OwnStatistics(air=Air(), clients_per_round=study.DEVICES, seed=0)
    reached = 100 * accuracy_side_by_side([(study.air_task(0), strategy)], ROUNDS)[0, -5:].mean()
    return dict.fromkeys(("airfl.accuracy_10db", "airfl.noise_hardly_matters"), accuracy(Air()) - reached)


@sabotage("airfl.truncation_hurts")
def a_threshold_that_is_hardly_met():
    """Truncates at 0.05 under the name of 2: five percent of the entries are silent."""
    return accuracy(Air()) - accuracy(Air(threshold=0.05))


@sabotage("airfl.no_inversion")
def fading_that_averages_out():
    """Tests the lack of inversion with inverted channels."""
    return accuracy(Air()) - accuracy(replace(Air(), inverts=True))


@cache
def cells():
    """Five random cells."""
    rngs = [np.random.default_rng([0, number, 214]) for number in range(5)]
    return [inversion.rayleigh((study.CELL_DEVICES, study.ANTENNAS), rng) for rng in rngs]


@sabotage("airfl.selection_optimal")
def strongest_channels():
    """Takes the strongest channels, whatever their directions are."""
    rng, optimal = np.random.default_rng(0), 0
    for channels in cells():
        order = beamforming.strongest_first(channels)
        size = len(beamforming.prefix_selection(order, channels, study.GAMMA, rng))
        optimal += beamforming.larger_feasible_set(channels, study.GAMMA, size + 1, rng) is None
    return 100 * optimal / len(cells())


@sabotage("airfl.dc_selects_more")
def relaxation_twice():
    """Compares the relaxation with itself."""
    rng = np.random.default_rng(0)
    sizes = [len(beamforming.relaxed_selection(channels, study.GAMMA, rng)) for channels in cells()]
    return np.mean(np.subtract(sizes, sizes))


@sabotage("airfl.natural_weighting")
def weights_of_the_channel():
    """Lets the channel weigh the messages by its own gains, as the survey's sentence may be read."""
    rng = np.random.default_rng(0)
    channels, messages = inversion.rayleigh((20,), rng), rng.normal(size=(20, 50))
    weights = rng.integers(10, 101, 20)
    received, wanted = np.abs(channels) @ messages, weights @ messages
    return np.abs(received - wanted).max() / np.abs(wanted).max()
