"""Eight-bit against 32-bit inference in ONNX Runtime: one dense layer of growing width, and a whole classifier.

Quantising is no free factor of four. A small layer pays more for converting its input than it saves; a large one
reads a quarter of the bytes and, where the processor has an eight-bit dot product, multiplies faster too.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

from edgedl_lib.inference.compression.eight_bits import onnx_runtime
from edgedl_lib.inference.compression.eight_bits.onnx_runtime import IR_VERSION, OPSET, single_thread_session
from edgedl_lib.offloading.platform.measured.timing import Timing, measure_in_turn, ratio_in_turn

DOT_PRODUCT_FLAGS = ("avx512_vnni", "avx_vnni", "asimddp", "amx_int8")  # as Linux names them in /proc/cpuinfo


@dataclass(frozen=True)
class Int8Layer:
    """A dense layer at one width: times of both types (s) and the error of the 8-bit one."""

    width: int
    float32: Timing
    int8: Timing
    relative_error: float
    float32_bytes: int
    int8_bytes: int

    @property
    def speedup(self) -> float:
        """Time in float32 over time in int8, round by round."""
        return ratio_in_turn(self.float32, self.int8)


@dataclass(frozen=True)
class Int8Accuracy:
    """Correct answers of a classifier before and after quantisation (percent of the test set)."""

    float32: float
    int8: float
    agreement: float

    @property
    def drop(self) -> float:
        """Percentage points gained (negative: lost) by quantising."""
        return self.int8 - self.float32


def dot_product_instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """Names of the eight-bit dot products that the processor offers; empty where none is known.

    Examples
    --------
    >>> isinstance(dot_product_instructions(), tuple)
    True
    """
    if not cpuinfo.exists():  # Apple's M series has had the instruction from the first; other systems do not say
        return ("asimddp",) if platform.system() == "Darwin" and platform.machine() == "arm64" else ()
    words = set(cpuinfo.read_text().split())
    return tuple(flag for flag in DOT_PRODUCT_FLAGS if flag in words)


def dense_model(weights: Sequence[np.ndarray], biases: Sequence[np.ndarray]) -> onnx.ModelProto:
    """ONNX graph of dense layers with ReLU between them.

    Parameters
    ----------
    weights : sequence of ndarray, shape (inputs, outputs)
    biases : sequence of ndarray, shape (outputs,)

    Returns
    -------
    onnx.ModelProto
        Input "x" (batch, inputs), output "y" (batch, outputs).

    Raises
    ------
    ValueError
        If there is no layer or the numbers of weights and biases differ.
    """
    if not weights or len(weights) != len(biases):
        raise ValueError(
            f"{len(weights)} weights with {len(biases)} biases; give one bias per layer, at least one layer"
        )
    nodes, constants, current = [], [], "x"
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        constants += [_constant(weight, f"w{index}"), _constant(bias, f"b{index}")]
        last = index == len(weights) - 1
        summed = "y" if last else f"s{index}"
        nodes.append(helper.make_node("MatMul", [current, f"w{index}"], [f"p{index}"]))
        nodes.append(helper.make_node("Add", [f"p{index}", f"b{index}"], [summed]))
        if not last:
            nodes.append(helper.make_node("Relu", [summed], [f"r{index}"]))
        current = f"r{index}"
    return _model(nodes, constants, weights[0].shape[0], weights[-1].shape[1])


def session(model: onnx.ModelProto | Path) -> onnxruntime.InferenceSession:
    """ONNX Runtime session on one thread."""
    return single_thread_session(str(model) if isinstance(model, Path) else model.SerializeToString())


def quantise_dynamic(model: onnx.ModelProto, folder: Path, operators: Sequence[str] = ("MatMul",)) -> Path:
    """Weights to 8 bits now, activations at each call with the range seen there. Returns the file written.

    Convolutions get unsigned weights: ONNX Runtime has no processor kernel for signed ones.
    """
    source, target = _prepared(model, folder), folder / "int8.onnx"
    signed = "Conv" not in operators
    kind = quantization.QuantType.QInt8 if signed else quantization.QuantType.QUInt8
    quantization.quantize_dynamic(source, target, list(operators), per_channel=signed, weight_type=kind)
    return target


def quantise_static(model: onnx.ModelProto, calibration: np.ndarray, folder: Path) -> Path:
    """Weights and activations to 8 bits with ranges taken from `calibration`, shape (samples, inputs)."""
    target = folder / "static.onnx"
    target.write_bytes(onnx_runtime.quantise_static(model.SerializeToString(), calibration))
    return target


def measure_dense(widths: Sequence[int] = (64, 512, 2048), *, seed: int = 0, windows: int = 7) -> list[Int8Layer]:
    """Time one square dense layer per width in both types, batch 1, one thread, all in the same rounds."""
    rng = np.random.default_rng(seed)
    pairs = {width: _dense_pair(width, rng) for width in widths}
    calls = {}
    for width, (full, small, vector) in pairs.items():
        calls[f"float32 {width}"] = lambda run=full.run, x=vector: run(None, {"x": x})
        calls[f"int8 {width}"] = lambda run=small.run, x=vector: run(None, {"x": x})
    timings = measure_in_turn(calls, windows=windows)
    return [_int8_layer(w, *pairs[w], timings[f"float32 {w}"], timings[f"int8 {w}"]) for w in widths]


def digits_accuracy(*, seed: int = 0, hidden: int = 64) -> Int8Accuracy:
    """Train a small classifier on scikit-learn's digits, quantise it statically and compare the answers.

    The ranges of the activations come from training images only: a range taken from the test set would leak it.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    images, labels = load_digits(return_X_y=True)
    split = train_test_split(images / 16.0, labels, test_size=0.4, random_state=seed, stratify=labels)
    train, test, train_labels, test_labels = split
    network = MLPClassifier((hidden, hidden), max_iter=300, random_state=seed, tol=1e-3, n_iter_no_change=3).fit(
        train, train_labels
    )
    model = dense_model(network.coefs_, network.intercepts_)
    with TemporaryDirectory() as folder:
        small = session(quantise_static(model, train[:256].astype(np.float32), Path(folder)))
    return _accuracy(_classes(session(model), test), _classes(small, test), test_labels)


