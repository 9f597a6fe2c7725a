"""Wrong fixed-point arithmetic and wrong memory counts for CMSIS-NN."""

import numpy as np

from edgedl_lib.nets.zoo import model
from edgedl_lib.offloading.platform import fixed_point, microcontroller
from edgedl_lib.offloading.platform.facts import facts
from edgedl_lib.reproduce.sabotage import sabotage


@sabotage("cmsis_nn.memory_fit", "cmsis_nn.weights")
def float_network():
    """The same network with four bytes a value."""
    return {
        "cmsis_nn.memory_fit": microcontroller.board_share(bytes_per_value=4),
        "cmsis_nn.weights": microcontroller.memory_use(bytes_per_value=4).weights / 1024,
    }


@sabotage("cmsis_nn.ops", "cmsis_nn.ops_per_cycle")
def macs_for_operations():
    """Multiply-accumulates called operations."""
    return {
        "cmsis_nn.ops": microcontroller.operations() / 2e6,
        "cmsis_nn.ops_per_cycle": microcontroller.operations_per_cycle() / 2,
    }


@sabotage("cmsis_nn.shipped_weights", "cmsis_nn.shipped_act", "cmsis_nn.shipped_im2col")
def everything_kept():
    """The paper's network for the shipped one; all activations kept; im2col of the whole image."""
    graph = model("cmsis_cifar10", filters=microcontroller.SHIPPED_FILTERS)
    columns = facts("cmsis_nn", "cmsis_nn")["im2col_columns"]
    shipped = microcontroller.memory_use(microcontroller.SHIPPED_FILTERS)
    return {
        "cmsis_nn.shipped_weights": microcontroller.memory_use().weights / 1024,
        "cmsis_nn.shipped_act": sum(layer.output_elements for layer in graph.layers) / 1024,
        "cmsis_nn.shipped_im2col": shipped.im2col / columns * 16 * 16 / 1024,
    }


@sabotage("cmsis_nn.bit_exact")
def rounding_forgotten_once():
    """A plain right shift in one of the two convolutions: it rounds down."""
    generator = np.random.default_rng(0)
    image = generator.integers(-128, 128, (8, 8, 4)).astype(np.int8)
    weights = generator.integers(-128, 128, (4, 5, 5, 4)).astype(np.int8)
    layer = fixed_point.Convolution(weights, np.zeros(4, np.int8), padding=2, bias_shift=0, shift=9)
    exact = fixed_point.convolve_direct(image, layer)
    unshifted = fixed_point.Convolution(weights, np.full(4, -1, np.int8), padding=2, bias_shift=8, shift=9)
    return int(np.sum(fixed_point.convolve_im2col(image, unshifted) != exact))


@sabotage("cmsis_nn.pool_in_place")
def pooled_from_the_far_end():
    """Going from high to low overwrites values that later windows still need."""
    image = np.random.default_rng(0).integers(-128, 128, (33, 32, 8)).astype(np.int8)
    expected = fixed_point.max_pool(image, 3, 2)
    buffer, (height, width) = image.copy(), expected.shape[:2]
    for column in reversed(range(width)):
        buffer[:, column] = buffer[:, 2 * column : 2 * column + 3].max(axis=1)
    for row in reversed(range(height)):
        buffer[row, :width] = buffer[2 * row : 2 * row + 3, :width].max(axis=0)
    return int(np.sum(buffer[:height, :width] != expected))


@sabotage("cmsis_nn.int8_accuracy_drop")
def one_format_for_all():
    """Every activation in the input's format: the hidden layers saturate."""
    from unittest import mock

    original = fixed_point.fraction_bits
    with mock.patch.object(fixed_point, "fraction_bits", lambda largest: max(original(largest), 7)):
        return microcontroller.digits_study(0).drop
