"""Astraea: the divergence, the groups, the copies, and the degenerate settings on the engine."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from edgedl_lib.training.communication.astraea import study
from edgedl_lib.training.communication.astraea.augmentation import augmented, extra_copies, shifted
from edgedl_lib.training.communication.astraea.mediators import Mediators
from edgedl_lib.training.communication.astraea.scheduling import (
    balanced_groups,
    divergence_from_uniform,
    group_divergences,
    models_per_round,
    random_groups,
)
from edgedl_lib.training.local import LocalTraining, local_sgd
from edgedl_lib.training.models import to_arrays


def test_divergence_of_known_histograms():
    assert divergence_from_uniform(np.array([1, 0, 0, 0])) == pytest.approx(np.log(4))
    assert divergence_from_uniform(np.array([5, 5])) == pytest.approx(0)
    assert divergence_from_uniform(np.array([3, 1])) == pytest.approx(0.75 * np.log(1.5) + 0.25 * np.log(0.5))
    scaled = divergence_from_uniform(np.array([[3, 1], [300, 100]]))
    assert scaled[0] == pytest.approx(scaled[1])
    with pytest.raises(ValueError, match="needs samples"):
        divergence_from_uniform(np.zeros(3))


@pytest.mark.parametrize("capacity", [1, 3, 5, 40])
def test_every_online_client_is_in_one_group(capacity):
    counts = study.imbalanced(0).label_counts()
    online = [3, 8, 21, 5, 0, 39, 12]
    groups = balanced_groups(counts, online, capacity)
    assert sorted(sum(groups, ())) == sorted(online)
    assert max(map(len, groups)) <= capacity
    assert len(groups) == -(-len(online) // capacity)


def test_greedy_pairs_complements():
    counts = np.array([[4, 0], [4, 0], [0, 4], [0, 4]])
    assert all(value < 1e-12 for value in group_divergences(counts, balanced_groups(counts, range(4), 2)))


def test_a_class_that_nobody_has_is_no_obstacle():
    counts = np.array([[4, 0, 0], [0, 4, 0], [2, 2, 0]])
    assert np.isfinite(group_divergences(counts, balanced_groups(counts, range(3), 2))).all()


def test_copies_bring_rare_classes_to_the_mean():
    counts = np.array([60, 10, 20, 0])
    copies = extra_copies(counts, 1.0)
    assert (counts * (1 + copies))[1:3] == pytest.approx(counts.mean())
    assert copies[0] == copies[3] == 0
    assert (extra_copies(counts, 0.0) == 0).all()
    assert (extra_copies(counts, 0.5) <= copies).all()
    with pytest.raises(ValueError, match="strength"):
        extra_copies(counts, 1.5)


def test_augmentation_leaves_the_test_set_and_own_samples():
    data = study.imbalanced(0)
    more = augmented(data, 1.0, 0)
    assert more.test is data.test
    for before, after in zip(data.clients, more.clients, strict=True):
        assert torch.equal(after.inputs[: len(before)], before.inputs)
    totals = data.label_counts().sum(axis=0)
    rare = totals < totals.mean()
    assert np.allclose(more.label_counts().sum(axis=0)[rare], totals.mean(), rtol=0.2)
    assert (more.label_counts().sum(axis=0)[~rare] == totals[~rare]).all()
    assert all(
        torch.equal(a.inputs, b.inputs) for a, b in zip(augmented(data, 0.0, 0).clients, data.clients, strict=True)
    )


def test_a_shift_moves_by_one_pixel():
    image = torch.zeros(8, 8)
    image[3, 4] = 1
    assert shifted(image, 1, -1)[4, 3] == 1
    assert shifted(image, 1, -1).sum() == 1


def test_mediators_of_one_are_federated_averaging():
    data = study.imbalanced(0)
    runs = [study.train(data, 0, rate=0.2, capacity=capacity, rounds=4) for capacity in (None, 1)]
    for name, values in runs[0].arrays.items():
        assert np.array_equal(values, runs[1].arrays[name])


def test_one_mediator_for_all_is_sequential_training():
    data = study.imbalanced(0)
    history = study.train(data, 0, rate=0.2, capacity=study.ONLINE, rounds=1)
    strategy = Mediators(data.label_counts(), study.ONLINE, clients_per_round=study.ONLINE, seed=0)
    strategy.choose(1, list(range(study.CLIENTS)))
    (members,) = strategy.groups.values()
    torch.manual_seed(0)
    model = study.MODEL()
    from edgedl_lib.training.task import Task

    training = LocalTraining(learning_rate=0.2, batch_size=10)
    arrays = Task("", data, study.MODEL, training, 0).initial_arrays()
    for member in members:
        arrays = local_sgd(model, arrays, data.clients[member], training, np.random.default_rng([0, 1, member])).arrays
    assert all(np.allclose(values, history.arrays[name], atol=1e-6) for name, values in arrays.items())
    assert to_arrays(model).keys() == history.arrays.keys()


@pytest.mark.parametrize(("capacity", "passes"), [(5, 1), (5, 2), (3, 1)])
def test_traffic_is_the_formula(capacity, passes):
    data = study.imbalanced(0)
    history = study.train(data, 0, rate=0.1, capacity=capacity, passes=passes, rounds=2)
    assert study.models_sent(history) == models_per_round(study.ONLINE, capacity, passes)
    assert study.models_sent(study.train(data, 0, rate=0.1, rounds=2)) == 2 * study.ONLINE


def test_same_seed_same_weights():
    data = study.imbalanced(1)
    first, second = (study.train(data, 1, rate=0.2, strength=1.0, capacity=5, rounds=2) for _ in range(2))
    assert all(np.array_equal(values, second.arrays[name]) for name, values in first.arrays.items())


def test_random_groups_cover_everybody():
    assert sorted(sum(random_groups(range(11), 4, np.random.default_rng(0)), ())) == list(range(11))


def test_bad_settings_are_named():
    counts = np.ones((4, 2))
    with pytest.raises(ValueError, match="capacity"):
        balanced_groups(counts, range(4), 0)
    with pytest.raises(ValueError, match="passes"):
        Mediators(counts, 2, passes=0, clients_per_round=2)
    assert replace(study.imbalanced(0), name="x").name == "x"
