"""Wrong quantisers, wrong sums, and wrong gains of eight bits."""

from functools import cache

import numpy as np
import torch
from torch import nn

from edgedl_lib.inference.compression.eight_bits import int8, int8_study, integer_arithmetic
from edgedl_lib.inference.compression.eight_bits.onnx_runtime import OrtSession, quantise_static, to_onnx
from edgedl_lib.inference.compression.factors import low_rank_study
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import build, error, predict, train
from edgedl_lib.reproduce.sabotage import sabotage


@cache
def trained():
    data = digits(0)
    network = build(lambda: low_rank_study.conv_network(8), 0)
    train(network, data.train, epochs=6, seed=0, learning_rate=5e-3)
    return network, data


@sabotage("int8.size_ratio")
def rounded_but_stored_as_float():
    """A simulated network saved as it is: every value on the grid, every value 32 bits."""
    network, data = trained()
    module = int8.quantise_int8(network, data.train.inputs[:64]).module
    return int8.float_bytes(network) / sum(4 * p.numel() for p in module.parameters())


@sabotage("int8.ptq_loss")
def half_of_the_range():
    """The range of the activations from their mean, not their largest value: the answers are clipped away."""
    network, data = trained()
    module = int8.quantise_int8(network, data.train.inputs[:64]).module
    for _, layer in int8.quantised_layers(module):
        layer.input_grid = int8.activation_grid(0.0, 0.1, 8)
    return error(module, data.test) - error(network, data.test)


@sabotage("int8.integer_exact")
def zero_point_left_out():
    """Sums of codes as if the input's zero point were zero; right only for inputs without negative values."""
    network, data = trained()
    inputs = data.test.inputs[:20] - 0.5
    module = int8.quantise_int8(network, inputs).module
    truth = integer_arithmetic.run_integer(module, inputs).codes["conv2"]
    offset = module.conv1.input_grid.zero_point
    object.__setattr__(module.conv1.input_grid, "zero_point", 0)
    wrong = integer_arithmetic._weighted_sums(
        module.conv1, integer_arithmetic.simulated_codes(module, inputs)["conv1"] + offset
    )
    pooled = np.maximum(wrong, 0).reshape(20, 8, 4, 2, 4, 2).max(axis=(3, 5))
    unit = integer_arithmetic._units(module.conv1)
    return int((integer_arithmetic._rescaled(pooled, np.broadcast_to(unit, (1, 8, 4, 4)), module.conv2) != truth).sum())


@sabotage("int8.per_channel")
def one_scale_twice():
    """A flag that is read nowhere: both runs share one scale."""
    network, data = trained()
    first, second = (int8_study.weight_rounding_error(network, data.test.inputs, 4, False) for _ in range(2))
    return first / second


@sabotage("int8.calibration_outlier")
def clean_calibration():
    """Without the wild value both rules find nearly the same range."""
    network, data = trained()
    both = (int8.quantise_int8(network, data.train.inputs[:256], percentile=rule).module for rule in (None, 99.5))
    plain, percentile = (error(module, data.test) for module in both)
    return plain - percentile


@sabotage("int8.ptq_breaks.bits2")
def eight_bits_called_two():
    """The argument for the bits reaches the weights' name only: the grid keeps eight."""
    network, data = trained()
    return error(int8.quantise_int8(network, data.train.inputs[:256]).module, data.test) - error(network, data.test)


@sabotage("int8.qat.bits4", "int8.qat.bits3", "int8.qat.bits2")
def gradient_of_the_staircase():
    """Without the straight-through estimator the rounding has no gradient: nothing is trained."""
    network, data = trained()
    rounded = int8.quantise_int8(network, data.train.inputs[:256], bits=2).module
    lost = error(rounded, data.test) - error(network, data.test)
    return {"int8.qat.bits4": lost, "int8.qat.bits3": lost, "int8.qat.bits2": 0.0}


@sabotage("int8.onnx_float")
def bias_forgotten_in_the_export():
    """A matrix product alone stands for the dense layer."""
    network, data = trained()
    bare = low_rank_study.replace_layers(network, {})
    bare.dense1.bias = None
    exported = OrtSession(to_onnx(bare, (1, 8, 8)))
    return float(np.abs(exported.run(data.test.inputs) - predict(network, data.test.inputs).numpy()).max())


@sabotage("int8.ort_agreement", "int8.ort_deviation")
def calibrated_on_dim_images():
    """Images divided by 255 twice give ranges that clip nearly everything."""
    network, data = trained()
    dim = quantise_static(to_onnx(network, (1, 8, 8)), data.train.inputs[:64] / 255)
    truth, small = predict(network, data.test.inputs).numpy(), OrtSession(dim).run(data.test.inputs)
    return {
        "int8.ort_agreement": 100 * float(np.mean(small.argmax(1) == truth.argmax(1))),
        "int8.ort_deviation": float(np.abs(small - truth).max() / np.abs(truth).max()),
    }


@sabotage("int8.ort_small")
def bytes_called_time():
    """Four times fewer bytes taken for four times less time."""
    return 4.0


@sabotage("int8.ort_large", "int8.ort_conv")
def rounded_weights_in_float_kernels():
    """Simulated quantisation runs the same float32 kernels: no gain at all."""
    layer = nn.Linear(8, 8)
    same = int8.QuantisedLayer(layer, (0.0, 1.0), 8)
    ratio = float(layer.weight.numel() / torch.numel(same.layer.weight))
    return {"int8.ort_large": ratio, "int8.ort_conv": ratio}
