"""The measurements of McMahan et al. 2017 [198]: rounds to a target over C, E and B, and what happens in an average.

A cell is one entry of the paper's tables.  Every cell has its own learning rate, found on a geometric grid; the seeds
used for finding it are not among those that are measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from edgedl_lib.nets.datasets import Dataset, Split
from edgedl_lib.nets.training import accuracy
from edgedl_lib.training.data import FederatedData, digits_pool, federated
from edgedl_lib.training.history import crossing
from edgedl_lib.training.local import LocalTraining, local_sgd
from edgedl_lib.training.models import Arrays, flatten, load_arrays, mnist_cnn, perceptron, two_nn
from edgedl_lib.training.partition import iid, shards
from edgedl_lib.training.run import STALLED, RunFailed, run
from edgedl_lib.training.strategy import FederatedAveraging, weighted_mean
from edgedl_lib.training.task import Task
from edgedl_lib.training.vanilla.rates import SWEEPS
from edgedl_lib.training.vectorised import local_sgd_all, pool

CLIENTS, TARGET, LIMIT = 50, 0.95, 400  # digits: 50 clients of 30 images
RATES = tuple(float(rate) for rate in np.round(10 ** (np.arange(-6, 2) / 6), 3))  # 0.1 to 1.47, the paper's finer grid
TUNING_SEEDS = (1000, 1001)
network = partial(perceptron, 64, 200, 200, 10)


@dataclass(frozen=True)
class Cell:
    """One entry of a table.

    Attributes
    ----------
    clients : int
        Per round; the paper's C = 0 is 1.
    epochs : int
        E.
    batch : int or None
        B; None is all local data.
    split : {"iid", "shards", "uneven"}
        Shuffled and equal, two shards of one label each, or shuffled with sizes from 5 upwards.
    """

    clients: int
    epochs: int
    batch: int | None
    split: str = "iid"

    @property
    def name(self) -> str:
        """As in the paper: ``"C5-E1-Ball-iid"``."""
        return f"C{self.clients}-E{self.epochs}-B{self.batch or 'all'}-{self.split}"


FEDSGD = Cell(5, 1, None)
LOCAL_WORK = tuple(Cell(5, *pair) for pair in ((1, None), (5, None), (1, 10), (5, 10), (20, 10)))  # the paper's Table 2
PARTICIPATION = tuple(Cell(clients, 1, 10) for clients in (1, 5, 10))  # the paper's Table 1: C = 0, 0.1, 0.2


def digits_data(split: str, seed: int) -> FederatedData:
    """The digits on 50 clients."""
    train, test = digits_pool(seed)
    if split == "uneven":
        partition = iid(len(train), CLIENTS, seed, uneven_sizes(len(train), CLIENTS, seed))
    elif split == "shards":
        partition = shards(train.targets.numpy(), CLIENTS, seed)
    elif split == "iid":
        partition = iid(len(train), CLIENTS, seed)
    else:
        raise ValueError(f"unknown split {split!r}; choose 'iid', 'shards' or 'uneven'")
    return federated(train, test, partition, 10, f"digits {split}")


def uneven_sizes(count: int, clients: int, seed: int, least: int = 5) -> list[int]:
    """Sizes with a long tail: ``least`` for everybody, the rest in log-normal shares."""
    shares = np.random.default_rng([seed, 1]).lognormal(0, 1, clients)
    return [least + int(extra) for extra in (count - least * clients) * shares / shares.sum()]


def rounds_of_cell(cell: Cell, rate: float, seed: int, *, limit: int = LIMIT, engine: str = "sweep") -> float:
    """Rounds until the digits reach the target; infinite if they do not within ``limit`` or nothing can be averaged."""
    training = LocalTraining(rate, cell.epochs, cell.batch)
    task = Task(cell.name, digits_data(cell.split, seed), network, training, seed)
    return _rounds(task, cell, seed, TARGET, limit, engine)


def tuned(
    cell: Cell, rates: Sequence[float] = RATES, seeds: Sequence[int] = TUNING_SEEDS, limit: int = LIMIT
) -> dict[float, float]:
    """Mean rounds at each rate: ``{rate: rounds}``.

    Infinite is a rate with which one of the seeds never arrives, or needs twice the rounds of the best rate so far;
    the middle rates are tried first.
    """
    found: dict[float, float] = {}
    for rate in sorted(rates, key=lambda rate: abs(np.log(rate / np.median(rates)))):
        cap = int(min([limit, *(2 * rounds + 1 for rounds in found.values() if np.isfinite(rounds))]))
        found[rate] = 0.0
        for seed in seeds:
            if np.isfinite(found[rate]):
                found[rate] += rounds_of_cell(cell, rate, seed, limit=cap) / len(seeds)
    return dict(sorted(found.items()))


def best_rate(rounds: dict[float, float]) -> float:
    """The rate with the fewest rounds; of equals the smallest."""
    return min(rounds, key=lambda rate: (rounds[rate], rate))


def measured(cells: Sequence[Cell], seeds: Sequence[int]) -> dict[str, np.ndarray]:
    """Rounds of every cell and seed at the cell's own rate, from :mod:`.rates`."""
    return {
        cell.name: np.array([rounds_of_cell(cell, best_rate(SWEEPS[cell.name]), seed) for seed in seeds])
        for cell in cells
    }


