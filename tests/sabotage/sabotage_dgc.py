"""Wrong versions of Deep Gradient Compression: its memory, its momentum, its bytes."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch

from edgedl_lib.nets.zoo.alexnet import alexnet
from edgedl_lib.nets.zoo.resnet import resnet_bottleneck
from edgedl_lib.reproduce.sabotage import sabotage
from edgedl_lib.training.communication.dgc import compression, payload, study
from edgedl_lib.training.communication.dgc.training import Job, train

MB = payload.MEGABYTE
NOT_CORRECTED = replace(compression.ALL, correction=False, masking=False, clipping=False, warm_up=False)


@cache
def _lost_without_memory():
    found = study.accuracies(study.outcomes((0,), 150, ("dense", "top-k alone")))
    return float((found["dense"] - found["top-k alone"]).mean())


@sabotage("dgc.accuracy_kept", "dgc.dropping")
def nothing_is_kept():
    """What was not sent is thrown away."""
    return dict.fromkeys(("dgc.accuracy_kept", "dgc.dropping"), _lost_without_memory())


@sabotage("dgc.without_residual", "dgc.residual_first")
def memory_that_cannot_be_switched_off():
    """Top-k "alone" still keeps what it does not send: it loses what DGC loses."""
    found = study.accuracies(study.outcomes((0,), 400, ("dense", "DGC")))
    lost = float((found["dense"] - found["DGC"]).mean())
    return {"dgc.without_residual": lost, "dgc.residual_first": lost - max(lost, 0.0)}


@sabotage("dgc.hard.separation")
def momentum_after_aggregation():
    """Momentum of "DGC" applied at the receiver, without masking, clipping and warm-up: that is gradient dropping."""
    settings = {"task": study.hard_task, "widths": (32, 128, 128, 10)}
    wrong = train(Job(*study.hard_task(0), ingredients=NOT_CORRECTED, iterations=150, widths=(32, 128, 128, 10)), 0)
    dropping = study.outcomes((0,), 150, ("gradient dropping",), **settings)["gradient dropping"][0]
    return wrong.accuracy - dropping.accuracy


@sabotage("dgc.redundancy", "dgc.sparsity")
def ten_times_too_many():
    """One in a hundred instead of one in a thousand."""
    return dict.fromkeys(("dgc.redundancy", "dgc.sparsity"), study.sparsity(density=0.01))


@sabotage("dgc.warmup_sparsity")
def no_warm_up():
    """The first epoch is as sparse as the last."""
    return 100 * (1 - compression.density_at(0, 0.001, warm_up=False))


@sabotage("dgc.mechanisms")
def accumulation_counted():
    """Local accumulation counted as a fifth mechanism."""
    return len(compression.Ingredients.names())


@sabotage("dgc.ratio_range", "dgc.below_thousand")
def entries_counted_as_bytes():
    """The share of entries taken for the share of bytes."""
    ratio = 100 / (100 - study.sparsity())
    return dict.fromkeys(("dgc.ratio_range", "dgc.below_thousand"), ratio)


@sabotage("dgc.constant_gradient")
def velocity_cleared_too_early():
    """The velocity is cleared before it is added: every step is a first step."""
    return study.sent_after(20, replace(compression.ALL, correction=False)) / 20


@sabotage("dgc.send_interval")
def interval_at_one_percent():
    """The interval at 99 % sparsity."""
    return int(np.median(study.send_gaps(0.01, 0, entries=1000, iterations=1000)))


@sabotage("dgc.downlink")
def downlink_as_sparse_as_uplink():
    """All nodes choose the entries of the first."""
    memory = compression.Memory.empty(4, 1000)
    gradient = torch.arange(1000.0).repeat(4, 1)
    message = compression.compress(gradient, memory, 0.01)
    return message.union / message.positions.shape[1]


@sabotage("dgc.alexnet.mb_dense", "dgc.resnet50.mb_dense")
def megabytes_of_a_million():
    """A megabyte of 10^6 bytes."""
    return {
        "dgc.alexnet.mb_dense": payload.from_graph("", alexnet()).dense_bytes / 1e6,
        "dgc.resnet50.mb_dense": payload.from_graph("", resnet_bottleneck(50)).dense_bytes / 1e6,
    }


@sabotage(
    "dgc.alexnet.mb_sent",
    "dgc.alexnet.ratio",
    "dgc.resnet50.mb_sent",
    "dgc.resnet50.ratio",
    "dgc.ptb.mb_sent",
    "dgc.ptb.ratio",
    "dgc.derived.resnet50_bytes",
)
def everything_sparse():
    """Biases and batch norm are sparse like the rest."""
    found = {}
    networks = {
        "alexnet": payload.from_graph("", alexnet()),
        "resnet50": payload.from_graph("", resnet_bottleneck(50)),
        "ptb": payload.lstm_language_model(),
    }
    for name, network in networks.items():
        wrong = payload.Network("", network.weights + network.dense, 0)
        found |= {f"dgc.{name}.mb_sent": wrong.sent_bytes() / MB, f"dgc.{name}.ratio": wrong.ratio}
    return {**found, "dgc.derived.resnet50_bytes": round(found["dgc.resnet50.mb_sent"] * MB)}


@sabotage("dgc.librispeech.mb_sent")
def values_without_positions():
    """Four bytes an entry: nobody says where they belong."""
    return payload.Network("", round(488.08 * MB / 4), 0).sent_bytes(entry_bytes=4) / MB


@sabotage("dgc.librispeech.ratio")
def elements_counted():
    """The ratio of the elements."""
    return 100 / (100 - study.sparsity())
