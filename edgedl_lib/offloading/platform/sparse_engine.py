"""EIE: a sparse, weight-shared matrix-vector engine, cycle by cycle (Han et al. 2016 [153]).

Non-zero activations are broadcast one a cycle.  Each processing element queues them in a FIFO and spends a cycle on
every entry that it stores of the activation's column.  The broadcast waits while any FIFO is full: the deeper the FIFO,
the less the slowest element of one column holds up the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.offloading.platform.facts import facts
from edgedl_lib.offloading.platform.sparse_encoding import compress, entries_per_column, multiply
from edgedl_lib.system import catalogue

ALEXNET_LAYERS = ("alex-6", "alex-7", "alex-8")
FIFO_DEPTHS = (1, 2, 4, 8, 16, 32, 64)
CODES = 16
WORD_BITS = 32
#: Densities between which the filler knee is searched.
KNEE_DENSITIES = np.linspace(0.02, 0.2, 19)


@dataclass(frozen=True)
class EngineRun:
    """One matrix-vector product: cycles, and the share of them in which the elements handle an entry."""

    cycles: int
    utilisation: float


def simulate(entries: np.ndarray, depth: int) -> EngineRun:
    """Run the columns of the non-zero activations through the processing elements.

    Parameters
    ----------
    entries : numpy.ndarray of int, shape (N, columns)
        Entries of each element in each broadcast column; an empty column still takes the cycle that finds it empty.
    depth : int
        FIFO depth D.  An activation leaves the FIFO when its column is done, so with D = 1 all elements march in step.

    Returns
    -------
    EngineRun

    Examples
    --------
    >>> columns = np.array([[1, 9, 1], [9, 1, 9]])
    >>> simulate(columns, depth=1).cycles, simulate(columns, depth=8).cycles
    (27, 19)
    """
    if depth < 1:
        raise ValueError(f"the FIFO depth must be at least 1, not {depth}")
    work = np.maximum(entries, 1).T  # (columns, N)
    finish = np.zeros((len(work) + depth, entries.shape[0]), dtype=np.int64)  # rows before `depth` are the empty FIFO
    sent = 0
    for j, cycles in enumerate(work):
        sent = max(sent + 1 if j else 0, finish[j].max())
        finish[j + depth] = np.maximum(finish[j + depth - 1], sent) + cycles
    total = int(finish[-1].max())
    return EngineRun(total, float(entries.sum() / (entries.shape[0] * total)) if total else 0.0)


def random_entries(
    rows: int, columns: int, weight_density: float, activation_density: float, elements: int, seed: int
) -> np.ndarray:
    """Entries per element of the columns that a random sparse activation vector selects of a random sparse matrix.

    Returns
    -------
    numpy.ndarray of int, shape (N, about columns x activation_density)
    """
    generator = np.random.default_rng(seed)
    active = int(round(columns * activation_density))
    mask = generator.random((rows, active), dtype=np.float32) < weight_density
    return entries_per_column(mask, elements)


@dataclass(frozen=True)
class FifoStudy:
    """Utilisation by FIFO depth for one matrix, and at depth 8 for more processing elements.

    Attributes
    ----------
    depths : tuple of int
    utilisation : tuple of float
        At each depth.
    elements : tuple of int
    utilisation_of_elements : tuple of float
        At depth 8, for each number of processing elements.
    """

    depths: tuple[int, ...]
    utilisation: tuple[float, ...]
    elements: tuple[int, ...]
    utilisation_of_elements: tuple[float, ...]

    def at(self, depth: int) -> float:
        """Utilisation at a depth."""
        return self.utilisation[self.depths.index(depth)]

    @property
    def smallest_step(self) -> float:
        """Smallest change of utilisation from one depth to the next."""
        return float(np.diff(self.utilisation).min())

    @property
    def gain_8_to_64(self) -> float:
        """Relative gain from depth 8 to 64, in percent."""
        return 100 * (self.at(64) / self.at(8) - 1)

    @property
    def loss_of_elements(self) -> float:
        """Utilisation at 256 processing elements less that at 64."""
        return self.utilisation_of_elements[self.elements.index(256)] - self.at(8)


def fifo_study(
    rows: int = 4096,
    columns: int = 1024,
    weight_density: float = 0.09,
    activation_density: float = 0.35,
    elements: tuple[int, ...] = (16, 64, 128, 256),
    seed: int = 0,
) -> FifoStudy:
    """Load balance of EIE on a random matrix (its Figs. 8 and 13).

    Parameters
    ----------
    rows, columns : int
    weight_density, activation_density : float
        In (0, 1].
    elements : tuple of int
        Numbers of processing elements to compare at depth 8; 64 and 256 must be among them.
    seed : int
    """
    shape = (rows, columns, weight_density, activation_density)
    work = random_entries(*shape, 64, seed)
    return FifoStudy(
        depths=FIFO_DEPTHS,
        utilisation=tuple(simulate(work, depth).utilisation for depth in FIFO_DEPTHS),
        elements=elements,
        utilisation_of_elements=tuple(
            simulate(random_entries(*shape, count, seed), 8).utilisation for count in elements
        ),
    )


def functional_error(rows: int = 300, columns: int = 200, elements: int = 8, seed: int = 0) -> float:
    """Largest difference between the compressed product and the dense quantised one, on random integers."""
    generator = np.random.default_rng(seed)
    codes = generator.integers(1, CODES, (rows, columns)) * (generator.random((rows, columns)) < 0.03)
    code_book = np.concatenate([[0], generator.integers(-128, 128, CODES - 1)])
    activations = generator.integers(-128, 128, columns) * (generator.random(columns) < 0.4)
    sparse = multiply(compress(codes, elements), activations, code_book)
    return float(np.abs(sparse - code_book[codes] @ activations).max())


@dataclass(frozen=True)
class AlexNetStudy:
    """AlexNet's fully connected layers on EIE: simulated and ideal time in seconds of one frame."""

    seconds: float
    ideal_seconds: float

    @property
    def frames_per_second(self) -> float:
        """Simulated frames per second."""
        return 1 / self.seconds


