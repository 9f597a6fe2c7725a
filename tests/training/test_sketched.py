"""Sketched and structured updates and Federated Dropout: the sweep is the engine's run, and what each part must do."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from edgedl_lib.training.codecs import (
    Chain,
    CodecError,
    ErrorFeedback,
    LowPrecision,
    LowRank,
    Matrices,
    Quantise,
    RandomMask,
    Rotate,
    Subsample,
    TopK,
)
from edgedl_lib.training.communication.dropout.strategy import FederatedDropout
from edgedl_lib.training.communication.dropout.submodel import combined, coverage, draw_units, spread, submodel
from edgedl_lib.training.communication.sketched.perceptrons import he_perceptron, structured_step, train_together
from edgedl_lib.training.communication.sketched.rounds import Variant, digits_task, learn
from edgedl_lib.training.exchange import difference
from edgedl_lib.training.local import LocalTraining, local_sgd
from edgedl_lib.training.models import load_arrays, to_arrays
from edgedl_lib.training.run import run
from edgedl_lib.training.strategy import FederatedAveraging

ROUNDS = 2
WIDTHS = (64, 24, 20, 10)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def task():
    return digits_task(0, WIDTHS)


def same(history, trace):
    np.testing.assert_allclose(history.accuracy, trace.accuracy, atol=1e-9)
    assert history.uplink_bytes.tolist() == trace.uplink_bytes.tolist()
    assert history.downlink_bytes.tolist() == trace.downlink_bytes.tolist()
    assert not history.rejected


@pytest.mark.parametrize(
    ("upload", "download"),
    [
        (None, None),
        (Quantise(2), Quantise(4)),
        (Chain(Rotate(), Subsample(0.25), Quantise(2)), None),
        (LowPrecision(1), None),
        (ErrorFeedback(TopK(0.1)), None),
    ],
)
@pytest.mark.parametrize("engine", ["in-process", "vectorised"])
def test_a_sweep_is_the_engines_run(task, upload, download, engine):
    strategy = FederatedAveraging(clients_per_round=10, upload=upload, download=download)
    same(run(task, strategy, ROUNDS, engine=engine), learn(task, Variant(0.2, upload, download), ROUNDS))


@pytest.mark.parametrize("structure", [RandomMask(0.25), LowRank(0.25)])
def test_a_structured_sweep_is_the_engines_run(task, structure):
    codec = Matrices(structure)
    structured = replace(task, client_step=partial(structured_step, codec))
    history = run(structured, FederatedAveraging(clients_per_round=10, upload=codec), ROUNDS)
    same(history, learn(task, Variant(0.2, structure=codec), ROUNDS))


@pytest.mark.parametrize("keep", [1.0, 0.75, 0.25])
@pytest.mark.parametrize("by_contributors", [False, True])
def test_a_dropout_sweep_is_the_engines_run(task, keep, by_contributors):
    lossy = {"upload": Quantise(2), "download": Quantise(4)}
    strategy = FederatedDropout(clients_per_round=10, keep=keep, by_contributors=by_contributors, **lossy)
    history = run(replace(task, client_step=partial(structured_step, None)), strategy, ROUNDS)
    same(history, learn(task, Variant(0.2, keep=keep, by_contributors=by_contributors, **lossy), ROUNDS))


def test_training_together_is_training_one_by_one(task):
    training = LocalTraining(0.3, 2, 10)
    arrays, splits = task.initial_arrays(), task.data.clients[:3]
    together = train_together([arrays] * 3, splits, training, [np.random.default_rng(k) for k in range(3)])
    for client, split in enumerate(splits):
        alone = local_sgd(task.make_model(), arrays, split, training, np.random.default_rng(client)).arrays
        for name, values in alone.items():
            np.testing.assert_allclose(together[client][name], values, atol=1e-6)


@pytest.mark.parametrize("structure", [RandomMask(0.1), LowRank(0.1)])
def test_nothing_is_trained_outside_the_structure(task, structure):
    arrays, split = task.initial_arrays(), task.data.clients[0]
    rng = np.random.default_rng([0, 1, 2])
    (trained,) = train_together([arrays], [split], LocalTraining(0.1, 1, 10), [rng], structure)
    change = difference(trained, arrays)
    for name in ("0.weight", "2.weight"):
        packet = structure.encode(change[name], rng)
        np.testing.assert_allclose(structure.decode(packet), change[name], atol=1e-5)
        assert packet.size_bytes < 0.12 * change[name].nbytes + 4
        assert np.abs(change[name]).max() > 0


def test_structures_differ_between_clients(task):
    arrays = task.initial_arrays()
    rngs = [task.client_rng(1, client) for client in range(2)]
    first, second = train_together([arrays] * 2, task.data.clients[:2], LocalTraining(), rngs, RandomMask(0.1))
    both = (difference(first, arrays)["0.weight"] != 0) & (difference(second, arrays)["0.weight"] != 0)
    assert both.mean() < 0.03  # a tenth of a tenth, not a tenth


def test_what_is_no_structure():
    with pytest.raises(ValueError, match="no space to train in"):
        learn(digits_task(0, WIDTHS), Variant(structure=Quantise(2)), 1)


def test_units_and_their_places(task):
    arrays = task.initial_arrays()
    units = draw_units(arrays, 0.5, np.random.default_rng(0))
    part = submodel(arrays, units)
    assert [values.shape for values in part.values()] == [(12, 64), (12,), (10, 12), (10,), (10, 10), (10,)]
    back = submodel(spread(part, units, arrays), units)
    assert all(np.array_equal(back[name], part[name]) for name in part)
    assert sum(each.sum() for each in coverage(units, arrays).values()) == sum(each.size for each in part.values())


def test_a_submodel_computes_what_the_whole_does_without_the_other_units(task):
    arrays = task.initial_arrays()
    units = draw_units(arrays, 0.5, np.random.default_rng(0))
    small = load_arrays(he_perceptron(64, 12, 10, 10), submodel(arrays, units))
    silenced = {name: values * coverage(units, arrays)[name] for name, values in arrays.items()}
    whole = load_arrays(task.make_model(), silenced)
    inputs = task.data.test.inputs
    torch.testing.assert_close(small(inputs), whole(inputs))


@pytest.mark.parametrize("keep", [0.01, 1.0])
def test_at_least_one_unit_and_at_most_all(task, keep):
    units = draw_units(task.initial_arrays(), keep, np.random.default_rng(0))
    counts = [len(outputs) for outputs, _ in units.values()]
    assert counts == ([1, 1, 10] if keep == 0.01 else [24, 20, 10])


@pytest.mark.parametrize("keep", [0.0, -1.0, 1.5])
def test_shares_that_make_no_sense(task, keep):
    with pytest.raises(ValueError, match=r"\(0, 1\]"):
        draw_units(task.initial_arrays(), keep, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"\(0, 1\]"):
        FederatedDropout(clients_per_round=2, keep=keep)


def test_two_ways_to_divide():
    like = to_arrays(he_perceptron(2, 4, 2))
    units = [draw_units(like, 0.5, np.random.default_rng(seed)) for seed in range(6)]
    changes = [{name: np.ones_like(values) for name, values in submodel(like, each).items()} for each in units]
    by_clients = combined(changes, units, like)
    by_contributors = combined(changes, units, like, by_contributors=True)
    held = sum(coverage(each, like)["0.weight"] for each in units)
    np.testing.assert_allclose(by_clients["0.weight"], held / 6, rtol=1e-6)
    assert set(np.unique(by_contributors["0.weight"])) <= {0.0, 1.0}
    assert np.array_equal(by_contributors["0.weight"] > 0, held > 0)
    whole = [{name: np.full_like(values, 2.0) for name, values in like.items()}] * 2
    assert (combined(whole, [None, None], like, True)["0.weight"] == 2).all()


def test_clients_of_a_round_get_different_submodels(task):
    strategy = FederatedDropout(clients_per_round=2, keep=0.5)
    arrays = task.initial_arrays()
    first, second = (strategy.outgoing(1, client, arrays) for client in (0, 1))
    assert not np.array_equal(first["0.bias"], second["0.bias"]) or not np.array_equal(
        first["0.weight"], second["0.weight"]
    )
    again = strategy.outgoing(1, 0, arrays)
    assert np.array_equal(first["0.weight"], again["0.weight"])


def test_a_diverged_client_does_not_stop_the_round(task):
    variant = Variant(1e30, Quantise(2))
    trace = learn(task, variant, 1)
    assert trace.uplink_bytes[0] == 0
    assert trace.accuracy[0] == trace.accuracy[1]
    with pytest.raises(CodecError):
        Quantise(2).encode(np.array([np.nan]), np.random.default_rng(0))


def test_the_same_seed_gives_the_same_run(task):
    variant = Variant(0.2, Chain(Rotate(), Quantise(1)))
    first, second = (learn(task, variant, 2) for _ in range(2))
    assert np.array_equal(first.accuracy, second.accuracy)
