"""Wrong ways to prune, and wrong accounts of what pruning saves."""

import copy

import numpy as np
import torch

from edgedl_lib.inference.compression.reference import digit_network, lenet_300_100
from edgedl_lib.inference.compression.sparsity import filters, sparse_speed
from edgedl_lib.inference.compression.sparsity.pruning import FixedMasks, magnitude_masks, magnitude_prune
from edgedl_lib.inference.compression.sparsity.retraining import RETRAINING, SurvivorCount
from edgedl_lib.inference.compression.sparsity.trade_off import keep_for, prune_only
from edgedl_lib.inference.compression.storage import published
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import build, error, train
from edgedl_lib.reproduce.sabotage import sabotage

NETWORKS = {"lenet300": "lenet-300-100", "lenet5": "lenet-5", "alexnet": "alexnet", "vgg16": "vgg16"}


@sabotage(*(f"han_prune.{key}_{what}" for key in NETWORKS for what in ("rate", "kept", "flop")))
def layers_weigh_the_same():
    """The mean of the layers' densities, as if a layer of 1,000 weights counted like one of 38 million."""
    values = {}
    for key, name in NETWORKS.items():
        layers = published.published_network(name).layers
        density = float(np.mean([layer.kept for layer in layers]))
        values[f"han_prune.{key}_rate"] = 1 / density
        values[f"han_prune.{key}_kept"] = 100 * density
        values[f"han_prune.{key}_flop"] = 100 * float(np.mean([layer.kept * layer.input_density for layer in layers]))
    return values


@sabotage("han_prune.dram_power_example", "han_prune.alexnet_fetch", "han_prune.alexnet_fetch_pruned")
def everything_in_sram():
    """SRAM's 5 pJ charged for a network that does not fit into it; the pruned one fetched whole."""
    weights = published.published_network("alexnet").weights
    return {
        "han_prune.dram_power_example": published.fetch_power(1e9, 20, "sram"),
        "han_prune.alexnet_fetch": 1e3 * published.fetch_power(weights, 1, "sram"),
        "han_prune.alexnet_fetch_pruned": 1e3 * published.fetch_power(weights, 1),
    }


@sabotage("han_prune.sparse_overhead")
def absolute_indices():
    """Sixteen bits for a place instead of a gap of five."""
    return 100 * 16 / published.FLOAT_BITS


def _trained(epochs=4):
    data = digits(0, size=28).flat()
    model = build(lenet_300_100, 0)
    train(model, data.train, epochs=epochs, seed=0, **RETRAINING)
    return model, data, published.published_network("lenet-300-100")


@sabotage("han_prune.lenet300_err", "han_prune.lenet5_err", "han_prune.iterative_limit")
def no_retraining():
    """Pruned to a twelfth and left there; the reduction that survives it taken for the iterative one."""
    model, data, network = _trained()
    reductions = (1.5, 2, 3, 4, 6, 8)
    curve = prune_only(model, data, network, (*reductions, network.reduction))
    unpruned = error(model, data.test)
    added = float(curve.errors[-1]) - unpruned
    limit = max(
        (step for step, found in zip(reductions, curve.errors, strict=False) if found <= unpruned + 1), default=1
    )
    return {"han_prune.lenet300_err": added, "han_prune.lenet5_err": added, "han_prune.iterative_limit": limit}


@sabotage("han_prune.one_shot_loss")
def called_one_shot_but_retrained():
    """An epoch of retraining slipped in before the error is measured."""
    model, data, network = _trained()
    pruned = copy.deepcopy(model)
    masks = magnitude_prune(pruned, network.keep)
    train(pruned, data.train, epochs=2, seed=0, after_step=masks, **RETRAINING)
    return error(pruned, data.test) - error(model, data.test)


