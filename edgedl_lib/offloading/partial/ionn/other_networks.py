"""Other networks on the authors' two computers: what AlexNet's profile predicts, and how they would be uploaded.

Of GoogLeNet, ResNet-50 and MobileNet only the sums over all layers are known.  For each kind of layer a line over its
FLOP, fitted to AlexNet's 23 layers, says how those sums are spread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.zoo import alexnet, googlenet, mobilenet_v1, resnet_bottleneck
from edgedl_lib.offloading.partial.ionn.profile import UnitProfile, alexnet_profile, unit_profile
from edgedl_lib.offloading.partial.ionn.timeline import UploadTimeline, incremental_upload, upload_at_once

ELEMENTWISE = "elementwise"  # whatever reads and writes each element once
FREE_KINDS = ("flatten", "reshape")
# Sums over the layers' profiles in the authors' repository, s: on the client, on the server (None: not given).
REPORTED_TOTALS = {"googlenet": (1.33996, 6.058e-3), "resnet50": (2.93366, 9.462e-3), "mobilenet": (0.67968, None)}
NETWORKS: dict[str, Callable[[], LayerGraph]] = {
    "googlenet": googlenet,
    "resnet50": lambda: resnet_bottleneck(50),
    "mobilenet": mobilenet_v1,
}


@dataclass(frozen=True)
class KindLines:
    """Seconds of a layer: ``constant + slope * work``, one line for each kind of layer."""

    lines: dict[str, tuple[float, float]]

    def predict(self, graph: LayerGraph) -> np.ndarray:
        """Seconds of each layer, (N,)."""
        return np.array([self._seconds(layer) for layer in graph])

    def _seconds(self, layer: Layer) -> float:
        if layer.kind in FREE_KINDS:
            return 0.0
        constant, slope = self.lines[group_of(layer)]
        return constant + slope * work_of(layer)


def group_of(layer: Layer) -> str:
    """Kind of line that a layer follows: AlexNet has no batch norm, sum or concatenation; they move elements too."""
    if layer.kind == "norm" and layer.config["function"] != "batch":
        return "lrn"
    return layer.kind if layer.kind in ("conv", "dense", "pool", "softmax") else ELEMENTWISE


def work_of(layer: Layer) -> float:
    """FLOP of a layer; the elements that it writes if it only moves them."""
    return float(layer.output_elements if group_of(layer) == ELEMENTWISE else layer.flop)


def fit_kind_lines(graph: LayerGraph, seconds: np.ndarray) -> KindLines:
    """Lines with no negative coefficient through the layers of each kind, by least squares.

    >>> lines = fit_kind_lines(alexnet(), alexnet_profile().client_time[1:])
    >>> sorted(lines.lines)
    ['conv', 'dense', 'elementwise', 'lrn', 'pool', 'softmax']
    """
    groups = np.array([group_of(layer) for layer in graph])
    work = np.array([work_of(layer) for layer in graph])
    lines = {}
    for group in dict.fromkeys(groups.tolist()):
        rows = groups == group
        scale = max(float(work[rows].max()), 1.0)
        design = np.column_stack([np.ones(rows.sum()), work[rows] / scale])
        constant, slope = nnls(design, np.asarray(seconds)[rows])[0]
        lines[group] = (float(constant), float(slope) / scale)
    return KindLines(lines)


def predicted_totals(name: str) -> tuple[float, float]:
    """Client's and server's seconds for a whole network of `NETWORKS`, from AlexNet's profile."""
    profile, graph = alexnet_profile(), NETWORKS[name]()
    sides = (profile.client_time[1:], profile.server_time[1:])
    client, server = (float(fit_kind_lines(alexnet(), side).predict(graph).sum()) for side in sides)
    return client, server


def scaled_profile(name: str) -> UnitProfile:
    """Profile of a network whose layer times are as predicted, scaled to the reported sums of both sides.

    Raises
    ------
    ValueError
        If only one of the two sums is known.
    """
    totals = REPORTED_TOTALS[name]
    if None in totals:
        raise ValueError(f"the server's total for {name!r} is not reported: choose googlenet or resnet50")
    profile, graph = alexnet_profile(), NETWORKS[name]()
    times = [
        fit_kind_lines(alexnet(), side).predict(graph) for side in (profile.client_time[1:], profile.server_time[1:])
    ]
    scaled = [time * total / time.sum() for time, total in zip(times, totals, strict=True)]
    image_bytes = 4 * int(np.prod(graph.input_shape))  # the authors send floats
    return unit_profile(graph.with_input_bytes(image_bytes), *scaled)


def uploads(rate: float) -> dict[str, tuple[UploadTimeline, UploadTimeline]]:
    """Upload in steps and at once of AlexNet, GoogLeNet and ResNet-50 over a link of `rate` bit/s."""
    profiles = {"AlexNet": alexnet_profile()}
    profiles |= {"GoogLeNet": scaled_profile("googlenet"), "ResNet-50": scaled_profile("resnet50")}
    return {name: (incremental_upload(each, rate), upload_at_once(each, rate)) for name, each in profiles.items()}