def with_split(cells: Sequence[Cell], split: str) -> tuple[Cell, ...]:
    """The same settings on other data."""
    return tuple(replace(cell, split=split) for cell in cells)


def _rounds(task: Task, cell: Cell, seed: int, target: float, limit: int, engine: str) -> float:
    strategy = FederatedAveraging(clients_per_round=cell.clients, seed=seed)
    if engine == "sweep":
        return swept(task, strategy, target, limit)
    try:
        return run(task, strategy, limit, engine=engine, target=target).rounds_to(target)
    except RunFailed:  # the rate is so large that every client overflows
        return float("inf")


def swept(task: Task, strategy: FederatedAveraging, target: float, limit: int) -> float:
    """Rounds to a target without messages: the same choices, batches and averages as a run, at half the cost."""
    model, arrays, held = task.make_model(), task.initial_arrays(), pool(task.data.clients)
    clients, test = list(range(len(held))), task.data.test
    curve, stalled = [accuracy(load_arrays(model, arrays), test)], 0
    for number in range(1, limit + 1):
        chosen = sorted(strategy.choose(number, clients))
        rngs = [task.client_rng(number, client) for client in chosen]
        results = local_sgd_all(model, arrays, held.of(chosen), task.training, rngs)
        good = [each for each in results if np.isfinite(flatten(each.arrays)).all()]
        stalled = 0 if good else stalled + 1
        if good:
            arrays = weighted_mean([each.arrays for each in good], [each.examples for each in good])
        curve.append(accuracy(load_arrays(model, arrays), test))
        if curve[-1] >= target or stalled == STALLED:
            break
    return crossing(curve, target)


# What happens in an average


def full_gradient_step(task: Task) -> tuple[Arrays, Arrays]:
    """Weights before and after one gradient step on the loss of all clients' data together."""
    start, pooled = task.initial_arrays(), task.data.pooled()
    training = replace(task.training, epochs=1, batch_size=None)
    return start, local_sgd(task.make_model(), start, pooled, training, np.random.default_rng(0)).arrays


def central_sgd(task: Task, rounds: int) -> Arrays:
    """SGD on one client's data in one place, with the batches that the client would draw."""
    model, arrays = task.make_model(), task.initial_arrays()
    for number in range(1, rounds + 1):
        arrays = local_sgd(model, arrays, task.data.clients[0], task.training, task.client_rng(number, 0)).arrays
    return arrays


@dataclass(frozen=True)
class Mixture:
    """Loss along the line through two models.

    Attributes
    ----------
    theta : ndarray
        Weight of the first model.
    loss : ndarray
        On all training data (nats).
    """

    theta: np.ndarray
    loss: np.ndarray

    @property
    def middle(self) -> float:
        """Loss of the plain mean."""
        return float(np.interp(0.5, self.theta, self.loss))

    @property
    def parents(self) -> tuple[float, float]:
        """Loss of the second and of the first model."""
        return float(np.interp(0, self.theta, self.loss)), float(np.interp(1, self.theta, self.loss))


def mixture(
    seed: int, shared: bool, *, rate: float = 0.1, updates: int = 240, theta: np.ndarray | None = None
) -> Mixture:
    """Two models trained on 600 images each, and their weighted means (the paper's Fig. 1)."""
    theta = np.linspace(-0.2, 1.2, 15) if theta is None else theta
    train, _ = digits_pool(seed)
    training = LocalTraining(rate, batch_size=50, steps=updates)
    models = []
    for position in range(2):
        part = Split(train.inputs[600 * position :][:600], train.targets[600 * position :][:600])
        start = Task(
            "start",
            FederatedData("part", (part,), part, 10),
            network,
            seed=seed if shared else 1000 * (position + 1) + seed,
        )
        rng = np.random.default_rng([seed, position])
        models.append(local_sgd(network(), start.initial_arrays(), part, training, rng).arrays)
    return Mixture(theta, np.array([_mixed_loss(models, weight, train) for weight in theta]))


@torch.no_grad()
def _mixed_loss(models: list[Arrays], weight: float, data: Split) -> float:
    mixed = {
        name: (weight * first + (1 - weight) * models[1][name]).astype(np.float32) for name, first in models[0].items()
    }
    return float(functional.cross_entropy(load_arrays(network(), mixed)(data.inputs), data.targets))


