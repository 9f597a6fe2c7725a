"""Wrong ways to measure a machine, fed with one recorded run, so that no clock decides whether they are caught."""

from dataclasses import replace

import numpy as np

from edgedl_lib.inference.partition.regression import FlopModel, TypeMeanModel
from edgedl_lib.nets.zoo import alexnet, cmsis_cifar10, lenet5
from edgedl_lib.offloading.platform.measured.host_roofline import HostRoofline, RooflinePoint
from edgedl_lib.offloading.platform.measured.latency_study import cut_regret
from edgedl_lib.offloading.platform.measured.model_loading import LoadingCell, LoadingMatrix
from edgedl_lib.offloading.platform.measured.timing import Timing, ratio_in_turn
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system.device import Calibration, Device

# A recorded run on two cores of a server: one dense layer of 4096 x 4096 by batch, and a convolution.
WEIGHTS = 4096 * 4096
SECONDS_BY_BATCH = {1: 3.3e-3, 2: 6.4e-3, 4: 7.1e-3, 8: 8.4e-3, 16: 11.1e-3, 64: 27.6e-3, 256: 95.5e-3}
POINTS = tuple(
    RooflinePoint(f"dense, batch {b}", "dense", 2.0 * b * WEIGHTS, 4.0 * (WEIGHTS + b * 8192), seconds)
    for b, seconds in SECONDS_BY_BATCH.items()
)
CONVOLUTION = RooflinePoint("conv 3x3", "conv 3x3", 2.31e8, 2.76e6, 2.1e-3)
ROOFS = HostRoofline(peak=107e9, bandwidth=33e9, points=(*POINTS, CONVOLUTION))

# Package, network, load, inference (s), peak memory (bytes).
CELLS = tuple(
    LoadingCell(package, network, load, 1.5 * steady, steady, steady, memory, ())
    for package, network, load, steady, memory in (
        ("PyTorch eager", "AlexNet-like", 94.6e-3, 2.35e-3, 306e6),
        ("ONNX Runtime", "AlexNet-like", 77.8e-3, 1.39e-3, 114e6),
        ("ONNX Runtime int8", "AlexNet-like", 24.5e-3, 0.15e-3, 74e6),
        ("NumPy", "AlexNet-like", 30.6e-3, 1.52e-3, 67e6),
        ("scikit-learn", "AlexNet-like", 11.1e-3, 1.47e-3, 193e6),
        ("PyTorch eager", "SqueezeNet-like", 4.5e-3, 0.88e-3, 242e6),
        ("ONNX Runtime", "SqueezeNet-like", 6.2e-3, 0.31e-3, 63e6),
        ("NumPy", "SqueezeNet-like", 5.8e-3, 2.82e-3, 32e6),
    )
)
RUN_OF_IMAGES = 100  # pCAMP runs a hundred images; loading is compared with one

PROCESSOR = Device(
    "a model of a processor",
    peak_flop_per_s=100e9,
    memory_bandwidth=30e9,
    overhead=3e-6,
    by_kind={"pool": Calibration(0.01, 0.2, 3e-6), "lrn": Calibration(0.02, 0.2, 3e-6)},
)


def simulated(graph):
    return np.maximum(PROCESSOR.layer_latency(graph), 1e-7)


@sabotage("roofline.host.max_over_roof")
def multiply_adds_for_flops():
    """A peak counted in multiply-adds is half as high, and points counted in FLOP rise above it."""
    roofs = replace(ROOFS, peak=ROOFS.peak / 2)
    return max(roofs.share(point) for point in roofs.points)


@sabotage("roofline.host.gemv_share")
def batched_vectors():
    """Sending many vectors at once looks like the same layer, but uses each weight many times."""
    return POINTS[-1].rate / ROOFS.peak


@sabotage("roofline.host.gemm_beyond_ridge")
def intensity_from_cache():
    """Taking the bandwidth of a cache for that of the memory moves the ridge, and the points with it."""
    roofs = replace(ROOFS, peak=ROOFS.peak * 4, bandwidth=ROOFS.bandwidth * 10)
    return min(roofs.share(point) for point in POINTS if point.intensity > roofs.ridge_point)


@sabotage("roofline.host.gemm_growth")
def calls_per_second():
    """Calls per second instead of FLOP per second: a larger batch then looks slower."""
    calls = [1 / point.seconds for point in POINTS[:4]]
    return min(after / before for before, after in zip(calls, calls[1:], strict=False))


