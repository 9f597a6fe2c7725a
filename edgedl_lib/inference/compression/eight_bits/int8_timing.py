"""Eight bits against 32 in ONNX Runtime at batch 1: where a quarter of the bytes is also less time, and where not."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.inference.compression.eight_bits.onnx_runtime import OrtSession, latencies, quantise_static, to_onnx
from edgedl_lib.nets.training import build, predict
from edgedl_lib.system.timing import Timing, ratio_in_turn


@dataclass(frozen=True)
class Int8Speed:
    """One network in both types.

    Attributes
    ----------
    float32, int8 : Timing
        Seconds per call, measured in the same rounds.
    float32_bytes, int8_bytes : int
        Sizes of the model files.
    """

    float32: Timing
    int8: Timing
    float32_bytes: int
    int8_bytes: int

    @property
    def speedup(self) -> float:
        """Time in float32 over time in int8, median over rounds of the ratio inside a round."""
        return ratio_in_turn(self.float32, self.int8)


@dataclass(frozen=True)
class Agreement:
    """How far the quantised model in the runtime is from the float32 model in PyTorch.

    Attributes
    ----------
    export_error : float
        Largest difference of a logit between PyTorch and the exported float32 model.
    same_label : float
        Percent of inputs with the same label after quantisation.
    deviation : float
        Largest change of a logit by quantisation, over the largest logit.
    """

    export_error: float
    same_label: float
    deviation: float


def runtime_agreement(model: nn.Module, calibration: Tensor, inputs: Tensor) -> Agreement:
    """Export, quantise with ranges from ``calibration``, and compare the logits of ``inputs``."""
    exported = to_onnx(model, tuple(inputs.shape[1:]))
    truth = predict(model, inputs).numpy()
    full = OrtSession(exported).run(inputs)
    small = OrtSession(quantise_static(exported, calibration)).run(inputs)
    return Agreement(
        float(np.abs(full - truth).max()),
        100 * float(np.mean(small.argmax(axis=1) == truth.argmax(axis=1))),
        float(np.abs(small - truth).max() / np.abs(truth).max()),
    )


def large_layers(seed: int = 0) -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
    """A layer bound by its bytes and one bound by its arithmetic, with their input shapes; weights are random."""
    dense = build(lambda: nn.Linear(2048, 2048), seed)
    conv = build(lambda: nn.Conv2d(64, 128, 3, padding=1), seed)
    return {
        "dense 2048 to 2048": (nn.Sequential(dense), (2048,)),
        "convolution 64 to 128": (nn.Sequential(conv), (64, 28, 28)),
    }


def time_int8(
    models: Mapping[str, tuple[nn.Module, tuple[int, ...]]], *, seed: int = 0, windows: int = 7
) -> dict[str, Int8Speed]:
    """Time every model in both types, all in the same rounds; ranges come from random inputs, which time ignores."""
    generator = torch.Generator().manual_seed(seed)
    files = {}
    for name, (model, shape) in models.items():
        exported = to_onnx(model, shape)
        files[name, "float32"] = exported
        files[name, "int8"] = quantise_static(exported, torch.rand(16, *shape, generator=generator))
    timings = latencies({key: OrtSession(file) for key, file in files.items()}, windows=windows)
    return {
        name: Int8Speed(*(timings[name, kind] for kind in kinds), *(len(files[name, kind]) for kind in kinds))
        for name in models
        for kinds in [("float32", "int8")]
    }
