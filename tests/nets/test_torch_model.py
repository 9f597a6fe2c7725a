"""The PyTorch twin of a layer graph: shapes, FLOPs, seeds, and runs in parts."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from edgedl_lib.nets import ANALOGUES, MODELS, ModelBuilder, UnknownName, analogue, collapse_to_chain, layers, model
from edgedl_lib.nets.graph import chain
from edgedl_lib.nets.torch_model import to_torch
from edgedl_lib.nets.zoo import alexnet, cmsis_cifar10, ds_cnn_kws, googlenet, lenet5, resnet_ic, senna

SMALL = {"lenet5": lenet5, "resnet_ic": resnet_ic, "ds_cnn_kws": ds_cnn_kws, "senna": senna, "cmsis": cmsis_cifar10}
EVERY_GRAPH = {name: model(name) for name in MODELS} | {name: analogue(name).with_batch(1) for name in ANALOGUES}


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _image(graph, batch=1, seed=0):
    return torch.rand((batch, *graph.input_shape), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", EVERY_GRAPH)
def test_shapes_parameters_and_flop_of_every_model_are_those_of_torch(name):
    graph, batch = EVERY_GRAPH[name], 2
    twin = to_torch(graph, device="meta")
    image = torch.empty((batch, *graph.input_shape), device="meta")
    with FlopCounterMode(display=False) as counter:
        outputs = twin.run_layers({"input": image}, graph.layer_names, keep_all=True)
    for layer in graph:
        assert tuple(outputs[layer.name].shape) == (batch, *layer.output_shape), layer.name
        held = sum(parameter.numel() for parameter in twin.layers[layer.name].parameters())
        assert held == layer.parameter_count, layer.name
    assert counter.get_total_flops() == batch * 2 * graph.mac


@pytest.mark.parametrize("kind", ["conv", "dense", "local"])
def test_flop_of_each_weighted_kind_alone_equals_torch(kind):
    build = {
        "conv": lambda: layers.conv("x", (4, 9, 7), 6, kernel=(3, 2), stride=2, padding=1, groups=2),
        "dense": lambda: layers.dense("x", (4, 9, 7), 11),
        "local": lambda: layers.local("x", (4, 9, 7), 6, kernel=(3, 2), stride=2, padding=1),
    }
    graph = chain("one", (4, 9, 7), (build[kind](),))
    with FlopCounterMode(display=False) as counter:
        to_torch(graph)(_image(graph))
    assert counter.get_total_flops() == graph.flop


def test_local_layer_with_equal_filters_everywhere_is_a_convolution():
    graph = chain("l", (3, 8, 9), (layers.local("l", (3, 8, 9), 5, kernel=(3, 2), stride=(2, 1), padding=(1, 0)),))
    twin, image = to_torch(graph), _image(graph, batch=2)
    module = twin.layers["l"]
    weight, bias = torch.randn(5, 3, 3, 2), torch.randn(5)
    module.weight.copy_(weight.reshape(1, 5, -1).expand_as(module.weight))
    module.bias.copy_(bias[:, None].expand_as(module.bias))
    expected = functional.conv2d(image, weight, bias, stride=(2, 1), padding=(1, 0))
    torch.testing.assert_close(twin(image), expected)


def test_local_layer_uses_different_filters_at_different_positions():
    graph = chain("l", (1, 4, 4), (layers.local("l", (1, 4, 4), 1, kernel=1, bias=False),))
    output = to_torch(graph)(torch.ones(1, 1, 4, 4))
    assert output.unique().numel() == 16


@pytest.mark.parametrize("name", SMALL)
def test_split_run_equals_whole_run_bit_for_bit_at_every_cut(name):
    graph = SMALL[name]()
    twin, image = to_torch(graph, seed=3), _image(graph, batch=2)
    whole = twin(image)
    names = graph.layer_names
    for cut in range(1, len(names)):
        crossing = twin.run_layers({"input": image}, names[:cut])
        needed = {a for a, b in graph.edges if a in names[:cut] and b in names[cut:]}
        assert crossing.keys() == needed
        assert torch.equal(twin.run_layers(crossing, names[cut:])[names[-1]], whole)


def test_alexnet_is_cut_after_pool5_without_changing_its_answer():
    graph = alexnet()
    twin, image = to_torch(graph), _image(graph)
    at = graph.layer_names.index("pool5") + 1
    crossing = twin.run_layers({"input": image}, graph.layer_names[:at])
    assert list(crossing) == ["pool5"]
    assert crossing["pool5"].numel() * 4 == graph["pool5"].output_bytes
    assert torch.equal(twin.run_layers(crossing, graph.layer_names[at:])["prob"], twin(image))


def test_a_dag_cut_inside_its_blocks_sends_each_tensor_once():
    graph = googlenet()
    twin, image = to_torch(graph), _image(graph)
    at = graph.layer_names.index("inception_3a_3x3") + 1
    crossing = twin.run_layers({"input": image}, graph.layer_names[:at])
    assert set(crossing) == {"pool2", "inception_3a_1x1_relu", "inception_3a_3x3"}
    assert torch.equal(twin.run_layers(crossing, graph.layer_names[at:])["prob"], twin(image))


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_device_side_closed_under_predecessors_gives_the_same_answer(data):
    graph = resnet_ic()
    device = set()
    for name in graph.layer_names:
        if set(graph.predecessors(name)) <= device and data.draw(st.integers(0, 5)):
            device.add(name)
    twin, image = to_torch(graph), _image(graph)
    crossing = twin.run_layers({"input": image}, device)
    rest = [name for name in graph.layer_names if name not in device]
    answer = twin.run_layers({"input": image, **crossing}, rest)["prob"] if rest else crossing["prob"]
    assert torch.equal(answer, twin(image))


def test_units_of_a_collapsed_chain_run_by_their_members():
    graph = resnet_ic()
    twin, image = to_torch(graph), _image(graph)
    tensors = {"input": image}
    for unit in collapse_to_chain(graph):
        tensors = twin.run_layers(tensors, unit.config.get("members", (unit.name,)))
        assert len(tensors) == 1
    assert torch.equal(tensors["prob"], twin(image))


def test_seed_alone_decides_the_weights():
    torch.manual_seed(1)
    first = to_torch(lenet5(), seed=7)
    torch.manual_seed(2)
    again, other = to_torch(lenet5(), seed=7), to_torch(lenet5(), seed=8)
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(first.layers["conv1"].weight, other.layers["conv1"].weight)


def test_building_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    to_torch(resnet_ic())
    assert torch.equal(before, torch.get_rng_state())


def test_models_are_in_evaluation_mode_with_finite_signals_through_the_depth():
    twin = to_torch(googlenet())
    assert not twin.training
    assert not any(parameter.requires_grad for parameter in twin.parameters())
    answer = twin(_image(twin.graph))
    assert answer.dtype == torch.float32
    assert answer.sum().item() == pytest.approx(1, abs=1e-5)
    assert answer.std() > 0


def test_argmax_gives_the_label():
    twin = to_torch(lenet5(argmax=True))
    outputs = twin.run_layers({"input": _image(twin.graph, 4)}, twin.graph.layer_names, keep_all=True)
    assert torch.equal(outputs["argmax"][:, 0].long(), outputs["prob"].argmax(1))


def test_several_results_come_as_a_tuple():
    net = ModelBuilder("two", (2, 4, 4))
    trunk = net.relu("trunk")
    net.dense("left", 3, after=trunk)
    net.reshape("right", (4, 8), after=trunk)
    left, right = to_torch(net.graph())(torch.rand(5, 2, 4, 4))
    assert (left.shape, right.shape) == ((5, 3), (5, 4, 8))


def test_wrong_shapes_missing_inputs_and_merged_units_are_refused():
    twin = to_torch(lenet5())
    with pytest.raises(ValueError, match=r"conv1 expects inputs \(\(1, 28, 28\),\) after the batch, but got \(\(3, 28"):
        twin(torch.rand(1, 3, 28, 28))
    with pytest.raises(ValueError, match="ip1 needs the output of pool2, which was neither given nor run"):
        twin.run_layers({"input": torch.rand(1, 1, 28, 28)}, ["ip1"])
    with pytest.raises(ValueError, match=r"pool2 expects inputs \(\(50, 8, 8\),\)"):
        twin.run_layers({"conv2": torch.rand(1, 50, 8, 7)}, ["pool2"])
    with pytest.raises(UnknownName, match="no layer 'ip3'"):
        twin.run_layers({"input": torch.rand(1, 1, 28, 28)}, ["ip3"])
    with pytest.raises(ValueError, match="holds merged units"):
        to_torch(collapse_to_chain(resnet_ic()))
