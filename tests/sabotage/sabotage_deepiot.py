"""Compressors that do not choose, and small networks that are not small, for DeepIoT."""

import dataclasses
from functools import lru_cache

import numpy as np
import torch

from edgedl_lib.inference.compression.taught import compressor, deepiot_study, dense_cost
from edgedl_lib.inference.compression.taught.stacked_mlp import mlp, predict_stack, stack_error
from edgedl_lib.inference.compression.taught.unit_pruning import dense_parameters, equal_share, shrink
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import predict
from edgedl_lib.reproduce.sabotage import sabotage

SEEDS = (0, 1)
SHAPE = (64, 40, 40, 10)


@lru_cache
def searched():
    torch.set_num_threads(1)
    data = digits().flat()
    dense = deepiot_study.train_dense(data.train, SEEDS, SHAPE, epochs=6)
    settings = compressor.SearchSettings(iterations=4, critic_rate=0.0)
    return data, dense, compressor.search(dense, data.train, SEEDS, settings)


@sabotage("deepiot.size", "deepiot.mac_saving", "deepiot.energy")
def zeros_in_full_matrices():
    """Masked units set to zero where they stand: every weight is still stored, fetched and multiplied."""
    dense, masked = mlp(SHAPE), mlp(SHAPE)
    with torch.no_grad():
        masked.dense1.weight[:20] = 0
    before, after = dense_cost.dense_graph(dense), dense_cost.dense_graph(masked)
    return {
        "deepiot.size": dense_cost.reduction(before.parameter_count, after.parameter_count),
        "deepiot.mac_saving": dense_cost.reduction(before.mac, after.mac),
        "deepiot.energy": dense_cost.reduction(dense_cost.read_energy(dense), dense_cost.read_energy(masked)),
    }


class Masked(torch.nn.Module):
    """A full network that multiplies by its masks."""

    def __init__(self, network, masks):
        super().__init__()
        self.network, self.masks = network, masks

    def forward(self, inputs):
        hidden = self.network.relu1(self.network.dense1(inputs)) * self.masks[0]
        return self.network.dense3(self.network.relu2(self.network.dense2(hidden)) * self.masks[1])


@sabotage("deepiot.time")
def masks_take_time():
    """Masks on full matrices: as many multiplications as before, and the masks on top."""
    network = mlp((64, 100, 100, 10)).eval()
    masks = [(torch.arange(100) < 50).float()] * 2
    return dense_cost.time_reduction(network, Masked(network, masks), torch.rand(256, 64))


@sabotage("deepiot.accuracy", "deepiot.vs_random", "deepiot.vs_magnitude")
def unwanted_units_kept():
    """The units of the *lowest* probability kept (the script's name for it is drop_prob), and no fine-tuning."""
    data, dense, found = searched()
    errors = []
    for run in range(dense.runs):
        masks = [probability[run] < probability[run].median() for probability in found.probabilities]
        network = shrink(dense.network(run), masks)
        errors.append(float(stack_error(predict(network, data.test.inputs), data.test.targets)))
    lost = float(np.mean(errors) - stack_error(predict_stack(dense, data.test.inputs), data.test.targets).mean())
    return {"deepiot.accuracy": lost, "deepiot.vs_random": -lost, "deepiot.vs_magnitude": -lost}


@sabotage("deepiot.tau_final")
def ramp_counts_its_start():
    """Thirty-three values from zero on: the last is one increment short."""
    return float(compressor.thresholds()[-1] - compressor.THRESHOLD_INCREMENT)


@sabotage("deepiot.dense_trend")
def probabilities_dropped():
    """The kept units no longer scaled by their keep probability, as they were while the network was searched."""
    data, dense, found = searched()
    masked = dense(data.test.inputs, [scale.unsqueeze(1) for scale in found.scales]).detach()
    small = [shrink(dense.network(run), [mask[run] for mask in found.masks]) for run in range(dense.runs)]
    return float((masked - torch.stack([predict(one, data.test.inputs) for one in small])).abs().max())


@sabotage("deepiot.product_rule")
def unit_count_for_size():
    """Half of the units taken for half of the parameters."""
    small = mlp((64, 20, 20, 10))
    return abs(dense_cost.dense_graph(small).parameter_count - dense_parameters(SHAPE) // 2)


@sabotage("deepiot.method_label")
def quantised_as_well():
    """Eight-bit weights, as the survey's list suggests."""
    network = mlp(SHAPE)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_((parameter * 127).round() / 127)
    return dense_cost.distinct_values(network)


@sabotage("deepiot.global_view")
def same_share_everywhere():
    """One share for all layers: no view of the whole is needed."""
    return float(np.ptp(np.array(equal_share(SHAPE, 2000)) / np.array(SHAPE[1:-1])) * 100)


@sabotage("deepiot.flipped_reward")
def reward_ignored():
    """A compressor that multiplies its reward by zero: both directions end alike."""
    data, dense, _ = searched()
    settings = compressor.SearchSettings(iterations=2, critic_rate=0.0, signs=(0.0, 0.0))
    first, second = (compressor.search(dense, data.train, SEEDS, settings).loss[-10:].mean() for _ in range(2))
    return float(first / second)


@sabotage("deepiot.tau_zero")
def final_threshold_from_the_start():
    """The last threshold used where the first belongs."""
    _, _, found = searched()
    last = dataclasses.replace(found, threshold=compressor.thresholds()[-1])
    return 100 * float(torch.stack([mask.double().mean() for mask in last.masks]).mean())
