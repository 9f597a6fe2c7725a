"""Wrong counts, wrong shuffles and wrong timings for ShuffleNet."""

import numpy as np

from edgedl_lib.inference.compression.compact_filters import compact, compact_study
from edgedl_lib.inference.compression.compact_filters import compact_counts as counts
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.zoo import alexnet, shufflenet
from edgedl_lib.nets.zoo.shufflenet import STAGE_WIDTH
from edgedl_lib.reproduce.sabotage import sabotage

GROUPS = tuple(STAGE_WIDTH)


@sabotage(*(f"shufflenet.macs_g{groups}" for groups in GROUPS))
def stem_forgotten():
    """The first convolution left out, as if the three stages were the whole network."""
    graphs = {groups: shufflenet(groups) for groups in GROUPS}
    return {f"shufflenet.macs_g{g}": (graph.mac - graph["conv1"].mac) / counts.MILLION for g, graph in graphs.items()}


@sabotage("shufflenet.macs_05x", "shufflenet.macs_15x", "shufflenet.macs_2x")
def scale_of_the_cost():
    """The scale taken for a factor of the cost instead of the channels."""
    base = counts.shufflenet_counts()
    return {
        "shufflenet.macs_05x": 0.5 * base["g4"],
        "shufflenet.macs_15x": 1.5 * base["g3"],
        "shufflenet.macs_2x": 2 * base["g3"],
    }


@sabotage("shufflenet.classifier_left_out")
def classifier_counted():
    """The full count rounded: two of the five figures only."""
    full = counts.shufflenet_counts()
    return sum(round(full[f"g{groups}"]) == printed for groups, printed in counts.PRINTED_SHUFFLENET.items())


@sabotage("shufflenet.groups_apart", "shufflenet.groups_joined")
def shuffle_at_the_wrong_place():
    """One ungrouped layer among them; and a shuffle behind the second layer, which only renames outputs."""
    channels, groups = 16, 4
    joined = compact_study.two_grouped_layers(channels, 1, shuffled=False)
    late = compact_study.two_grouped_layers(channels, groups, shuffled=False)
    jacobian = compact_study.channel_jacobian(late, channels)
    influence = compact_study.group_influence(jacobian, groups)  # rows renamed: still one pair in four
    everywhere = compact_study.group_influence(compact_study.channel_jacobian(joined, channels), groups)
    return {
        "shufflenet.groups_apart": compact_study.connected_share(everywhere),
        "shufflenet.groups_joined": compact_study.connected_share(influence),
    }


@sabotage("shufflenet.vs_alexnet", "shufflenet.vs_alexnet_theory")
def smallest_picture_and_mixed_units():
    """One resolution for all three; operations of one network over multiply-adds of the other."""
    theory = 2 * alexnet().mac / shufflenet(3, 0.5).mac
    return {"shufflenet.vs_alexnet": counts.speedups_over_alexnet()[0], "shufflenet.vs_alexnet_theory": theory}


@sabotage("shufflenet.published_per_4x", "shufflenet.measured_per_4x")
def time_in_proportion():
    """Time taken to be proportional to the multiply-adds, with a little lost to caches in the larger network."""
    work = [shufflenet(3, scale).mac for scale in (0.5, 1.0, 2.0)]
    proportional = counts.gain_per_fourfold_cut(work, [mac**1.02 for mac in work])
    return {"shufflenet.published_per_4x": proportional, "shufflenet.measured_per_4x": proportional}


@sabotage("shufflenet.vs_mobilenet", "shufflenet.vs_mobilenet_large")
def next_width_of_mobilenet():
    """Networks that differ twofold in cost."""
    known = counts.published()
    small = known["MobileNet 0.5", "error_top1"] - known["ShuffleNet 0.5x g4", "error_top1"]
    large = known["MobileNet 0.75", "error_top1"] - known["ShuffleNet 2x g3", "error_top1"]
    return {"shufflenet.vs_mobilenet": small, "shufflenet.vs_mobilenet_large": large}


@sabotage("shufflenet.shuffle_gain")
def shuffle_in_one_group():
    """A shuffle of one group is the identity: both networks are the same."""
    data = compact_study.limited(digits(0), 200)
    same = {"shuffle": compact.unshuffled_digit_network, "no shuffle": compact.unshuffled_digit_network}
    results = compact_study.train_blocks(data, (0, 1), 1, same)
    return results["no shuffle"].loss_against(results["shuffle"]).mean


@sabotage("shufflenet.accuracy_kept")
def groups_of_one_channel():
    """As many groups as channels and no shuffle: every channel stays alone."""
    data = digits(0)

    def lonely():
        return compact.block_network(lambda channels, filters: compact.conv_norm(channels, filters, 1, channels), 0.5)

    results = compact_study.train_blocks(data, (0,), 2, {"plain": compact.plain_digit_network, "lonely": lonely})
    return float(np.mean(results["plain"].accuracies) - np.mean(results["lonely"].accuracies))


@sabotage("shufflenet.macs_cut")
def one_group_of_full_filters():
    """Nothing is grouped and the 3x3 filters stay: the standard network at three quarters of its width."""
    plain, other = (layer_graph(compact.plain_digit_network(width), (1, 8, 8)) for width in (1.0, 0.75))
    return plain.mac / other.mac
