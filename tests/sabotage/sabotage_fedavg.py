"""Wrong versions of federated averaging and of its engine: weights, starts, seeds, local steps, a twin that loops."""

import random
from functools import lru_cache

import numpy as np

from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.grid import InProcessGrid
from edgedl_lib.training.local import local_sgd
from edgedl_lib.training.models import parameter_count, perceptron, to_arrays
from edgedl_lib.training.run import _wait
from edgedl_lib.training.strategy import FederatedAveraging
from edgedl_lib.training.vanilla import fedavg, identities, speed
from edgedl_lib.training.vectorised import held_split, local_sgd_all

QUICK_CELL = fedavg.Cell(5, 5, 10)  # reaches the target in about ten rounds


@lru_cache(maxsize=1)
def _rounds() -> float:
    rate = fedavg.best_rate(fedavg.SWEEPS[QUICK_CELL.name])
    return fedavg.rounds_of_cell(QUICK_CELL, rate, 0, engine="in-process")


@sabotage("fedavg.rounds_reduction", "fedavg.2nn.speedup_iid_max", "fedavg.2nn.speedup_noniid_max")
def the_local_work_is_forgotten():
    """`epochs` never reaches the client: both arms do the same work, and nothing is gained."""
    gain = _rounds() / _rounds()
    return {
        "fedavg.rounds_reduction": gain,
        "fedavg.2nn.speedup_iid_max": gain,
        "fedavg.2nn.speedup_noniid_max": gain,
    }


@sabotage("fedavg.fewer_rounds")
def no_gain_counts_as_none():
    """The same: of eight comparisons of a setting with itself, none needs fewer rounds."""
    return float(_rounds() < _rounds())


@sabotage("fedavg.robust_noniid")
def one_large_rate_for_all():
    """A rate that suits nobody, as from a grid that was searched in another scale: every client overflows."""
    cells = [fedavg.Cell(5, 1, None, split) for split in ("shards", "uneven")]
    found = [fedavg.rounds_of_cell(cell, 30.0, 0, limit=8, engine="in-process") for cell in cells]
    return np.mean(np.isfinite(found))


@sabotage("fedavg.noniid_speedup_smaller", "fedavg.noniid_over_iid")
def shards_are_dealt_to_everybody():
    """Shuffled inside the sort by label: the "two labels a client" split is the shuffled one again."""
    return {"fedavg.noniid_speedup_smaller": _rounds() / _rounds(), "fedavg.noniid_over_iid": _rounds() / _rounds()}


@sabotage("fedavg.t1.speedup.2nn.c0_1.iid", "fedavg.t1.speedup.2nn.c0_1.noniid", "fedavg.one_client_cost")
def a_floor_lifts_one_client_to_as_many():
    """A minimum number of clients, as frameworks have it, silently turns C=0 into the other setting."""
    ratio = _rounds() / _rounds()
    return {
        "fedavg.t1.speedup.2nn.c0_1.iid": ratio,
        "fedavg.t1.speedup.2nn.c0_1.noniid": ratio,
        "fedavg.one_client_cost": ratio,
    }


@sabotage("fedavg.params.2nn", "fedavg.params.cnn", "fedavg.params.shakespeare_lstm", "fedavg.params.word_lstm")
def biases_padding_and_peepholes():
    """Weights without biases, convolutions without padding, LSTMs without peepholes."""
    weights = {name: each for name, each in to_arrays(perceptron(784, 200, 200, 10)).items() if "weight" in name}
    valid = 25 * 32 + 32 + 25 * 32 * 64 + 64 + 16 * 64 * 512 + 512 + 5130
    return {
        "fedavg.params.2nn": parameter_count(weights),
        "fedavg.params.cnn": valid,
        "fedavg.params.shakespeare_lstm": fedavg.lstm_parameters(258, 8, 256, layers=2, peepholes=False),
        "fedavg.params.word_lstm": fedavg.lstm_parameters(10_000, 192, 256, peepholes=False),
    }


@sabotage("fedavg.mnist_shards")
def one_shard_a_client():
    """A hundred shards of 600, one for each client: most clients then know one digit."""
    return identities.paper_shards(1)


@sabotage("fedavg.averaging_shared_init")
def every_client_draws_its_own_start():
    """The server forgets to send the model first: both kinds of pairs start differently."""
    theta = np.array([0.0, 0.5, 1.0])
    pairs = [fedavg.mixture(seed, shared=False, theta=theta) for seed in range(2)]
    return np.mean([each.middle < min(each.parents) for each in pairs] + [True] * len(pairs))


@sabotage("fedavg.fedsgd_identity")
def everybody_counts_alike():
    """The plain mean, where clients hold from 10 to 280 images."""
    return identities.distance_from_gradient_step(0, weighting="equal")


@sabotage("fedavg.k1_identity")
def momentum_on_the_client():
    """Momentum, as most training loops have it: no longer the SGD of the paper."""
    return identities.entries_off_central_sgd(0, momentum=0.9)


class GlobalDice(FederatedAveraging):
    """Chooses with Python's global generator, as Flower's own strategies do."""

    def choose(self, server_round, clients):
        return random.sample(clients, self.clients_per_round)


@sabotage("fedavg.repeatable")
def the_choice_is_not_seeded():
    """Whoever drew before decides who takes part."""
    state = random.getstate()
    random.seed(1)
    try:
        return identities.entries_off_repetition(0, GlobalDice)
    finally:
        random.setstate(state)


@sabotage("fedavg.vectorised_agreement")
def the_last_batch_is_dropped():
    """Only whole batches, so that all have one shape: clients' last images are never seen."""

    def twin(model, arrays, splits, training, rngs):
        whole = [split.subset(max(5, len(split) // training.batch_size * training.batch_size)) for split in splits]
        return local_sgd_all(model, arrays, whole, training, rngs)

    return identities.twin_difference(0, twin)


def _looping(model, arrays, held, training, rngs):
    for position, rng in enumerate(rngs):
        local_sgd(model, arrays, held_split(held, position), training, rng)


@sabotage("fedavg.vectorised_logistic", "fedavg.vectorised_cnn")
def a_twin_that_loops():
    """`for client in clients` inside the function: vectorised in name."""
    ratio = np.median(speed.speed_up(speed.logistic_task(20), windows=5, twin=_looping))
    return {"fedavg.vectorised_logistic": ratio, "fedavg.vectorised_cnn": ratio}


@sabotage("fedavg.engine_startup")
def waits_for_a_client_who_never_comes():
    """Polls for one client more than there is, as a framework with a minimum does."""

    def start(app, clients):
        grid = InProcessGrid(app, clients)
        _wait(grid, clients + 1, patience=0.6)
        return grid

    return speed.startup_seconds(speed.mnist_sized_task(10), repeats=2, start=start)
