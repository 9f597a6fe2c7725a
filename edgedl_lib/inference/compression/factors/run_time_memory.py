"""Memory while a network runs: weights that stay, activations that come and go, and the peak of both.

A layer needs its input and its output at once; by then the memory of earlier ones is free again.  The peak is therefore
the *largest* layer's, not the sum over the layers, unless training must keep them all.
"""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import Layer

INDEX_BYTES = 8  # of the place that max pooling remembers


@dataclass(frozen=True)
class MemoryModel:
    """Bytes of one inference, float32.

    Attributes
    ----------
    weights : int
        All parameters.
    activations : int
        Peak: the largest sum of a layer's input and output, and the raw input where it is kept beside them.
    """

    weights: int
    activations: int

    @property
    def total(self) -> int:
        """Weights and the peak of activations."""
        return self.weights + self.activations

    @property
    def activation_share(self) -> float:
        """Percent of the total that activations take."""
        return 100 * self.activations / self.total


def memory_model(graph: LayerGraph, *, keeps_input: bool = True, pool_indices: bool = True) -> MemoryModel:
    """Weights and peak of activations of a chain, for the graph's batch.

    Flattening takes no memory: it reads the same numbers in another shape.

    Parameters
    ----------
    keeps_input : bool
        The caller holds the raw input until the result is there.
    pool_indices : bool
        Max pooling writes the place of each maximum too, eight bytes each, as PyTorch does even without gradients.

    Raises
    ------
    ValueError
        If the graph is no chain: parallel branches keep several outputs alive.
    """
    if not graph.is_chain:
        raise ValueError(f"{graph.name} has branches; this model holds for chains only")
    weights = int(graph.parameter_bytes_per_layer().sum())
    image = 4 * graph.batch * torch.Size(graph.input_shape).numel() if keeps_input else 0
    live = [_live_bytes(layer, pool_indices) * graph.batch + (image if n else 0) for n, layer in enumerate(graph)]
    return MemoryModel(weights, max(live))


def _live_bytes(layer: Layer, pool_indices: bool) -> int:
    """Bytes alive while a layer runs on one sample: its input, and its output unless that is a view."""
    if layer.kind in ("flatten", "reshape", "dropout"):
        return layer.input_bytes
    maximum = layer.kind == "pool" and layer.config["function"] == "max"
    indices = INDEX_BYTES * layer.output_elements if maximum and pool_indices else 0
    return layer.input_bytes + layer.output_bytes + indices


class LiveTensors(TorchDispatchMode):
    """Counts the bytes of the tensors that are alive at each operation of a real run.

    Parameters
    ----------
    without : sequence of Tensor
        Not counted, nor views of them: the weights.

    Attributes
    ----------
    peak : int
        Largest number of bytes alive at once, the tensors handed to :meth:`watch` included.
    """

    def __init__(self, without: Sequence[Tensor] = ()) -> None:
        super().__init__()
        self.peak = self.current = 0
        self._known = {tensor.untyped_storage()._cdata for tensor in without}

    def watch(self, tensor: Tensor) -> None:
        """Count the memory of a tensor from now until it is freed; views of known memory count nothing."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known:
            return
        self._known.add(key)
        size = storage.nbytes()
        self.current += size
        self.peak = max(self.peak, self.current)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.current -= size

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple | list) else (result,):
            if isinstance(value, Tensor):
                self.watch(value)
        return result


@torch.no_grad()
def measured_activation_peak(model: nn.Module, inputs: Tensor) -> int:
    """Peak of live activations (bytes) during one forward pass, the input included; weights are not counted.

    What a kernel uses for itself while it runs (an unfolded convolution input, say) is not a tensor and not seen.
    """
    with LiveTensors(without=[*model.parameters(), *model.buffers()]) as live:
        live.watch(inputs)
        model(inputs)
    return live.peak
