"""Published totals of the zoo's models, and the layer tables of the papers."""

import pytest

from edgedl_lib.nets import MODELS, UnknownName, collapse_to_chain, merge_elementwise, model
from edgedl_lib.nets.zoo import (
    alexnet,
    alexnet_two_branch,
    autoencoder_ad,
    cmsis_cifar10,
    deepface,
    ds_cnn_kws,
    googlenet,
    kaldi_asr,
    lenet5,
    mobilenet_v1,
    mobilenet_v1_vww,
    nin,
    resnet18,
    resnet_ic,
    senna,
    tiny_yolov2,
    vgg16,
    vgg19,
)

# Layer, output elements, parameters of Caffe's AlexNet on 227x227x3, bias included.
ALEXNET_TABLE = """
conv1 290400 34944
relu1 290400 0
norm1 290400 0
pool1 69984 0
conv2 186624 307456
relu2 186624 0
norm2 186624 0
pool2 43264 0
conv3 64896 885120
relu3 64896 0
conv4 64896 663936
relu4 64896 0
conv5 43264 442624
relu5 43264 0
pool5 9216 0
fc6 4096 37752832
relu6 4096 0
drop6 4096 0
fc7 4096 16781312
relu7 4096 0
drop7 4096 0
fc8 1000 4097000
prob 1000 0
"""


def test_alexnet_is_the_caffe_table_to_the_digit():
    rows = [line.split() for line in ALEXNET_TABLE.split("\n") if line]
    ours = [[layer.name, str(layer.output_elements), str(layer.parameter_count)] for layer in alexnet()]
    assert ours == rows
    assert alexnet().parameter_count == 60_965_224
    assert alexnet().parameter_bytes / 1e6 == pytest.approx(243.9, abs=0.05)


def test_alexnet_convolutions_need_1332_million_operations():
    conv = sum(layer.flop for layer in alexnet() if layer.kind == "conv")
    assert conv / 1e9 == pytest.approx(1.332, abs=0.0005)


def test_two_branch_alexnet_is_the_same_work_on_two_paths():
    chain, branches = alexnet(), alexnet_two_branch()
    assert branches.parameter_count == chain.parameter_count
    assert branches.mac == chain.mac
    assert not branches.is_chain
    assert len(branches.entries) == 2


@pytest.mark.parametrize(
    ("graph", "layers"),
    [
        (alexnet(argmax=True), 24),
        (vgg19(argmax=True), 46),
        (deepface(), 10),
        (lenet5(argmax=True), 9),
        (kaldi_asr(), 13),
        (senna("pos"), 3),
        (senna("ner"), 3),
        (senna("chk"), 3),
    ],
)
def test_neurosurgeon_layer_counts(graph, layers):
    assert len(graph) == layers


def test_ionn_layer_counts_are_ours_plus_what_only_caffe_counts():
    data, split, scale = 1, 9, 27
    assert len(alexnet()) + data == 24
    assert len(googlenet()) + data + split == 152
    assert len(mobilenet_v1()) + data + scale == 112


def test_dads_layer_counts():
    assert len(merge_elementwise(tiny_yolov2())) + len(("input", "region")) == 17
    resnet = resnet18()
    main_path = [layer for layer in resnet if layer.kind in ("conv", "pool", "dense") and "down" not in layer.name]
    assert len(main_path) == 20


def test_dads_tiny_yolo_sizes_are_those_of_288_pixels():
    graph = tiny_yolov2(resolution=288)
    mebibyte = 2**20
    assert 4 * 3 * 288 * 288 / mebibyte == pytest.approx(0.95, abs=0.005)
    assert graph["max5"].output_bytes / mebibyte == pytest.approx(0.08, abs=0.005)


