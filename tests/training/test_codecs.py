"""Codecs: exact sizes, unbiasedness, bounds on the variance, identities, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgedl_lib.training.codecs import (
    Chain,
    CodecError,
    Dense,
    ErrorFeedback,
    Kashin,
    LowPrecision,
    LowRank,
    Matrices,
    Quantise,
    RandomMask,
    Rotate,
    Subsample,
    TopK,
    WholeModel,
    decode_arrays,
    decode_payload,
    encode_arrays,
    stream_seed,
    walsh_hadamard,
)
from edgedl_lib.training.codecs.bits import BitReader, BitWriter
from edgedl_lib.training.codecs.positions import WAYS, position_bits, read_positions, write_positions
from edgedl_lib.training.communication.sketched.distortion import averaging_error, distortion, random_vectors

FLOATS = st.floats(-1e6, 1e6, width=32)
VECTORS = arrays.arrays(np.float32, st.integers(1, 200), elements=FLOATS)
QUICK = settings(max_examples=25, deadline=None)
EVERY = [
    Dense(),
    Dense(half=True),
    Quantise(1),
    Quantise(3),
    Quantise(32),
    LowPrecision(1),
    LowPrecision(10),
    Subsample(0.3),
    TopK(0.3),
    RandomMask(0.3),
    Rotate(),
    Rotate(16),
    Kashin(),
    Chain(Rotate(), Subsample(0.5), Quantise(2)),
    Chain(Subsample(0.5), Rotate(8), Quantise(5)),
    Chain(Kashin(), Subsample(0.5), Quantise(4)),
    Chain(TopK(0.2), Dense(half=True)),
]
UNBIASED = [
    Quantise(1),
    Quantise(2),
    LowPrecision(1),
    LowPrecision(5),
    Subsample(0.25),
    Chain(Rotate(), Subsample(0.25), Quantise(1)),
    Chain(Rotate(64), Quantise(1)),
    Chain(Kashin(), Quantise(1)),
]
IDENTITIES = [Dense(), Quantise(32), Subsample(1.0), TopK(1.0), RandomMask(1.0), Rotate(), Rotate(8), Kashin()]


def rng(seed=0):
    return np.random.default_rng(seed)


def name(codec):
    return repr(codec)


@pytest.mark.parametrize("codec", EVERY, ids=name)
@given(vector=arrays.arrays(np.float32, st.integers(1, 120), elements=st.floats(-1e4, 1e4, width=32)))
@QUICK
def test_size_shape_and_type(codec, vector):
    packet = codec.encode(vector, rng())
    assert packet.size_bytes == len(packet.payload) == -(-packet.bits // 8)
    decoded = codec.decode(packet)
    assert decoded.shape == vector.shape
    assert decoded.dtype == np.float32
    assert np.isfinite(decoded).all()


@pytest.mark.parametrize("codec", EVERY, ids=name)
def test_nothing_but_the_payload_is_needed(codec):
    vector = rng(1).laplace(size=(6, 10)).astype(np.float32)
    packet = codec.encode(vector, rng(5))
    again = codec.encode(vector, rng(5))
    assert packet == again
    assert np.array_equal(codec.decode(packet), codec.decode(again))
    with pytest.raises(CodecError):
        codec.decode(type(packet)(packet.payload + b"\0", packet.shape, packet.bits))
    with pytest.raises(CodecError):
        codec.decode(type(packet)(packet.payload[:-1], packet.shape, packet.bits))


@pytest.mark.parametrize("codec", IDENTITIES, ids=name)
@given(vector=VECTORS)
@QUICK
def test_keeping_everything_is_the_identity(codec, vector):
    decoded = codec.decode(codec.encode(vector, rng()))
    np.testing.assert_allclose(decoded, vector, atol=1e-5 * max(1e-30, np.abs(vector).max()))


@pytest.mark.parametrize("shape", [(5, 7), (1, 9), (6, 1), (4, 3, 2)])
def test_full_rank_is_the_identity(shape):
    matrix = rng(1).normal(size=shape).astype(np.float32)
    codec = LowRank(shape[0])
    np.testing.assert_allclose(codec.decode(codec.encode(matrix, rng())), matrix, atol=1e-4)


@pytest.mark.parametrize("codec", UNBIASED, ids=name)
@pytest.mark.parametrize("kind", ["spiky", "Laplace", "Gaussian"])
def test_the_mean_of_many_decodes_is_the_vector(codec, kind):
    vector = random_vectors(kind, 100, 1, 3)[0]
    assert averaging_error(codec, vector, 400, 7) < 1.5  # one is expected, a bias would grow to 20


def test_biased_codecs_are_seen():
    vector = random_vectors("Laplace", 100, 1, 3)[0]
    assert averaging_error(TopK(0.25), vector, 400, 7) > 15


@pytest.mark.parametrize("levels", [1, 5, 10])
@pytest.mark.parametrize("count", [1, 4, 65, 1000])
def test_variance_of_the_low_precision_quantiser(levels, count):
    codec = LowPrecision(levels)
    for kind in ("spiky", "Gaussian"):
        if kind == "spiky" and count < 4:
            continue
        vectors = random_vectors(kind, count, 200, count)
        assert distortion(codec, vectors, 1) <= 1.05 * codec.variance_bound(count)
    assert codec.variance_bound(65) == pytest.approx(min(65 / levels**2, np.sqrt(65) / levels))


def test_low_precision_bits():
    vector = rng().normal(size=65)
    for levels, bits in ((1, 2), (5, 4), (10, 5)):  # sign and ceil(log2(levels + 1))
        assert LowPrecision(levels).encode(vector, rng()).bits == 32 + 65 * bits


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_quantise_uses_exactly_its_levels(bits):
    vector = np.linspace(0, 1, 20_000)
    packet = Quantise(bits).encode(vector, rng())
    decoded = Quantise(bits).decode(packet)
    assert packet.bits == 64 + bits * 20_000
    assert len(np.unique(decoded)) == 2**bits
    assert (decoded.min(), decoded.max()) == (0, 1)
    assert np.abs(decoded - vector).max() <= 1 / (2**bits - 1) + 1e-6


def test_rotation_helps_spikes_and_not_gaussians():
    spiky, gaussian = (random_vectors(kind, 1024, 20, 0) for kind in ("spiky", "Gaussian"))
    rotated = Chain(Rotate(), Quantise(1))
    assert distortion(Quantise(1), spiky, 0) > 50 * distortion(rotated, spiky, 0)
    assert distortion(Quantise(1), gaussian, 0) == pytest.approx(distortion(rotated, gaussian, 0), rel=0.3)
    laplace = random_vectors("Laplace", 1024, 20, 0)
    assert distortion(Quantise(1), laplace, 0) > 1.5 * distortion(rotated, laplace, 0)


@pytest.mark.parametrize("codec", [*EVERY, Chain(Rotate(), Quantise(2))], ids=name)
@pytest.mark.parametrize("vector", [np.zeros(9), np.full(9, 3.0), np.array([2.0]), np.array([0.0])])
def test_constant_zero_and_one_element(codec, vector):
    decoded = codec.decode(codec.encode(vector, rng()))
    assert np.isfinite(decoded).all()
    if not vector.any():
        assert not decoded.any()


def test_constant_vectors_come_back_exactly():
    assert np.array_equal(
        Quantise(1).decode(Quantise(1).encode(np.full(5, 0.3, np.float32), rng())), np.full(5, 0.3, np.float32)
    )


@pytest.mark.parametrize("codec", EVERY, ids=name)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_what_is_not_finite_or_too_large_is_refused(codec, value):
    with pytest.raises(CodecError, match="NaN|overflows"):
        codec.encode(np.array([1.0, value]), rng())


def test_overflows_of_what_is_written():
    with pytest.raises(CodecError, match="16-bit"):
        Dense(half=True).encode(np.array([70_000.0]), rng())
    with pytest.raises(CodecError, match="norm"):
        LowPrecision(1).encode(np.full(100, 3e38), rng())
    with pytest.raises(CodecError, match="overflows"):
        Rotate().encode(np.full(64, 3e38), rng(3))
    with pytest.raises(CodecError, match="nothing to send"):
        Dense().encode(np.zeros((0, 3)), rng())
    with pytest.raises(CodecError, match="does not fit"):
        BitWriter().integers(np.array([4]), 2)


@pytest.mark.parametrize("make", [Subsample, TopK, RandomMask])
@pytest.mark.parametrize("fraction", [0, -0.1, 1.5, np.nan])
def test_fractions_outside_their_range(make, fraction):
    with pytest.raises(CodecError, match=r"\(0, 1\]"):
        make(fraction)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Quantise(0),
        lambda: Quantise(33),
        lambda: LowPrecision(0),
        lambda: Rotate(12),
        lambda: Kashin(iterations=0),
        lambda: LowRank(0),
        lambda: LowRank(2.5),
        lambda: Chain(Quantise(2), Rotate()),
        lambda: walsh_hadamard(np.zeros(12)),
        lambda: LowRank(2).encode(np.zeros(8), rng()),
    ],
)
def test_settings_that_make_no_sense(make):
    with pytest.raises(CodecError):
        make()


@given(count=st.integers(1, 300), data=st.data())
@QUICK
def test_positions_survive_and_the_cheapest_way_is_taken(count, data):
    positions = np.array(sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1))))
    writer = BitWriter()
    way = write_positions(positions, count, writer)
    reader = BitReader(writer.to_bytes())
    assert np.array_equal(read_positions(len(positions), count, reader), positions)
    if way == "all":
        assert writer.bits == 0 and len(positions) == count
    else:
        sizes = position_bits(positions, count)
        assert writer.bits == sizes[way] == min(sizes.values())


def test_each_way_wins_somewhere():
    winners = set()
    for fraction in (0.001, 0.02, 0.5):
        positions = np.sort(rng().choice(2000, max(1, int(2000 * fraction)), replace=False))
        sizes = position_bits(positions, 2000)
        winners.add(min(sizes, key=sizes.get))
    assert winners == set(WAYS)


@given(values=st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=40), extra=st.integers(0, 1))
@QUICK
def test_fields_of_every_width(values, extra):
    width = max(values).bit_length() + extra or 1
    writer = BitWriter()
    writer.flags(np.array([True, False, True]))
    writer.integers(np.array(values), width)
    writer.floats(np.array([1.5, -2.0]))
    assert writer.bits == 3 + width * len(values) + 64
    reader = BitReader(writer.to_bytes())
    assert reader.flags(3).tolist() == [True, False, True]
    assert reader.integers(len(values), width).tolist() == values
    assert reader.floats(2).tolist() == [1.5, -2.0]
    reader.expect_end()


def test_top_k_keeps_the_largest_and_no_more_of_equal_ones():
    vector = np.array([1.0, -5.0, 2.0, 4.0, -3.0])
    assert TopK(0.4).decode(TopK(0.4).encode(vector, rng())).tolist() == [0, -5, 0, 4, 0]
    ties = TopK(0.25).decode(TopK(0.25).encode(np.ones(40), rng()))
    assert np.count_nonzero(ties) == 10
    assert np.count_nonzero(TopK(0.001).decode(TopK(0.001).encode(np.ones(40), rng()))) == 1


@given(vector=arrays.arrays(np.float64, st.sampled_from([1, 2, 8, 64]), elements=st.floats(-100, 100)))
@QUICK
def test_the_fast_transform_is_the_sylvester_matrix(vector):
    from scipy.linalg import hadamard

    expected = hadamard(len(vector)) @ vector / np.sqrt(len(vector))
    np.testing.assert_allclose(walsh_hadamard(vector), expected, atol=1e-9)
    np.testing.assert_allclose(walsh_hadamard(walsh_hadamard(vector)), vector, atol=1e-9)


def test_the_transform_works_on_rows():
    rows = rng().normal(size=(3, 5, 16))
    np.testing.assert_allclose(walsh_hadamard(rows)[1, 2], walsh_hadamard(rows[1, 2]))


def test_blocks_waste_at_most_one_block():
    assert Rotate().kept_shape((82_944,)) == (131_072,)
    assert Rotate(1024).kept_shape((82_944,)) == (82_944,)
    assert Rotate(1024).kept_shape((1025,)) == (2048,)
    assert Rotate(1024).kept_shape((5,)) == (8,)


def test_a_vector_cut_by_its_own_rotation_keeps_its_size():
    vector = rng().normal(size=300)
    _, rotated = Rotate().forward(vector, rng(1))
    assert np.linalg.norm(rotated) == pytest.approx(np.linalg.norm(vector))


def test_clients_have_different_masks_and_a_client_finds_its_own_again():
    assert stream_seed(rng([0, 1, 2])) != stream_seed(rng([0, 1, 3]))
    mine = rng([0, 1, 2])
    before = stream_seed(mine)
    mine.random(100)
    assert stream_seed(mine) == before
    mask = RandomMask(0.25).mask(before, (8, 8))
    update = np.where(mask, rng().normal(size=(8, 8)), 0)
    packet = RandomMask(0.25).encode(update, mine)
    np.testing.assert_allclose(RandomMask(0.25).decode(packet), update, rtol=1e-6)
    assert packet.size_bytes == 4 + 4 * 16


def test_an_update_of_low_rank_survives():
    mine = rng([0, 1, 2])
    update = LowRank(0.25).basis(stream_seed(mine), 16) @ rng().normal(size=(4, 12))
    packet = LowRank(0.25).encode(update, mine)
    np.testing.assert_allclose(LowRank(0.25).decode(packet), update, atol=1e-5)
    assert packet.size_bytes == 4 + 4 * 4 * 12


MODEL = {"w": rng(2).normal(size=(6, 5)).astype(np.float32), "b": rng(3).normal(size=6).astype(np.float32)}


@pytest.mark.parametrize(
    "codec", [Quantise(2), TopK(0.3), Matrices(LowRank(2)), WholeModel(Chain(Rotate(), Quantise(3)))], ids=name
)
def test_whole_models(codec):
    packets = encode_arrays(codec, MODEL, rng())
    assert packets.size_bytes == len(packets.payload)
    decoded = decode_arrays(packets)
    again = decode_payload(codec, packets.payload, {key: value.shape for key, value in MODEL.items()})
    assert list(decoded) == list(MODEL)
    for key, value in MODEL.items():
        assert decoded[key].shape == value.shape
        assert np.array_equal(decoded[key], again[key])


def test_dense_arrays_are_left_alone():
    packets = encode_arrays(WholeModel(Quantise(1)), MODEL, rng(), dense=lambda key, values: values.ndim == 1)
    assert packets.dense == {"b"}
    assert np.array_equal(decode_arrays(packets)["b"], MODEL["b"])
    assert packets.bits == 64 + 30 + 32 * 6


def test_one_vector_has_no_packets_of_its_own():
    with pytest.raises(CodecError, match="one vector"):
        _ = encode_arrays(WholeModel(Quantise(1)), MODEL, rng()).packets


@pytest.mark.parametrize("codec", [TopK(0.1), Chain(TopK(0.1), Dense(half=True)), Quantise(4)], ids=name)
def test_sent_plus_residual_is_all_that_was_given(codec):
    memory, given_all, sent = ErrorFeedback(codec), np.zeros(40), np.zeros(40)
    for step in range(30):
        vector = rng(step).normal(size=40)
        sent += memory.decode(memory.encode(vector, rng(step)))
        given_all += vector
    np.testing.assert_allclose(sent + memory.residual, given_all, atol=1e-4)


def test_error_feedback_remembers_each_array():
    memory = ErrorFeedback(TopK(0.2))
    total = {key: np.zeros_like(value) for key, value in MODEL.items()}
    for step in range(5):
        decoded = decode_arrays(memory.encode_arrays(MODEL, rng(step)))
        total = {key: total[key] + decoded[key] for key in total}
    for key, value in MODEL.items():
        np.testing.assert_allclose(total[key] + memory.residuals[key], 5 * value, atol=1e-4)


def test_kashin_is_exact_and_flat():
    vector = rng().normal(size=700)
    frame, coefficients = Kashin().forward(vector, rng(1))
    assert coefficients.shape == (1024,)
    np.testing.assert_allclose(Kashin().backward(frame, coefficients, (700,)), vector, atol=1e-12)
    _, plain = Kashin(iterations=1).forward(vector, rng(1))
    assert np.abs(coefficients).max() < 0.9 * np.abs(plain).max()


def test_kashin_gains_nothing_from_zeros_at_the_end():
    vector = rng().normal(size=1024)
    peaks = [np.abs(Kashin(iterations=turns, scatter=False).forward(vector, rng(1))[1]).max() for turns in (1, 3, 6)]
    assert peaks == pytest.approx([peaks[0]] * 3)
    scattered = [np.abs(Kashin(iterations=turns).forward(vector, rng(1))[1]).max() for turns in (1, 3)]
    assert scattered[1] < 0.8 * scattered[0]


def test_the_frame_has_room():
    assert Kashin().kept_shape((700,)) == (1024,)
    assert Kashin().kept_shape((900,)) == (2048,)
    assert Kashin().kept_shape((1024,)) == (2048,)
