"""The grid in one process: Flower's contract, and what Flower itself gets wrong."""

import socket
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from edgedl_lib.nets.datasets import Split
from edgedl_lib.training.codecs import Dense, ErrorFeedback, Quantise, TopK
from edgedl_lib.training.data import digits_pool, federated
from edgedl_lib.training.flower import (
    ArrayRecord,
    ClientApp,
    ConfigRecord,
    Message,
    MetricRecord,
    RecordDict,
    read_array,
    written_array,
)
from edgedl_lib.training.grid import InProcessGrid, VectorisedGrid
from edgedl_lib.training.local import LocalResult, LocalTraining, local_sgd
from edgedl_lib.training.models import logistic, perceptron
from edgedl_lib.training.partition import iid
from edgedl_lib.training.run import RunFailed, rounds_of, run
from edgedl_lib.training.strategy import BadUpdate, FederatedAveraging, TooFewClients
from edgedl_lib.training.task import Task, client_app


@pytest.fixture(scope="module")
def task():
    torch.set_num_threads(1)
    train, test = digits_pool(0)
    data = federated(train.subset(300), test, iid(300, 10, seed=0), 10, "digits")
    return Task("digits", data, partial(perceptron, 64, 16, 10), LocalTraining(0.2, 2, 10), seed=3)


def constants(values, weights):
    """An application whose client i answers with a constant model."""
    app = ClientApp()

    @app.train()
    def train(message, context):
        client = context.node_config["partition-id"]
        arrays = ArrayRecord({"w": written_array(np.full(3, values[client], np.float32))})
        metrics = MetricRecord({"num-examples": weights[client]})
        who = ConfigRecord({"client": client})
        return Message(RecordDict({"arrays": arrays, "metrics": metrics, "client": who}), reply_to=message)

    return app


def one_round(app, clients, strategy=None):
    grid = InProcessGrid(app, clients)
    strategy = strategy or FederatedAveraging(clients_per_round=clients)
    start = ArrayRecord({"w": written_array(np.zeros(3, np.float32))})
    averaged, _ = strategy.aggregate_train(1, grid.send_and_receive(strategy.configure_train(1, start, {}, grid)))
    return averaged, strategy


def test_constants_are_averaged_by_their_weights():
    averaged, _ = one_round(constants([1, 2, 6], [1, 1, 2]), 3)
    assert read_array(averaged["w"]).tolist() == [3.75, 3.75, 3.75]
    assert averaged["w"].dtype == "float32"
    equal, _ = one_round(constants([1, 2, 6], [1, 1, 2]), 3, FederatedAveraging(clients_per_round=3, weighting="equal"))
    assert read_array(equal["w"]).tolist() == [3, 3, 3]


@pytest.mark.parametrize("engine", ["in-process", "vectorised"])
def test_the_same_seed_gives_the_same_weights_bit_for_bit(task, engine):
    first, second = (run(task, FederatedAveraging(clients_per_round=4, seed=5), 3, engine=engine) for _ in range(2))
    assert first.participants == second.participants
    assert all(np.array_equal(first.arrays[name], second.arrays[name]) for name in first.arrays)
    other = run(task, FederatedAveraging(clients_per_round=4, seed=6), 3, engine=engine)
    assert other.participants != first.participants


def test_global_generators_decide_nothing(task):
    import random

    runs = []
    for number in (1, 2):
        random.seed(number)
        np.random.seed(number)  # noqa: NPY002  it must not matter
        torch.manual_seed(number)
        runs.append(run(task, FederatedAveraging(clients_per_round=4), 2))
    assert runs[0].participants == runs[1].participants
    assert all(np.array_equal(runs[0].arrays[name], runs[1].arrays[name]) for name in runs[0].arrays)


def counting(model, arrays, split, training, rng, *, state, config):
    """Counts in its own memory how often it was asked."""
    state["times"] = state.get("times", 0) + 1
    return LocalResult(arrays, len(split), {"times": state["times"]})


class Listening(FederatedAveraging):
    """Keeps what clients report."""

    def aggregate(self, server_round, arrays, updates):
        self.heard = getattr(self, "heard", [])
        self.heard += [(update.client, update.metrics["times"]) for update in updates]
        return arrays


def test_a_client_remembers_over_rounds_and_only_its_own(task):
    strategy = Listening(clients_per_round=4)
    run(replace(task, client_step=counting), strategy, 6)
    for client in range(10):
        times = [count for who, count in strategy.heard if who == client]
        assert times == list(range(1, len(times) + 1))
    assert len(strategy.heard) == 24


def raising(model, arrays, split, training, rng, *, state, config, who=(2, 5)):
    """Some clients always fail; they are known by the size of their data."""
    if len(split) in who:
        raise MemoryError("battery empty")
    return local_sgd(model, arrays, split, training, rng)


def uneven(task, step):
    train, test = digits_pool(0)
    data = federated(train, test, iid(300, 4, seed=0, sizes=(2, 5, 20, 30)), 10, "digits")
    return replace(task, data=data, client_step=step)


