"""Predict the latency of a layer from its configuration, without having measured it.

Neurosurgeon (Kang et al. 2017 [12]) fits one regression per type of layer and predicts the *rate* (FLOP/s) that the
layer will reach, not its latency: rates vary by little, latencies by orders of magnitude.  The other models here are
what it is compared with.  All are fitted and judged on relative errors, because the small layers count too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edgedl_lib.inference.partition.variables import layer_bytes, layer_type, layer_work, regression_variables
from edgedl_lib.system.device import FREE_KINDS, Device
from edgedl_lib.system.host import LayerTiming, fit_calibration


class UnknownLayerType(KeyError):
    """A layer of a type that the model has not seen."""

    def __str__(self):
        return self.args[0]


class LatencyModel:
    """What all models share: ``fit(layers, latencies)`` returns the model itself, ``predict(layers)`` seconds.

    `batch` is the number of samples per call, one number or one per layer.
    """

    def fit(self, layers: Sequence, latencies, batch=1) -> "LatencyModel":
        """Fit to measured `latencies` (N,) in s of `layers`.

        Raises
        ------
        ValueError
            If there are no layers, lengths differ, or a latency is not a positive number.
        """
        latencies = np.asarray(latencies, dtype=float)
        if len(layers) == 0 or latencies.shape != (len(layers),):
            raise ValueError(
                f"{len(layers)} layers but latencies of shape {latencies.shape}: give one latency per layer"
            )
        bad = np.flatnonzero(~(np.isfinite(latencies) & (latencies > 0)))
        if bad.size:
            raise ValueError(
                f"latency of {layers[bad[0]].name!r} is {latencies[bad[0]]} s: measure it again, with more repetitions"
            )
        self._fit(layers, latencies, _batches(batch, len(layers)))
        return self

    def predict(self, layers: Sequence, batch=1) -> np.ndarray:
        """Predicted latency in s, (N,).

        Raises
        ------
        UnknownLayerType
            If the model was fitted without any layer of this type.
        """
        return np.array([self._predict(*each) for each in zip(layers, _batches(batch, len(layers)), strict=True)])


@dataclass
class FlopModel(LatencyModel):
    """Latency = fixed cost + FLOP / rate, the same for all layers, by least squares.

    With `weighting` "absolute" the large layers decide and small ones are off by factors, although R² looks fine; with
    "relative" every layer counts the same.
    """

    weighting: str = "relative"
    coefficients: np.ndarray | None = None  # s, s/FLOP
    shortest: float = 0.0

    def _fit(self, layers, latencies, batches):
        if self.weighting not in ("absolute", "relative"):
            raise ValueError(f"weighting {self.weighting!r} is unknown: choose 'absolute' or 'relative'")
        flop = batches * np.array([layer.flop for layer in layers], dtype=float)
        scale = max(flop.max(), 1.0)
        rows = np.column_stack([np.ones_like(flop), flop / scale])
        weights = 1 / latencies if self.weighting == "relative" else np.ones_like(latencies)
        solution = np.linalg.lstsq(rows * weights[:, None], latencies * weights, rcond=None)[0]
        self.coefficients, self.shortest = solution / [1.0, scale], latencies.min()

    def _predict(self, layer, batch):
        if self.coefficients is None:
            raise UnknownLayerType("FlopModel has not been fitted: call fit(layers, latencies) first")
        return max(self.shortest, self.coefficients @ [1.0, batch * layer.flop])


@dataclass
class TypeMeanModel(LatencyModel):
    """One latency per type of layer, whatever its size: what a MAUI-like offloader knows from its history."""

    means: dict[str, float] = field(default_factory=dict)

    def _fit(self, layers, latencies, batches):
        types = np.array([layer_type(layer) for layer in layers])
        self.means = {kind: float(latencies[types == kind].mean()) for kind in dict.fromkeys(types.tolist())}

    def _predict(self, layer, batch):
        return _of_type(self.means, layer)


@dataclass
class RooflineModel(LatencyModel):
    """The device's roofline; `fit` calibrates its efficiencies and overhead for each type of layer.

    Unfitted it predicts from the device as given.
    """

    device: Device

    def _fit(self, layers, latencies, batches):
        timings = [_timing(*each) for each in zip(layers, latencies, batches, strict=True)]
        fitted = {}
        for kind in dict.fromkeys(timing.kind for timing in timings):
            of_kind = tuple(timing for timing in timings if timing.kind == kind)
            fitted[kind] = fit_calibration(of_kind, self.device.peak_flop_per_s, self.device.memory_bandwidth)
        self.device = replace(self.device, by_kind={**self.device.by_kind, **fitted})

    def _predict(self, layer, batch):
        kind = layer_type(layer)
        if kind in FREE_KINDS and kind not in self.device.by_kind:
            return 0.0
        return self.device.latency(batch * layer.flop, layer_bytes(layer, batch), kind)


@dataclass(frozen=True, eq=False)
class RateRegression:
    """Logarithm of the rate of one type of layer, linear in its variables or in their logarithms.

    Attributes
    ----------
    form : "linear" or "logarithmic", whichever predicts left-out layers better
    centre, coefficients : of the variables; the first coefficient is the constant
    lowest, highest : log of the lowest and highest rate seen; predictions stay between
    """

    form: str
    centre: np.ndarray
    coefficients: np.ndarray
    lowest: float
    highest: float

    @classmethod
    def fit(cls, form, variables, rates):
        """Fit one form; returns the regression and the error of predicting each left-out layer (N,), in log units."""
        values = _transform(form, variables)
        centre = values.mean(axis=0)
        design = np.column_stack([np.ones(len(rates)), values - centre])
        inverse = np.linalg.pinv(design, rcond=1e-9)
        coefficients = inverse @ np.log(rates)
        leverage = np.einsum("ij,ji->i", design, inverse)
        left_out = (np.log(rates) - design @ coefficients) / np.maximum(1 - leverage, 1e-3)
        return cls(form, centre, coefficients, np.log(rates.min()), np.log(rates.max())), left_out

    def rate(self, variables) -> float:
        """Predicted rate of a layer with these variables."""
        values = _transform(self.form, np.atleast_2d(variables))[0] - self.centre
        return float(np.exp(np.clip(self.coefficients @ [1.0, *values], self.lowest, self.highest)))


@dataclass
class NeurosurgeonModel(LatencyModel):
    """One regression of the achieved rate per type of layer (Kang et al. 2017 [12], Section 4).

    The latency is the layer's work (its FLOP, or its elements if it has none) over the predicted rate.  For each type
    the linear or the logarithmic form is kept, whichever predicts left-out layers better.
    """

    regressions: dict[str, RateRegression] = field(default_factory=dict)

    def _fit(self, layers, latencies, batches):
        types = np.array([layer_type(layer) for layer in layers])
        self.regressions = {}
        for kind in dict.fromkeys(types.tolist()):
            rows = np.flatnonzero(types == kind)
            variables = np.array([regression_variables(layers[row], batches[row]) for row in rows])
            rates = np.array([layer_work(layers[row], batches[row]) for row in rows]) / latencies[rows]
            fits = [RateRegression.fit(form, variables, rates) for form in ("logarithmic", "linear")]
            self.regressions[kind] = min(fits, key=lambda fit: np.sum(fit[1] ** 2))[0]

    def _predict(self, layer, batch):
        regression = _of_type(self.regressions, layer)
        return layer_work(layer, batch) / regression.rate(regression_variables(layer, batch))


def _timing(layer, latency, batch):
    """The layer as the fit of the roofline reads it."""
    work = {"flop": batch * layer.flop, "bytes_moved": layer_bytes(layer, batch)}
    return LayerTiming(kind=layer_type(layer), config=layer.name, latency=latency, minimum=latency, **work)


def _transform(form, variables):
    return np.log(variables) if form == "logarithmic" else np.asarray(variables, dtype=float)


def _of_type(per_type, layer):
    kind = layer_type(layer)
    if kind not in per_type:
        seen = ", ".join(sorted(per_type)) or "none: call fit first"
        raise UnknownLayerType(f"no layer of type {kind!r} was measured (layer {layer.name!r}; measured types: {seen})")
    return per_type[kind]


def _batches(batch, count):
    batches = np.broadcast_to(np.asarray(batch), (count,))
    if count and not batches.min() >= 1:
        raise ValueError(f"batch {batches.min()} must be at least 1")
    return batches
