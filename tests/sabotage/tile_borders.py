"""A wrong way to run tiles, for the sabotage of two systems: each tile as a small picture with padding all around."""

from __future__ import annotations

from dataclasses import replace

from edgedl_lib.inference.tiles.execution import crop, run_stage
from edgedl_lib.inference.tiles.geometry import Region, tile_regions


def padded_at_every_border(given, grid):
    """Each tile is cut without its overlap and every layer pads it on all sides, as a whole picture."""
    merged = given.plain.clone()
    for tile in tile_regions(given.network.stages, grid):
        factor = given.image.shape[2] // given.plain.shape[2]
        part = Region(*(factor * edge for edge in (tile.output.top, tile.output.bottom, *tile.output.columns)))
        values = crop(given.image, part)
        for index, stage in enumerate(given.network.stages):
            small = replace_map(stage, values.shape[2:])
            network = replace(given.network, stages=(*given.network.stages[:index], small))
            values = run_stage(network, index, values, Region(0, *small.output_shape[1:2], 0, small.output_shape[2]))
        crop(merged, tile.output).copy_(values)
    return given.error(merged)


def replace_map(stage, size):
    """The stage as it would be on a map of another size."""
    window = stage.layers[0]
    config = window.config
    output = [
        (extent + 2 * padding - kernel) // stride + 1
        for extent, kernel, stride, padding in zip(
            size, config["kernel"], config["stride"], config["padding"], strict=True
        )
    ]
    shapes = ((window.input_shapes[0][0], *size),)
    smaller = replace(window, input_shapes=shapes, output_shape=(window.output_shape[0], *output))
    return replace(stage, layers=(smaller,))
