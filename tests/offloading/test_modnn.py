"""MoDNN: strips equal the whole, traffic has known answers, and the model keeps its promises at the edges."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from edgedl_lib.inference.tiles.stages import NotTileable
from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.zoo import lenet5, resnet18, vgg16
from edgedl_lib.offloading.horizontal.modnn import study
from edgedl_lib.offloading.horizontal.modnn.borders import (
    aligned_ownership,
    biased_borders,
    inherited_ownership,
    map_stages,
    owned,
    staged_ownership,
)
from edgedl_lib.offloading.horizontal.modnn.dense import (
    cocluster,
    cover,
    cross_traffic,
    random_partition,
    run_partitioned,
    saved,
)
from edgedl_lib.offloading.horizontal.modnn.execution_time import execution_time, paging_seconds, speed_up
from edgedl_lib.offloading.horizontal.modnn.halo import grid_traffic, halo_messages, halo_traffic, strip_traffic
from edgedl_lib.offloading.horizontal.modnn.networks import awkward, block_sparse, keep_largest, small_vgg
from edgedl_lib.system.link import Link

VGG = vgg16()


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize("graph", [small_vgg(40, 24), awkward(), awkward(21, 30)], ids=lambda graph: graph.name)
def test_strips_equal_the_whole_and_move_what_was_counted(graph):
    for result in study.equality(graph, seed=3):
        assert result.difference < 1e-5
        assert result.moved == result.counted and result.messages_agree


def test_strips_thinner_than_the_halo_reach_beyond_their_neighbour():
    graph = awkward()
    plan = inherited_ownership(map_stages(graph), (0, 1, 2, 3, 37))
    gaps = {abs(each.sender[0] - each.receiver[0]) for stage in halo_messages(plan) for each in stage}
    assert max(gaps) > 1


@pytest.mark.parametrize("speeds", [(1, 1), (1, 2, 2, 4), (3, 1, 1), (1, 1, 1, 1, 1)])
@pytest.mark.parametrize(("size", "multiple"), [(224, 1), (224, 16), (37, 1), (37, 2)])
def test_biased_borders_are_the_fastest_of_all(speeds, size, multiple):
    borders = biased_borders(size, speeds, multiple)
    assert borders[0] == 0 and borders[-1] == size and list(borders) == sorted(borders)
    assert all(border % multiple == 0 for border in borders[:-1])
    units = -(-size // multiple)
    slowest = max(-(-rows.length // multiple) / speed for rows, speed in zip(owned(borders), speeds, strict=True))
    if units ** len(speeds) < 2e5:
        every = (p for p in itertools.product(range(1, units), repeat=len(speeds)) if sum(p) == units)
        best = min(max(count / speed for count, speed in zip(p, speeds, strict=True)) for p in every)
        assert slowest == pytest.approx(best)
    assert slowest >= units / sum(speeds)


def test_vgg_traffic_is_golden():
    assert (strip_traffic(VGG, 4).size_bytes, strip_traffic(VGG, 4).messages) == (3_096_576, 72)
    assert (grid_traffic(VGG, (2, 2)).size_bytes, grid_traffic(VGG, (2, 2)).messages) == (2_123_776, 144)


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
def test_strips_send_one_row_both_ways_at_every_border(workers):
    row_bytes = 129_024 * 4  # of the twelve maps that a convolution reads
    traffic = strip_traffic(VGG, workers)
    assert traffic.messages == 12 * 2 * (workers - 1)
    assert traffic.size_bytes == 2 * (workers - 1) * row_bytes


@pytest.mark.parametrize("workers", [2, 3])
def test_a_grid_of_one_column_is_strips(workers):
    assert grid_traffic(VGG, (workers, 1)) == strip_traffic(VGG, workers)


def test_aligned_pools_need_no_neighbour_and_others_do():
    plan = aligned_ownership(VGG, [1.0] * 4)
    pools = [index for index, stage in enumerate(plan.stages) if stage.kind == "pool"]
    assert not any(halo_messages(plan)[index] for index in pools)
    crooked = inherited_ownership(map_stages(VGG), (0, 57, 113, 169, 224))
    assert any(halo_messages(crooked)[index] for index in pools)


def test_cutting_anew_costs_bytes_only_at_few_borders_and_is_never_slower():
    staged, once = (halo_traffic(own(VGG, [1.0] * 4)) for own in (staged_ownership, aligned_ownership))
    assert abs(staged.size_bytes / once.size_bytes - 1) < 0.02
    assert study.cost_of_alignment() >= 0


def test_one_worker_sends_nothing_and_gains_nothing():
    alone = study.phones(1)
    assert halo_traffic(staged_ownership(VGG, alone.speeds)).messages == 0
    assert speed_up(VGG, alone) == 1
    assert execution_time(VGG, alone).transmission == 0


@pytest.mark.parametrize("own", [aligned_ownership, staged_ownership])
def test_more_workers_than_rows_is_a_clear_error(own):
    with pytest.raises(ValueError, match=r"16 workers but only \d+ strips"):
        own(VGG, [1.0] * 16)


@pytest.mark.parametrize("speeds", [(), (1, 0), (1, -2)])
def test_speeds_must_be_positive(speeds):
    with pytest.raises(ValueError, match="must be positive"):
        biased_borders(10, speeds)


def test_graphs_without_a_chain_of_maps_are_refused():
    with pytest.raises(NotTileable, match="branches"):
        staged_ownership(resnet18(), (1, 1))
    net = ModelBuilder("dense only", (4, 4, 4))
    net.dense("fc", 3)
    with pytest.raises(NotTileable, match="begins with fc"):
        map_stages(net.graph())


def test_speed_up_grows_with_workers_but_never_beyond_their_number():
    values = [speed_up(VGG, study.phones(count)) for count in (1, 2, 3, 4)]
    assert values == sorted(values)
    assert all(value <= count for count, value in enumerate(values, start=1))


def test_a_slow_link_is_slower_than_one_phone_and_a_free_one_is_not():
    group = study.phones(4)
    assert speed_up(VGG, replace(group, link=Link("slow", 1e6))) < 1
    ideal = replace(group, link=Link("free", np.inf), wake_up=0.0)
    assert 3.5 < speed_up(VGG, ideal) <= 4


def test_speed_up_is_over_the_fastest_phone():
    mixed = replace(study.phones(2), speeds=(1e9, 4e9), link=Link("free", np.inf), wake_up=0.0)
    assert 1 < speed_up(VGG, mixed) <= 1.25


def test_paging_reads_what_does_not_fit():
    group = replace(study.phones(4), free_memory=300e6, flash_rate=50e6)
    alone = replace(group, speeds=group.speeds[:1])
    assert paging_seconds(VGG, alone) == pytest.approx((VGG.parameter_bytes - 300e6) / 50e6)
    assert paging_seconds(VGG, group) == 0
    assert paging_seconds(VGG, replace(alone, dense_density=0.1)) == 0


def test_only_takes_phones_that_exist():
    with pytest.raises(ValueError, match="cannot take 5 of 4"):
        study.phones(4).only(5)


def test_small_networks_can_be_spread_too():
    assert halo_traffic(staged_ownership(lenet5(), (1, 1))).messages > 0


@pytest.mark.parametrize("seed", range(3))
def test_co_clustering_finds_hidden_blocks_and_shares_equally(seed):
    weights = block_sparse(seed, noise=0.0)
    partition = cocluster(weights, 4, seed)
    assert partition.cross_links(weights) == 0
    assert np.bincount(partition.outputs).tolist() == [24] * 4
    assert np.bincount(partition.inputs).tolist() == [32] * 4


def test_co_clustering_agrees_with_scikit_learn_on_clear_blocks():
    from sklearn.cluster import SpectralCoclustering

    weights = np.abs(block_sparse(1, noise=0.0))
    reference = SpectralCoclustering(4, random_state=0).fit(weights)
    ours = cocluster(weights, 4, 0)
    for first, second in ((ours.outputs, reference.row_labels_), (ours.inputs, reference.column_labels_)):
        assert len({*zip(first, second, strict=True)}) == 4


def test_uneven_numbers_of_neurons_differ_by_one_at_most():
    partition = cocluster(np.random.default_rng(0).normal(size=(10, 7)), 3, 0)
    assert np.ptp(np.bincount(partition.outputs)) <= 1 and np.ptp(np.bincount(partition.inputs)) <= 1


def test_one_worker_has_no_cross_links_and_too_many_are_refused():
    weights = block_sparse(0)
    assert cocluster(weights, 1, 0).cross_links(weights) == 0
    with pytest.raises(ValueError, match="97 workers cannot share"):
        cocluster(weights, 97, 0)


@pytest.mark.parametrize("seed", range(40))
def test_the_cover_serves_every_link_with_the_fewest_values(seed):
    generator = np.random.default_rng(seed)
    links = generator.random((5, 6)) < generator.uniform(0.05, 0.7)
    moved, summed = cover(links)
    assert (links <= (moved[None, :] | summed[:, None])).all()
    fewest = min(
        sum(rows) + int(links[~np.array(rows, bool)].any(axis=0).sum()) for rows in itertools.product((0, 1), repeat=5)
    )
    assert moved.sum() + summed.sum() == fewest


@pytest.mark.parametrize("how", [cocluster, random_partition])
def test_the_spread_product_is_the_product_and_moves_what_was_counted(how):
    weights = keep_largest(np.random.default_rng(5).normal(size=(30, 40)), 0.2)
    values, partition = np.random.default_rng(6).normal(size=40), how(weights, 4, 0)
    result, crossed = run_partitioned(weights, values, partition)
    np.testing.assert_allclose(result, weights @ values, atol=1e-12)
    traffic = cross_traffic(weights, partition)
    assert crossed == traffic.chosen <= min(traffic.neurons, traffic.partial_sums)


def test_saving_needs_something_to_save():
    with pytest.raises(ValueError, match="nothing to save"):
        saved(0, 0)
    with pytest.raises(ValueError, match="share"):
        keep_largest(np.ones((2, 2)), 0)
