"""Edgent's regressions fitted to this machine: timed random layers, one half of the convolutions judges the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.early_exit.edgent.regressions import (
    EdgentRegressions,
    edgent_variables,
    fit_regressions,
    published_regressions,
)
from edgedl_lib.inference.partition.configurations import random_layer_configurations, single_layer_graph
from edgedl_lib.inference.partition.regression import NeurosurgeonModel
from edgedl_lib.inference.studies.layer_samples import measure_in_turn
from edgedl_lib.nets.layers import Layer

TYPES = ("conv", "conv", "conv", "dense", "conv", "pool", "conv", "activation", "conv", "norm", "conv", "dropout")
LARGEST_FLOP = 1e8
LARGEST_PARAMETER_COUNT = 1e6
DEVICE_FACTOR = 16.0  # a small board against this machine; the published pair differs by 20.7


@dataclass(frozen=True, eq=False)
class TimedLayers:
    """S random layers and their median latencies (S,) in s on this machine."""

    layers: tuple[Layer, ...]
    latency: np.ndarray

    def of_kind(self, kind: str) -> TimedLayers:
        """The layers of one kind."""
        rows = [row for row, layer in enumerate(self.layers) if layer.kind == kind]
        return self._rows(rows)

    def halves(self) -> tuple[TimedLayers, TimedLayers]:
        """Every other layer, and the ones between."""
        return self._rows(range(0, len(self.layers), 2)), self._rows(range(1, len(self.layers), 2))

    def _rows(self, rows) -> TimedLayers:
        rows = list(rows)
        return TimedLayers(tuple(self.layers[row] for row in rows), self.latency[rows])


def time_layers(seed: int, count: int = 240, rounds: int = 3) -> TimedLayers:
    """Draw `count` layers, none of them in the model zoo, and time each once per round in turn."""
    layers = random_layer_configurations(
        seed, count, types=TYPES, largest_flop=LARGEST_FLOP, largest_parameter_count=LARGEST_PARAMETER_COUNT
    )
    times = measure_in_turn([single_layer_graph(layer) for layer in layers], rounds, seed)
    return TimedLayers(layers, np.array([each[-1] for each in times]))


def own_regressions(timed: TimedLayers) -> tuple[EdgentRegressions, EdgentRegressions]:
    """Device and server: this machine slowed down by 16, and this machine.  Loading stays as published."""
    load = published_regressions("server").load
    server = fit_regressions("this machine", timed.layers, timed.latency, load)
    return server.scaled(DEVICE_FACTOR, f"this machine, {DEVICE_FACTOR:g} times slower"), server


@dataclass(frozen=True, eq=False)
class ConvolutionErrors:
    """Predicted and measured latency of unseen convolutions, arrays (C,) in s: Edgent's lines and a rate regression."""

    measured: np.ndarray
    lines: np.ndarray
    rates: np.ndarray

    def median_error(self, model: str) -> float:
        """Median relative error of "lines" or "rates"."""
        return float(np.median(np.abs(getattr(self, model) / self.measured - 1)))

    @property
    def ratio(self) -> float:
        """How many times larger the error of Edgent's lines is."""
        return self.median_error("lines") / self.median_error("rates")


def convolution_errors(timed: TimedLayers) -> ConvolutionErrors:
    """Each half of the convolutions is predicted by what was fitted to the other half."""
    first, second = timed.of_kind("conv").halves()
    parts = [_predict(first, second), _predict(second, first)]
    return ConvolutionErrors(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _predict(known: TimedLayers, unseen: TimedLayers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    line = fit_regressions("half", known.layers, known.latency, published_regressions("server").load).layers["conv"]
    rate_model = NeurosurgeonModel().fit(known.layers, known.latency)
    lines = np.array([line(*edgent_variables(layer)) for layer in unseen.layers])
    return unseen.latency, lines, rate_model.predict(unseen.layers)