@sabotage("han_prune.half_loss", "han_prune.no_retrain_limit", "han_prune.iterative_gain", "han_prune.equal_round_gain")
def smallest_weights_kept():
    """The sign of the comparison slipped: the largest weights go, and no retraining comes to the rescue."""
    model, data, network = _trained()
    unpruned, reached, losses = error(model, data.test), 1.0, {}
    for reduction in (1.5, 2):
        pruned = copy.deepcopy(model)
        kept = magnitude_masks(pruned, {name: 1 - keep for name, keep in keep_for(network, reduction).items()})
        FixedMasks({name: ~mask for name, mask in kept.masks.items()})(pruned)
        losses[reduction] = error(pruned, data.test) - unpruned
        reached = reduction if losses[reduction] <= 1 else reached
    return {
        "han_prune.half_loss": losses[2],
        "han_prune.no_retrain_limit": reached,
        "han_prune.iterative_gain": -losses[2],
        "han_prune.equal_round_gain": -losses[2],
    }


@sabotage("han_prune.mask_change")
def mask_applied_once():
    """Pruned before retraining and trusted to stay so."""
    model, data, network = _trained(epochs=1)
    count = SurvivorCount(magnitude_prune(model, network.keep))
    count.masks, wanted = FixedMasks({}), count.masks.kept
    train(model, data.train.subset(64), epochs=1, seed=0, after_step=count, **RETRAINING)
    return max(abs(found - wanted) for found in count.counts)


@sabotage("han_prune.sensitivity", "han_prune.conv1_sensitivity")
def difference_the_wrong_way_round():
    """Dense layers minus convolutions, on a network where pruning the convolutions costs 10 points more."""
    data, model = digits(0), build(digit_network, 0)
    train(model, data.train, epochs=4, seed=0)
    added = {}
    for layer in ("conv1", "dense1"):
        pruned = copy.deepcopy(model)
        magnitude_prune(pruned, {layer: 0.1})
        added[layer] = error(pruned, data.validation)
    gap = added["dense1"] - added["conv1"]
    return {"han_prune.sensitivity": gap, "han_prune.conv1_sensitivity": gap}


@sabotage("han_prune.filter_difference")
def columns_in_the_wrong_order():
    """Behind the flatten the first columns are kept, instead of the blocks of the surviving maps."""
    model = build(digit_network, 0)
    kept = filters.strongest_filters(model, 0.5)
    small = filters.extract(model, kept)
    columns = small.dense1.weight.shape[1]
    rows = kept["dense1"]
    small.dense1.weight.data = model.dense1.weight.data[rows][:, :columns].clone()
    inputs = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return sparse_speed.logit_difference(filters.zero_filters(model, kept), small, inputs)


@sabotage("han_prune.filter_speed", "han_prune.zeros_speed")
def density_read_as_speed():
    """Zeros left in place give no speed, so a quarter of the promise; the operation count read as a speed-up."""
    return {"han_prune.filter_speed": 1 / 4, "han_prune.zeros_speed": 1 / 0.08}


@sabotage("han_prune.dead_units", "han_prune.dead_unit_difference")
def random_pruning_and_dropped_constants():
    """Weights dropped at random leave hardly a unit dead; silent units dropped with the constants they emit."""
    network = published.published_network("lenet-300-100")
    model = build(lenet_300_100, 0)
    generator = torch.Generator().manual_seed(0)
    masks = {}
    for layer in network.layers:
        shape = model.get_submodule(layer.name).weight.shape
        masks[layer.name] = torch.rand(shape, generator=generator) < layer.kept
    FixedMasks(masks)(model)
    left = filters.remove_dead_units(model)
    dead = 1 - (left.dense1.out_features + left.dense2.out_features) / 400
    silent = build(lenet_300_100, 1)
    with torch.no_grad():
        silent.dense1.weight[:100] = 0
        silent.dense1.bias[:100] = 1
    small = filters.extract(silent, {"dense1": torch.arange(100, 300)})
    inputs = torch.rand(8, 784, generator=generator)
    return {
        "han_prune.dead_units": 100 * dead,
        "han_prune.dead_unit_difference": sparse_speed.logit_difference(silent, small, inputs),
    }
