"""BranchyNet's networks: exact counts, exits that export, both accountings, degenerate cases, equal-cost rivals."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from edgedl_lib.inference.early_exit import branchynet, curves, degenerate, equal_cost, published
from edgedl_lib.inference.early_exit.accounting import ExitCosts, compared, mac_costs
from edgedl_lib.inference.early_exit.branchynet_study import run_experiment, variant
from edgedl_lib.inference.early_exit.decision import decide
from edgedl_lib.inference.early_exit.joint_training import Recipe, train_baseline
from edgedl_lib.inference.early_exit.network import MultiExitNetwork, exit_logits
from edgedl_lib.inference.partition import chain_costs, dag_costs, min_cut_partition, scan_cuts
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import build

torch.set_num_threads(1)

PUBLISHED_MACS = {
    "B-LeNet": (1_140_070, (107_650, 0)),
    "B-AlexNet": (28_247_296, (1_774_592, 443_648, 0)),
    "B-ResNet-110": (232_411_968, (48_211_200, 4_291_200, 0)),
}
HONEST = {"B-LeNet": (4.10, 6.69), "B-AlexNet": (1.445, 1.60), "B-ResNet-110": (1.407, 2.03)}
LENET = ExitCosts((112_500, 1_027_570), (107_650, 0))


@pytest.fixture(scope="module")
def small_run():
    return run_experiment(lambda: branchynet.b_lenet(8), digits(0), Recipe(2, 3e-3, 32), seed=0)


@pytest.mark.parametrize("name", PUBLISHED_MACS)
def test_multiply_accumulates_equal_the_published_totals_and_an_independent_counter(name):
    make, shape = branchynet.NETWORKS[name]
    network = make().eval()
    costs = mac_costs(network, shape)
    assert (sum(costs.segments), costs.branches) == PUBLISHED_MACS[name]
    with FlopCounterMode(display=False) as counter:
        outputs = list(network(torch.zeros(1, *shape)))
    assert counter.get_total_flops() == 2 * (sum(costs.segments) + sum(costs.branches))
    assert [tuple(logits.shape) for logits in outputs] == [(1, 10)] * len(costs.branches)


@pytest.mark.parametrize("name", HONEST)
def test_both_accountings_at_the_published_shares(name):
    make, shape = branchynet.NETWORKS[name]
    gains = compared(mac_costs(make(), shape), published.table_row(name).complete_shares)
    assert gains["honest"] == pytest.approx(HONEST[name][0], rel=0.01)
    assert gains["trunk"] == pytest.approx(HONEST[name][1], rel=0.01)


def test_break_even_needs_a_tenth_of_the_samples_and_no_exit_costs_more_than_the_baseline():
    assert LENET.break_even == pytest.approx(0.1048, abs=1e-4)
    assert LENET.gain([LENET.break_even, 1 - LENET.break_even]) == pytest.approx(1)
    assert LENET.gain([0, 1]) < 1 == LENET.published_gain([0, 1])


@given(st.floats(0, 1))
def test_the_published_gain_is_an_upper_bound(share):
    assert LENET.published_gain([share, 1 - share]) > LENET.gain([share, 1 - share])


def test_the_trunk_is_a_copy_and_start_from_brings_it_back():
    network = build(branchynet.b_lenet, 0)
    baseline = branchynet.trunk(network)
    images = torch.rand(3, 1, 28, 28)
    assert torch.equal(baseline(images), exit_logits(network, images)[-1])
    other = build(branchynet.b_lenet, 1)
    before = other.branches[0][-1].weight.clone()
    branchynet.start_from(other, baseline)
    assert torch.equal(baseline(images), exit_logits(other, images)[-1])
    assert torch.equal(before, other.branches[0][-1].weight)
    with pytest.raises(ValueError, match="parts"):
        branchynet.start_from(branchynet.b_alexnet(), baseline)


def test_the_baseline_goes_on_alone_after_its_first_half():
    trained = train_baseline(lambda: branchynet.b_lenet(8), digits(0).train, Recipe(1, 3e-3, 64), seed=0)
    pairs = zip(trained.halfway.parameters(), trained.full.parameters(), strict=True)
    assert all(not torch.equal(first, second) for first, second in pairs)


def test_networks_with_exits_run_through_the_partition_optimisers():
    network = branchynet.b_lenet()
    graph = layer_graph(network, (1, 28, 28))
    assert len(graph.exits) == 2
    device, server = graph.flop_per_layer() / 1e8 + 1e-6, graph.flop_per_layer() / 1e10 + 1e-7
    slow, fast = (min_cut_partition(dag_costs(graph, device, server), rate) for rate in (1e3, 1e9))
    assert len(slow.device_layers) > len(fast.device_layers)
    chain = layer_graph(torch.nn.Sequential(network.segments[0], *network.branches[0]), (1, 28, 28))
    assert chain.is_chain
    times = chain.flop_per_layer() / 1e8
    assert scan_cuts(chain_costs(chain, times, times / 100), np.array([1e3])).cuts[0] == len(chain)


@pytest.mark.parametrize("make", [branchynet.b_alexnet, branchynet.b_resnet110])
def test_deeper_networks_export_with_all_exits(make):
    graph = layer_graph(make(), (3, 32, 32))
    assert len(graph.exits) == 3 and graph.mac == sum(sum(part) for part in _parts(make()))


def _parts(network):
    costs = mac_costs(network, (3, 32, 32))
    return costs.segments, costs.branches


def test_thresholds_at_both_ends(small_run):
    logits = small_run.test_logits
    assert degenerate.answers_changed_at_zero(logits) == 0
    assert decide(logits, [0.0]).shares.tolist() == [0, 1]
    assert decide(logits, [2.31]).shares.tolist() == [1, 0]
    assert torch.equal(decide(logits, [2.31]).prediction, logits[0].argmax(dim=1))


def test_an_untrained_network_keeps_everybody_and_a_constant_class_nobody():
    def make():
        return branchynet.b_lenet(8)

    data = digits(0)
    assert 2.2 < degenerate.untrained_entropy(make, data, 0) <= np.log(10)
    assert degenerate.untrained_exits(make, data, 0) == 0
    assert degenerate.constant_class_exits(make, data, Recipe(4, 3e-3, 32), 0) == 100
    assert degenerate.criteria_accepting_regression() == 0


def test_a_run_is_repeatable_and_leavers_are_better_than_stayers(small_run):
    again = run_experiment(lambda: branchynet.b_lenet(8), digits(0), Recipe(2, 3e-3, 32), seed=0)
    assert torch.equal(again.test_logits, small_run.test_logits)
    entropies = curves.criterion_named("entropy").measure(small_run.test_logits[0])
    leave, stay = curves.conditional_accuracy(
        small_run.test_logits, small_run.data.test.targets, float(entropies.median())
    )
    assert leave > stay
    with pytest.raises(ValueError, match="leave"):
        curves.conditional_accuracy(small_run.test_logits, small_run.data.test.targets, 0.0)


def test_loss_weights_steer_the_exits(small_run):
    only_final = variant(small_run, lambda: branchynet.b_lenet(8), Recipe(2, 3e-3, 32), 0, weights=(0.0, 1.0))
    assert only_final.exit_accuracies[0] < small_run.exit_accuracies[0] - 20
    with pytest.raises(ValueError, match="weights"):
        variant(small_run, lambda: branchynet.b_lenet(8), Recipe(1), 0, weights=(1.0, 1.0, 1.0))


def test_curve_ends_and_chord(small_run):
    curve = small_run.curve()
    assert [100 * value for value in curve.accuracy[[-1, 0]]] == pytest.approx(small_run.exit_accuracies)
    assert curve.random_at(0.5) == pytest.approx(curve.accuracy[[0, -1]].mean())
    assert np.diff(curve.share).min() > 0


def test_easy_and_hard_groups_are_disjoint_and_sorted(small_run):
    groups = curves.hardest_and_easiest(small_run.test_logits, small_run.data.test.targets, 5)
    right = small_run.test_logits[0].argmax(dim=1) == small_run.data.test.targets
    assert right[groups["easy, right"]].all() and not right[groups["hard, wrong"]].any()
    entropies = curves.criterion_named("entropy").measure(small_run.test_logits[0])
    assert (entropies[groups["hard, right"]].diff() <= 0).all() and (entropies[groups["easy, right"]].diff() >= 0).all()


def test_rivals_cost_no_more_and_a_mask_survives_training(small_run):
    width = equal_cost.width_for(8, 30_000)
    assert mac_costs(branchynet.b_lenet(8, width), (1, 8, 8)).baseline <= 30_000
    assert mac_costs(branchynet.b_lenet(8, width + 0.1), (1, 8, 8)).baseline > 30_000
    pruned = equal_cost.train_pruned(small_run.halfway, small_run.data, 0.1, Recipe(1, 1e-3, 64), 0)
    weight = pruned[1][2].weight
    assert int((weight != 0).sum()) == round(0.1 * weight.numel())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: branchynet.b_lenet(2), "4x4"),
        (lambda: branchynet.b_lenet(8, 0), "width"),
        (lambda: MultiExitNetwork([], []), "empty"),
        (lambda: LENET.gain([0.5, 0.4]), "sum"),
        (lambda: ExitCosts((0,), (0,)), "above 0"),
        (lambda: ExitCosts((1, 1, 1), (1, 1, 0)).break_even, "one early exit"),
        (lambda: equal_cost.width_for(8, 10), "costs at most"),
        (lambda: equal_cost.train_pruned(None, None, 0.0, None, 0), "density"),
        (lambda: published.table_row("B-VGG"), "no published run"),
        (lambda: curves.static_line(0.5, (1, 0.9), (1, 0.9)), "cheaper"),
        (lambda: decide(torch.full((2, 1, 2), torch.nan), [0.1]), "NaN"),
        (lambda: decide(torch.zeros(2, 1, 2), [-0.1]), "threshold"),
        (lambda: decide(torch.zeros(2, 1, 2), [1.1], "probability"), "threshold"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_published_facts_are_consistent():
    assert sum(published.table_row("B-LeNet").complete_shares) == pytest.approx(1)
    sweep = published.published_runs("B-LeNet", "notebook")
    assert [row.thresholds for row in sweep] == sorted(row.thresholds for row in sweep)
    assert set(row.thresholds[0] for row in sweep) <= set(published.THRESHOLD_GRID)
    table = published.table_row("B-LeNet")
    ratio = published.published_runs("LeNet", "table")[0].cpu_seconds / table.cpu_seconds
    assert ratio == pytest.approx(table.cpu_gain, abs=0.05)