@pytest.mark.parametrize(
    ("graph", "parameters"),
    [
        (lenet5(), 431_080),
        (vgg16(), 138_357_544),
        (vgg19(), 143_667_240),
        (nin(), 7_595_176),
        (resnet18(), 11_689_512),
        (googlenet(), 6_998_552),
        (mobilenet_v1(), 4_231_976),
        (cmsis_cifar10(), 89_440 + 138),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_published_parameter_counts(graph, parameters):
    assert graph.parameter_count == parameters


@pytest.mark.parametrize(
    ("graph", "mac", "digit"),
    [
        (vgg16(), 15.47e9, 0.005e9),
        (vgg19(), 19.63e9, 0.005e9),
        (resnet18(), 1.8e9, 0.05e9),
        (googlenet(), 1.5e9, 0.1e9),  # the paper's budget of 1.5 G
        (tiny_yolov2(), 6.97e9 / 2, 0.005e9),
        (mobilenet_v1(), 568.740e6, 500),
        (mobilenet_v1(width=0.75), 325.400e6, 500),
        (mobilenet_v1(width=0.5), 149.497e6, 500),
        (mobilenet_v1(width=0.25), 41.030e6, 500),
        (mobilenet_v1(resolution=192), 418.122e6, 500),
        (mobilenet_v1(resolution=160), 290.675e6, 500),
        (mobilenet_v1(resolution=128), 186.401e6, 500),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_published_multiply_accumulates(graph, mac, digit):
    assert graph.mac == pytest.approx(mac, abs=digit)


def test_vgg16_needs_30_9_gigaflop():
    assert 2 * vgg16().mac / 1e9 == pytest.approx(30.9, abs=0.05)


def test_mobilenet_shares_of_work():
    graph = mobilenet_v1()
    point_wise = sum(layer.mac for layer in graph if layer.name.startswith("pw"))
    depth_wise = sum(layer.mac for layer in graph if layer.name.startswith("dw"))
    shares = [100 * part / graph.mac for part in (point_wise, depth_wise, graph["conv1"].mac, graph["fc"].mac)]
    assert shares == pytest.approx([94.857, 3.057, 1.906, 0.180], abs=0.0006)


@pytest.mark.parametrize(
    ("graph", "mac"),
    [
        (ds_cnn_kws(), 2_656_768),
        (resnet_ic(), 12_501_632),
        (mobilenet_v1_vww(), 7_489_664),
        (autoencoder_ad(), 264_192),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_mlperf_tiny_multiply_accumulates_exactly(graph, mac):
    assert graph.mac == mac


@pytest.mark.parametrize(
    ("graph", "keras_total"),
    [(ds_cnn_kws(), 24_908), (resnet_ic(), 78_666), (mobilenet_v1_vww(), 221_794), (autoencoder_ad(), 269_992)],
    ids=lambda value: getattr(value, "name", value),
)
def test_mlperf_tiny_parameters_with_the_running_statistics_that_keras_counts(graph, keras_total):
    statistics = sum(2 * layer.output_shape[0] for layer in graph if layer.kind == "norm")
    assert graph.parameter_count + statistics == keras_total


def test_tiny_yolo_weight_file_of_darknet():
    graph = tiny_yolov2()
    statistics = sum(2 * layer.output_shape[0] for layer in graph if layer.kind == "norm")
    header = 16
    assert 4 * (graph.parameter_count + statistics) + header == 63_471_556


def test_cmsis_network_operations_and_weights_by_layer():
    graph = cmsis_cifar10()
    weighted = [layer for layer in graph if layer.mac]
    assert [round(2 * layer.mac / 1e6, 3) for layer in weighted] == [4.915, 13.107, 6.554, 0.020]
    assert [layer.weight_count for layer in weighted] == [2_400, 25_600, 51_200, 10_240]
    assert 2 * graph.mac / 1e6 == pytest.approx(24.60, abs=0.005)
    assert sum(layer.weight_count for layer in cmsis_cifar10((32, 16, 32))) == 33_120


def test_deepface_holds_its_parameters_in_local_and_dense_layers():
    graph = deepface()
    assert graph.parameter_count == pytest.approx(120e6, rel=0.01)
    shared = sum(layer.parameter_count for layer in graph if layer.kind == "conv")
    assert shared < 0.001 * graph.parameter_count


def test_kaldi_like_network_has_thirty_million_parameters():
    assert kaldi_asr().parameter_count == pytest.approx(30e6, rel=0.01)


def test_googlenet_widths_follow_the_paper():
    graph = googlenet()
    outputs = [graph[f"inception_{block}_output"].output_shape for block in ("3a", "3b", "4a", "4e", "5b")]
    assert outputs == [(256, 28, 28), (480, 28, 28), (512, 14, 14), (832, 14, 14), (1024, 7, 7)]
    assert len(collapse_to_chain(graph)) < len(graph)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_builds_by_name_and_names_itself(name):
    graph = model(name)
    assert graph.name.startswith(name)
    assert all(layer.flop >= 0 for layer in graph)


def test_unknown_model_task_and_multiplier_are_refused():
    with pytest.raises(UnknownName, match="no model 'alexnet2' in the zoo; choose one of alexnet, "):
        model("alexnet2")
    with pytest.raises(UnknownName, match="no SENNA task 'srl'; choose one of pos, ner, chk"):
        senna("srl")
    for width in (0.0, -1.0, 0.01, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="width multiplier"):
            mobilenet_v1(width=width)
    with pytest.raises(ValueError, match="three convolutions, 2 filter counts"):
        cmsis_cifar10((32, 32))
    with pytest.raises(ValueError, match="positive integers"):
        mobilenet_v1(resolution=0)
