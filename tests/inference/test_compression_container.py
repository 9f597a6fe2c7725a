"""The compressed file: bit-equal weights, honest bytes, and damage that never passes."""

import dataclasses
import struct
import zlib

import numpy as np
import pytest
import torch

from edgedl_lib.inference.compression.reference import digit_network, lenet_300_100
from edgedl_lib.inference.compression.sparsity import sparse_speed, trade_off
from edgedl_lib.inference.compression.sparsity.pruning import magnitude_prune
from edgedl_lib.inference.compression.storage import deep_compression, file_checks, published
from edgedl_lib.inference.compression.storage.container import DamagedFile, SparseWeight, pack, unpack
from edgedl_lib.inference.compression.storage.sharing import SharedLayer, share_weights
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.training import build, predict

KEEP = {"conv1": 0.8, "conv2": 0.3, "dense1": 0.1, "dense2": 0.3}
BITS = {"conv1": 8, "conv2": 6, "dense1": 4, "dense2": 5}
WEIGHTS, BIASES = 180 + 9_000 + 25_600 + 1_280, 20 + 50 + 128 + 10


@pytest.fixture(scope="module")
def data():
    torch.set_num_threads(1)
    return digits(0)


@pytest.fixture(scope="module")
def model():
    return build(digit_network, 0)


@pytest.fixture(scope="module")
def compressed(model, data):
    return deep_compression.compress(model, KEEP, BITS, data, seed=0, rounds=2, prune_epochs=1, share_epochs=1)


@pytest.fixture(scope="module")
def small_file():
    """A file with all kinds of tensors that is short enough to damage at every byte."""
    codes = np.zeros((6, 20), dtype=np.int64)
    codes.flat[[0, 3, 50, 119]] = [1, 3, 2, 1]
    tensors = {
        "a.weight": SharedLayer(np.array([-1.5, 0.25, 2.0], np.float32), codes),
        "a.bias": np.arange(3, dtype=np.float32),
        "b": SparseWeight(np.eye(5, dtype=np.float32)),
        "c": SharedLayer(np.array([0.5, 1.5], np.float32), np.array([[1, 2], [2, 2]])),
    }
    return pack(tensors, index_bits=3), tensors


def test_a_saved_model_comes_back_bit_for_bit_and_predicts_the_same(compressed, model, data, tmp_path):
    compressed.save(tmp_path / "digits.edlc")
    assert (tmp_path / "digits.edlc").stat().st_size == compressed.size
    loaded = deep_compression.load(tmp_path / "digits.edlc", model)
    state = compressed.module.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in loaded.state_dict().items())
    assert torch.equal(predict(loaded, data.test.inputs), predict(compressed.module, data.test.inputs))
    for name, layer in compressed.shared.items():
        np.testing.assert_array_equal(loaded.get_submodule(name).weight.detach().numpy(), layer.weight())


def test_the_original_model_is_not_touched(compressed, model):
    fresh = build(digit_network, 0)
    assert all(torch.equal(value, fresh.state_dict()[name]) for name, value in model.state_dict().items())


def test_every_stage_is_a_smaller_file_and_the_parts_add_up(compressed):
    sizes = [compressed.files[stage].size for stage in ("dense", "pruned", "shared", "huffman")]
    assert sizes == sorted(sizes, reverse=True)
    for packed in compressed.files.values():
        assert sum(sum(parts.values()) for parts in packed.parts.values()) == len(packed.data)
    assert compressed.files["dense"].size == 4 * (WEIGHTS + BIASES) + compressed.files["dense"].total("header")
    assert compressed.rate("dense") == 1


def test_the_table_says_what_each_layer_kept(compressed):
    rows = {row.layer: row for row in compressed.table}
    assert rows["dense1"].kept == 2_560 and rows["dense1"].bits == 4
    assert rows["conv2"].kept == 2_700 and rows["conv2"].weights == 9_000
    for row in rows.values():
        assert row.bytes_before - 4 * row.weights == pytest.approx(30, abs=12)  # name and shape
    assert 2 < rows["dense1"].percent < 4  # a tenth of the weights with 7 to 8 of 32 bits, and its code book
    assert rows["conv1"].percent > 100  # a code book of 255 values does not pay for 180 weights


