"""HashedNets: a hash that never changes, gradients that gather, and the two degenerate sizes."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional

from edgedl_lib.inference.compression.one_bit.coded_layers import stored_bytes
from edgedl_lib.inference.compression.one_bit.side_by_side import SideBySide
from edgedl_lib.inference.compression.storage.hashed import (
    HashedLinear,
    equal_storage_width,
    hashed_network,
    plain_network,
)
from edgedl_lib.inference.compression.storage.hashing import hashed_positions, mixed
from edgedl_lib.nets.export import layer_graph

torch.set_num_threads(1)


def test_mixer_gives_the_published_sequence():
    assert int(mixed(np.array([0], np.uint64))[0]) == 0xE220A8397B1DCDAF  # splitmix64 from state 0


@pytest.mark.parametrize("salt", ["1", "2"])
def test_another_process_computes_the_same_positions(salt):
    program = (
        "from edgedl_lib.inference.compression.storage.hashing import hashed_positions as h;"
        "b, s = h(20, 30, 17, 5); print(int((b * s).sum()), b[3, 4], int(s.sum()))"
    )
    environment = {"PYTHONHASHSEED": salt, "PATH": ""}
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    buckets, signs = hashed_positions(20, 30, 17, 5)
    assert other.stdout.split() == [str(int((buckets * signs).sum())), str(buckets[3, 4]), str(int(signs.sum()))]


def test_buckets_and_signs_are_even_and_seeds_differ():
    buckets, signs = hashed_positions(200, 200, 16, 0)
    assert np.bincount(buckets.ravel(), minlength=16) == pytest.approx(np.full(16, 2500), rel=0.1)
    assert abs(signs.mean()) < 0.02
    assert abs(np.corrcoef(buckets.ravel(), signs.ravel())[0, 1]) < 0.02
    assert (hashed_positions(200, 200, 16, 1)[0] != buckets).mean() > 0.9


def test_gradient_gathers_over_collisions():
    layer, inputs = HashedLinear(6, 4, stored=5), torch.randn(3, 6)
    layer(inputs).sum().backward()
    with_bias = torch.cat([inputs, torch.ones(3, 1)], 1).sum(0)  # d sum / d V_ij = sum of a_j
    expected = [(layer.signs * with_bias)[layer.buckets == k].sum().item() for k in range(5)]
    assert layer.weight.grad.tolist() == pytest.approx(expected, abs=1e-5)


def test_injective_hash_is_the_dense_layer():
    layer, inputs = HashedLinear(6, 4, stored=28), torch.randn(3, 6)
    layer.buckets = torch.arange(28).view(4, 7)
    layer.signs = torch.ones(4, 7)
    dense = layer.weight.view(4, 7)
    assert torch.equal(layer(inputs), functional.linear(inputs, dense[:, :-1], dense[:, -1]))


def test_one_stored_value_leaves_a_pattern_of_signs():
    layer = HashedLinear(50, 40, stored=1)
    assert layer.virtual.abs().unique().numel() == 1
    assert 0.4 < (layer.virtual > 0).float().mean() < 0.6


def test_state_holds_the_stored_values_alone_and_returns():
    network = hashed_network((64, 200, 10), 1 / 64)
    assert sum(value.numel() for value in network.state_dict().values()) == round(200 * 65 / 64) + round(10 * 201 / 64)
    again = hashed_network((64, 200, 10), 1 / 64)
    again.load_state_dict(network.state_dict())
    inputs = torch.randn(5, 64)
    assert torch.equal(network(inputs), again(inputs))


def test_initial_weights_follow_the_virtual_fan_in():
    assert float(HashedLinear(400, 10, stored=20).weight.detach().abs().max()) <= 1 / 20


def test_side_by_side_gives_what_each_network_gives_alone():
    networks = [hashed_network((8, 6, 3), 0.5, seed) for seed in range(3)]
    inputs = torch.randn(4, 3, 8)
    together = SideBySide(networks)(inputs)
    alone = torch.stack([network(inputs[:, place]) for place, network in enumerate(networks)], dim=1)
    assert torch.allclose(together, alone, atol=1e-6)


def test_layer_graph_counts_stored_parameters_and_virtual_operations():
    hashed, plain = hashed_network((64, 200, 10), 1 / 8), plain_network((64, 200, 10))
    graph = layer_graph(hashed, (64,))
    assert graph.flop == layer_graph(plain, (64,)).flop
    assert graph.parameter_count == sum(p.numel() for p in hashed.parameters())
    assert stored_bytes(hashed) == 4 * graph.parameter_count


@pytest.mark.parametrize("share", [0, -1, 1.5, float("nan")])
def test_impossible_shares_are_refused(share):
    with pytest.raises(ValueError, match="outside"):
        hashed_network((64, 200, 10), share)


def test_no_bucket_is_refused():
    with pytest.raises(ValueError, match="positive"):
        HashedLinear(4, 4, stored=0)


def test_equal_storage_favours_the_dense_network():
    width = equal_storage_width((64, 200, 10), 1 / 64)
    assert sum(p.numel() for p in plain_network((64, width, 10)).parameters()) >= 15010 / 64
