"""Compressed models in a production runtime: export to ONNX, eight-bit conversion, and latency at batch 1.

The graph is written layer by layer from :func:`edgedl_lib.nets.export.layer_graph`, so whatever exports to a layer
graph of standard layers (factored, pruned, separable ones too) runs here; layers of an own kind do not.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.layers import Layer
from edgedl_lib.system.timing import Timing, measure_in_turn

OPSET = 17
IR_VERSION = 9  # readable by every runtime since 2023, whatever the newer onnx package would write
ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}
CALIBRATION = {
    "minmax": quantization.CalibrationMethod.MinMax,
    "percentile": quantization.CalibrationMethod.Percentile,
    "entropy": quantization.CalibrationMethod.Entropy,
}


class NotConvertible(ValueError):
    """A layer without an ONNX rule; the message names it."""


def to_onnx(model: nn.Module, input_shape: tuple[int, ...]) -> bytes:
    """Serialised ONNX model: input "x" (batch, *input_shape), output "y".

    Raises
    ------
    NotConvertible
        A layer whose arithmetic is not that of a standard ONNX operator.
    """
    graph = layer_graph(model, input_shape)
    modules = dict(model.named_modules())
    nodes, constants = [], []
    for layer in graph:
        inputs = list(graph.predecessors(layer.name)) or ["x"]
        operator, tensors, attributes = _operator(layer, modules.get(layer.name))
        constants += [numpy_helper.from_array(value, f"{layer.name}.{key}") for key, value in tensors.items()]
        inputs += [f"{layer.name}.{key}" for key in tensors]
        nodes.append(helper.make_node(operator, inputs, [layer.name], name=layer.name, **attributes))
    nodes[-1].output[0] = "y"
    ends = [_end("x", input_shape), _end("y", graph.layers[-1].output_shape)]
    body = helper.make_graph(nodes, graph.name, ends[:1], ends[1:], constants)
    proto = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


def single_thread_session(model: bytes | str) -> onnxruntime.InferenceSession:
    """ONNX Runtime session of serialised bytes, or of the file of this name, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class OrtSession:
    """A model in ONNX Runtime on one thread.

    Parameters
    ----------
    model : bytes
        From :func:`to_onnx` or :func:`quantise_static`.
    """

    def __init__(self, model: bytes) -> None:
        self.model = model
        self._session = single_thread_session(model)
        self.input_shape = tuple(self._session.get_inputs()[0].shape[1:])

    def run(self, inputs: Tensor | np.ndarray) -> np.ndarray:
        """Outputs (n, classes) for inputs (n, *input_shape)."""
        values = np.asarray(inputs, dtype=np.float32)
        if np.isnan(values).any():
            raise ValueError("the inputs hold NaN; clean the data before predicting")
        return self._session.run(None, {"x": values})[0]

    def call(self, batch: int = 1, seed: int = 0):
        """A function without arguments that runs a random batch once: something to time."""
        values = np.random.default_rng(seed).random((batch, *self.input_shape), dtype=np.float32)
        return lambda: self._session.run(None, {"x": values})

    def latency(self, batch: int = 1, *, windows: int = 7) -> Timing:
        """Seconds per call."""
        return measure_in_turn({"session": self.call(batch)}, windows=windows)["session"]


def latencies(sessions: Mapping[str, OrtSession], batch: int = 1, *, windows: int = 7) -> dict[str, Timing]:
    """Seconds per call of several models, measured in turn so that a busy moment meets all of them alike."""
    return measure_in_turn({name: session.call(batch) for name, session in sessions.items()}, windows=windows)


def quantise_static(model: bytes, calibration: Tensor | np.ndarray, *, method: str = "minmax") -> bytes:
    """Eight-bit weights (one scale per filter) and activations, in quantise-dequantise form.

    Parameters
    ----------
    calibration : array, shape (samples, *input_shape)
        Give the ranges of the activations: training or validation images; test images would leak their range.
    method : str
        "minmax", "percentile" (99.999) or "entropy".
    """
    if method not in CALIBRATION:
        raise ValueError(f"unknown calibration {method!r}; choose one of {', '.join(CALIBRATION)}")
    with TemporaryDirectory() as folder:
        plain, prepared, target = (Path(folder) / name for name in ("plain.onnx", "prepared.onnx", "int8.onnx"))
        plain.write_bytes(model)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared,
            target,
            _Calibration(np.asarray(calibration, np.float32)),
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=CALIBRATION[method],
        )
        return target.read_bytes()


def _operator(layer: Layer, module: nn.Module | None) -> tuple[str, dict[str, np.ndarray], dict]:
    """ONNX operator of a layer, its constant tensors and its attributes."""
    rule = RULES.get(layer.kind)
    if rule is None or (layer.kind in ("conv", "dense", "norm") and type(module) not in _EXACT):
        kind = type(module).__name__ if module is not None else layer.kind
        raise NotConvertible(f"{layer.name}: {kind} has no ONNX operator; run it in PyTorch instead")
    return rule(layer, module)


def _conv(layer, module):
    pads = 2 * list(layer.config["padding"])
    attributes = {"strides": layer.config["stride"], "pads": pads, "group": layer.config["groups"]}
    return "Conv", _weights(module), attributes | {"kernel_shape": layer.config["kernel"]}


def _dense(layer, module):
    return "Gemm", _weights(module), {"transB": 1}


def _norm(layer, module):
    if layer.config["function"] != "batch":
        raise NotConvertible(f"{layer.name}: only batch normalisation is converted")
    tensors = {"scale": module.weight, "bias": module.bias, "mean": module.running_mean, "var": module.running_var}
    return "BatchNormalization", {key: _array(value) for key, value in tensors.items()}, {"epsilon": module.eps}


def _pool(layer, module):
    operator = "MaxPool" if layer.config["function"] == "max" else "AveragePool"
    attributes = {"kernel_shape": layer.config["kernel"], "strides": layer.config["stride"]}
    return (
        operator,
        {},
        attributes | {"pads": 2 * list(layer.config["padding"]), "ceil_mode": int(layer.config["ceil"])},
    )


def _activation(layer, module):
    if layer.config["function"] not in ACTIVATIONS:
        raise NotConvertible(f"{layer.name}: the activation {layer.config['function']!r} is not converted")
    return ACTIVATIONS[layer.config["function"]], {}, {}


RULES = {
    "conv": _conv,
    "dense": _dense,
    "norm": _norm,
    "pool": _pool,
    "activation": _activation,
    "flatten": lambda layer, module: ("Flatten", {}, {"axis": 1}),
    "softmax": lambda layer, module: ("Softmax", {}, {"axis": 1}),
    "add": lambda layer, module: ("Sum", {}, {}),
    "concat": lambda layer, module: ("Concat", {}, {"axis": 1}),
    "dropout": lambda layer, module: ("Identity", {}, {}),
    "reshape": lambda layer, module: (
        "Reshape",
        {"shape": np.array([-1, *layer.output_shape], dtype=np.int64)},
        {},
    ),
}
_EXACT = (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d)


def _weights(module: nn.Module) -> dict[str, np.ndarray]:
    tensors = {"weight": _array(module.weight)}
    return tensors if module.bias is None else tensors | {"bias": _array(module.bias)}


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().to(torch.float32).numpy())


def _end(name: str, shape: tuple[int, ...]):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])


class _Calibration(quantization.CalibrationDataReader):
    def __init__(self, samples: np.ndarray) -> None:
        self._batches: Iterator[np.ndarray] = iter(np.array_split(samples, max(1, len(samples) // 64)))

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"x": batch}
