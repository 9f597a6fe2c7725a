"""Layer graphs and their builder: order, neighbours, batches and refused models."""

import pickle

import numpy as np
import pytest

from edgedl_lib.nets import LayerGraph, ModelBuilder, UnknownName, chain, layers
from edgedl_lib.nets.zoo import alexnet, resnet18


@pytest.fixture
def diamond():
    net = ModelBuilder("diamond", (2, 6, 6))
    trunk = net.conv("trunk", 4, kernel=3)
    left = net.conv("left", 4, kernel=1, after=trunk)
    right = net.relu("right", after=trunk)
    net.concat("join", after=(right, left))
    net.dense("fc", 5)
    return net.graph()


def test_a_chain_knows_it_is_one(diamond):
    assert alexnet().is_chain
    assert not diamond.is_chain
    assert not resnet18().is_chain
    assert chain("one", (3,), (layers.dense("fc", (3,), 2),)).is_chain


def test_neighbours_keep_the_order_in_which_inputs_are_joined(diamond):
    assert diamond.predecessors("join") == ("right", "left")
    assert set(diamond.successors("trunk")) == {"left", "right"}
    assert diamond.predecessors("trunk") == ()
    assert (diamond.entries, diamond.exits) == (("trunk",), ("fc",))


def test_networkx_form_has_the_same_edges_and_may_show_the_input(diamond):
    plain, with_input = diamond.to_networkx(), diamond.to_networkx(with_input=True)
    assert set(plain.edges) == set(diamond.edges)
    assert set(with_input.edges) - set(plain.edges) == {("input", "trunk")}
    assert plain.nodes["fc"]["layer"] is diamond["fc"]


def test_a_batch_multiplies_work_and_tensors_but_not_parameters():
    one, many = alexnet(), alexnet().with_batch(8)
    assert many.flop == 8 * one.flop
    assert many.mac == 8 * one.mac
    assert many.input_bytes == 8 * one.input_bytes
    for per_layer in (LayerGraph.flop_per_layer, LayerGraph.output_bytes_per_layer, LayerGraph.input_bytes_per_layer):
        np.testing.assert_array_equal(per_layer(many), 8 * per_layer(one))
    np.testing.assert_array_equal(many.parameter_bytes_per_layer(), one.parameter_bytes_per_layer())
    assert many.with_batch(1) == one


def test_per_layer_arrays_follow_the_layers():
    graph = alexnet()
    at = graph.layer_names.index("fc6")
    assert graph.flop_per_layer().sum() == graph.flop
    assert graph.parameter_bytes_per_layer()[at] == 4 * 37_752_832
    assert graph.input_bytes_per_layer()[at] == graph.output_bytes_per_layer()[at - 1] == 36_864


def test_raw_input_takes_a_byte_per_element_unless_stated():
    assert alexnet().input_bytes == 227 * 227 * 3
    assert alexnet().with_input_bytes(152_000).input_bytes == 152_000


def test_graphs_survive_pickling_and_hashing():
    graph = resnet18()
    copy = pickle.loads(pickle.dumps(graph))
    assert copy == graph
    assert hash(copy) == hash(graph)


def test_unknown_layer_is_named_together_with_the_known_ones():
    with pytest.raises(UnknownName, match=r"alexnet has no layer 'fc9'; its layers are conv1, .*prob$") as caught:
        alexnet()["fc9"]
    assert isinstance(caught.value, KeyError)
    with pytest.raises(UnknownName, match="fc9"):
        alexnet().predecessors("fc9")


def _pair():
    return layers.dense("a", (3,), 4), layers.dense("b", (4,), 2)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: LayerGraph("m", (3,), (), (), 3), "needs at least one layer"),
        (lambda: chain("m", (3,), (layers.activation("a", (3,)),) * 2), "unique, repeated: a"),
        (lambda: LayerGraph("m", (3,), _pair(), (("a", "c"),), 3), "unknown layer 'c'"),
        (lambda: LayerGraph("m", (3,), _pair(), (("b", "a"),), 3), "points backwards"),
        (lambda: LayerGraph("m", (3,), _pair(), (("a", "a"),), 3), "points backwards"),
        (lambda: chain("m", (5,), _pair()), r"a expects inputs \(\(3,\),\) but receives \(\(5,\),\)"),
        (lambda: LayerGraph("m", (3,), _pair(), (), 3), "b expects inputs"),
        (lambda: chain("m", (3,), _pair(), batch=0), "batch 0 must be at least 1"),
        (lambda: chain("m", (3,), _pair(), input_bytes=-1), "input_bytes -1 is negative"),
        (lambda: alexnet().with_batch(-2), "batch -2 must be at least 1"),
        (lambda: chain("m", (3,), (layers.dense("input", (3,), 4),)), "'input' names the raw input"),
        (lambda: ModelBuilder("m", (3,)).graph(), "needs at least one layer"),
    ],
)
def test_bad_graphs_say_what_is_wrong(build, says):
    with pytest.raises(ValueError, match=says):
        build()


def test_builder_refuses_a_name_twice_an_unknown_source_and_a_join_with_the_input():
    net = ModelBuilder("m", (2, 4, 4))
    net.relu("a")
    with pytest.raises(ValueError, match="'a' exists already"):
        net.relu("a")
    with pytest.raises(UnknownName, match="no layer 'x' to read from; so far: a"):
        net.relu("b", after="x")
    with pytest.raises(ValueError, match="cannot join the raw input"):
        net.add("c", after=("input", "a"))


def test_a_refused_layer_leaves_the_builder_as_it_was():
    net = ModelBuilder("m", (2, 4, 4))
    net.relu("a")
    with pytest.raises(ValueError, match="kernel"):
        net.conv("b", 4, kernel=9)
    net.conv("b", 4, kernel=3)
    assert net.graph().layer_names == ("a", "b")
