"""Neural networks as layer graphs: the zoo, FLOPs, bytes and shapes per layer; measured profiles live in ``profile``.

What needs torch (``to_torch``, ``measure_layers``, ...) is imported at first use, so importing this package stays
cheap.
"""

import importlib

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph, UnknownName, chain
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.units import collapse_to_chain, members_of, merge_elementwise, merge_layers, sum_per_unit
from edgedl_lib.nets.zoo import ANALOGUES, MODELS, analogue, model

_LAZY = {
    "to_torch": "torch_model",
    "TorchModel": "torch_model",
    "measure_layers": "profile",
    "measure_whole": "profile",
    "LayerProfile": "profile",
    "WholeProfile": "profile",
}

__all__ = [
    "ANALOGUES",
    "MODELS",
    "Layer",
    "LayerGraph",
    "ModelBuilder",
    "UnknownName",
    "analogue",
    "chain",
    "collapse_to_chain",
    "members_of",
    "merge_elementwise",
    "merge_layers",
    "model",
    "sum_per_unit",
]


def __getattr__(name: str):
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