# The paper's own scale


FIELDS = ("inputs", "targets")


@dataclass(frozen=True)
class PaperTable:
    """MNIST on 100 clients, cell by cell, into a folder; what is there already is not computed again.

    Attributes
    ----------
    folder : Path
    train, test : Split
        MNIST, images of shape (n, 1, 28, 28).
    rates : tuple of float
    limit : int
        Rounds after which a cell counts as not reached.
    """

    folder: Path
    train: Split
    test: Split
    rates: tuple[float, ...] = RATES
    limit: int = 2000

    @classmethod
    def of(cls, folder: Path, mnist: Dataset) -> PaperTable:
        """With all 60,000 training images: the paper holds nothing out."""
        inputs, targets = (
            torch.cat([getattr(part, name) for part in (mnist.train, mnist.validation)]) for name in FIELDS
        )
        return cls(folder, Split(inputs, targets), mnist.test)

    def rounds(self, model: str, cell: Cell, seed: int = 0, tuning_seed: int = 1000) -> dict:
        """Rounds of one cell and seed at the rate that is best on the tuning seed; read from the folder if there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{model}-{cell.name}-seed{seed}.json"
        if not path.exists():
            rate = self._best(model, cell, tuning_seed)
            entry = {"rate": rate, "rounds": self._run(model, cell, rate, seed), "seed": seed}
            path.write_text(json.dumps({**entry, "tuning_seed": tuning_seed}))
        return json.loads(path.read_text())

    def _best(self, model: str, cell: Cell, seed: int) -> float:
        return best_rate({rate: self._kept(model, cell, rate, seed) for rate in self.rates})

    def _kept(self, model: str, cell: Cell, rate: float, seed: int) -> float:
        path = self.folder / f"{model}-{cell.name}-rate{rate:g}-seed{seed}.json"
        if not path.exists():
            path.write_text(json.dumps(self._run(model, cell, rate, seed)))
        return json.loads(path.read_text())

    def _run(self, model: str, cell: Cell, rate: float, seed: int) -> float:
        make, target = PAPER_MODELS[model]
        flat = model == "2nn"
        train, test = (split.flat() if flat else split for split in (self.train, self.test))
        labels = train.targets.numpy()
        partition = shards(labels, 100, seed) if cell.split == "shards" else iid(len(labels), 100, seed)
        data = federated(train, test, partition, 10, f"MNIST {cell.split}")
        training = LocalTraining(rate, cell.epochs, cell.batch)
        return _rounds(Task(cell.name, data, make, training, seed), cell, seed, target, self.limit, "in-process")


PAPER_MODELS: dict[str, tuple[Callable, float]] = {"2nn": (two_nn, 0.97), "cnn": (mnist_cnn, 0.99)}


def paper_cells(which: str = "two") -> dict[str, tuple[str, Cell]]:
    """Model and cell of the entries of the paper's Tables 1 and 2, by the claim that holds the reported figure.

    Parameters
    ----------
    which : {"two", "all"}
        The two 2NN cells with C = 0.1, E = 1, B = 10 (hours), or all 58 of the MNIST models (weeks on one core; every
        finished cell is kept).

    Raises
    ------
    ValueError
        Another word.
    """
    if which not in ("two", "all"):
        raise ValueError(f"unknown choice of cells {which!r}; give 'two' or 'all'")
    splits = {"iid": "iid", "noniid": "shards"}
    cells: dict[str, tuple[str, Cell]] = {}
    for name, split in splits.items():
        for share, clients in {"0": 1, "0_1": 10, "0_2": 20, "0_5": 50, "1_0": 100}.items():
            for batch in (None, 10):
                for model, epochs in (("2nn", 1), ("cnn", 5)):
                    identifier = f"fedavg.t1.{model}.c{share}.{name}.b{batch or 'inf'}"
                    cells[identifier] = model, Cell(clients, epochs, batch, split)
        for epochs in (1, 5, 20):
            for batch in (None, 50, 10):
                identifier = f"fedavg.t2.cnn.e{epochs}.b{batch or 'inf'}.{name}"
                cells[identifier] = "cnn", Cell(10, epochs, batch, split)
    few = [f"fedavg.t1.2nn.c0_1.{name}.b10" for name in splits]
    return cells if which == "all" else {name: cells[name] for name in few}


def lstm_parameters(symbols: int, embedding: int, units: int, layers: int = 1, peepholes: bool = True) -> int:
    """Parameters of a language model: embedding, LSTM layers (with three peepholes a unit), softmax over symbols."""
    count, inputs = symbols * embedding, embedding
    for _ in range(layers):
        count += 4 * units * (inputs + units + 1) + (3 * units if peepholes else 0)
        inputs = units
    return count + symbols * (units + 1)
