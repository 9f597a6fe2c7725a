"""What must hold exactly of every factorisation: full rank changes nothing, counted costs are those of the formulas."""

import torch
from torch import nn

from edgedl_lib.inference.compression.factors.factor_timing import mac_count
from edgedl_lib.inference.compression.factors.low_rank import break_even_rank, factored_linear
from edgedl_lib.inference.compression.factors.separable import separable_conv
from edgedl_lib.inference.compression.factors.tucker import tucker_conv
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.training import build
from edgedl_lib.nets.zoo import alexnet

SHAPES = ((1, 7), (5, 5), (10, 128), (128, 200), (200, 784), (300, 100), (4096, 9216), (1000, 4096))
CONVOLUTIONS = ((1, 20, 5), (8, 16, 5), (20, 50, 3), (3, 96, 7))  # inputs C, outputs F, kernel d
PIXELS = 12  # per side of the maps on which costs are counted


@torch.no_grad()
def full_rank_errors(seed: int = 0) -> dict[str, float]:
    """Largest difference of an output between a layer and its factors at full rank, per kind of factorisation."""
    dense = build(lambda: nn.Linear(64, 200), seed)
    conv = build(lambda: nn.Conv2d(6, 9, (5, 3), stride=2, padding=(2, 1)), seed)
    generator = torch.Generator().manual_seed(seed)
    vectors, maps = torch.randn(32, 64, generator=generator), torch.randn(4, 6, 13, 12, generator=generator)
    return {
        "SVD": float((dense(vectors) - factored_linear(dense, 64)(vectors)).abs().max()),
        "separable": float((conv(maps) - separable_conv(conv, 27)(maps)).abs().max()),
        "Tucker-2": float((conv(maps) - tucker_conv(conv, (6, 9))(maps)).abs().max()),
    }


def formula_mismatches() -> list[str]:
    """Factored layers whose multiply-accumulates, counted on the graph of the module, differ from the formula."""
    wrong = []
    for outputs, inputs in SHAPES[:4]:  # the cost is that of the graph; larger matrices only take longer to factor
        for rank in {1, min(outputs, inputs)}:
            counted = mac_count(factored_linear(build(lambda m=outputs, n=inputs: nn.Linear(n, m), 0), rank), (inputs,))
            if counted != rank * (outputs + inputs):
                wrong.append(f"SVD {outputs}x{inputs} at {rank}")
    for channels, filters, kernel in CONVOLUTIONS:
        wrong += _conv_mismatches(channels, filters, kernel)
    return wrong


def _conv_mismatches(channels: int, filters: int, kernel: int):
    conv = build(lambda: nn.Conv2d(channels, filters, kernel, padding=kernel // 2), 0)
    shape, pixels = (channels, PIXELS, PIXELS), PIXELS**2
    for rank in (1, min(channels, filters) * kernel):
        if mac_count(separable_conv(conv, rank), shape) != pixels * kernel * rank * (channels + filters):
            yield f"separable {channels} to {filters} at {rank}"
    for inner, outer in ((1, 1), (channels, filters // 2)):
        formula = channels * inner + kernel**2 * inner * outer + outer * filters
        if mac_count(tucker_conv(conv, (inner, outer)), shape) != pixels * formula:
            yield f"Tucker-2 {channels} to {filters} at {inner}, {outer}"


def break_even_mismatches(threshold=break_even_rank) -> int:
    """Ranks of several shapes (m, n) at which ``rank <= threshold(m, n)`` disagrees with comparing the weights."""
    return sum(
        (rank * (m + n) < m * n) != (rank <= threshold(m, n)) for m, n in SHAPES for rank in range(1, min(m, n) + 1)
    )


def implied_dense_factor(total: float, graph: LayerGraph | None = None) -> float:
    """Factor by which a network's dense layers shrink if it is left with ``total`` parameters and keeps all others.

    >>> round(implied_dense_factor(61e6), 2)
    1.0
    """
    graph = alexnet() if graph is None else graph
    dense = sum(layer.parameter_count for layer in graph if layer.kind == "dense")
    return dense / (total - (graph.parameter_count - dense))
