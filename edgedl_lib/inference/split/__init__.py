"""A real split run: the first layers in this process, the rest in another, the tensor over a shaped TCP socket."""

from edgedl_lib.inference.split.client import ServerRefused, SplitResult, SplitRunner
from edgedl_lib.inference.split.network import ChainNetwork, graph_by_name, random_image
from edgedl_lib.inference.split.process import ServerProcess, ServerStartError
from edgedl_lib.inference.split.shaper import Shaper
from edgedl_lib.inference.split.sweep import SplitSweep, measure_overhead, predict_latency, sent_bytes, sweep_cuts
from edgedl_lib.inference.split.wire import FrameTooLarge, Message, PeerClosed, TruncatedFrame, WireError

__all__ = [
    "ChainNetwork",
    "FrameTooLarge",
    "Message",
    "PeerClosed",
    "ServerProcess",
    "ServerRefused",
    "ServerStartError",
    "Shaper",
    "SplitResult",
    "SplitRunner",
    "SplitSweep",
    "TruncatedFrame",
    "WireError",
    "graph_by_name",
    "measure_overhead",
    "predict_latency",
    "random_image",
    "sent_bytes",
    "sweep_cuts",
]
