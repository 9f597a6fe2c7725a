"""Flower's own SecAgg+ beside ours: both sums are the mean of the same updates, as exact as their quantisation."""

import warnings

import numpy as np
import pytest

from edgedl_lib.training import flower  # noqa: F401  switches telemetry off before Flower is imported
from edgedl_lib.training.flower import ClientApp, Context, RecordDict
from edgedl_lib.training.grid import InProcessGrid
from edgedl_lib.training.security.secure_aggregation import Parameters, keys, run
from edgedl_lib.training.security.secure_aggregation.quantise import Quantiser

workflow = pytest.importorskip("flwr.server.workflow", reason="this release of Flower has no SecAgg+ workflow")
CLIENTS, LENGTH, LIMIT = 6, 40, 8.0
MOST_EXAMPLES = 1000  # Flower's max_weight: with fewer it shrinks the update before it quantises it
UPDATES = np.random.default_rng(0).normal(size=(CLIENTS, LENGTH))


class LegacyGrid(InProcessGrid):
    """The in-process grid with a run, for which the workflow asks."""

    @property
    def run(self):
        return type("Run", (), {"run_id": 1})()


def by_flower():
    from flwr.client import NumPyClient
    from flwr.client.mod import secaggplus_mod
    from flwr.common import ndarrays_to_parameters
    from flwr.server import LegacyContext, ServerConfig
    from flwr.server.strategy import FedAvg

    class Constant(NumPyClient):
        def __init__(self, number):
            self.number = number

        def fit(self, parameters, config):
            return [UPDATES[self.number]], MOST_EXAMPLES, {}

    app = ClientApp(
        client_fn=lambda context: Constant(int(context.node_config["partition-id"])).to_client(),
        mods=[secaggplus_mod],
    )
    context = LegacyContext(
        context=Context(run_id=1, node_id=0, node_config={}, state=RecordDict(), run_config={}),
        config=ServerConfig(num_rounds=1),
        strategy=FedAvg(
            initial_parameters=ndarrays_to_parameters([np.zeros(LENGTH)]),
            min_available_clients=CLIENTS,
            min_fit_clients=CLIENTS,
            fraction_evaluate=0.0,
        ),
    )
    rounds = workflow.DefaultWorkflow(
        fit_workflow=workflow.SecAggPlusWorkflow(num_shares=CLIENTS, reconstruction_threshold=4, clipping_range=LIMIT)
    )
    rounds(LegacyGrid(app, CLIENTS), context)
    record = next(iter(context.state.array_records.values()))
    return record.to_numpy_ndarrays()[0]


def by_ours():
    quantiser = Quantiser(LIMIT, bits=22)
    parameters = Parameters(CLIENTS, 4, LENGTH, input_bits=22)
    outcome = run(parameters, [quantiser.encode(update) for update in UPDATES], entropy=keys.seeded_entropy(0))
    return quantiser.decode_sum(outcome.total, CLIENTS) / CLIENTS


def test_both_protocols_give_the_mean():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = by_flower()
    mean = UPDATES.mean(axis=0)
    assert by_ours() == pytest.approx(mean, abs=LIMIT / 2**21)
    assert theirs == pytest.approx(mean, abs=2 * LIMIT / 2**21)  # its rounding is random
