"""Huffman codes and relative indices: known answers, properties, and the sparse engine's encoding as a twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgedl_lib.inference.compression.storage.huffman import (
    PrefixCode,
    decode,
    encode,
    entropy_bits,
    fixed_code,
    huffman_code,
)
from edgedl_lib.inference.compression.storage.relative_index import (
    decode_positions,
    encode_positions,
    expected_filler_share,
)
from edgedl_lib.offloading.platform.sparse_encoding import compress, filler_ratio

COUNTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=70).filter(any)


@settings(max_examples=80, deadline=None)
@given(COUNTS)
def test_mean_length_lies_within_one_bit_above_the_entropy(counts):
    counts = np.array(counts)
    mean = np.average(huffman_code(counts).lengths, weights=counts)
    entropy = entropy_bits(counts)
    assert mean >= entropy - 1e-9
    assert mean < entropy + 1 or np.count_nonzero(counts) == 1  # a lone symbol still takes a bit


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=300))
def test_decoding_gives_back_what_was_encoded(symbols):
    symbols = np.array(symbols, dtype=int)
    counts = np.bincount(symbols, minlength=41)
    for code in [fixed_code(41)] + ([huffman_code(counts)] if len(symbols) else []):
        stream = encode(symbols, code)
        assert len(stream) == -(-int(code.lengths[symbols].sum()) // 8)
        np.testing.assert_array_equal(decode(stream, len(symbols), code), symbols)


@settings(max_examples=40, deadline=None)
@given(COUNTS)
def test_no_code_is_the_beginning_of_another(counts):
    code = huffman_code(np.array(counts))
    words = [format(word, f"0{length}b") for word, length in zip(code.codes(), code.lengths, strict=True) if length]
    assert len(set(words)) == len(words)
    assert not any(a != b and b.startswith(a) for a in words for b in words)


def test_known_code():
    code = huffman_code(np.array([45, 13, 12, 16, 9, 5]))  # Cormen et al., Introduction to Algorithms
    assert code.lengths.tolist() == [1, 3, 3, 3, 4, 4]


def test_very_unequal_counts_make_long_codes_that_still_decode():
    counts = np.array([2**power for power in range(30)])
    code = huffman_code(counts)
    assert code.lengths.max() == 29
    symbols = np.arange(30)
    np.testing.assert_array_equal(decode(encode(symbols, code), 30, code), symbols)


def test_a_lone_symbol_takes_one_bit():
    code = huffman_code(np.array([0, 7]))
    assert code.lengths.tolist() == [0, 1]
    assert decode(encode(np.ones(9, int), code), 9, code).tolist() == [1] * 9


def test_bad_codes_and_streams_are_refused():
    with pytest.raises(ValueError, match="Kraft"):
        PrefixCode(np.array([1, 1, 1]))
    with pytest.raises(ValueError, match="at least one of them positive"):
        huffman_code(np.zeros(4, int))
    code = huffman_code(np.array([5, 3, 2]))
    with pytest.raises(ValueError, match="no code"):
        encode(np.array([3]), code)
    with pytest.raises(ValueError, match="cut short|damaged"):
        decode(encode(np.array([0, 1, 2]), code), 90, code)
    with pytest.raises(ValueError, match="damaged"):
        decode(b"\xff", 1, huffman_code(np.array([0, 7])))  # only "0" is a word


def test_the_papers_figure_of_the_relative_index():
    index = encode_positions(np.array([1, 4, 15]), bits=3)
    assert (index.gaps + 1).tolist() == [2, 3, 8, 3]  # steps: from -1 to 1, 4, filler at 12, 15
    assert index.holds_weight.tolist() == [True, True, False, True]


@settings(max_examples=80, deadline=None)
@given(st.sets(st.integers(0, 3_000), max_size=120), st.integers(1, 8))
def test_positions_survive_the_gaps(positions, bits):
    positions = np.array(sorted(positions), dtype=int)
    index = encode_positions(positions, bits)
    assert index.gaps.max(initial=0) < 2**bits
    np.testing.assert_array_equal(decode_positions(index), positions)


def test_positions_must_increase():
    with pytest.raises(ValueError, match="increase strictly"):
        encode_positions(np.array([3, 3]), 5)
    with pytest.raises(ValueError, match="1 to 16 bits"):
        encode_positions(np.array([3]), 0)


@pytest.mark.parametrize("density", [0.02, 0.1, 0.5])
def test_the_sparse_engine_stores_a_column_with_the_same_gaps(density):
    generator = np.random.default_rng(0)
    column = generator.integers(1, 16, (4_000, 1)) * (generator.random((4_000, 1)) < density)
    packed = compress(column, elements=1, index_bits=4)
    index = encode_positions(np.flatnonzero(column), bits=4)
    np.testing.assert_array_equal(index.gaps, packed.zeros)
    np.testing.assert_array_equal(index.holds_weight, packed.codes != 0)
    assert expected_filler_share(density, 4) == pytest.approx(filler_ratio(density, 4))


def test_random_places_need_the_expected_fillers():
    positions = np.flatnonzero(np.random.default_rng(0).random(400_000) < 0.08)
    assert encode_positions(positions, 5).filler_share == pytest.approx(expected_filler_share(0.08, 5), rel=0.08)
    with pytest.raises(ValueError, match="density"):
        expected_filler_share(0.0, 5)
