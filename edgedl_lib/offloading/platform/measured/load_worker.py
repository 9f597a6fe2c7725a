"""One cell of the package comparison, run as a script in a process of its own.

It must stay importable without the rest of the library: whatever this process imports is counted in its peak memory.
Each package imports itself inside its function, before the clock starts, because importing a library is not loading a
model.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

STEADY_CALLS = 15  # per window
STEADY_WINDOWS = 5


def numpy_forward(operations: list[dict], weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """Run a network written as a list of operations, on one image (channels, rows, columns) or vector (inputs,)."""
    for operation in operations:
        x = _NUMPY_OPERATIONS[operation["op"]](x, operation, weights)
    return x


def _dense(x: np.ndarray, operation: dict, weights: dict) -> np.ndarray:
    return weights[operation["weight"]] @ x


def _relu(x: np.ndarray, operation: dict, weights: dict) -> np.ndarray:
    return np.maximum(x, 0.0)


def _convolution(x: np.ndarray, operation: dict, weights: dict) -> np.ndarray:
    weight = weights[operation["weight"]]
    filters, channels, side, _ = weight.shape
    stride, margin = operation["stride"], side // 2
    padded = np.pad(x, ((0, 0), (margin, margin), (margin, margin)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))[:, ::stride, ::stride]
    columns = patches.transpose(0, 3, 4, 1, 2).reshape(channels * side * side, -1)
    return (weight.reshape(filters, -1) @ columns).reshape(filters, *patches.shape[1:3])


def _pool(x: np.ndarray, operation: dict, weights: dict) -> np.ndarray:
    channels, rows, columns = x.shape
    return x.reshape(channels, rows // 2, 2, columns // 2, 2).max(axis=(2, 4))


def _fire(x: np.ndarray, operation: dict, weights: dict) -> np.ndarray:
    squeezed = np.maximum(_convolution(x, {"weight": operation["squeeze"], "stride": 1}, weights), 0.0)
    expanded = [_convolution(squeezed, {"weight": operation[name], "stride": 1}, weights) for name in ("one", "three")]
    return np.maximum(np.concatenate(expanded), 0.0)


def _mean(x: np.ndarray, operation: dict, weights: dict) -> np.ndarray:
    return x.mean(axis=(1, 2))


_NUMPY_OPERATIONS: dict[str, Callable] = {
    "dense": _dense,
    "relu": _relu,
    "conv": _convolution,
    "pool": _pool,
    "fire": _fire,
    "mean": _mean,
}


def torch_network(operations: list[dict], shapes: dict[str, list[int]]):
    """The same network as a torch module with one parameter per weight."""
    import torch
    import torch.nn.functional as F

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, shape in shapes.items():
                self.register_parameter(name, torch.nn.Parameter(torch.empty(shape), requires_grad=False))

        def convolve(self, x, name, stride=1):
            weight = getattr(self, name)
            return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

        def fire(self, x, operation):
            squeezed = F.relu(self.convolve(x, operation["squeeze"]))
            return F.relu(torch.cat([self.convolve(squeezed, operation[name]) for name in ("one", "three")], dim=1))

        def forward(self, x):
            for operation in operations:
                x = self.apply_operation(x, operation)
            return x

        def apply_operation(self, x, operation):
            match operation["op"]:
                case "dense":
                    return F.linear(x, getattr(self, operation["weight"]))
                case "relu":
                    return F.relu(x)
                case "conv":
                    return self.convolve(x, operation["weight"], operation["stride"])
                case "pool":
                    return F.max_pool2d(x, 2)
                case "fire":
                    return self.fire(x, operation)
                case "mean":
                    return x.mean(dim=(2, 3))
                case unknown:
                    raise ValueError(f"operation {unknown!r} is unknown; use one of {', '.join(_NUMPY_OPERATIONS)}")

    return Network().eval()


def prepare_torch(folder: Path, name: str, x: np.ndarray):
    """PyTorch eager: build the module, read the weights into it."""
    import torch

    torch.set_num_threads(1)
    recipe = json.loads((folder / f"{name}.json").read_text())
    batch = torch.from_numpy(x[None])

    def load():
        network = torch_network(recipe["operations"], recipe["shapes"])
        network.load_state_dict(torch.load(folder / f"{name}.pt", weights_only=True))
        return lambda: network(batch).numpy()[0]

    return load


def prepare_torchscript(folder: Path, name: str, x: np.ndarray):
    """TorchScript: the program and its weights come from one file."""
    import torch

    torch.set_num_threads(1)
    batch = torch.from_numpy(x[None])

    def load():
        network = torch.jit.load(str(folder / f"{name}.torchscript"))
        return lambda: network(batch).numpy()[0]

    return load


def prepare_onnx(folder: Path, name: str, x: np.ndarray, suffix: str = "onnx"):
    """ONNX Runtime: reading the file includes optimising the graph."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3

    def load():
        path = str(folder / f"{name}.{suffix}")
        runtime = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda: runtime.run(None, {"x": x[None]})[0][0]

    return load


def prepare_onnx_int8(folder: Path, name: str, x: np.ndarray):
    """ONNX Runtime with 8-bit weights."""
    return prepare_onnx(folder, name, x, "int8.onnx")


def prepare_numpy(folder: Path, name: str, x: np.ndarray):
    """Plain NumPy: arrays from an uncompressed archive, operations from this file."""
    operations = json.loads((folder / f"{name}.json").read_text())["operations"]

    def load():
        with np.load(folder / f"{name}.npz") as archive:
            weights = dict(archive)
        return lambda: numpy_forward(operations, weights, x)

    return load


def prepare_sklearn(folder: Path, name: str, x: np.ndarray):
    """scikit-learn: a pickled multi-layer perceptron; it knows no convolution."""
    import joblib
    import sklearn.neural_network  # noqa: F401  (imported before the clock starts)

    def load():
        network = joblib.load(folder / f"{name}.joblib")
        return lambda: network.predict(x[None])[0]

    return load


PACKAGES: dict[str, Callable] = {
    "PyTorch eager": prepare_torch,
    "TorchScript": prepare_torchscript,
    "ONNX Runtime": prepare_onnx,
    "ONNX Runtime int8": prepare_onnx_int8,
    "NumPy": prepare_numpy,
    "scikit-learn": prepare_sklearn,
}


def peak_memory() -> int:
    """Largest resident memory of this process so far (bytes).

    Linux hands `ru_maxrss` down from the parent that started us; the high-water mark in /proc begins anew.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(text for text in status.read_text().splitlines() if text.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def measure(package: str, name: str, folder: Path) -> dict[str, float | list[float]]:
    """Load, run once, run steadily; seconds and bytes."""
    x = np.load(folder / f"{name}.input.npy")
    load = PACKAGES[package](folder, name, x)
    seconds, infer = _timed(load)
    first, output = _timed(infer)
    windows, processor = [], process_time()
    for _ in range(STEADY_WINDOWS):
        start = perf_counter()
        for _ in range(STEADY_CALLS):
            infer()
        windows.append((perf_counter() - start) / STEADY_CALLS)
    processor = (process_time() - processor) / (STEADY_WINDOWS * STEADY_CALLS)
    return {
        "load": seconds,
        "first": first,
        "steady": float(np.median(windows)),
        "processor": processor,
        "peak_memory": peak_memory(),
        "output": [float(value) for value in np.asarray(output).ravel()[:8]],
    }


def _timed(call: Callable) -> tuple[float, object]:
    start = perf_counter()
    result = call()
    return perf_counter() - start, result


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