def test_a_client_that_raises_is_named_and_the_others_go_on(task):
    history = run(uneven(task, raising), FederatedAveraging(clients_per_round=4), 2)
    assert {(bad.round, bad.client) for bad in history.rejected} == {(1, 0), (1, 1), (2, 0), (2, 1)}
    assert "battery empty" in history.rejected[0].reason
    assert history.participants == ((2, 3), (2, 3)) and history.abandoned == ()


def test_too_few_usable_updates_leave_the_model_as_it_was(task):
    strategy = FederatedAveraging(clients_per_round=4, minimum_updates=3)
    with pytest.raises(RunFailed, match="battery empty") as failure:
        run(uneven(task, raising), strategy, 2)
    history = failure.value.history
    assert history.abandoned == (1, 2)
    start = task.initial_arrays()
    assert all(np.array_equal(history.arrays[name], start[name]) for name in start)


def test_a_run_in_which_everybody_fails_raises(task):
    everybody = uneven(task, partial(raising, who=(2, 5, 20, 30)))
    with pytest.raises(RunFailed, match="no update could be used in rounds 1 to 5") as failure:
        run(everybody, FederatedAveraging(clients_per_round=4), 50)
    assert failure.value.history.rounds == 5 and len(failure.value.history.arrays) > 0


def test_a_client_that_edits_its_request_changes_nobody_elses():
    seen = []
    app = ClientApp()

    @app.train()
    def train(message, context):
        seen.append((read_array(message.content["arrays"]["w"]).tolist(), dict(message.content["config"])))
        message.content["config"]["server-round"] = 99
        message.content["arrays"]["w"] = written_array(np.full(3, 7, np.float32))
        raise ValueError("enough")

    one_round(app, 3)
    assert seen == [([0, 0, 0], {"server-round": 1})] * 3


class Shared(FederatedAveraging):
    """As Flower's strategies: one content object in all messages."""

    def configure_train(self, server_round, arrays, config, grid):
        messages = super().configure_train(server_round, arrays, config, grid)
        for message in messages:
            message.content = messages[0].content
        return messages


def test_even_if_the_strategy_shares_one_request():
    rounds = []
    app = ClientApp()

    @app.train()
    def train(message, context):
        rounds.append(message.content["config"]["server-round"])
        message.content["config"]["server-round"] = 99
        raise ValueError("enough")

    one_round(app, 3, Shared(clients_per_round=3))
    assert rounds == [1, 1, 1]


def test_too_few_clients_are_an_error_at_once(task):
    with pytest.raises(TooFewClients, match="needs 11 clients but there are 10"):
        run(task, FederatedAveraging(clients_per_round=11), 1)


@pytest.mark.parametrize("count", [0, -1])
def test_a_round_without_clients_is_refused(count):
    with pytest.raises(ValueError, match="trains nothing"):
        FederatedAveraging(clients_per_round=count)


def answering(change):
    """An application of one honest client and one whose answer is changed."""
    honest = constants([1.0, 1.0], [1, 1])
    app = ClientApp()

    @app.train()
    def train(message, context):
        answer = honest(message, context)
        return change(answer) if context.node_config["partition-id"] == 1 else answer

    return app


def with_arrays(values):
    def change(answer):
        answer.content["arrays"] = ArrayRecord({"w": written_array(np.asarray(values, np.float32))})
        return answer

    return change


def renamed(answer):
    answer.content["client"] = ConfigRecord({"client": 0})
    return answer


def emptied(answer):
    answer.content["arrays"] = ArrayRecord()
    return answer


def without_weight(answer):
    answer.content["metrics"] = MetricRecord({"loss": 0.0})
    return answer


def weightless(answer):
    answer.content["metrics"] = MetricRecord({"num-examples": 0})
    return answer


def garbled(answer):
    answer.content["arrays"]["w"].data = answer.content["arrays"]["w"].data[:-2]
    return answer


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (with_arrays([1, np.nan, 1]), "NaN"),
        (with_arrays([1, np.inf, 1]), "overflow"),
        (with_arrays([1, 1]), "shape"),
        (renamed, "in the name of client 0"),
        (emptied, "no arrays"),
        (lambda answer: None, "no reply"),
        (without_weight, "num-examples"),
        (weightless, "0 examples"),
        (garbled, "cannot be read"),
    ],
)
def test_bad_answers_are_refused_by_name_and_reason(change, reason):
    averaged, strategy = one_round(answering(change), 2)
    (bad,) = strategy.rounds[-1].rejected
    assert bad.client == 1 and reason in bad.reason
    assert read_array(averaged["w"]).tolist() == [1, 1, 1]


