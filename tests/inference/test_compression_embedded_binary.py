"""The embedded binarised network: folded thresholds, padding, pooling, and two programs that agree bit by bit."""

import numpy as np
import pytest
import torch
from torch import nn

from edgedl_lib.inference.compression.one_bit.embedded_binary import embedded_network, export, fold, integer_pixels
from edgedl_lib.inference.compression.one_bit.embedded_execution import run_fused, run_layerwise
from edgedl_lib.nets.datasets import Split
from edgedl_lib.nets.export import layer_graph

torch.set_num_threads(1)
LEVELS = 16


def _norm(gamma, beta, mean, variance):
    norm = nn.BatchNorm2d(len(gamma), eps=0.0)
    for name, values in (("weight", gamma), ("bias", beta), ("running_mean", mean), ("running_var", variance)):
        getattr(norm, name).data = torch.tensor(values)
    return norm.eval()


def _network(seed=0):
    """A network whose batch norms have scales of both signs, as no training would guarantee."""
    torch.manual_seed(seed)
    network = embedded_network(8, (8, 16))
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d):
            part.weight.data = torch.randn_like(part.weight)
            part.bias.data = torch.randn_like(part.bias)
            part.running_mean = 3 * torch.randn_like(part.running_mean)
    return network.eval()


@pytest.mark.parametrize("gamma, bits", [
    (2.0, [False, False, True, True, True]), (-2.0, [True, True, True, False, False]),
])  # fmt: skip
def test_threshold_follows_the_sign_of_gamma_and_a_tie_is_one(gamma, bits):
    thresholds = fold(_norm([gamma], [0.0], [3.0], [1.0]), 10)  # zero exactly at the sum 3
    assert thresholds(np.array([1, 2, 3, 4, 5]), 0).tolist() == bits


@pytest.mark.parametrize("beta, bit", [(-0.5, False), (0.0, True), (0.5, True)])
def test_zero_gamma_gives_a_constant(beta, bit):
    thresholds = fold(_norm([0.0], [beta], [3.0], [1.0]), 10)
    assert (thresholds(np.arange(-10, 11), 0) == bit).all()


def test_folding_equals_batch_norm_on_every_integer():
    generator = torch.Generator().manual_seed(0)
    norm = _norm(*(torch.randn(64, generator=generator).tolist() for _ in range(2)), (5 * torch.randn(64, generator=generator)).tolist(), torch.rand(64, generator=generator).add(0.1).tolist())  # fmt: skip  # noqa: E501
    integers = np.arange(-72, 73)
    with torch.no_grad():
        wanted = norm(torch.from_numpy(integers).float()[:, None, None, None].expand(-1, 64, 1, 1)).flatten(1) >= 0
    thresholds = fold(norm, 72)
    assert all((thresholds(integers, channel) == wanted[:, channel].numpy()).all() for channel in range(64))


def test_training_mode_has_no_threshold():
    with pytest.raises(ValueError, match="eval"):
        fold(nn.BatchNorm2d(4), 10)


def test_both_programs_agree_bit_by_bit():
    network, images = _network(), torch.randint(0, LEVELS + 1, (40, 1, 8, 8)).float()
    layerwise, fused = run_layerwise(network, images), run_fused(export(network, LEVELS), images)
    assert (layerwise.predictions == fused.predictions).all()
    assert all((one == other).all() for one, other in zip(layerwise.maps, fused.maps, strict=True))


def test_pooled_bits_are_wrong_where_gamma_is_negative():
    sums = np.array([[1, 5]])  # a pooling window of two, threshold at 3
    thresholds = fold(_norm([-1.0], [0.0], [3.0], [1.0]), 10)
    right = thresholds(sums.max(axis=1), 0)
    bits = thresholds(sums, 0)
    assert bits.any(axis=1) != right and bits.all(axis=1) == right  # the smallest sum decides the pooled "or"


def test_temporaries_are_counted_from_the_arrays_held():
    network = _network()
    images = torch.randint(0, LEVELS + 1, (2, 1, 8, 8)).float()
    assert run_layerwise(network, images).peak_bytes == 4 * (8 * 64 + 8 * 16)  # first maps before and after pooling
    assert run_fused(export(network, LEVELS), images).peak_bytes == 8 * 16 // 8 + 16 * 4 // 8 + 4  # bits, two counters


def test_model_bytes_add_up():
    program = export(_network(), LEVELS)
    assert program.nbytes == 9 + 8 * 3 + 16 * 72 // 8 + 16 * 3 + 10 * 64 // 8 + 2 * 4 * 10


def test_network_exports_to_a_chain():
    graph = layer_graph(_network(), (1, 8, 8))
    assert graph.is_chain and graph["conv2"].config["stored_bits"] == 16 * 72


@pytest.mark.parametrize("arguments", [{"order": "P-C-B-A"}, {"filters": (8, 12)}, {"size": 3}])
def test_impossible_networks_are_refused(arguments):
    with pytest.raises(ValueError, match="no network"):
        embedded_network(**{"size": 8} | arguments)


def test_pixels_become_whole():
    split = integer_pixels(Split(torch.tensor([[0.0, 0.49, 1.0]]), torch.tensor([0])), 16)
    assert split.inputs.tolist() == [[0.0, 8.0, 16.0]]
