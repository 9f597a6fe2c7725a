"""Partitions: nothing is held twice, and each has the skew it promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from edgedl_lib.training.partition import by_group, dirichlet, iid, shards


def labels(count, seed=0):
    return np.random.default_rng(seed).integers(10, size=count)


@given(count=some.integers(1, 300), clients=some.integers(1, 20), seed=some.integers(0, 50))
def test_equal_parts_hold_everything_once(count, clients, seed):
    if count < clients:
        with pytest.raises(ValueError, match="too few"):
            iid(count, clients, seed)
        return
    parts = iid(count, clients, seed)
    assert sorted(np.concatenate(parts)) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(seed=some.integers(0, 50), concentration=some.floats(0.01, 100), clients=some.integers(1, 30))
def test_dirichlet_holds_everything_once_and_leaves_nobody_out(seed, concentration, clients):
    parts = dirichlet(labels(200, seed), clients, concentration, seed)
    assert sorted(np.concatenate(parts)) == list(range(200))
    assert min(map(len, parts)) >= 1


def test_dirichlet_is_skewed_for_small_and_even_for_large_concentration():
    def classes_held(concentration):
        parts = dirichlet(labels(2000), 20, concentration, 0)
        return np.mean([len(np.unique(labels(2000)[rows])) for rows in parts])

    assert classes_held(0.05) < 4 < 9 < classes_held(100)


def test_shards_are_those_of_the_paper():
    sixty_thousand = np.repeat(np.arange(10), 6000)
    parts = shards(np.random.default_rng(0).permutation(sixty_thousand), 100, seed=1)
    assert [len(rows) for rows in parts] == [600] * 100
    assert sorted(np.concatenate(parts)) == list(range(60_000))
    mixed = np.random.default_rng(0).permutation(sixty_thousand)
    held = [len(np.unique(mixed[rows])) for rows in parts]
    assert max(held) <= 2  # 6,000 of a digit are exactly 20 shards


def test_shards_keep_the_order_inside_a_label():
    rows = np.concatenate(shards(np.array([1, 0, 1, 0]), 2, seed=0, shards_per_client=1))
    pairs = {tuple(rows[:2]), tuple(rows[2:])}
    assert pairs == {(1, 3), (0, 2)}


def test_the_seed_decides():
    assert all(np.array_equal(a, b) for a, b in zip(iid(50, 5, 3), iid(50, 5, 3), strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(iid(50, 5, 3), iid(50, 5, 4), strict=True))


def test_groups_are_clients():
    parts = by_group(["b", "a", "b", "c"])
    assert [rows.tolist() for rows in parts] == [[1], [0, 2], [3]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: iid(10, 0, 0), "at least 1"),
        (lambda: iid(10, 2, 0, sizes=(5, 6)), "at most 10"),
        (lambda: iid(10, 2, 0, sizes=(5,)), "2 positive numbers"),
        (lambda: shards(labels(10), 6, 0), "too few"),
        (lambda: shards(labels(10), 2, 0, 0), "at least 1"),
        (lambda: dirichlet(labels(10), 2, 0.0, 0), "must be positive"),
        (lambda: by_group([]), "no groups"),
    ],
)
def test_bad_requests_say_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()
