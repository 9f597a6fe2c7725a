"""Does a factored layer run as much faster as it has fewer multiplications?  Three sizes, timed in turn at batch 1."""

from dataclasses import dataclass

import torch
from torch import nn

from edgedl_lib.inference.compression.eight_bits.onnx_runtime import OrtSession, latencies, to_onnx
from edgedl_lib.inference.compression.factors.factorise import factorise
from edgedl_lib.inference.compression.factors.low_rank import rank_for_gain
from edgedl_lib.inference.compression.factors.separable import separable_conv, separable_rank_for_gain
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import build
from edgedl_lib.system.timing import measure_in_turn, ratio_in_turn


@dataclass(frozen=True)
class PromiseAndSpeed:
    """What the multiplications promise and what the clock says.

    Attributes
    ----------
    mac_gain, speedup : float
        Original over factored: multiply-accumulates; time, median over rounds of the ratio inside a round.
    seconds : (float, float)
        Median time of the original and of the factored layer.
    """

    mac_gain: float
    speedup: float
    seconds: tuple[float, float]


def time_models(original: nn.Module, factored: nn.Module, input_shape: tuple[int, ...], windows: int = 7):
    """Both models in ONNX Runtime, one thread."""
    sessions = {"original": original, "factored": factored}
    macs = {name: mac_count(model, input_shape) for name, model in sessions.items()}
    sessions = {name: OrtSession(to_onnx(model, input_shape)) for name, model in sessions.items()}
    return _compare(latencies(sessions, windows=windows), macs["original"] / macs["factored"])


def time_conv(gain: float = 3.0, *, seed: int = 0, windows: int = 7) -> PromiseAndSpeed:
    """A 5x5 convolution of 64 to 128 maps on 28x28 pixels, made separable; random weights take the same time."""
    conv = build(lambda: nn.Conv2d(64, 128, 5, padding=2), seed)
    separable = separable_conv(conv, separable_rank_for_gain(conv, gain))
    return time_models(nn.Sequential(conv), separable, (64, 28, 28), windows)


def time_large_dense(gain: float = 4.0, *, size: int = 4096, seed: int = 0, windows: int = 7) -> PromiseAndSpeed:
    """A square dense layer against two thin ones in PyTorch; random weights take the same time as trained ones."""
    rank = rank_for_gain(size, size, gain)
    whole = _dense(size, size, seed)
    thin = nn.Sequential(_dense(size, rank, seed), _dense(rank, size, seed))
    vector = torch.rand(1, size, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        calls = {"original": lambda: whole(vector), "factored": lambda: thin(vector)}
        timings = measure_in_turn(calls, windows=windows)
    return _compare(timings, size / (2 * rank))


def time_network(model: nn.Module, input_shape, ranks, *, windows: int = 7) -> PromiseAndSpeed:
    """A whole network against itself with some layers factored."""
    return time_models(model, factorise(model, ranks=ranks), input_shape, windows)


def mac_count(model: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Multiply-accumulates per sample, counted on the layer graph of the module that runs."""
    return sum(layer.mac for layer in layer_graph(model, input_shape))


def _dense(inputs: int, outputs: int, seed: int) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs, bias=False)  # the default initialisation takes seconds
    layer.weight.data.uniform_(-1, 1, generator=torch.Generator().manual_seed(seed))
    return layer


def _compare(timings, mac_gain: float) -> PromiseAndSpeed:
    original, factored = timings["original"], timings["factored"]
    return PromiseAndSpeed(mac_gain, ratio_in_turn(original, factored), (original.median, factored.median))
