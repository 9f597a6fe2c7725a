"""Auto-tuned quantised split (Li et al. 2018 [49]): an 8-bit prefix on the edge, a float32 suffix in the cloud."""

from edgedl_lib.inference.quantised_split.network import digits_graph, load_splits, train_network
from edgedl_lib.inference.quantised_split.prefix import calibrate, fused_groups, split_at
from edgedl_lib.inference.quantised_split.quantise import (
    Quantiser,
    boundary_bytes,
    decode_boundary,
    encode_boundary,
    fold_batch_norm,
)
from edgedl_lib.inference.quantised_split.study import RATES, QuantisedSplitStudy, run_study
from edgedl_lib.inference.quantised_split.tuner import (
    CostModel,
    auto_tune,
    candidate_cuts,
    describe_boundaries,
    split_latency,
)

__all__ = [
    "RATES",
    "CostModel",
    "QuantisedSplitStudy",
    "Quantiser",
    "auto_tune",
    "boundary_bytes",
    "calibrate",
    "candidate_cuts",
    "decode_boundary",
    "describe_boundaries",
    "digits_graph",
    "encode_boundary",
    "fold_batch_norm",
    "fused_groups",
    "load_splits",
    "run_study",
    "split_at",
    "split_latency",
    "train_network",
]
