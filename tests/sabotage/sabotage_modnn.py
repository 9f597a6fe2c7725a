"""Wrong versions of MoDNN: corners forgotten, halos one way, borders off the stride, clusters that do not match."""

from dataclasses import replace

import numpy as np
import torch

from edgedl_lib.nets.torch_model import to_torch
from edgedl_lib.nets.zoo import vgg16
from edgedl_lib.offloading.horizontal.modnn import study
from edgedl_lib.offloading.horizontal.modnn.borders import (
    aligned_ownership,
    inherited_ownership,
    map_stages,
    staged_ownership,
)
from edgedl_lib.offloading.horizontal.modnn.dense import (
    DensePartition,
    cocluster,
    cross_traffic,
    random_partition,
    saved,
)
from edgedl_lib.offloading.horizontal.modnn.execution import run_strips
from edgedl_lib.offloading.horizontal.modnn.execution_time import speed_up, strip_seconds
from edgedl_lib.offloading.horizontal.modnn.halo import (
    Traffic,
    delivery_reduction,
    grid_traffic,
    halo_messages,
    halo_traffic,
    strip_traffic,
    wake_up_for,
)
from edgedl_lib.offloading.horizontal.modnn.networks import block_sparse, small_vgg
from edgedl_lib.offloading.horizontal.modnn.trained import trained_layer
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.system.link import Link


def grid_without_corners() -> Traffic:
    """Only neighbours that share an edge: diagonal ones are easily forgotten."""
    rows, columns = (aligned_ownership(vgg16(), [1.0, 1.0], axis) for axis in (0, 1))
    sides = [
        each
        for stage in halo_messages(rows, columns)
        for each in stage
        if each.sender[0] == each.receiver[0] or each.sender[1] == each.receiver[1]
    ]
    return Traffic(sum(each.size_bytes for each in sides), len(sides))


@sabotage(
    "modnn.grid_bytes",
    "modnn.grid_messages",
    "modnn.delivery_time_reduction",
    "modnn.wakeup_for_reported",
    "modnn.breakeven_wakeup",
    "modnn.delivery_without_wakeup",
)
def corners_are_forgotten():
    """A 3x3 window reads across the corner: a grid that skips those messages looks better than it is."""
    link, strips, grid = study.phones().link, strip_traffic(vgg16(), 4), grid_without_corners()
    return {
        "modnn.grid_bytes": grid.size_bytes,
        "modnn.grid_messages": grid.messages,
        "modnn.delivery_time_reduction": delivery_reduction(strips, grid, link, study.WAKE_UP),
        "modnn.wakeup_for_reported": 1e3 * wake_up_for(strips, grid, link, 30.02),
        "modnn.breakeven_wakeup": 1e3 * wake_up_for(strips, grid, link),
        "modnn.delivery_without_wakeup": delivery_reduction(strips, grid, link, 0),
    }


@sabotage("modnn.delivery_time_reduction")
def messages_cost_nothing():
    """Bytes decide, one thinks: then strips take longer, and the reported saving is not there."""
    return delivery_reduction(strip_traffic(vgg16(), 4), grid_traffic(vgg16(), (2, 2)), study.phones().link, 0)


@sabotage("modnn.strip_bytes", "modnn.strip_messages")
def halo_one_way():
    """Every border is crossed once: but both neighbours need the other's row."""
    messages = [m for stage in halo_messages(aligned_ownership(vgg16(), [1.0] * 4)) for m in stage]
    down = [each for each in messages if each.sender < each.receiver]
    return {"modnn.strip_bytes": sum(each.size_bytes for each in down), "modnn.strip_messages": len(down)}


@sabotage("modnn.strip_messages")
def borders_beside_the_stride():
    """A border at an odd row splits a pooling window: one more message."""
    return halo_traffic(inherited_ownership(map_stages(vgg16()), (0, 57, 113, 169, 224))).messages


