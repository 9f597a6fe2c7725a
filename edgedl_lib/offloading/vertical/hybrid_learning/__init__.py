"""Hybrid edge-cloud learning (Huang et al. 2017 [176]): the edge learns a short code, the cloud learns from codes.

The poster prints neither network nor algorithm; what stands here is reconstructed from the survey's sentence.  An
encoder at the edge turns an image into a few bytes, a classifier in the cloud answers from them; both come as a
convolutional and as a recurrent variant.
"""

from edgedl_lib.offloading.vertical.hybrid_learning.learning import Learned, Parts, divide, learn_hybrid, learn_raw
from edgedl_lib.offloading.vertical.hybrid_learning.messages import code_frames, encoder_payload, raw_frames, read_codes
from edgedl_lib.offloading.vertical.hybrid_learning.networks import Design, design_for
from edgedl_lib.offloading.vertical.hybrid_learning.timeline import Levels, Work, cloud_only_time, hybrid_time

__all__ = [
    "Design",
    "Learned",
    "Levels",
    "Parts",
    "Work",
    "cloud_only_time",
    "code_frames",
    "design_for",
    "divide",
    "encoder_payload",
    "hybrid_time",
    "learn_hybrid",
    "learn_raw",
    "raw_frames",
    "read_codes",
]