def alexnet_study(depth: int | None = None, seed: int = 0) -> AlexNetStudy:
    """Simulate AlexNet's three fully connected layers at batch 1.

    Parameters
    ----------
    depth : int, optional
        FIFO depth; the paper's 8 by default.
    seed : int
    """
    eie = facts("sparse_accelerators", "eie")
    elements, depth = int(eie["processing_elements"]), depth or int(eie["fifo_depth"])
    cycles, work = 0, 0.0
    for name in ALEXNET_LAYERS:
        layer = facts("sparse_accelerators", name)
        rows, columns = int(layer["outputs"]), int(layer["inputs"])
        densities = layer["weight_density"], layer["activation_density"]
        cycles += simulate(random_entries(rows, columns, *densities, elements, seed), depth).cycles
        work += rows * columns * densities[0] * densities[1]
    return AlexNetStudy(cycles / eie["clock"], work / elements / eie["clock"])


def roofline_speedup(device: str, engine_seconds: float) -> float:
    """Dense float32 roofline time of a catalogue device for AlexNet's dense layers at batch 1 over EIE's time."""
    peak = catalogue.specification(device, "peak_gflops_fp32").value * 1e9
    bandwidth = catalogue.specification(device, "memory_bandwidth_gbs").value * 1e9
    weights = [_weights(name) for name in ALEXNET_LAYERS]
    return sum(max(2 * count / peak, 4 * count / bandwidth) for count in weights) / engine_seconds


def sparse_rate() -> float:
    """Operations per second of the engine on the compressed network: elements x 2 x clock."""
    eie = facts("sparse_accelerators", "eie")
    return eie["processing_elements"] * 2 * eie["clock"]


def dense_rate() -> float:
    """Operations per second that a dense engine would need for the same network: sparse rate x both reported gains."""
    eie = facts("sparse_accelerators", "eie")
    return sparse_rate() * eie["sparsity_gain"] * eie["activation_gain"]


def weight_gain() -> float:
    """Dense over kept weights of AlexNet's fully connected layers."""
    return sum(map(_weights, ALEXNET_LAYERS)) / sum(map(_kept, ALEXNET_LAYERS))


def activation_gain() -> float:
    """Kept weights over those that meet a non-zero activation."""
    layers = {name: facts("sparse_accelerators", name) for name in ALEXNET_LAYERS}
    return sum(map(_kept, layers)) / sum(_kept(name) * layer["activation_density"] for name, layer in layers.items())


def sharing_gain() -> float:
    """Bits of a float32 weight over those of its code."""
    return WORD_BITS / facts("sparse_accelerators", "eie")["code_bits"]


def fetch_ratio() -> float:
    """Energy of a 32-bit read from DRAM over one from SRAM (45 nm, Han et al. 2015 [129])."""
    energy = facts("sparse_accelerators", "45 nm")
    return energy["dram_read"] / energy["sram_read"]


def layer_energy(entries: float, memory: str) -> float:
    """Joules to fetch and apply compressed entries.

    Parameters
    ----------
    entries : float
        Entries of a code and an index each, fillers included.
    memory : {"dram", "sram"}
        Where they lie.
    """
    if memory not in ("dram", "sram"):
        raise ValueError(f"memory {memory!r} is unknown: use 'dram' or 'sram'")
    eie, energy = facts("sparse_accelerators", "eie"), facts("sparse_accelerators", "45 nm")
    words = entries * (eie["code_bits"] + eie["index_bits"]) / WORD_BITS
    arithmetic = energy["int_multiply"] + energy["int_add"] + energy["register_read"]
    return words * energy[f"{memory}_read"] + entries * arithmetic


def measured_filler_ratio(density: float, index_bits: int = 4, length: int = 50_000, seed: int = 0) -> float:
    """Fillers per true entry of one long random column of the given density."""
    mask = np.random.default_rng(seed).random((length, 1)) < density
    return entries_per_column(mask, 1, index_bits).sum() / mask.sum() - 1


def filler_knee(index_bits: int = 4, seed: int = 0) -> float:
    """Density below which there is more than one filler to two true entries, interpolated on measured columns."""
    ratios = [measured_filler_ratio(density, index_bits, seed=seed) for density in KNEE_DENSITIES]
    return float(np.interp(-0.5, -np.array(ratios), KNEE_DENSITIES))


def _weights(name: str) -> float:
    layer = facts("sparse_accelerators", name)
    return layer["inputs"] * layer["outputs"]


def _kept(name: str) -> float:
    return _weights(name) * facts("sparse_accelerators", name)["weight_density"]