def test_bytes_are_those_one_counts_by_hand(task):
    entries = 64 * 16 + 16 + 16 * 10 + 10
    dense = run(task, FederatedAveraging(clients_per_round=4), 2)
    assert dense.uplink_bytes.tolist() == dense.downlink_bytes.tolist() == [4 * entries * 4] * 2
    small = run(task, FederatedAveraging(clients_per_round=4, upload=Quantise(8), download=Quantise(1)), 1)
    assert small.uplink_bytes.tolist() == [4 * (entries + 4 * 8)]  # a byte an entry, two extremes of 32 bits a tensor
    bits = [64 * 16, 16, 160, 10]
    assert small.downlink_bytes.tolist() == [4 * sum(8 + -(-count // 8) for count in bits)]


@pytest.mark.parametrize("engine", ["in-process", "vectorised"])
def test_a_codec_that_keeps_everything_changes_nothing(task, engine):
    plain = run(task, FederatedAveraging(clients_per_round=4), 3, engine=engine)
    coded = run(task, FederatedAveraging(clients_per_round=4, upload=Dense(), download=Dense()), 3, engine=engine)
    for name in plain.arrays:
        assert np.abs(plain.arrays[name] - coded.arrays[name]).max() < 1e-6
    assert plain.uplink_bytes.tolist() == coded.uplink_bytes.tolist()


@pytest.mark.parametrize("settings", [{}, {"upload": ErrorFeedback(TopK(0.1))}, {"download": Quantise(4)}])
def test_the_vectorised_grid_agrees_with_the_plain_one(task, settings):
    plain, twin = (
        run(task, FederatedAveraging(clients_per_round=4, **settings), 3, engine=engine)
        for engine in ("in-process", "vectorised")
    )
    assert plain.participants == twin.participants
    assert plain.uplink_bytes.tolist() == twin.uplink_bytes.tolist()
    assert np.abs(plain.loss_before - twin.loss_before).max() < 1e-4
    if "download" not in settings:
        assert max(np.abs(plain.arrays[name] - twin.arrays[name]).max() for name in plain.arrays) < 1e-4


def test_other_client_steps_are_not_vectorised(task):
    with pytest.raises(ValueError, match="in-process"):
        run(replace(task, client_step=counting), FederatedAveraging(clients_per_round=2), 1, engine="vectorised")


def test_an_overflowing_update_stops_one_client_of_the_vectorised_grid_only(task):
    grid = VectorisedGrid(task, upload=Dense())
    data = [Split(split.inputs * (1e30 if k == 0 else 1), split.targets) for k, split in enumerate(task.data.clients)]
    burning = replace(task, data=replace(task.data, clients=tuple(data)))
    grid = VectorisedGrid(burning, upload=Dense())
    history = rounds_of(grid, burning, FederatedAveraging(clients_per_round=10, upload=Dense()), 1)
    assert [bad.client for bad in history.rejected] == [0] and len(history.participants[0]) == 9


def test_no_name_is_looked_up_on_a_network(task, monkeypatch):
    def refuse(*arguments, **named):
        raise AssertionError("a name was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert run(task, FederatedAveraging(clients_per_round=3), 2).rounds == 2


def test_flowers_own_loop_and_strategy_run_on_the_grid(task):
    from flwr.serverapp.strategy import FedAvg

    from edgedl_lib.training.exchange import from_record, to_record

    start = to_record(task.initial_arrays())
    grid = InProcessGrid(client_app(task), 10)
    theirs = FedAvg(fraction_train=1.0, fraction_evaluate=0.0).start(grid, start, num_rounds=2)
    ours = run(task, FederatedAveraging(clients_per_round=10), 2)
    inherited = FederatedAveraging(clients_per_round=10).start(InProcessGrid(client_app(task), 10), start, num_rounds=2)
    for other in (theirs, inherited):
        arrays = from_record(other.arrays)
        assert max(np.abs(arrays[name] - ours.arrays[name]).max() for name in arrays) < 1e-5


class Anonymous(InProcessGrid):
    """Does not tell which node is which client, like Flower's own grids."""

    def __init__(self, app, clients):
        super().__init__(app, clients)
        del self.clients


def test_a_grid_that_does_not_know_its_clients_is_asked_for_them(task):
    anonymous = rounds_of(Anonymous(client_app(task), 10), task, FederatedAveraging(clients_per_round=3), 2)
    assert anonymous.participants == run(task, FederatedAveraging(clients_per_round=3), 2).participants


def test_clients_that_do_not_say_who_they_are_cannot_be_chosen():
    grid = Anonymous(constants([1], [1]), 1)  # its application answers no question
    with pytest.raises(TooFewClients, match="none of 1 nodes"):
        FederatedAveraging(clients_per_round=1).configure_train(1, ArrayRecord(), {}, grid)


def test_two_nodes_with_one_identity_are_an_error(task):
    grid = Anonymous(client_app(task), 2)
    grid._contexts[2].node_config["partition-id"] = 0
    with pytest.raises(ValueError, match="two nodes say that they are client 0"):
        FederatedAveraging(clients_per_round=1).configure_train(1, ArrayRecord(), {}, grid)


def test_a_refusal_names_client_and_reason():
    assert str(BadUpdate(4, "holds NaN")) == "client 4: holds NaN"
    assert logistic(3, 2).weight.shape == (2, 3)
