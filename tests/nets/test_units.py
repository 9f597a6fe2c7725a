"""Merged units: chains of dominators, fused element-wise layers, refused groupings."""

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.nets import (
    MODELS,
    ModelBuilder,
    collapse_to_chain,
    members_of,
    merge_elementwise,
    merge_layers,
    model,
    sum_per_unit,
)
from edgedl_lib.nets.zoo import alexnet, alexnet_two_branch, googlenet, resnet18, vgg16


@pytest.mark.parametrize("name", MODELS)
def test_collapsing_keeps_work_parameters_and_every_layer_once(name):
    graph = model(name)
    units = collapse_to_chain(graph)
    assert units.is_chain
    assert (units.flop, units.mac, units.parameter_count) == (graph.flop, graph.mac, graph.parameter_count)
    assert sum(unit.weight_count for unit in units) == sum(layer.weight_count for layer in graph)
    assert [member for unit in units for member in members_of(unit)] == list(graph.layer_names)
    assert units.layers[-1].output_shape == graph.layers[-1].output_shape


def test_a_chain_collapses_to_itself():
    assert collapse_to_chain(alexnet()) == alexnet()


def test_resnet18_units_are_its_blocks():
    units = collapse_to_chain(resnet18())
    blocks = [unit for unit in units if unit.kind == "block"]
    assert [unit.name for unit in blocks] == [f"block{stage}_{index}_add" for stage in (1, 2, 3, 4) for index in (1, 2)]
    assert blocks[0].input_shapes == (blocks[0].output_shape,) == ((64, 56, 56),)


def test_googlenet_collapses_to_one_unit_per_inception_block():
    units = collapse_to_chain(googlenet())
    assert [unit.name for unit in units if unit.kind == "block"] == [
        f"inception_{block}_output" for block in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    ]


def test_two_branches_from_the_input_form_the_first_unit():
    units = collapse_to_chain(alexnet_two_branch())
    assert [unit.name for unit in units][:2] == ["concat2", "concat5"]
    assert units.layers[0].input_shapes == ((3, 227, 227),)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), size=st.integers(3, 14))
def test_units_end_exactly_at_the_layers_that_every_path_passes(data, size):
    net = ModelBuilder("random", (2, 4, 4))
    names, unread = [net.relu("n0")], set()
    for index in range(1, size):
        sources = data.draw(st.lists(st.sampled_from(names[-4:]), min_size=1, max_size=3, unique=True))
        join = net.add(f"n{index}", after=sources) if len(sources) > 1 else net.relu(f"n{index}", after=sources[0])
        unread = (unread | {names[-1]}) - set(sources) - {join} | {join}
        names.append(join)
    if len(unread) > 1:
        net.add("out", after=sorted(unread))
    graph = net.graph()
    directed, (end,) = graph.to_networkx(), graph.exits
    passed_by_all = set.intersection(*(set(path) for path in networkx.all_simple_paths(directed, "n0", end))) | {end}
    assert {unit.name for unit in collapse_to_chain(graph)} == passed_by_all


def test_merged_elementwise_layers_leave_weights_pools_and_joins():
    units = merge_elementwise(resnet18())
    assert len([unit for unit in units if unit.mac]) == 17 + 3 + 1
    assert not any(layer.kind in ("activation", "norm") for layer in units)
    assert units.flop == resnet18().flop
    assert len(merge_elementwise(vgg16())) == 13 + 5 + 3 + 1


def test_an_activation_whose_producer_has_another_reader_is_not_merged():
    net = ModelBuilder("m", (2, 4, 4))
    trunk = net.conv("conv", 2, kernel=1)
    relu = net.relu("relu", after=trunk)
    net.add("sum", after=(trunk, relu))
    assert merge_elementwise(net.graph()).layer_names == ("conv", "relu", "sum")


def test_values_of_layers_add_up_over_units():
    graph = resnet18()
    units = collapse_to_chain(graph)
    values = np.arange(len(graph), dtype=float)
    summed = sum_per_unit(units, graph, values)
    assert summed.shape == (len(units),)
    assert summed.sum() == values.sum()
    first_block = next(index for index, unit in enumerate(units) if unit.kind == "block")
    members = [graph.layer_names.index(name) for name in members_of(units.layers[first_block])]
    assert summed[first_block] == values[members].sum()
    with pytest.raises(ValueError, match="69 layers but 3 values"):
        sum_per_unit(units, graph, [1.0, 2.0, 3.0])


def test_merging_keeps_batch_and_input():
    graph = resnet18().with_batch(4).with_input_bytes(1000)
    units = collapse_to_chain(graph)
    assert (units.batch, units.input_bytes) == (4, 1000)
    assert units.flop == graph.flop


def _diamond():
    net = ModelBuilder("diamond", (2, 4, 4))
    trunk = net.relu("trunk")
    left, right = net.relu("left", after=trunk), net.relu("right", after=trunk)
    net.add("sum", after=(left, right))
    return net.graph()


@pytest.mark.parametrize(
    ("units", "says"),
    [
        ({"trunk": "a", "left": "b"}, "no unit given for right, sum"),
        ({"trunk": "a", "left": "b", "right": "b", "sum": "c"}, r"unit b of .* several outputs \(left, right\)"),
        ({"trunk": "a", "left": "b", "right": "c", "sum": "a"}, r"unit a of .* several outputs \(trunk, sum\)"),
    ],
)
def test_groupings_that_cannot_run_are_refused(units, says):
    with pytest.raises(ValueError, match=says):
        merge_layers(_diamond(), units)


def test_units_that_wait_for_each_other_are_refused():
    net = ModelBuilder("m", (2, 4, 4))
    for name in ("a", "b", "c", "d"):
        net.relu(name)
    with pytest.raises(ValueError, match=r"unit x of m has several outputs \(a, c\)"):
        merge_layers(net.graph(), {"a": "x", "b": "y", "c": "x", "d": "y"})


def test_a_graph_with_several_results_has_no_chain():
    net = ModelBuilder("m", (2, 4, 4))
    trunk = net.relu("trunk")
    net.relu("left", after=trunk)
    net.relu("right", after=trunk)
    with pytest.raises(ValueError, match=r"several results \(left, right\)"):
        collapse_to_chain(net.graph())
