"""Wrong counts, wrong sizes and wrong modules for SqueezeNet."""

import numpy as np

from edgedl_lib.inference.compression.compact_filters import compact, compact_study
from edgedl_lib.inference.compression.compact_filters import compact_counts as counts
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.zoo import alexnet, squeezenet
from edgedl_lib.reproduce.sabotage import sabotage


@sabotage("squeezenet.params", "squeezenet.macs", "squeezenet.v11_compute")
def biases_forgotten_and_other_pictures():
    """Weights alone; the 224 pixels that the paper's table prints; version 1.1 on 227 pixels, a map more per pool."""
    graph = squeezenet()
    return {
        "squeezenet.params": sum(layer.weight_count for layer in graph),
        "squeezenet.macs": squeezenet(resolution=224).mac / 1e6,
        "squeezenet.v11_compute": squeezenet().mac / squeezenet("1.1", 227).mac,
    }


@sabotage("squeezenet.params_ratio", "squeezenet.size")
def dense_layers_left_out_and_decimal_megabytes():
    """AlexNet's convolutions alone; the size in decimal megabytes."""
    convolutions = sum(layer.parameter_count for layer in alexnet() if layer.kind == "conv")
    return {
        "squeezenet.params_ratio": convolutions / squeezenet().parameter_count,
        "squeezenet.size": squeezenet().parameter_bytes / 1e6,
    }


@sabotage("squeezenet.compressed_ratio", "squeezenet.compressed_510", "squeezenet.implied_density")
def positions_are_free():
    """The gaps between kept weights cost nothing."""
    density = counts.implied_density(8) * 12 / 8
    return {
        "squeezenet.compressed_ratio": counts.squeezenet_ratio(8, gap_bits=0),
        "squeezenet.compressed_510": counts.squeezenet_ratio(6, gap_bits=0),
        "squeezenet.implied_density": 100 * density,
    }


@sabotage("squeezenet.gap_bits")
def gaps_all_alike():
    """Gaps taken for uniform over sixteen values: nothing to save."""
    return 4 - np.log2(16)


@sabotage("squeezenet.macs_vs_alexnet")
def work_taken_from_parameters():
    """Fewer parameters taken for fewer operations."""
    return squeezenet().parameter_count / alexnet().parameter_count


@sabotage("squeezenet.fire_params")
def squeezed_by_half():
    """A squeeze ratio of one half hardly squeezes."""
    wide = compact.block_network(lambda channels, filters: compact.FireModule(channels, filters, 0.5))
    plain, other = (layer_graph(network, (1, 8, 8)) for network in (compact.plain_digit_network(), wide))
    return plain.parameter_count / other.parameter_count


@sabotage("squeezenet.fire_loss")
def squeezed_to_one_channel():
    """All of a module behind a single channel."""
    data = digits(0)

    def narrow():
        return compact.block_network(lambda channels, filters: compact.FireModule(channels, filters, 0.01), 0.5)

    results = compact_study.train_blocks(data, (0,), 2, {"plain": compact.plain_digit_network, "narrow": narrow})
    return float(np.mean(results["plain"].accuracies) - np.mean(results["narrow"].accuracies))
