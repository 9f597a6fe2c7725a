"""What a latency model knows of a layer: its type, its work, its traffic and its regression variables."""

import math

from edgedl_lib.system.device import roofline_kind


def layer_type(layer) -> str:
    """Type under which a layer is measured: its kind, but depth-wise convolutions apart, as they run at other rates."""
    return roofline_kind(layer)


def layer_work(layer, batch=1) -> float:
    """FLOP of one call, or output elements if the layer computes nothing (dropout, flatten, concat)."""
    return float(batch * (layer.flop or layer.output_elements))


def layer_bytes(layer, batch=1) -> float:
    """Bytes moved by one call: weights, inputs and output, each once."""
    return float(layer.parameter_bytes + batch * (layer.input_bytes + layer.output_bytes))


def regression_variables(layer, batch=1) -> tuple[float, ...]:
    """Neurosurgeon's variables for the layer's type (Kang et al. 2017 [12], Section 4), and the batch.

    Convolution: input elements and ``(kernel / stride)**2 * filters``.  Local and pooling: input and output elements.
    Dense: inputs and outputs.  All others: elements.
    """
    inputs, outputs = batch * layer.input_elements, batch * layer.output_elements
    if layer.kind == "conv":
        windows = math.prod(layer.config["kernel"]) / math.prod(layer.config["stride"])
        return float(inputs), windows * layer.config["filters"], float(batch)
    if layer.kind in ("local", "pool"):
        return float(inputs), float(outputs), float(batch)
    if layer.kind == "dense":
        return float(layer.input_elements), float(layer.output_elements), float(batch)
    return float(max(inputs, outputs)), float(batch)
