"""The measurements of the chapter: strips against a grid, a group against one phone, clusters against chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.torch_model import to_torch
from edgedl_lib.nets.zoo import vgg16
from edgedl_lib.offloading.horizontal.modnn.borders import (
    Ownership,
    aligned_ownership,
    inherited_ownership,
    map_stages,
    staged_ownership,
)
from edgedl_lib.offloading.horizontal.modnn.dense import cocluster, cross_traffic, random_partition, saved
from edgedl_lib.offloading.horizontal.modnn.execution import run_strips
from edgedl_lib.offloading.horizontal.modnn.execution_time import Group, strip_seconds
from edgedl_lib.offloading.horizontal.modnn.halo import halo_traffic
from edgedl_lib.offloading.horizontal.modnn.networks import awkward, small_vgg
from edgedl_lib.system.catalogue import link

WORKERS = 4
PHONE_MAC_PER_S = 1e9  # ours: VGG-16 in a quarter of a minute on a Nexus 5
WAKE_UP = 0.010  # s, ours
FREE_MEMORY = 300e6  # bytes, ours: of 2 GB
MIXED_SPEEDS = (1.0, 2.0, 2.0, 4.0)


def phones(count: int = WORKERS, **changes) -> Group:
    """Equal phones on a WLAN of 40 Mb/s."""
    settings = {"link": link("raspberry-pi-3-wifi"), "wake_up": WAKE_UP} | changes
    return Group((PHONE_MAC_PER_S,) * count, **settings)


@dataclass(frozen=True)
class Equality:
    """A network run in strips beside the whole.

    Attributes
    ----------
    difference : float
        Largest absolute difference over the largest absolute value.
    moved, counted : int
        Bytes that changed hands, and bytes that the shapes announce.
    messages_agree : bool
    """

    difference: float
    moved: int
    counted: int
    messages_agree: bool


def strip_plans(graph: LayerGraph, seed: int) -> list[Ownership]:
    """One to four strips: even, biased, and with borders anywhere."""
    stages, generator = map_stages(graph), np.random.default_rng(seed)
    size = stages[0].input_shape[1]
    plans = [staged_ownership(graph, speeds) for speeds in ((1,), (1, 1), (1, 1, 1), (1, 1, 1, 1), (1, 2, 4))]
    for workers in (2, 3, 4):
        inner = sorted(int(row) for row in generator.choice(np.arange(1, size), workers - 1, replace=False))
        plans.append(inherited_ownership(stages, (0, *inner, size)))
    return plans


def equality(graph: LayerGraph, seed: int) -> list[Equality]:
    """Run every plan of `strip_plans` with random weights on a random image."""
    model, generator = to_torch(graph, seed), torch.Generator().manual_seed(seed)
    image = torch.randn(1, *graph.input_shape, generator=generator)
    plans = strip_plans(graph, seed)
    names = [layer.name for stage in plans[0].stages for layer in stage.layers]
    whole = model.run_layers({"input": image}, names)[names[-1]]
    return [_beside(run_strips(model, image, plan), whole, plan) for plan in plans]


def _beside(run, whole, plan) -> Equality:
    counted = halo_traffic(plan)
    difference = float((run.output - whole).abs().max() / whole.abs().max())
    agree = run.traffic.messages == counted.messages
    return Equality(difference, run.traffic.size_bytes, counted.size_bytes, agree)


def all_equalities(seeds: Sequence[int]) -> list[Equality]:
    """Both small networks, all plans, all seeds."""
    return [each for seed in seeds for graph in (small_vgg(), awkward()) for each in equality(graph, seed)]


def biased_gain(speeds: Sequence[float] = MIXED_SPEEDS, own=staged_ownership, equal=None) -> float:
    """Percent of the convolutions' time that strips proportional to speed save against equal ones, on VGG-16."""
    graph = vgg16()
    even = strip_seconds(own(graph, equal or [1.0] * len(speeds)), speeds)
    return saved(even, strip_seconds(own(graph, speeds), speeds))


def cost_of_alignment(workers: int = WORKERS) -> float:
    """Percent by which one cut for all layers of VGG-16 is slower than a cut for each stage."""
    graph, speeds = vgg16(), [1.0] * workers
    once, staged = (strip_seconds(own(graph, speeds), speeds) for own in (aligned_ownership, staged_ownership))
    return 100 * (once / staged - 1)


def links_saved(weights: np.ndarray, seed: int, workers: int = WORKERS) -> float:
    """Percent of a random partition's cross links that co-clustering removes."""
    chance = random_partition(weights, workers, seed).cross_links(weights)
    return saved(chance, cocluster(weights, workers, seed).cross_links(weights))


def values_saved(weights: np.ndarray, seed: int, workers: int = WORKERS) -> float:
    """Percent of the neuron values that need not move because a partial sum does, after co-clustering."""
    traffic = cross_traffic(weights, cocluster(weights, workers, seed))
    return saved(traffic.neurons, traffic.chosen)


def shuffled(weights: np.ndarray, seed: int) -> np.ndarray:
    """The same weights at random places: as sparse, without any structure."""
    return np.random.default_rng([seed, 1]).permutation(weights.ravel()).reshape(weights.shape)
