"""One network in the file formats of several packages: PyTorch, TorchScript, ONNX in float32 and int8, scikit-learn."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from edgedl_lib.offloading.platform.measured.int8_runtime import quantise_dynamic
from edgedl_lib.offloading.platform.measured.load_worker import torch_network

OPSET = 17


def write_torch(network, stem: Path) -> None:
    """Weights for the eager module (`.pt`) and the traced program with its weights (`.torchscript`)."""
    shapes = {name: list(weight.shape) for name, weight in network.weights.items()}
    module = torch_network(list(network.operations), shapes)
    module.load_state_dict({name: torch.from_numpy(weight) for name, weight in network.weights.items()})
    torch.save(module.state_dict(), f"{stem}.pt")
    with warnings.catch_warnings():  # deprecated in favour of torch.export, whose files load far more slowly
        warnings.simplefilter("ignore")
        torch.jit.trace(module, torch.zeros(1, *network.input_shape)).save(f"{stem}.torchscript")


def write_onnx(network, stem: Path) -> None:
    """Float32 (`.onnx`) and 8-bit weights with ranges of activations taken at run time (`.int8.onnx`)."""
    model = onnx_model(network)
    onnx.save(model, f"{stem}.onnx")
    with TemporaryDirectory() as folder:
        small = quantise_dynamic(model, Path(folder), ("MatMul",) if network.is_dense else ("Conv",))
        shutil.copy(small, f"{stem}.int8.onnx")


def write_sklearn(network, stem: Path) -> None:
    """A pickled perceptron whose weights are set, not fitted."""
    from sklearn.neural_network import MLPRegressor

    weights = [weight.T.copy() for weight in network.weights.values()]
    perceptron = MLPRegressor(hidden_layer_sizes=tuple(weight.shape[1] for weight in weights[:-1]))
    perceptron.coefs_ = weights
    perceptron.intercepts_ = [np.zeros(weight.shape[1], np.float32) for weight in weights]
    perceptron.n_layers_, perceptron.n_outputs_ = len(weights) + 1, weights[-1].shape[1]
    perceptron.n_features_in_, perceptron.out_activation_ = weights[0].shape[0], "identity"
    joblib.dump(perceptron, f"{stem}.joblib")


def onnx_model(network) -> onnx.ModelProto:
    """ONNX graph of a network given as operations; input "x" and output "y" carry a batch axis."""
    nodes: list[onnx.NodeProto] = []
    current = "x"
    for index, operation in enumerate(network.operations):
        target = "y" if index == len(network.operations) - 1 else f"t_{index}"
        nodes += _NODES[operation["op"]](current, target, operation, network.weights)
        current = target
    constants = [numpy_helper.from_array(_as_stored(name, w), name) for name, w in network.weights.items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *network.input_shape])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, network.name, [x], [y], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 9
    return model


def _as_stored(name: str, weight: np.ndarray) -> np.ndarray:
    return weight.T.copy() if weight.ndim == 2 else weight


def _dense(x: str, y: str, operation: dict, weights: dict) -> list:
    return [helper.make_node("MatMul", [x, operation["weight"]], [y])]


def _relu(x: str, y: str, operation: dict, weights: dict) -> list:
    return [helper.make_node("Relu", [x], [y])]


def _convolution(x: str, y: str, operation: dict, weights: dict) -> list:
    return [_convolve(x, y, operation["weight"], weights, operation["stride"])]


def _pool(x: str, y: str, operation: dict, weights: dict) -> list:
    return [helper.make_node("MaxPool", [x], [y], kernel_shape=[2, 2], strides=[2, 2])]


def _fire(x: str, y: str, operation: dict, weights: dict) -> list:
    return [
        _convolve(x, f"{y}_s", operation["squeeze"], weights),
        helper.make_node("Relu", [f"{y}_s"], [f"{y}_r"]),
        _convolve(f"{y}_r", f"{y}_1", operation["one"], weights),
        _convolve(f"{y}_r", f"{y}_3", operation["three"], weights),
        helper.make_node("Concat", [f"{y}_1", f"{y}_3"], [f"{y}_c"], axis=1),
        helper.make_node("Relu", [f"{y}_c"], [y]),
    ]


def _mean(x: str, y: str, operation: dict, weights: dict) -> list:
    return [helper.make_node("ReduceMean", [x], [y], axes=[2, 3], keepdims=0)]


def _convolve(x: str, y: str, name: str, weights: dict, stride: int = 1):
    margin = weights[name].shape[-1] // 2
    return helper.make_node("Conv", [x, name], [y], strides=[stride, stride], pads=[margin] * 4)


_NODES = {"dense": _dense, "relu": _relu, "conv": _convolution, "pool": _pool, "fire": _fire, "mean": _mean}