@sabotage("latency_models.regret.regression")
def one_time_per_type():
    """A history of one large network knows how long "a convolution" takes, and says so of small ones too."""
    history = TypeMeanModel().fit(alexnet().layers, simulated(alexnet()))
    small = (lenet5(), cmsis_cifar10())
    return float(np.mean([cut_regret(graph, simulated(graph), history.predict(graph.layers)) for graph in small]))


@sabotage("latency_models.regret.flop_excess")
def history_for_regression():
    """Per type it is, but a history of times instead of a regression: then even a count decides better."""
    training, times = alexnet().layers, simulated(alexnet())
    count, history = FlopModel("absolute").fit(training, times), TypeMeanModel().fit(training, times)
    small = (lenet5(), cmsis_cifar10())
    regrets = [
        np.mean([cut_regret(graph, simulated(graph), model.predict(graph.layers)) for graph in small])
        for model in (count, history)
    ]
    return float(regrets[0] - regrets[1])


@sabotage("cmsis_nn.throughput")
def a_kernel_against_itself():
    """Both sides through the same buffer: the comparison of types that the 4.6 is often taken for."""
    same = Timing((14.1e-3, 13.9e-3, 15.1e-3))
    return ratio_in_turn(same, same)


@sabotage("cmsis_nn.host.int8_speedup.d64")
def gain_of_the_large_layer():
    """The gain of a layer with 2048 inputs, claimed for all sizes."""
    return ratio_in_turn(Timing((361e-6, 353e-6, 344e-6)), Timing((77e-6, 81e-6, 75e-6)))


@sabotage("cmsis_nn.host.int8_speedup.d2048")
def weights_dequantised_at_every_call():
    """Reading one byte, writing four and reading four again moves nine bytes a weight where float32 moves four."""
    return 4 / (1 + 4 + 4)


@sabotage("cmsis_nn.host.digits_drop")
def range_from_other_images():
    """The range of the pixels is taken from dark images: everything brighter is clipped to one grey."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    train, test = slice(0, 1200), slice(1200, None)
    design = np.hstack([images, np.ones((len(images), 1))])
    weights = np.linalg.lstsq(design[train], np.eye(10)[labels[train]], rcond=None)[0]
    clipped = np.minimum(design[test], 1.0)
    right = [np.mean((x @ weights).argmax(axis=1) == labels[test]) for x in (design[test], clipped)]
    return 100 * float(right[0] - right[1])


@sabotage("cmsis_nn.host.int8_error")
def scale_that_clips():
    """A scale for half of the weights' range keeps small weights finer and cuts the large ones off."""
    rng = np.random.default_rng(0)
    weight, x = rng.standard_normal((512, 512)), rng.standard_normal(512)
    step = np.abs(weight).max() / 4 / 127
    rounded = np.clip(np.round(weight / step), -127, 127) * step
    return float(np.linalg.norm(rounded @ x - weight @ x) / np.linalg.norm(weight @ x))


@sabotage("mobile_training.size_crucial")
def fixed_part_of_the_step():
    """Timing what does not depend on the size, such as clearing the gradients of a fixed number of tensors."""
    fixed, per_width = 120e-6, 2e-9
    seconds = [fixed + per_width * width for width in (128, 256, 512, 1024)]
    return min(after / before for before, after in zip(seconds, seconds[1:], strict=False))


@sabotage("mobile_training.memory_formula")
def batch_forgotten():
    """The activations of one sample, where sixteen are stored."""
    import torch

    from edgedl_lib.offloading.platform.measured.training_step import dense_network, training_memory

    network = dense_network(64, 2)
    one, sixteen = (training_memory(network, torch.zeros(batch, 256)) for batch in (1, 16))
    return abs(one.activations / sixteen.tracked_activations - 1)


@sabotage("mobile_training.step_over_inference")
def step_without_gradients():
    """A step under inference mode runs forward only."""
    forward = Timing((2.28e-3, 2.31e-3, 2.25e-3))
    return ratio_in_turn(forward, forward)


@sabotage("pcamp.no_winner")
def one_network_one_metric():
    """A single column has a single winner."""
    one = [cell for cell in CELLS if cell.network == "AlexNet-like"]
    steady = [replace(c, load=c.steady, first=c.steady, processor=c.steady, peak_memory=c.steady) for c in one]
    return LoadingMatrix(tuple(steady)).dominance


@sabotage("pcamp.load_time", "ai_benchmark.load_time")
def against_a_hundred_images():
    """Loading compared with the whole run of a hundred images."""
    matrix = LoadingMatrix(tuple(replace(cell, steady=RUN_OF_IMAGES * cell.steady) for cell in CELLS))
    return {
        "pcamp.load_time": matrix.share_load_longer,
        "ai_benchmark.load_time": matrix.median_load_over_inference,
    }
