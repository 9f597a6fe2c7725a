"""Wrong codecs, wrong accounts of a file, and wrong ways to share weights."""

import copy
import dataclasses
import math
import zlib

import numpy as np

from edgedl_lib.inference.compression.reference import lenet_300_100
from edgedl_lib.inference.compression.sparsity.pruning import magnitude_prune
from edgedl_lib.inference.compression.sparsity.retraining import RETRAINING
from edgedl_lib.inference.compression.storage import published
from edgedl_lib.inference.compression.storage.container import DamagedFile, unpack
from edgedl_lib.inference.compression.storage.deep_compression import code, install, share_weights
from edgedl_lib.inference.compression.storage.huffman import entropy_bits, fixed_code
from edgedl_lib.inference.compression.storage.relative_index import encode_positions
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import build, error, train
from edgedl_lib.reproduce.sabotage import sabotage


def _pruned(epochs=2):
    data = digits(0, size=28).flat()
    model = build(lenet_300_100, 0)
    train(model, data.train, epochs=epochs, seed=0, **RETRAINING)
    masks = magnitude_prune(model, published.published_network("lenet-300-100").keep)
    train(model, data.train, epochs=1, seed=0, after_step=masks, **RETRAINING)
    return model, data


LENET_FILES = ("rate", "pct", "size", "pq")


@sabotage(
    *(f"deepcomp.lenet300_{what}" for what in LENET_FILES),
    *(f"deepcomp.lenet5_{what}" for what in ("rate", "size", "pq")),
    "deepcomp.pruned_rate",
    "deepcomp.huffman_saving",
)
def places_are_free():
    """The index forgotten: weights counted, places not; pruning's 12 quoted as storage; Huffman on noise."""
    network = published.published_network("lenet-300-100")
    coded = network.kept_weights * 6 / 8
    whole = network.weights * 4
    lenet5 = published.published_network("lenet-5")
    bare = sum(layer.kept * layer.weights * layer.bits / 8 for layer in lenet5.layers)
    return {
        "deepcomp.lenet300_rate": whole / coded,
        "deepcomp.lenet300_pct": 100 * coded / whole,
        "deepcomp.lenet300_size": coded / 1e3,
        "deepcomp.lenet300_pq": whole / coded,
        "deepcomp.lenet5_rate": 4 * lenet5.weights / bare,
        "deepcomp.lenet5_size": bare / 1e3,
        "deepcomp.lenet5_pq": 4 * lenet5.weights / bare,
        "deepcomp.pruned_rate": network.reduction,
        "deepcomp.huffman_saving": 0.0,
    }


@sabotage("deepcomp.lenet300_weight_bits", "deepcomp.lenet300_index_bits", "deepcomp.filler_percent")
def fixed_lengths_and_no_fillers():
    """Codes of one length reported as Huffman's; gaps cut off at 31 instead of bridged."""
    return {
        "deepcomp.lenet300_weight_bits": float(fixed_code(64).lengths[0]),
        "deepcomp.lenet300_index_bits": float(fixed_code(32).lengths[0]),
        "deepcomp.filler_percent": 0.0,
    }


@sabotage("deepcomp.lenet300_err", "deepcomp.lenet5_err", "deepcomp.alexnet_8_5", "deepcomp.alexnet_4_2")
def one_bit_for_everything():
    """A single shared value (and zero) in every layer, not trained: the sign is lost."""
    model, data = _pruned()
    shared = copy.deepcopy(model)
    share_weights(shared, 1)
    loss = error(shared, data.test) - error(model, data.test)
    names = ("deepcomp.lenet300_err", "deepcomp.lenet5_err", "deepcomp.alexnet_8_5", "deepcomp.alexnet_4_2")
    return dict.fromkeys(names, loss)


@sabotage("deepcomp.combined_limit", "deepcomp.alone_worse")
def sharing_alone():
    """Two bits without pruning called the combination; one bit after pruning compared with pruning alone."""
    model, data = _pruned()
    dense = build(lenet_300_100, 0)
    percent = 100 / code(dense, 2, data, 0, share_epochs=0).rate("shared")
    crushed = copy.deepcopy(model)
    share_weights(crushed, 1)
    return {
        "deepcomp.combined_limit": percent,
        "deepcomp.alone_worse": error(model, data.test) - error(crushed, data.test),
    }


