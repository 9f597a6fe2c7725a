"""Wrong versions of fused layers: units, strides, borders, what is counted."""

from __future__ import annotations

from edgedl_lib.inference.tiles import pyramid, study
from edgedl_lib.inference.tiles.fused import run_fused
from edgedl_lib.inference.tiles.geometry import weight_bytes
from edgedl_lib.inference.tiles.stages import tile_stages
from edgedl_lib.nets import model
from edgedl_lib.reproduce.sabotage import sabotage
from tests.sabotage.tile_borders import padded_at_every_border

THOUSAND, KIBIBYTE, MEBIBYTE = 1000, 2**10, 2**20


def without_strides(stages):
    """The same convolutions with every stride 1: pools count as windows that do not move the map."""
    widths = [1]
    for stage in reversed(stages):
        widths.append(widths[-1] + stage.columns.kernel - 1)
    return widths[::-1]


@sabotage("fused_layer.transfer_reduction", "fused_layer.reduction_merged", "fused_layer.reduction_unmerged")
def weights_cross_as_well():
    """Counting the weights of the five convolutions as feature-map traffic."""
    stages = study.vgg_prefix()
    moved = pyramid.fused_traffic(stages) + weight_bytes(stages)
    baselines = (77 * MEBIBYTE, pyramid.unfused_traffic(stages, True), pyramid.unfused_traffic(stages))
    names = ("transfer_reduction", "reduction_merged", "reduction_unmerged")
    return {f"fused_layer.{name}": 100 * (1 - moved / base) for name, base in zip(names, baselines, strict=True)}


@sabotage("fused_layer.transfer_after", "fused_layer.storage", "fused_layer.transfer_before", "fused_layer.storage_all")
def kilobytes_of_a_thousand():
    """Reading the paper's KB and MB as powers of ten (and the recalled MB as powers of two of all maps)."""
    stages = study.vgg_prefix()
    return {
        "fused_layer.transfer_after": pyramid.fused_traffic(stages) / THOUSAND**2,
        "fused_layer.storage": pyramid.reuse_buffers(stages).total / THOUSAND,
        "fused_layer.transfer_before": pyramid.unfused_traffic(stages) / THOUSAND**2,
        "fused_layer.storage_all": pyramid.reuse_buffers(tile_stages(model("vgg19"), "pool5")).total / MEBIBYTE,
    }


@sabotage("fused_layer.layers_fused", "fused_layer.misfiled_as_pruning")
def pools_are_layers_and_tiles_prune():
    """Pools counted as convolutions; weights of one layer dropped."""
    stages = study.vgg_prefix()
    kept = weight_bytes(stages[:-1])
    return {
        "fused_layer.layers_fused": len(stages),
        "fused_layer.misfiled_as_pruning": 100 * (1 - kept / weight_bytes(stages)),
    }


@sabotage("fused_layer.alexnet_reduction")
def pools_alone():
    """Comparing with a baseline whose pools read and write memory on their own."""
    stages = tile_stages(model("alexnet"), "relu2")
    return 100 * (1 - pyramid.fused_traffic(stages) / pyramid.unfused_traffic(stages))


@sabotage("fused_layer.golden_base", "fused_layer.golden_recompute", "fused_layer.golden_storage")
def layers_without_strides():
    """K - 1 more pixels for each layer, as if no pool had shrunk the map."""
    stages = study.vgg_prefix()
    widths = without_strides(stages)
    work = sum(s.mac_per_pixel * w * w for s, w in zip(stages, widths[1:], strict=True)) * 56 * 56
    columns = sum(
        4 * s.input_shape[0] * max(0, s.columns.kernel - s.columns.stride) * w
        for s, w in zip(stages[1:], widths[1:], strict=False)
    )
    plain = sum(stage.layers[0].mac for stage in stages)
    return {
        "fused_layer.golden_base": widths[0],
        "fused_layer.golden_recompute": work / plain,
        "fused_layer.golden_storage": pyramid.reuse_buffers(stages).rows + columns,
    }


@sabotage("fused_layer.golden_traffic")
def output_forgotten():
    """Only the input is read; the last map is taken to stay on the chip."""
    return pyramid.map_bytes(study.vgg_prefix())[0]


@sabotage("fused_layer.run_error")
def zero_padding_at_tile_borders():
    """Tiles treated as small pictures of their own."""
    return padded_at_every_border(study.case(study.small_vgg()), (4, 4))


@sabotage("fused_layer.run_traffic")
def input_read_again():
    """No buffer for the raw input: its overlap comes from memory again."""
    given = study.case(study.small_vgg())
    run = run_fused(given.network, given.image, (6, 6), buffer_input=False)
    return run.traffic - pyramid.fused_traffic(given.network.stages)


@sabotage("fused_layer.run_mac", "fused_layer.run_recompute")
def nothing_is_kept():
    """Pyramids that compute all they need; and a formula that takes those at the borders for full ones."""
    given = study.case(study.small_vgg())
    recomputed = study.predicted_recompute(given, (12, 12))
    return {
        "fused_layer.run_mac": recomputed / study.plain_mac(given),
        "fused_layer.run_recompute": recomputed / pyramid.recompute_mac(given.network.stages),
    }


@sabotage("fused_layer.run_storage")
def whole_maps_kept():
    """Keeping every map between the layers."""
    return sum(pyramid.map_bytes(study.vgg_prefix())[1:-1]) / KIBIBYTE
