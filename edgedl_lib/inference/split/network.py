"""The network that both processes build from the same name and seed, run from any cut to any other."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph, chain
from edgedl_lib.nets.torch_model import TorchModel, to_torch
from edgedl_lib.nets.zoo import ANALOGUES, analogue, model

WIDE_ALEXNET = "wide-alexnet"
GREY_LEVELS = 255  # an image as transmitted: one byte for each element, scaled to [0, 1] before the first layer


def graph_by_name(name: str) -> LayerGraph:
    """A graph of the zoo ("lenet5"), the analogue of one of Neurosurgeon's applications ("IMC"), or `WIDE_ALEXNET`.

    Raises
    ------
    UnknownName
        A ``KeyError`` that lists the names.

    Examples
    --------
    >>> len(graph_by_name("IMC"))
    24
    """
    if name == WIDE_ALEXNET:
        return wide_alexnet()
    return analogue(name) if name in ANALOGUES else model(name)


def wide_alexnet() -> LayerGraph:
    """AlexNet on 115x115 pixels with its dense layers in full width: 23 layers.

    The analogue IMC halves the dense layers.  In full width they take about half of the time, as on the phone of Kang
    et al. 2017 [12], so that the best cut lies inside the network over a wide range of link rates.

    >>> len(wide_alexnet()), wide_alexnet()["fc6"].output_shape
    (23, (4096,))
    """
    trunk = analogue("IMC")
    net = ModelBuilder(WIDE_ALEXNET, trunk["pool5"].output_shape)
    for number, units in ((6, 4096), (7, 4096)):
        net.dense(f"fc{number}", units)
        net.relu(f"relu{number}")
        net.dropout(f"drop{number}")
    net.dense("fc8", 1000)
    net.softmax("prob")
    end = trunk.layer_names.index("pool5") + 1
    return chain(WIDE_ALEXNET, trunk.input_shape, (*trunk.layers[:end], *net.graph().layers))


def run_between(model: TorchModel, values: Tensor, begin: int, end: int) -> Tensor:
    """Output of layer `end`, computed from that of layer `begin` (0 is the raw input) on a chain."""
    names = model.graph.layer_names
    if begin == end:
        return values
    return model.run_layers({("input", *names)[begin]: values}, names[begin:end])[names[end - 1]]


class ChainNetwork:
    """A seeded chain of N layers; cut j lies behind layer j, cut 0 before the first.

    Parameters
    ----------
    graph : LayerGraph
    seed : int
        Of the weights: the same on both sides, so that no weights cross the link.

    Raises
    ------
    ValueError
        If the graph branches.
    """

    def __init__(self, graph: LayerGraph, seed: int = 0) -> None:
        if not graph.is_chain:
            raise ValueError(f"{graph.name} has branches; a split run needs a chain, such as lenet5 or IMC")
        self.graph = graph
        self.seed = seed
        self.model = to_torch(graph, seed)

    @property
    def layer_count(self) -> int:
        """N: cuts go from 0 to N."""
        return len(self.graph)

    def boundary_shape(self, cut: int) -> tuple[int, ...]:
        """Shape of the tensor at a cut, batch first."""
        shapes = (self.graph.input_shape, *(layer.output_shape for layer in self.graph))
        return (self.graph.batch, *shapes[self.checked(cut)])

    def checked(self, cut: float) -> int:
        """The cut as an int.

        Raises
        ------
        ValueError
            If there is no such cut.
        """
        if cut not in range(self.layer_count + 1):
            raise ValueError(f"cut {cut} does not exist; {self.graph.name} has the cuts 0 to {self.layer_count}")
        return int(cut)

    def run(self, values: np.ndarray, begin: int, end: int) -> np.ndarray:
        """Run layers ``begin + 1 .. end`` on the tensor at cut `begin`.

        Parameters
        ----------
        values : numpy.ndarray
            Shape ``boundary_shape(begin)``; float32, or at cut 0 also uint8 (an image as transmitted).

        Raises
        ------
        ValueError
            If shape or dtype do not fit.
        """
        values, expected = np.asarray(values), self.boundary_shape(begin)
        if values.shape != expected:
            raise ValueError(f"cut {begin} of {self.graph.name} needs shape {expected}, not {values.shape}")
        if values.dtype != np.float32 and (values.dtype != np.uint8 or begin):
            raise ValueError(f"cut {begin} of {self.graph.name} needs float32, not {values.dtype}")
        with torch.inference_mode():
            return run_between(self.model, _as_tensor(values), begin, self.checked(end)).numpy()


def random_image(graph: LayerGraph, seed: int = 0) -> np.ndarray:
    """One query of noise as it is transmitted: uint8, shape (batch, ...)."""
    return np.random.default_rng(seed).integers(0, 256, (graph.batch, *graph.input_shape), dtype=np.uint8)


def _as_tensor(values: np.ndarray) -> Tensor:
    writable = values if values.flags.writeable else values.copy()  # PyTorch warns of read-only memory
    tensor = torch.from_numpy(writable)
    return tensor if tensor.dtype == torch.float32 else tensor.to(torch.float32) / GREY_LEVELS
