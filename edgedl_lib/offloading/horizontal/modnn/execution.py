"""Run a network in strips with PyTorch: every worker computes its rows, and only halo rows move between layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from edgedl_lib.inference.tiles.execution import TileNetwork, run_stage, tile_network
from edgedl_lib.inference.tiles.geometry import Region
from edgedl_lib.inference.tiles.intervals import Interval
from edgedl_lib.nets.torch_model import TorchModel
from edgedl_lib.offloading.horizontal.modnn.borders import Borders, Ownership, owned
from edgedl_lib.offloading.horizontal.modnn.halo import Traffic, held, wanted


@dataclass(frozen=True)
class StripRun:
    """What a run in strips produced: the joined map, and the traffic that it really needed."""

    output: Tensor
    traffic: Traffic


def run_strips(model: TorchModel, image: Tensor, plan: Ownership) -> StripRun:
    """Run the stages of `plan` in strips.

    Parameters
    ----------
    image : Tensor, shape (1, C, H, W)

    Returns
    -------
    StripRun
        Output of the plan's last stage; equal to the whole network's up to the order of floating-point sums.
    """
    network = tile_network(model, until=plan.stages[-1].layers[-1].name)
    strips, sent = [image[:, :, rows.start : rows.stop] for rows in owned(plan.before[0])], []
    for index in range(len(plan.stages)):
        pieces = [_fetch(strips, plan.before[index], *request) for request in enumerate(wanted(plan, index))]
        if index > 0:  # the first strips come with the image
            sent += [rows for _, moved in pieces for rows in moved]
        outputs = owned(plan.after[index])
        strips = [_run_rows(network, index, crop, rows) for (crop, _), rows in zip(pieces, outputs, strict=True)]
    size = sum(rows.numel() * rows.element_size() for rows in sent)
    return StripRun(torch.cat(strips, dim=2), Traffic(size, len(sent)))


def _fetch(strips: Sequence[Tensor], borders: Borders, worker: int, need: Interval) -> tuple[Tensor, list[Tensor]]:
    """The rows that a worker needs, and those among them that others had to send."""
    parts, moved = [strips[worker][:, :, :0]], []
    for owner, rows in held(need, borders):
        parts.append(strips[owner][:, :, rows.start - borders[owner] : rows.stop - borders[owner]])
        if owner != worker:
            moved.append(parts[-1])
    return torch.cat(parts, dim=2), moved


def _run_rows(network: TileNetwork, index: int, crop: Tensor, rows: Interval) -> Tensor:
    return run_stage(network, index, crop, Region(*rows, 0, network.stages[index].output_shape[2]))
