"""Wrong ways to split a quantised network, on a briefly trained one."""

import pickle
from functools import cache

import numpy as np

from edgedl_lib.inference.quantised_split import run_study
from edgedl_lib.inference.quantised_split.tuner import CostModel
from edgedl_lib.reproduce.sabotage import sabotage


@cache
def study(int8_speedup=2.0):
    return run_study(0, epochs=2, costs=CostModel(int8_speedup=int8_speedup), max_drop=0.05)


@sabotage("autoquant.segmentation_trend")
def float_tensor_from_the_middle():
    """A split in the middle sends a float32 tensor that is larger than the image."""
    latency = study().float_latency
    ends = np.minimum(latency[:, 0], latency[:, -1])
    return float(np.exp(np.mean(np.log(ends / latency[:, latency.shape[1] // 4]))))


@sabotage("autoquant.accuracy_loss")
def two_bits_are_enough():
    """Four levels save four times the bytes again."""
    return study().worst_drop(2)


@sabotage("autoquant.two_bit_loss")
def grid_of_eight_bits_called_two():
    """A width that is asked for and not applied loses nothing."""
    return study().worst_drop(8)


@sabotage("autoquant.storage")
def whole_model_on_the_edge():
    """Storing every layer with its int32 biases, wherever the cut is."""
    boundaries = study().boundaries
    return 100 * float(boundaries.edge_storage[-1] / boundaries.float_storage)


@sabotage("autoquant.int8_transfer_ratio", "autoquant.low_rate_gain")
def boundary_counted_as_float():
    """Computing with 8 bits, but sending what PyTorch holds: float32."""
    found = study()
    sent = found.boundaries.float_bytes
    computing = found.latency[:2, 1:-1] - 8 * found.boundaries.transfer_bytes[1:-1] / found.rates[:2, None]
    with_floats = computing + 8 * sent[1:-1] / found.rates[:2, None]
    gain = found.float_latency[:2, 1:-1].min(axis=1) / with_floats.min(axis=1)
    ratio = sent[1:-1].sum() / sent[1:-1].sum()
    return {"autoquant.int8_transfer_ratio": float(ratio), "autoquant.low_rate_gain": float(gain.min())}


@sabotage("autoquant.unexplained_bytes")
def pickled_tensor():
    """Pickle is one line, and adds its own description of the array."""
    found = study()
    sizes = found.boundaries.elements[:-1] * found.costs.batch
    frames = [len(pickle.dumps(np.zeros(int(size), dtype=np.uint8))) for size in sizes]
    return int(np.max(np.array(frames) - found.frame_bytes))


@sabotage("autoquant.never_slower")
def time_of_fake_quantisation():
    """Fake quantisation rounds float32 numbers, so timing it finds 8 bits slower than float32."""
    return study(int8_speedup=0.2).never_slower


@sabotage("autoquant.candidate_regret")
def first_half_only():
    """Cutting early leaves little to do on the edge; but the last cut needs no link at all."""
    latency = study().latency
    half = latency[:, : latency.shape[1] // 2]
    return float((half.min(axis=1) / latency.min(axis=1) - 1).max())
