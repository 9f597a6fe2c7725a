"""Loading a model against running it, package by package (pCAMP [186], AI Benchmark [54]).

Two networks of opposite kinds (fully connected with many weights; 1x1 convolutions with few), written once in the
file format of each package. Every cell is measured in a fresh process, so that no cell inherits another's memory or
caches. The files have just been written, so the disk cache is warm: a cold start would make loading longer still.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edgedl_lib.offloading.platform.measured import load_worker

METRICS = ("load", "first", "steady", "processor", "peak_memory")
CELL_TIMEOUT = 60.0  # s


@dataclass(frozen=True)
class PackageNetwork:
    """A network as a list of operations over named weights.

    `input_shape` is without batch, (channels, rows, columns) or (inputs,).
    """

    name: str
    operations: tuple[dict, ...]
    weights: dict[str, np.ndarray]
    input_shape: tuple[int, ...]

    @property
    def parameter_bytes(self) -> int:
        """Bytes of the weights in float32."""
        return sum(4 * weight.size for weight in self.weights.values())

    @property
    def is_dense(self) -> bool:
        """Whether it consists of dense layers only."""
        return {operation["op"] for operation in self.operations} <= {"dense", "relu"}


@dataclass(frozen=True)
class LoadingCell:
    """What one package does with one network: times (s), memory (bytes), the first values of the output."""

    package: str
    network: str
    load: float
    first: float
    steady: float
    processor: float
    peak_memory: float
    output: tuple[float, ...]

    @property
    def load_over_inference(self) -> float:
        """How many steady inferences fit into the time of loading."""
        return self.load / self.steady


@dataclass(frozen=True)
class LoadingMatrix:
    """All measured cells; a package that cannot express a network has none."""

    cells: tuple[LoadingCell, ...]

    @property
    def share_load_longer(self) -> float:
        """Share of the cells in which loading takes longer than one steady inference."""
        return float(np.mean([cell.load > cell.steady for cell in self.cells]))

    @property
    def median_load_over_inference(self) -> float:
        """Median over the cells of loading time over the time of one inference."""
        return float(np.median([cell.load_over_inference for cell in self.cells]))

    def winners(self) -> dict[tuple[str, str], str]:
        """Package with the smallest figure for every (network, metric)."""
        networks = dict.fromkeys(cell.network for cell in self.cells)
        return {(network, metric): self._winner(network, metric) for network in networks for metric in METRICS}

    @property
    def dominance(self) -> float:
        """Share of the (network, metric) pairs won by the most successful package; 1 means that it wins all."""
        winners = self.winners()
        return Counter(winners.values()).most_common(1)[0][1] / len(winners)

    def _winner(self, network: str, metric: str) -> str:
        rivals = [cell for cell in self.cells if cell.network == network]
        return min(rivals, key=lambda cell: getattr(cell, metric)).package


def alexnet_like(seed: int = 0, widths: tuple[int, ...] = (2304, 2048, 2048, 100)) -> PackageNetwork:
    """The fully connected head that holds most of AlexNet's weights, at half its width."""
    rng = np.random.default_rng(seed)
    operations: list[dict] = []
    weights = {}
    for index, (inputs, outputs) in enumerate(zip(widths, widths[1:], strict=False)):
        weights[f"w{index}"] = _normal(rng, outputs, inputs)
        operations += [{"op": "dense", "weight": f"w{index}"}, {"op": "relu"}]
    return PackageNetwork("AlexNet-like", tuple(operations[:-1]), weights, (widths[0],))


def squeezenet_like(seed: int = 0, side: int = 64, classes: int = 100) -> PackageNetwork:
    """A convolution, four Fire modules (squeeze by 1x1, expand by 1x1 and 3x3), a 1x1 classifier, an average."""
    rng = np.random.default_rng(seed)
    weights = {"stem": _normal(rng, 32, 3, 3, 3)}
    operations: list[dict] = [{"op": "conv", "weight": "stem", "stride": 2}, {"op": "relu"}, {"op": "pool"}]
    channels = 32
    for index, (squeeze, expand) in enumerate(((16, 64), (16, 64), (32, 128), (32, 128))):
        weights |= _fire_weights(rng, index, channels, squeeze, expand)
        operations.append({"op": "fire", "squeeze": f"s{index}", "one": f"e{index}", "three": f"t{index}"})
        operations += [{"op": "pool"}] if index == 1 else []
        channels = 2 * expand
    weights["classifier"] = _normal(rng, classes, channels, 1, 1)
    operations += [{"op": "conv", "weight": "classifier", "stride": 1}, {"op": "mean"}]
    return PackageNetwork("SqueezeNet-like", tuple(operations), weights, (3, side, side))


def measure_loading(networks: list[PackageNetwork] | None = None, packages: list[str] | None = None) -> LoadingMatrix:
    """Write the networks in every format and measure every possible cell in a process of its own.

    Raises
    ------
    RuntimeError
        If a cell fails or takes longer than a minute; the message holds what the process said last.
    """
    networks = [alexnet_like(), squeezenet_like()] if networks is None else networks
    packages = list(load_worker.PACKAGES) if packages is None else packages
    cells = []
    with TemporaryDirectory() as folder:
        for network in networks:
            write_formats(network, Path(folder))
            possible = [package for package in packages if network.is_dense or package != "scikit-learn"]
            cells += [_measure_cell(package, network.name, Path(folder)) for package in possible]
    return LoadingMatrix(tuple(cells))


def write_formats(network: PackageNetwork, folder: Path, seed: int = 0) -> None:
    """Write weights, recipe, input and the file of every package into `folder`."""
    from edgedl_lib.offloading.platform.measured.model_formats import write_onnx, write_sklearn, write_torch

    stem = folder / network.name
    rng = np.random.default_rng(seed)
    np.save(f"{stem}.input.npy", rng.standard_normal(network.input_shape).astype(np.float32))
    np.savez(f"{stem}.npz", **network.weights)
    shapes = {name: list(weight.shape) for name, weight in network.weights.items()}
    Path(f"{stem}.json").write_text(json.dumps({"operations": list(network.operations), "shapes": shapes}))
    write_torch(network, stem)
    write_onnx(network, stem)
    if network.is_dense:
        write_sklearn(network, stem)


def _measure_cell(package: str, network: str, folder: Path) -> LoadingCell:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = [sys.executable, load_worker.__file__, package, network, str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=CELL_TIMEOUT, env=os.environ | threads)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(
            f"{package} with {network} took longer than {CELL_TIMEOUT:.0f} s; use a smaller network"
        ) from error
    if done.returncode:
        raise RuntimeError(f"{package} with {network} failed: {done.stderr.strip().splitlines()[-1]}")
    result = json.loads(done.stdout.splitlines()[-1])
    return LoadingCell(package, network, **(result | {"output": tuple(result["output"])}))


def _fire_weights(
    rng: np.random.Generator, index: int, channels: int, squeeze: int, expand: int
) -> dict[str, np.ndarray]:
    return {
        f"s{index}": _normal(rng, squeeze, channels, 1, 1),
        f"e{index}": _normal(rng, expand, squeeze, 1, 1),
        f"t{index}": _normal(rng, expand, squeeze, 3, 3),
    }


def _normal(rng: np.random.Generator, outputs: int, *fan_in: int) -> np.ndarray:
    scale = np.sqrt(2.0 / np.prod(fan_in))
    return (scale * rng.standard_normal((outputs, *fan_in))).astype(np.float32)
