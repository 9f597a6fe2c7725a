"""Wrong shortcuts and towers that are not what they say, for ResNet."""

import numpy as np

from edgedl_lib.inference.compression.compact_filters import compact_counts as counts
from edgedl_lib.inference.compression.compact_filters import residual
from edgedl_lib.nets.datasets import digits
from edgedl_lib.nets.training import build, train
from edgedl_lib.nets.zoo import resnet_bottleneck, vgg16
from edgedl_lib.reproduce.sabotage import sabotage


@sabotage(*(f"resnet.cifar{depth}_params" for depth in counts.RESNET_BLOCKS))
def projections_counted():
    """The two shortcuts that widen as 1x1 projections (option B): 2,560 weights more."""
    right = counts.resnet_parameters()
    return {f"resnet.cifar{depth}_params": count + 16 * 32 + 32 * 64 for depth, count in right.items()}


@sabotage("resnet.resnet152_macs", "resnet.resnet152_vs_vgg16")
def operations_of_one_network():
    """A multiply-add of the residual network counted as two, VGG's as one."""
    work = 2 * resnet_bottleneck(152).mac
    return {"resnet.resnet152_macs": work / 1e9, "resnet.resnet152_vs_vgg16": work / vgg16().mac}


@sabotage("resnet.degradation")
def no_shortcut_in_either():
    """The residual network built without its shortcuts: two equal networks."""
    flat = digits(0).flat()
    towers = [build(lambda: residual.dense_tower(64, 16, shortcut=False), 0) for _ in range(2)]
    stack = residual.TowerStack(towers)
    train(stack, flat.train.subset(200), epochs=1, seed=0, objective=residual.stack_loss)
    plain, other = residual.member_losses(stack, flat.train).tolist()
    return plain / other


@sabotage("resnet.deep_accuracy")
def plain_network_in_place_of_the_residual():
    """The gain by depth read off the plain towers."""
    shallow, deep = residual.degradation(digits(0), (2, 24), (0,), epochs=3)
    return float(np.mean(deep.plain_accuracy) - np.mean(shallow.plain_accuracy))
