"""Federated averaging under Secure Aggregation: same model, ignorant server, rounds that survive or are given up."""

import numpy as np
import pytest

from edgedl_lib.training.models import flatten
from edgedl_lib.training.security.secure_aggregation import federated_study as study
from edgedl_lib.training.security.secure_aggregation.curious import uniformity
from edgedl_lib.training.security.secure_aggregation.federated import Scheme, nobody
from edgedl_lib.training.security.secure_aggregation.quantise import Quantiser


@pytest.fixture(scope="module")
def pair():
    return study.compare(0, rounds=4)


def test_the_model_is_that_of_the_open_mean_bit_for_bit(pair):
    assert pair.largest_difference == 0
    assert np.array_equal(pair.secure.accuracy, pair.open.accuracy) and pair.secure.accuracy[-1] > 0.6
    assert pair.secure.participants == pair.open.participants
    assert {len(each) for each in pair.secure.participants} == {7, 8}  # silent at the last stage: still in the sum


def test_the_server_receives_noise_only(pair):
    assert pair.updates_seen == 0
    vectors = [data for _, stage, _, data in pair.hidden.view if stage == "mask"]
    bits = pair.hidden._parameters.modulus_bits
    values = np.concatenate([pair.hidden._server.read_vector(data) for data in vectors])
    assert len(vectors) == 29 and uniformity(values, bits) > 0.001
    shown = next(iter(pair.shown.seen.values()))
    assert uniformity(shown, bits) < 1e-9


def test_the_mean_is_near_the_mean_of_floats(pair):
    fine = study.compare(0, rounds=4, scheme=study.digits_scheme(bits=30))
    assert flatten(pair.secure.arrays) == pytest.approx(flatten(fine.secure.arrays), abs=1e-4)


def test_a_round_below_the_threshold_leaves_the_model_as_it_was():
    for stage in ("advertise", "unmask"):
        crowd = study.compare(0, rounds=1, drop_out=nobody).hidden._order[:4]
        comparison = study.compare(
            0, rounds=2, drop_out=lambda r, c, s=stage, g=crowd: s if r == 1 and c in g else None
        )
        assert comparison.secure.abandoned == (1,) and comparison.secure.accuracy[1] == comparison.secure.accuracy[0]
        assert comparison.secure.accuracy[2] > comparison.secure.accuracy[0]


def test_an_update_that_does_not_fit_is_refused_by_its_own_client():
    narrow = Scheme(Quantiser(limit=1e-6, bits=20), most_examples=100)
    with pytest.raises(Exception, match="OverflowError.*outside"):
        study.compare(0, rounds=1, drop_out=nobody, scheme=narrow)
    with pytest.raises(OverflowError, match="101 examples"):
        study.digits_scheme().encode(np.zeros(3), 101)
