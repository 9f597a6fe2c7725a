"""Wrong counts and wrong blocks for MobileNets."""

from edgedl_lib.inference.compression import compact_counts as counts
from edgedl_lib.reproduce.sabotage import sabotage


@sabotage("mobilenets.separable_cut")
def point_wise_half_forgotten():
    """Only the depth-wise filter is counted: every channel alone, 512 times cheaper."""
    return counts.standard_layer().mac / counts.separable_layer()["depthwise"].mac
