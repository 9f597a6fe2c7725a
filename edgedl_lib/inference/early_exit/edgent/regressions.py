"""Edgent's latency model: a linear regression per type of layer, and one for loading the model (Li et al. 2018 [162]).

The published coefficients are facts in ``data/edgent_regressions.csv``; the same form can be fitted to layers that were
measured here.  A straight line may promise less than nothing for a small layer: a latency is never below zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import Layer
from edgedl_lib.system.catalogue import DATA
from edgedl_lib.system.catalogue_file import read_rows

SIDES = ("device", "server")
LOAD = "load"
FREE_KINDS = ("flatten", "reshape")  # no arithmetic and no copy
SECONDS_PER_MS = 1e-3
COLUMNS = ("side", "layer", "first_variable", "second_variable", "first_ms", "second_ms", "constant_ms")


class UnknownLayerKind(KeyError):
    """A kind of layer without a regression."""

    def __str__(self) -> str:
        return self.args[0]


@dataclass(frozen=True)
class LinearLatency:
    """``constant + first * x1 + second * x2`` in s, not below zero."""

    first: float
    second: float
    constant: float

    def __call__(self, first: float, second: float = 0.0) -> float:
        return max(0.0, self.first * first + self.second * second + self.constant)

    def scaled(self, factor: float) -> LinearLatency:
        """The same line on a computer that is `factor` times slower."""
        return LinearLatency(factor * self.first, factor * self.second, factor * self.constant)


@dataclass(frozen=True)
class EdgentRegressions:
    """Latency of layers and of loading a model on one computer.

    Attributes
    ----------
    name : str
    layers : mapping from the kind of layer to its line
    load : LinearLatency of the model's bytes
    """

    name: str
    layers: Mapping[str, LinearLatency]
    load: LinearLatency

    def layer_latency(self, graph: LayerGraph) -> np.ndarray:
        """Predicted latency of every layer, (N,), s.

        Raises
        ------
        UnknownLayerKind
            If a layer is of a kind that has no regression.
        """
        return np.array([self._predict(layer) for layer in graph.layers])

    def load_time(self, model_bytes: float) -> float:
        """Seconds to load a model, once, before its first query."""
        return self.load(model_bytes)

    def scaled(self, factor: float, name: str) -> EdgentRegressions:
        """A computer whose layers take `factor` times as long; loading is left as it is.

        Raises
        ------
        ValueError
            If the factor is not a positive number.
        """
        if not 0 < factor < math.inf:
            raise ValueError(f"factor {factor} must be a positive number: how many times slower the layers run")
        lines = {kind: line.scaled(factor) for kind, line in self.layers.items()}
        return replace(self, name=name, layers=lines)

    def _predict(self, layer: Layer) -> float:
        if layer.kind in FREE_KINDS:
            return 0.0
        if layer.kind not in self.layers:
            known = ", ".join(sorted(self.layers))
            raise UnknownLayerKind(f"{self.name} has no regression for {layer.kind!r} ({layer.name}); it knows {known}")
        return self.layers[layer.kind](*edgent_variables(layer))


def edgent_variables(layer: Layer) -> tuple[float, float]:
    """Edgent's two independent variables of a layer; the second is 0 where the paper has one only.

    A convolution: input feature maps, ``(filter / stride)^2 x filters``; the size of the map is in neither.
    Pooling and dense: input and output elements.  All others: input elements.
    """
    if layer.kind == "conv":
        window = math.prod(layer.config["kernel"]) / math.prod(layer.config["stride"])
        return float(layer.input_shapes[0][0]), window * layer.config["filters"]
    if layer.kind in ("pool", "dense"):
        return float(layer.input_elements), float(layer.output_elements)
    return float(layer.input_elements), 0.0


def published_regressions(side: str) -> EdgentRegressions:
    """The paper's own lines: "device" is a Raspberry Pi 3, "server" a desktop PC.

    >>> published_regressions("device").layers["conv"](3, 25 * 32)
    0.01146939

    Raises
    ------
    ValueError
        If the side is neither.
    """
    if side not in SIDES:
        raise ValueError(f"side {side!r} is unknown: use one of {', '.join(SIDES)}")
    rows = [row for row in read_rows(DATA / "edgent_regressions.csv", COLUMNS) if row["side"] == side]
    lines = {row["layer"]: _line(row) for row in rows}
    load = lines.pop(LOAD)
    return EdgentRegressions(f"Edgent's {side}", lines, load)


def fit_regressions(name: str, layers: Sequence[Layer], latency: np.ndarray, load: LinearLatency) -> EdgentRegressions:
    """Fit the same form to measured layers by least squares, one kind at a time.

    Parameters
    ----------
    layers : S layers, at least three of each kind
    latency : (S,) s
    load : taken over as it is

    Raises
    ------
    ValueError
        If a latency is missing or not a positive number, or a kind has fewer than three layers.
    """
    latency = np.asarray(latency, dtype=float)
    if latency.shape != (len(layers),) or not (np.isfinite(latency) & (latency > 0)).all():
        raise ValueError(f"{len(layers)} layers need as many positive latencies in s, got shape {latency.shape}")
    kinds = np.array([layer.kind for layer in layers])
    lines = {}
    for kind in dict.fromkeys(kinds.tolist()):
        rows = np.flatnonzero(kinds == kind)
        if rows.size < 3:
            raise ValueError(f"{rows.size} layers of kind {kind!r} cannot determine a plane: measure at least three")
        lines[kind] = _fitted(np.array([edgent_variables(layers[row]) for row in rows]), latency[rows])
    return EdgentRegressions(name, lines, load)


def _fitted(variables: np.ndarray, latency: np.ndarray) -> LinearLatency:
    design = np.column_stack([variables, np.ones(len(variables))])
    scale = np.maximum(np.abs(design).max(axis=0), 1.0)
    return LinearLatency(*(np.linalg.lstsq(design / scale, latency, rcond=None)[0] / scale).tolist())


def _line(row: Mapping[str, str]) -> LinearLatency:
    return LinearLatency(*(SECONDS_PER_MS * float(row[f"{part}_ms"]) for part in ("first", "second", "constant")))