@sabotage("deepcomp.linear_initial")
def centroids_never_move():
    """Linear starts without a step of k-means and all below zero: positive weights all get one value."""
    model, data = _pruned()
    broken = copy.deepcopy(model)
    for name, layer in share_weights(broken, 2).items():
        worst = np.linspace(layer.code_book[0], layer.code_book[0] / 2, len(layer.code_book), dtype=np.float32)
        install(broken, {name: dataclasses.replace(layer, code_book=worst)})
    random = copy.deepcopy(model)
    share_weights(random, 2, "random", 0)
    return error(broken, data.test) - error(random, data.test)


@sabotage("deepcomp.roundtrip")
def fillers_take_no_place():
    """A decoder that drops the fillers before it adds up the gaps."""
    generator = np.random.default_rng(0)
    positions = np.sort(generator.choice(20_000, 400, replace=False))
    index = encode_positions(positions, bits=5)
    decoded = np.cumsum(index.gaps[index.holds_weight] + 1) - 1
    weights = generator.normal(size=400)
    right, wrong = np.zeros(20_000), np.zeros(20_000)
    right[positions], wrong[decoded] = weights, weights
    return float(np.abs(right - wrong).max())


@sabotage("deepcomp.damage_found")
def no_checksum():
    """Reading whatever the structure admits: most flipped bytes pass for another model."""
    model, data = _pruned(epochs=1)
    file = code(model, 6, data, 0, share_epochs=0).file
    generator, found, places = np.random.default_rng(0), 0, 40
    for place in generator.integers(20, len(file) - 4, places):
        damaged = bytearray(file)
        damaged[place] ^= 1
        damaged[-4:] = zlib.crc32(bytes(damaged[:-4])).to_bytes(4, "little")
        try:
            unpack(bytes(damaged))
        except (DamagedFile, ValueError, IndexError):
            found += 1
    return 100 * found / places


@sabotage("deepcomp.huffman_excess")
def code_without_prefixes():
    """Each symbol in as few bits as its rank needs: shorter than the entropy, and nobody can decode it."""
    counts = np.array([400, 300, 200, 100, 50, 20, 10, 5])
    lengths = np.array([max(1, math.ceil(math.log2(rank + 1))) for rank in range(1, 9)])
    return float(np.average(lengths - 1 + (lengths == 1), weights=counts)) - entropy_bits(counts)


@sabotage(*(f"deepcomp.{net}_{what}" for net in ("alexnet", "vgg16") for what in ("rate", "size", "pq")))
def layers_weigh_the_same():
    """The mean of the layers' percentages; the file before Huffman reported as the final one."""
    values = {}
    for name in ("alexnet", "vgg16"):
        network = published.published_network(name)
        for what, stage in (("rate", "huffman"), ("pq", "shared")):
            values[f"deepcomp.{name}_{what}"] = 1 / float(np.mean([layer.coded[stage] for layer in network.layers]))
        values[f"deepcomp.{name}_size"] = network.coded_bytes("shared") / 1e6
    return values


@sabotage("deepcomp.demo_alexnet", "deepcomp.sram_energy_trend")
def other_stage_other_memory():
    """The demo's file taken with Huffman coding; DRAM compared with a register file."""
    network = published.published_network("alexnet")
    return {
        "deepcomp.demo_alexnet": network.coded_bytes("huffman") / 2**20,
        "deepcomp.sram_energy_trend": published.fetch_energy("dram") / published.fetch_energy("register"),
    }


@sabotage("deepcomp.fc_speed_cpu", "deepcomp.batch_trend")
def zeros_through_the_dense_kernel():
    """A pruned matrix multiplied as a dense one, at any batch: nothing gained, and nothing lost with the batch."""
    return {"deepcomp.fc_speed_cpu": 1.0, "deepcomp.batch_trend": 1.0}