def _prepared(model: onnx.ModelProto, folder: Path) -> Path:
    source, target = folder / "float32.onnx", folder / "prepared.onnx"
    onnx.save(
        model, source
    )  # by way of a file: handed over in memory, the model would come back emptied of its weights
    quant_pre_process(source, target, skip_symbolic_shape=True)
    return target


def _accuracy(full: np.ndarray, small: np.ndarray, labels: np.ndarray) -> Int8Accuracy:
    percent = [100.0 * float(np.mean(answers)) for answers in (full == labels, small == labels, full == small)]
    return Int8Accuracy(*percent)


def _classes(runtime: onnxruntime.InferenceSession, inputs: np.ndarray) -> np.ndarray:
    return runtime.run(None, {"x": inputs.astype(np.float32)})[0].argmax(axis=1)


def _dense_pair(width: int, rng: np.random.Generator):
    weight = rng.standard_normal((width, width)) / np.sqrt(width)
    model = dense_model([weight], [rng.standard_normal(width)])
    with TemporaryDirectory() as folder:
        small = session(quantise_dynamic(model, Path(folder)))
    return session(model), small, rng.standard_normal((1, width)).astype(np.float32)


def _int8_layer(width, full, small, vector, float32: Timing, int8: Timing) -> Int8Layer:
    exact, rounded = (runtime.run(None, {"x": vector})[0] for runtime in (full, small))
    error = float(np.linalg.norm(rounded - exact) / np.linalg.norm(exact))
    return Int8Layer(width, float32, int8, error, 4 * width * (width + 1), width * (width + 4))


def _constant(values: np.ndarray, name: str) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, dtype=np.float32), name)


def _model(nodes: list, constants: list, inputs: int, outputs: int) -> onnx.ModelProto:
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
        for name, size in (("x", inputs), ("y", outputs))
    ]
    graph = helper.make_graph(nodes, "dense", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
