"""Compact networks: published counts to the digit, and the shuffle that connects the groups."""

import pytest
import torch

from edgedl_lib.nets import layers
from edgedl_lib.nets.graph import chain
from edgedl_lib.nets.torch_model import to_torch
from edgedl_lib.nets.zoo import (
    alexnet,
    mobilenet_v1,
    mobilenet_v1_full,
    mobilenet_v1_shallow,
    resnet_bottleneck,
    resnet_cifar,
    shufflenet,
    squeezenet,
    vgg16,
)
from edgedl_lib.nets.zoo.shufflenet import STAGE_WIDTH


@pytest.mark.parametrize(
    ("blocks", "depth", "parameters"),
    [
        (3, 20, 269_722),
        (5, 32, 464_154),
        (7, 44, 658_586),
        (9, 56, 853_018),
        (18, 110, 1_727_962),
        (200, 1202, 19_421_274),
    ],
)
def test_residual_networks_have_the_published_parameters_and_depth(blocks, depth, parameters):
    graph = resnet_cifar(blocks)
    assert graph.parameter_count == parameters
    assert sum(layer.mac > 0 for layer in graph) == depth


@pytest.mark.parametrize(
    ("depth", "parameters", "printed"), [(50, 25_557_032, 3.8), (101, 44_549_160, 7.6), (152, 60_192_808, 11.3)]
)
def test_bottleneck_networks_have_the_published_parameters_and_operations(depth, parameters, printed):
    graph = resnet_bottleneck(depth)
    assert graph.parameter_count == parameters
    assert sum(layer.mac > 0 and "down" not in layer.name for layer in graph) == depth
    assert graph.mac / 1e9 == pytest.approx(printed, abs=0.1)
    assert graph.mac < vgg16().mac


def test_shortcut_without_parameters_thins_and_pads_with_zeros():
    graph = resnet_cifar(1)
    names = ["block2_1_thin", "block2_1_zeros"]
    image = torch.rand(2, 16, 32, 32)
    output = to_torch(graph).run_layers({graph.predecessors(names[0])[0]: image}, names)[names[1]]
    assert torch.equal(output[:, :16], image[:, :, ::2, ::2])
    assert not output[:, 16:].any()


def test_squeezenet_counts_and_the_maps_of_its_table():
    graph = squeezenet()
    assert (graph.parameter_count, graph.mac) == (1_248_424, 832_667_936)
    maps = [graph[name].output_shape[1] for name in ("conv1", "pool_conv1", "pool_fire4", "pool_fire8")]
    assert maps == [111, 55, 27, 13]
    assert graph.mac > alexnet().mac
    assert graph.parameter_count < alexnet().parameter_count / 48
    assert squeezenet("1.1", 224).parameter_count == 1_235_496


def test_fire_module_squeezes_before_it_expands():
    graph = squeezenet()
    assert graph["fire4_squeeze1x1"].output_shape[0] < graph["fire4_expand3x3"].output_shape[0]
    assert graph.predecessors("fire4_output") == ("fire4_relu_expand1x1", "fire4_relu_expand3x3")


@pytest.mark.parametrize(("groups", "printed"), [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])
def test_shufflenet_complexity_is_the_paper_s_without_the_classifier(groups, printed):
    graph = shufflenet(groups)
    assert graph.mac / 1e6 == pytest.approx(printed, abs=1.5)
    assert int((graph.mac - graph["fc"].mac) / 1e6 + 0.5) == printed
    assert [graph[f"stage{stage}_1_output"].output_shape[0] for stage in (2, 3, 4)] == [
        STAGE_WIDTH[groups] * factor for factor in (1, 2, 4)
    ]


@pytest.mark.parametrize(("groups", "scale", "printed"), [(3, 2.0, 524), (3, 0.5, 38), (4, 0.5, 38)])
def test_scaled_shufflenets(groups, scale, printed):
    assert shufflenet(groups, scale).mac / 1e6 == pytest.approx(printed, abs=1.5)


def test_mobilenet_variants():
    assert round((mobilenet_v1_full().mac - mobilenet_v1_full()["fc"].mac) / 1e6) == 4866
    assert mobilenet_v1_full().parameter_count == 29_294_088
    assert round(mobilenet_v1_shallow().mac / 1e6) == 307
    assert len(mobilenet_v1()) - len(mobilenet_v1_shallow()) == 5 * 6


@pytest.mark.parametrize("groups", [2, 3, 6])
def test_shuffle_back_with_the_other_number_of_groups_is_the_identity(groups):
    shape = (12, 3, 2)
    there, back = layers.shuffle("there", shape, groups), layers.shuffle("back", shape, 12 // groups)
    image = torch.rand(2, *shape)
    mixed = to_torch(chain("there", shape, (there,)))(image)
    assert not torch.equal(mixed, image)
    assert torch.equal(to_torch(chain("both", shape, (there, back)))(image), image)


def test_shuffled_channels_of_each_group_come_from_all_groups():
    shape = (6, 1, 1)
    output = to_torch(chain("s", shape, (layers.shuffle("s", shape, 2),)))(torch.arange(6.0).reshape(1, 6, 1, 1))
    assert output.flatten().tolist() == [0, 3, 1, 4, 2, 5]


def test_small_compact_networks_run():
    for graph in (shufflenet(8, 0.25, 32), mobilenet_v1(0.25, 32), resnet_cifar(1), squeezenet("1.1", 64)):
        output = to_torch(graph)(torch.rand(1, *graph.input_shape))
        assert output.flatten().numel() in (10, 1000)
        assert torch.isfinite(output).all()


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match="no version '2'; choose one of 1.0, 1.1"):
        squeezenet("2")
    with pytest.raises(ValueError, match="not defined for 5 groups"):
        shufflenet(5)
    for scale in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="must be positive"):
            shufflenet(3, scale)
    with pytest.raises(ValueError, match="at least 1"):
        resnet_cifar(0)
    with pytest.raises(ValueError, match="no bottleneck network of depth 34"):
        resnet_bottleneck(34)
    with pytest.raises(ValueError, match="4 groups must divide 6 channels"):
        layers.shuffle("s", (6, 2, 2), 4)
    with pytest.raises(ValueError, match="6 channels are more than the 4 wanted"):
        layers.pad("p", (6, 2, 2), 4)
