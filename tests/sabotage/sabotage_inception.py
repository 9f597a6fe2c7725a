"""Wrong costs for GoogLeNet's blocks."""

from edgedl_lib.inference.compression.compact_filters import compact_counts as counts
from edgedl_lib.nets.zoo import alexnet, googlenet
from edgedl_lib.reproduce.sabotage import sabotage


@sabotage("inception.macs", "inception.params_vs_alexnet")
def operations_and_dense_layer_forgotten():
    """A multiply-add counted twice; GoogLeNet without its classifier."""
    graph = googlenet()
    return {
        "inception.macs": 2 * graph.mac / 1e6,
        "inception.params_vs_alexnet": alexnet().parameter_count
        / (graph.parameter_count - graph["fc"].parameter_count),
    }


@sabotage("inception.constant_cost", "inception.block3a")
def nothing_reduced():
    """The large kernels read the full input."""
    full = [whole for _, whole in counts.inception_costs().values()]
    return {"inception.constant_cost": sum(full) / sum(full), "inception.block3a": full[0] / full[0]}


@sabotage("inception.latency")
def time_taken_from_work():
    """Equal multiply-adds taken for equal time."""
    reduced, _ = counts.inception_costs()["3a"]
    filters = round(reduced / (9 * 192 * 28**2))
    return reduced / (filters * 9 * 192 * 28**2)
