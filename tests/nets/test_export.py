"""Layer graphs of PyTorch modules: counts, exits, custom layers, and what cannot be exported."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from edgedl_lib.inference.compression import reference
from edgedl_lib.inference.early_exit.network import MultiExitNetwork
from edgedl_lib.inference.partition import chain_costs, scan_cuts
from edgedl_lib.nets import layers
from edgedl_lib.nets.export import NotExportable, layer_graph
from edgedl_lib.nets.torch_model import to_torch
from edgedl_lib.nets.zoo import model


def counted_flop(module, input_shape):
    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, *input_shape))
    return counter.get_total_flops()


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (reference.lenet5(), (1, 28, 28)),
        (reference.digit_network(), (1, 8, 8)),
        (reference.lenet_300_100(), (784,)),
    ],
    ids=["lenet5", "digits", "lenet300"],
)
def test_counts_are_those_of_the_module(network, shape):
    graph = layer_graph(network, shape)
    assert graph.parameter_count == sum(parameter.numel() for parameter in network.parameters())
    assert 2 * graph.mac == counted_flop(network, shape)
    assert graph.is_chain
    assert graph.layers[-1].output_shape == (10,)
    assert graph.layer_names == tuple(name for name, _ in network.named_children())


def test_a_model_built_from_a_graph_gives_its_graph_back():
    graph = model("googlenet")
    assert layer_graph(to_torch(graph, device="meta"), graph.input_shape) is graph


def test_normalisation_pooling_and_residual_sums_are_counted_by_the_rules_of_layers():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(8, 8, 3, padding=1, groups=4, bias=False), nn.BatchNorm2d(8), nn.ReLU6()
            )
            self.end = nn.Sequential(nn.MaxPool2d(3, 2, ceil_mode=True), nn.AdaptiveAvgPool2d(1), nn.Flatten())

        def forward(self, image):
            first = self.body(image)
            return self.end(first + torch.relu(first))

    graph = layer_graph(Block(), (8, 6, 6))
    assert [layer.kind for layer in graph][:5] == ["conv", "norm", "activation", "activation", "add"]
    assert graph["end.0"].output_shape == (8, 3, 3)
    assert graph["body.0"].mac == 6 * 6 * 8 * 2 * 9
    assert graph.parameter_count == 8 * 2 * 9 + 2 * 8


def three_exits():
    segments = [nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU()), nn.Conv2d(4, 4, 3, padding=1)]
    segments.append(nn.Sequential(nn.Flatten(), nn.Linear(256, 10)))
    branches = [nn.Sequential(nn.Flatten(), nn.Linear(256, 10)) for _ in range(2)]
    return MultiExitNetwork(segments, [*branches, nn.Identity()])


def test_a_network_with_exits_has_one_result_per_exit():
    network = three_exits()
    graph = layer_graph(network, (1, 8, 8))
    assert len(graph.exits) == 3
    assert {graph[name].output_shape for name in graph.exits} == {(10,)}
    assert graph.parameter_count == sum(parameter.numel() for parameter in network.parameters())
    assert len(graph.successors("segments.0.1")) == 2


def test_the_raw_input_can_be_joined():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, image):
            return torch.cat([image, self.conv(image) + image], dim=1)

    graph = layer_graph(Residual(), (2, 4, 4))
    assert graph.layers[-1].output_shape == (4, 4, 4)
    assert graph["input_copy"].kind == "reshape"


def test_a_shared_module_gives_two_layers():
    shared = nn.ReLU()
    graph = layer_graph(nn.Sequential(nn.Linear(4, 4), shared, nn.Linear(4, 4), shared), (4,))
    assert len(graph) == 4


def test_a_custom_module_states_its_own_costs():
    class Hashed(nn.Module):
        def forward(self, vector):
            return vector[:, :2]

        def as_layer(self, name, input_shape):
            return layers.Layer(name, "dense", (input_shape,), (2,), parameter_count=3, flop=16)

    graph = layer_graph(nn.Sequential(Hashed(), nn.ReLU()), (4,))
    assert (graph.parameter_count, graph.flop) == (3, 18)


def test_what_has_no_rule_is_named():
    with pytest.raises(NotExportable, match="no layer rule for GELU"):
        layer_graph(nn.Sequential(nn.GELU()), (4,))
    with pytest.raises(NotExportable, match="dilation"):
        layer_graph(nn.Sequential(nn.Conv2d(1, 1, 3, dilation=2)), (1, 8, 8))
    with pytest.raises(ValueError, match=r"expects a vector of 4 features, its input has shape \(5,\)"):
        layer_graph(nn.Sequential(nn.Linear(4, 2)), (5,))


def test_the_partition_scan_runs_on_an_exported_model():
    graph = layer_graph(reference.digit_network(), (1, 8, 8))
    flop = graph.flop_per_layer()
    scan = scan_cuts(chain_costs(graph, flop / 1e8, flop / 1e10), rates=[1e4, 1e9])
    assert list(scan.cuts) == [len(graph), 0]
