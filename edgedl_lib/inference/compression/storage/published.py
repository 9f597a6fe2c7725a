"""What pruning and Deep Compression leave of networks too large to train here, by exact arithmetic on published tables.

``data/pruned_networks.csv`` holds for each layer the densities of Han et al. 2015 [129] and the bits and sizes of
Han et al. 2016 [146]; weights and multiply-accumulates are counted from the networks themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from edgedl_lib.inference.compression.reference import lenet5, lenet_300_100
from edgedl_lib.nets import zoo
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.system.catalogue import DATA
from edgedl_lib.system.catalogue_file import UnknownName, read_rows

FLOAT_BITS = 32
STAGES = {"shared": "shared_percent", "huffman": "huffman_percent"}
GRAPHS: dict[str, Callable[[], LayerGraph]] = {
    "lenet-300-100": lambda: layer_graph(lenet_300_100(), (784,)),
    "lenet-5": lambda: layer_graph(lenet5(), (1, 28, 28)),
    "alexnet": zoo.alexnet,
    "vgg16": zoo.vgg16,
}


@dataclass(frozen=True)
class PublishedLayer:
    """One layer: counted sizes and published shares (fractions).

    Attributes
    ----------
    weights, mac : int
        Without biases; multiply-accumulates per inference.
    kept : float
        Share of the weights that survives pruning.
    input_density : float
        Share of the layer's inputs that is not zero after the ReLU before it.
    bits, index_bits : int
        Of a code and of a gap before Huffman coding.
    coded : dict
        Stage ("shared", "huffman") to size relative to float32, as published.
    """

    name: str
    weights: int
    mac: int
    kept: float
    input_density: float
    bits: int
    index_bits: int
    coded: dict[str, float]


@dataclass(frozen=True)
class PublishedNetwork:
    """A network with its published densities."""

    name: str
    layers: tuple[PublishedLayer, ...]

    @property
    def weights(self) -> int:
        """Weights before pruning, without biases."""
        return sum(layer.weights for layer in self.layers)

    @property
    def kept_weights(self) -> int:
        """Weights after pruning."""
        return round(sum(layer.kept * layer.weights for layer in self.layers))

    @property
    def reduction(self) -> float:
        """Weights before over weights after."""
        return self.weights / self.kept_weights

    @property
    def keep(self) -> dict[str, float]:
        """Share kept of each layer, as :func:`prune_and_retrain` takes it."""
        return {layer.name: layer.kept for layer in self.layers}

    @property
    def bits(self) -> dict[str, int]:
        """Bits of a code in each layer."""
        return {layer.name: layer.bits for layer in self.layers}

    def flop_share(self, skip_zero_inputs: bool = True) -> float:
        """Share of the operations that is left: of a pruned weight, and of a zero input, nothing is computed."""
        left = sum(layer.mac * layer.kept * (layer.input_density if skip_zero_inputs else 1) for layer in self.layers)
        return left / sum(layer.mac for layer in self.layers)

    def coded_share(self, stage: str) -> float:
        """Size after a stage ("shared" or "huffman") relative to float32, weighted by the layers' weights."""
        return sum(layer.coded[stage] * layer.weights for layer in self.layers) / self.weights

    def coded_bytes(self, stage: str) -> float:
        """The same in bytes."""
        return self.coded_share(stage) * self.weights * FLOAT_BITS / 8

    def implied_fillers(self, name: str) -> float:
        """Fillers per weight that the published size of a shared layer implies (its code book taken off)."""
        layer = next(layer for layer in self.layers if layer.name == name)
        stored = layer.coded["shared"] * layer.weights * FLOAT_BITS - 2**layer.bits * FLOAT_BITS
        return stored / (layer.kept * layer.weights * (layer.bits + layer.index_bits)) - 1


@lru_cache
def published_network(name: str) -> PublishedNetwork:
    """The published densities of "lenet-300-100", "lenet-5", "alexnet" or "vgg16".

    >>> network = published_network("lenet-300-100")
    >>> network.weights, network.kept_weights, round(network.reduction, 1)
    (266200, 21776, 12.2)
    """
    if name not in GRAPHS:
        raise UnknownName(f"no published densities of {name!r}; known are {', '.join(GRAPHS)}")
    graph, layers, density = GRAPHS[name](), [], 1.0
    for row in read_rows(DATA / "pruned_networks.csv", COLUMNS):
        if row["network"] != name:
            continue
        layers.append(_layer(row, graph, density))
        density = float(row["activation_percent"]) / 100
    return PublishedNetwork(name, tuple(layers))


COLUMNS = ("network", "layer", "kept_percent", "activation_percent", "weight_bits", "index_bits", *STAGES.values())


def _layer(row: dict[str, str], graph: LayerGraph, input_density: float) -> PublishedLayer:
    counted = graph[row["layer"]]
    coded = {stage: float(row[column]) / 100 for stage, column in STAGES.items()}
    kept, bits, index_bits = float(row["kept_percent"]) / 100, int(row["weight_bits"]), int(row["index_bits"])
    return PublishedLayer(counted.name, counted.weight_count, counted.mac, kept, input_density, bits, index_bits, coded)


@lru_cache
def fetch_energy(memory: str) -> float:
    """Energy of reading 32 bits from "sram" or "dram" in 45 nm CMOS (Han et al. 2015 [129]), J."""
    rows = read_rows(DATA / "sparse_accelerators.csv", ("subject", "quantity", "value"))
    energies = {row["quantity"]: float(row["value"]) for row in rows if row["subject"] == "45 nm"}
    if f"{memory}_read" not in energies:
        raise UnknownName(f"no read energy of {memory!r}; known are sram, dram and register")
    return energies[f"{memory}_read"]


def fetch_power(connections: float, rate: float, memory: str = "dram") -> float:
    """Power (W) of fetching each connection once per inference, ``rate`` inferences per second.

    >>> round(fetch_power(1e9, 20), 3)  # the motivating example of the paper
    12.8
    """
    return connections * rate * fetch_energy(memory)
