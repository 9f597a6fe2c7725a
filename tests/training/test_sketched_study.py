"""The sums and choices of the studies on sketched updates and Federated Dropout."""

import numpy as np
import pytest

from edgedl_lib.training.codecs import Matrices, Quantise, RandomMask
from edgedl_lib.training.communication.dropout import kashin
from edgedl_lib.training.communication.dropout import study as dropout
from edgedl_lib.training.communication.sketched import study
from edgedl_lib.training.communication.sketched.distortion import random_vectors
from edgedl_lib.training.communication.sketched.rounds import Trace, Variant, digits_task, learn


def trace(accuracy, uplink=10, downlink=100):
    accuracy = np.array(accuracy, dtype=float)
    sent = np.ones(len(accuracy) - 1)
    return Trace(accuracy, uplink * sent, downlink * sent)


def test_bytes_to_a_target_are_interpolated():
    run = trace([0.0, 0.5, 1.0])
    assert run.rounds_to(0.75) == 1.5
    assert run.bytes_to(0.75) == 15
    assert run.bytes_to(0.75, "downlink") == 150
    assert trace([0.0, 0.5]).bytes_to(0.9) == np.inf


def test_saving_counts_bytes_not_rounds():
    runs = {
        "uncompressed": [trace([0, 1.0], 100)],
        "HD, 1 bit": [trace([0, 0.5, 1.0], 1)],
        "I, 1 bit": [trace([0, 0.1], 1)],
    }
    assert study.saving(runs, "HD, 1 bit", target=1.0) == pytest.approx(50)
    assert study.saving(runs, "I, 1 bit", target=1.0) == 0


def test_steps_of_the_kept_share():
    assert dropout.slower_steps({1.0: 5, 0.75: 6, 0.5: 6, 0.25: np.inf}) == 3
    assert dropout.slower_steps({1.0: 5, 0.75: 4, 0.5: 6}) == 1
    flat = {share: [trace([0, level, level, level])] for share, level in ((1.0, 0.97), (0.75, 0.965), (0.5, 0.9))}
    assert dropout.smallest_share(flat) == 0.75
    assert dropout.mean_rounds(flat, 0.95)[0.5] == np.inf


def test_every_variant_has_a_step_size_of_its_grid():
    for name, variant in study.VARIANTS.items():
        grid = study.SMALL_STEPS if name.startswith("low rank") else study.GRID
        assert variant.learning_rate in grid


def test_tuning_prefers_a_step_that_learns():
    scores = study.tune(Variant(structure=Matrices(RandomMask(0.5))), (1e-6, 0.4), (64, 8, 10))
    assert scores[0.4] > scores[1e-6] + 20


def test_clients_of_a_crowd_hold_thirty_digits_each():
    task = study.crowd_task(0, 12)
    assert task.data.sizes.tolist() == [30] * 12
    assert task.training.epochs == 1
    assert learn(task, Variant(0.1, Quantise(4)), 1, 12).uplink_bytes[0] > 0


def test_kinds_of_vectors():
    assert (np.abs(random_vectors("spiky", 1000, 5, 0)) > 20).sum(axis=1).max() <= 4
    with pytest.raises(ValueError, match="unknown kind"):
        random_vectors("flat", 10, 1, 0)


def test_a_task_is_made_once():
    assert digits_task(0, (64, 8, 10)) is digits_task(0, (64, 8, 10))


def test_kashin_pays_only_where_padding_is_needed():
    assert kashin.same_frame(2, 0) > 1.05
    assert kashin.equal_bits(0) > 1.5
    assert kashin.reconstruction_error(kashin.SINGLE, 0) < 1e-6