@sabotage("modnn.breakeven_wakeup", "modnn.wakeup_for_reported")
def bits_for_bytes():
    """A rate in bit/s, read as bytes per second."""
    link, strips, grid = Link("eight times", 8 * 40e6), strip_traffic(vgg16(), 4), grid_traffic(vgg16(), (2, 2))
    milliseconds = [1e3 * wake_up_for(strips, grid, link, reduction) for reduction in (0, 30.02)]
    return {"modnn.breakeven_wakeup": milliseconds[0], "modnn.wakeup_for_reported": milliseconds[1]}


@sabotage("modnn.equality")
def zeros_at_inner_borders():
    """Each strip is padded by itself, as the layer would do: no halo, no messages, and wrong rows at every border."""
    model, image = to_torch(small_vgg()), torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    names = [layer.name for stage in map_stages(model.graph) for layer in stage.layers]
    whole, parts = image, list(image.split(16, dim=2))
    for name in names:
        module = model.layers[name]
        whole, parts = module(whole), [module(part) for part in parts]
    return float((torch.cat(parts, dim=2) - whole).abs().max() / whole.abs().max())


@sabotage("modnn.moved_as_counted")
def first_strips_are_halos_too():
    """Counting the image's own halo, which comes with the strips, among what neighbours send."""
    graph = small_vgg()
    plan = staged_ownership(graph, [1.0] * 4)
    run = run_strips(to_torch(graph), torch.zeros(1, 3, 64, 64), plan)
    return run.traffic.size_bytes / (halo_traffic(plan).size_bytes + 6 * 3 * 64 * 4)


@sabotage("modnn.speedup_2_workers", "modnn.speedup_4_workers", "modnn.speedup_range", "modnn.monotone")
def delivery_is_free_and_the_host_helps():
    """Nothing but compute, and a host that is not counted among the workers."""
    free = replace(study.phones(5), link=Link("free", float("inf")), wake_up=0.0)
    values = [speed_up(vgg16(), free.only(count + 1)) for count in (2, 3, 4)]
    return {
        "modnn.speedup_2_workers": values[0],
        "modnn.speedup_range": values[1],
        "modnn.speedup_4_workers": values[2],
        "modnn.monotone": values[0] - 1,
    }


@sabotage("modnn.slow_link")
def slow_link_is_hidden():
    """A megabit read as a megabyte: the slow link looks eight times as fast, and the loss is hidden."""
    return speed_up(vgg16(), replace(study.phones(4), link=Link("eight times", 8e6)))


@sabotage("modnn.speedup_with_relief")
def weights_always_fit():
    """Without paging no phone is relieved, and four are fewer than four times as fast."""
    return speed_up(vgg16(), study.phones(4))


@sabotage("modnn.biased_gain")
def biased_the_wrong_way():
    """Strips in proportion to the time a phone needs: the slowest gets the most."""
    graph, speeds = vgg16(), study.MIXED_SPEEDS
    wrong = strip_seconds(staged_ownership(graph, [1 / speed for speed in speeds]), speeds)
    return saved(strip_seconds(staged_ownership(graph, [1.0] * 4), speeds), wrong)


def unmatched(weights, seed=0):
    """Inputs and outputs clustered well, but whose cluster is whose is left to chance: shifted by one."""
    partition = cocluster(weights, 4, seed)
    return DensePartition(partition.outputs, (partition.inputs + 1) % 4)


@sabotage("modnn.mscc_links")
def clusters_without_partners():
    """Two clusterings, one of inputs and one of outputs, need not pair."""
    weights = block_sparse(0)
    chance = random_partition(weights, 4, 0).cross_links(weights)
    return saved(chance, unmatched(weights).cross_links(weights))


@sabotage("modnn.mscc_trained")
def neurons_in_their_order():
    """The first quarter of the neurons to the first phone: the order of neurons means nothing."""
    weights = trained_layer(0)
    order = np.arange(64) // 16
    chance = random_partition(weights, 4, 0).cross_links(weights)
    return saved(chance, DensePartition(order, order).cross_links(weights))


@sabotage("modnn.fgcp_values")
def neurons_always_move():
    """No choice at all: the baseline against itself."""
    traffic = cross_traffic(block_sparse(0), cocluster(block_sparse(0), 4, 0))
    return saved(traffic.neurons, traffic.neurons)
