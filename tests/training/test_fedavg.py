"""Federated averaging: identities, the cells of the tables, mishaps, and what is kept in a folder."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from edgedl_lib.nets.datasets import Dataset, Split
from edgedl_lib.training.grid import InProcessGrid
from edgedl_lib.training.local import LocalTraining
from edgedl_lib.training.run import rounds_of, run
from edgedl_lib.training.strategy import FederatedAveraging
from edgedl_lib.training.task import Task
from edgedl_lib.training.vanilla import fedavg, identities, mishaps, speed
from edgedl_lib.training.vanilla.rates import SWEEPS


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize("seed", [0, 7])
def test_fedsgd_is_one_gradient_step_only_with_the_right_weights(seed):
    assert identities.distance_from_gradient_step(seed) < 1e-6
    assert identities.distance_from_gradient_step(seed, weighting="equal") > 1e-4


def test_one_client_is_central_sgd_and_the_seed_decides_everything():
    assert identities.entries_off_central_sgd(1) == 0
    assert identities.entries_off_repetition(1) == 0
    assert identities.twin_difference(1) < 1e-6


@pytest.mark.parametrize("cell", [fedavg.Cell(5, 5, 10), fedavg.Cell(2, 1, None, "shards")])
def test_a_sweep_is_what_the_engine_does(cell):
    rate = 0.316
    task = Task(
        cell.name, fedavg.digits_data(cell.split, 3), fedavg.network, LocalTraining(rate, cell.epochs, cell.batch), 3
    )
    strategy = FederatedAveraging(clients_per_round=cell.clients, seed=3)
    history = run(task, strategy, 6, engine="vectorised")
    for target in (0.15, float(np.max(history.accuracy))):
        assert fedavg.swept(task, strategy, target, 6) == history.rounds_to(target) < np.inf
    assert fedavg.swept(task, strategy, 1.1, 6) == np.inf


def test_a_kept_sweep_is_found_again():
    cell = fedavg.Cell(5, 5, 10, "iid")
    found = fedavg.tuned(cell, rates=(0.464,))
    assert found[0.464] == pytest.approx(SWEEPS[cell.name][0.464], rel=0.1)


def test_every_cell_has_a_rate_inside_its_grid():
    cells = (*fedavg.LOCAL_WORK, *fedavg.PARTICIPATION)
    names = [cell.name for split in ("iid", "shards") for cell in fedavg.with_split(cells, split)]
    for name in names:
        assert min(fedavg.RATES) < fedavg.best_rate(SWEEPS[name]) < max(fedavg.RATES)


def test_measured_and_tuning_seeds_are_apart():
    assert min(fedavg.TUNING_SEEDS) > 500


def test_a_rate_that_diverges_never_arrives():
    assert fedavg.rounds_of_cell(fedavg.Cell(5, 5, 10), 30.0, 0, limit=20) == np.inf
    assert fedavg.best_rate({0.1: np.inf, 0.2: 9.0, 0.4: 9.0}) == 0.2


def test_splits_are_what_their_names_say():
    assert (fedavg.digits_data("iid", 0).sizes == 30).all()
    counts = fedavg.digits_data("shards", 0).label_counts()
    assert counts.sum() == 1500 and np.median((counts > 0).sum(axis=1)) <= 3
    sizes = fedavg.digits_data("uneven", 0).sizes
    assert sizes.min() >= 5 and sizes.max() > 4 * np.median(sizes) and sizes.sum() <= 1500
    with pytest.raises(ValueError, match="unknown split"):
        fedavg.digits_data("sorted", 0)


def test_the_mean_of_strangers_is_worse_than_both():
    theta = np.array([0.0, 0.5, 1.0])
    alike, strangers = (fedavg.mixture(4, shared, theta=theta) for shared in (True, False))
    assert alike.middle < np.mean(alike.parents)
    assert strangers.middle > max(strangers.parents)


def test_language_models_have_the_papers_sizes_with_peepholes_only():
    assert fedavg.lstm_parameters(258, 8, 256, layers=2) == 866_578
    assert fedavg.lstm_parameters(10_000, 192, 256) == 4_950_544
    plain = [fedavg.lstm_parameters(symbols, 8, 256, 2, peepholes=False) for symbols in range(50, 500)]
    assert 866_578 not in plain


@pytest.mark.parametrize("kind", mishaps.MISHAPS)
def test_a_mishap_costs_its_client_and_nobody_else(kind):
    task = Task("digits", fedavg.digits_data("iid", 0), fedavg.network, LocalTraining(), 0)
    grid = InProcessGrid(mishaps.client_app_with_mishaps(task, {7: kind}), 50)
    history = rounds_of(grid, task, FederatedAveraging(clients_per_round=50), 1)
    assert [bad.client for bad in history.rejected] == [7] and len(history.participants[0]) == 49


def test_unknown_mishaps_are_named():
    task = Task("digits", fedavg.digits_data("iid", 0), fedavg.network)
    with pytest.raises(ValueError, match="flood"):
        mishaps.client_app_with_mishaps(task, {0: "flood"})


def test_a_table_goes_on_where_it_was(tmp_path, monkeypatch):
    rng = torch.Generator().manual_seed(0)
    images = Split(torch.rand(200, 1, 28, 28, generator=rng), torch.randint(10, (200,), generator=rng))
    whole = fedavg.PaperTable.of(tmp_path / "kept", Dataset("drawn", images, images, images, 10))
    assert len(whole.train) == 400
    table = replace(whole, rates=(0.1, 0.2), limit=1)
    cell = fedavg.Cell(1, 1, None)
    first = table.rounds("2nn", cell)
    assert first["rounds"] == np.inf and first["tuning_seed"] != first["seed"]
    monkeypatch.setattr(fedavg, "_rounds", None)  # nothing is computed any more
    assert table.rounds("2nn", cell) == first
    with pytest.raises(TypeError):
        table.rounds("2nn", cell, seed=1)


def test_the_grid_starts_at_once():
    assert speed.startup_seconds(speed.mnist_sized_task(), repeats=3) < 0.5


def test_every_cell_of_the_papers_tables_has_its_reported_figure():
    from edgedl_lib.reproduce.ledger import load_claims

    ledger = load_claims()
    cells = fedavg.paper_cells("all")
    assert len(cells) == 40 + 18 and set(cells) <= set(ledger)
    assert ledger["fedavg.t2.cnn.e20.b10.noniid"].reported == 173
    assert cells["fedavg.t2.cnn.e20.b10.noniid"] == ("cnn", fedavg.Cell(10, 20, 10, "shards"))
    assert list(fedavg.paper_cells()) == ["fedavg.t1.2nn.c0_1.iid.b10", "fedavg.t1.2nn.c0_1.noniid.b10"]
    with pytest.raises(ValueError, match="give 'two' or 'all'"):
        fedavg.paper_cells("most")