def test_masks_and_codes_survive_training(compressed):
    for name, row in ((row.layer, row) for row in compressed.table):
        weight = compressed.module.get_submodule(name).weight
        assert int(torch.count_nonzero(weight)) <= row.kept
        assert len(torch.unique(weight)) <= 2**row.bits


def test_the_compressed_model_is_an_ordinary_module_with_a_layer_graph(compressed, model):
    assert layer_graph(compressed.module, (1, 8, 8)).parameter_count == layer_graph(model, (1, 8, 8)).parameter_count


def test_all_kinds_of_tensors_come_back(small_file):
    packed, tensors = small_file
    found = unpack(packed.data)
    assert list(found) == list(tensors)
    np.testing.assert_array_equal(found["a.bias"], tensors["a.bias"])
    np.testing.assert_array_equal(found["b"], tensors["b"].weight)
    for name in ("a.weight", "c"):
        np.testing.assert_array_equal(found[name].codes, tensors[name].codes)
        np.testing.assert_array_equal(found[name].code_book, tensors[name].code_book)


def test_every_flipped_byte_is_detected(small_file):
    data = small_file[0].data
    for place in range(len(data)):
        for change in (0x01, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[place] ^= change
            with pytest.raises(DamagedFile):
                unpack(bytes(damaged))


def test_every_truncation_is_detected(small_file):
    data = small_file[0].data
    for length in range(len(data)):
        with pytest.raises(DamagedFile):
            unpack(data[:length])
    with pytest.raises(DamagedFile, match="checksum"):
        unpack(data + b"\0")


def test_other_files_are_named_as_such(small_file):
    with pytest.raises(DamagedFile, match="not a compressed model"):
        unpack(b"PK\x03\x04 and so on")
    with pytest.raises(DamagedFile, match="version 9"):
        unpack(_resealed(small_file[0].data, 4, 9))
    with pytest.raises(DamagedFile, match="not a compressed model"):
        unpack(b"")


def test_a_wrong_structure_with_a_right_checksum_is_detected(small_file):
    with pytest.raises(DamagedFile, match="unknown storage 7"):
        unpack(_resealed(small_file[0].data, 7 + 1 + len("a.weight"), 7))
    with pytest.raises(DamagedFile, match="ends inside a field"):
        unpack(_resealed(small_file[0].data, 5, 5))  # five tensors announced, four written
    with pytest.raises(DamagedFile, match="bytes follow the last tensor"):
        unpack(_resealed(small_file[0].data, 5, 3))


def test_changed_content_with_a_right_checksum_never_raises_anything_else(small_file):
    data = small_file[0].data
    for place in range(4, len(data) - 4):
        try:
            unpack(_resealed(data, place, data[place] ^ 0x08))
        except DamagedFile:
            pass  # some changes make another valid file: that is what the checksum is for


def _resealed(data, place, value):
    changed = bytearray(data[:-4])
    changed[place] = value
    return bytes(changed) + struct.pack("<I", zlib.crc32(changed))


def test_a_file_of_another_model_is_refused(compressed):
    with pytest.raises(ValueError, match="another model"):
        deep_compression.restore(compressed.file, lenet_300_100())


def test_scalars_and_integers_of_a_state_are_stored():
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    model[1].num_batches_tracked += 41
    restored = deep_compression.restore(pack(deep_compression.tensors_of(model)).data, model)
    assert restored[1].num_batches_tracked.item() == 41
    assert restored[1].num_batches_tracked.dtype == torch.int64


def test_without_huffman_a_code_takes_its_bits_and_a_gap_its_width():
    generator = np.random.default_rng(0)
    codes = generator.integers(1, 64, 266_200) * (generator.random(266_200) < 0.08)
    layer = SharedLayer(np.linspace(-1, 1, 63, dtype=np.float32), codes.reshape(100, -1))
    packed = pack({"weight": layer}, index_bits=5, huffman=False)
    entries = np.count_nonzero(codes) * (1 + file_checks.layer_streams(layer).filler_share)
    assert packed.total("weights") == pytest.approx(6 * entries / 8, abs=16)
    assert packed.total("index") == pytest.approx(5 * entries / 8, abs=16)
    assert packed.total("code book") == 2 + 4 * 63


def test_streams_stay_above_their_entropy(compressed):
    for stream in file_checks.streams(compressed).values():
        assert 0 <= stream.weight_bits - stream.weight_entropy < 1
        assert 0 <= stream.index_bits - stream.index_entropy < 1


def test_the_checks_see_a_wrong_file(compressed):
    assert file_checks.roundtrip_difference(compressed) == 0
    wrong = dict(compressed.shared)
    wrong["dense1"] = dataclasses.replace(wrong["dense1"], code_book=wrong["dense1"].code_book + 1)
    assert file_checks.roundtrip_difference(dataclasses.replace(compressed, shared=wrong)) == pytest.approx(1, abs=1e-6)
    assert file_checks.damage_found(compressed.file, places=50) == 1


def test_pruning_alone_finds_the_gap_width_that_makes_the_file_smallest(data):
    model = build(digit_network, 0)
    magnitude_prune(model, 0.02)
    curve = trade_off.PruningCurve((50,), np.array([90.0]), (model,))
    fixed = pack(deep_compression.tensors_of(model, sparse=True), 5, huffman=False).size
    whole = pack(deep_compression.tensors_of(model)).size
    assert trade_off.pruned_sizes(curve).percent[0] < 100 * fixed / whole


def test_a_size_curve_answers_for_sizes_and_for_errors():
    curve = trade_off.SizeCurve(np.array([8.0, 4.0, 2.0]), np.array([3.0, 3.5, 9.0]))
    assert curve.at_most(5) == 3.5 and curve.at_most(1) == float("inf")
    assert curve.smallest_within(4) == 4.0 and curve.smallest_within(1) == 100
    assert curve.with_point(1.0, 2.0).at_most(1) == 2.0


def test_published_tables_reproduce_the_papers_totals():
    totals = {"lenet-300-100": (12, 8), "lenet-5": (12, 16), "alexnet": (9, 30), "vgg16": (13, 21)}
    for name, (reduction, flop) in totals.items():
        network = published.published_network(name)
        assert round(network.reduction) == reduction
        assert round(100 * network.flop_share()) == flop
        assert network.flop_share(skip_zero_inputs=False) > network.flop_share()
    assert published.published_network("alexnet").layers[1].input_density == 0.88
    assert published.published_network("lenet-300-100").implied_fillers("dense1") == pytest.approx(0.12, abs=0.01)
    with pytest.raises(KeyError, match="known are lenet-300-100"):
        published.published_network("resnet")
    with pytest.raises(KeyError, match="sram, dram"):
        published.fetch_energy("tape")


def test_sharing_without_pruning_needs_no_places(model):
    shared = share_weights(build(digit_network, 0), 4)
    packed = pack(deep_compression.tensors_of(model, shared), huffman=False)
    assert packed.total("index") == 4  # one byte per layer says that there are none
    assert packed.total("weights") == pytest.approx(4 * WEIGHTS / 8, abs=60)


def test_sparse_and_structured_speed_are_measured_on_one_thread(model):
    scattered = sparse_speed.measure_sparse_format(size=256, windows=3)
    assert scattered.gain(1) > 0 and scattered.gain(64) > 0
    structured = sparse_speed.measure_filters(model, (1, 8, 8), 0.5, batch=4, windows=3)
    assert structured.mac_gain == pytest.approx(182_400 / 48_800)
    with pytest.raises(ValueError, match="density"):
        sparse_speed.measure_sparse_format(density=0)
