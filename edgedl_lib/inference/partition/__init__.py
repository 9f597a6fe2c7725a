"""Where to cut a neural network between end and edge or cloud (survey V-B)."""

from edgedl_lib.inference.partition.chain import (
    ALL_DEVICE,
    ALL_SERVER,
    ChainCosts,
    CutScan,
    scan_cuts,
    stage_times,
)
from edgedl_lib.inference.partition.stages import StageTimes

__all__ = ["ALL_DEVICE", "ALL_SERVER", "ChainCosts", "CutScan", "StageTimes", "scan_cuts", "stage_times"]
