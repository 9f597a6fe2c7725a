"""Random layers of realistic sizes to measure, so that a latency model never sees the networks it will be judged on."""

import numpy as np

from edgedl_lib.nets import layers
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.layers import Layer
from edgedl_lib.nets.zoo import MODELS
from edgedl_lib.nets.zoo.speech_and_text import SENNA_TASKS

# Convolutions, pools and dense layers come in the most shapes, so they are drawn more often.
TYPES = (
    *("conv", "dense", "pool", "activation") * 2,
    *("conv", "dense", "local", "norm", "depthwise_conv", "softmax", "add", "concat", "dropout", "flatten", "reshape"),
)
ATTEMPTS_PER_LAYER = 1_000


def random_layer_configurations(
    seed, count, *, types=TYPES, excluding=None, largest_flop=5e8, largest_parameter_count=5e6
) -> tuple[Layer, ...]:
    """Draw `count` layers, the types in turn, sizes log-uniform.

    Parameters
    ----------
    seed : int or numpy.random.Generator
    types : layer types to cycle through
    excluding : LayerGraphs, by default the whole model zoo; a layer of the same shape as one of theirs is never drawn
    largest_flop, largest_parameter_count : larger layers are drawn again, so that measuring stays short

    Raises
    ------
    ValueError
        If a type is unknown, or no layer fits the limits.

    Examples
    --------
    >>> [layer.kind for layer in random_layer_configurations(0, 4)]
    ['conv', 'dense', 'pool', 'activation']
    """
    rng = np.random.default_rng(seed)
    excluding = _zoo_graphs() if excluding is None else excluding
    forbidden = {layer_signature(layer) for graph in excluding for layer in graph.layers}

    def fits(layer):
        small = layer.flop <= largest_flop and layer.parameter_count <= largest_parameter_count
        return small and layer_signature(layer) not in forbidden

    drawn = []
    for position in range(count):
        kind = types[position % len(types)]
        if kind not in DRAW:
            raise ValueError(f"layer type {kind!r} is unknown: choose among {', '.join(DRAW)}")
        candidates = (DRAW[kind](rng, f"{kind}{position}") for _ in range(ATTEMPTS_PER_LAYER))
        layer = next(filter(fits, candidates), None)
        if layer is None:
            raise ValueError(f"no {kind} layer of at most {largest_flop} FLOP was found: raise the limits")
        drawn.append(layer)
    return tuple(drawn)


def layer_signature(layer: Layer) -> tuple:
    """What makes two layers the same work: kind, shapes and window, but not the name."""
    window = tuple(layer.config.get(key) for key in ("kernel", "stride", "groups", "function"))
    return layer.kind, layer.input_shapes, layer.output_shape, window


def single_layer_graph(layer: Layer, batch=1) -> LayerGraph:
    """Graph to measure one layer in: its last row is the layer, fed by identities if it joins several inputs.

    Raises
    ------
    ValueError
        If the layer joins inputs of different shapes.
    """
    shape, *others = layer.input_shapes
    if any(other != shape for other in others):
        raise ValueError(
            f"{layer.name} joins inputs {layer.input_shapes}: give it inputs of one shape to measure it alone"
        )
    copies = [layers.reshape(f"copy{position}", shape, shape) for position in range(len(others) + 1)] if others else []
    edges = tuple((copy.name, layer.name) for copy in copies)
    return LayerGraph(layer.name, shape, (*copies, layer), edges, input_bytes=0, batch=batch)


def _zoo_graphs():
    """Every model of the zoo, and the tagger for each of its tasks."""
    return [build() for build in MODELS.values()] + [MODELS["senna"](task=task) for task in SENNA_TASKS]


def _log_uniform(rng, low, high):
    return int(round(np.exp(rng.uniform(np.log(low), np.log(high)))))


def _map(rng):
    """Shape of a feature map: few channels while it is wide, many when it is small."""
    side = _log_uniform(rng, 4, 112)
    channels = _log_uniform(rng, 3, max(4, min(512, 4096 // side)))
    return channels, side, side


def _map_or_vector(rng):
    return _map(rng) if rng.random() < 0.5 else (_log_uniform(rng, 16, 16_384),)


def _window(rng, shape, kernels):
    kernel = int(rng.choice([size for size in kernels if size <= shape[1]]))
    return {"kernel": kernel, "stride": int(rng.integers(1, min(kernel, 4) + 1))}


def _draw_conv(rng, name):
    shape = _map(rng)
    window = _window(rng, shape, (1, 3, 3, 5, 7, 11))
    return layers.conv(name, shape, _log_uniform(rng, 4, 512), padding=window["kernel"] // 2, **window)


def _draw_depthwise(rng, name):
    shape = _map(rng)
    stride = int(rng.integers(1, 3))
    return layers.conv(name, shape, shape[0], kernel=3, stride=stride, padding=1, groups=shape[0])


def _draw_local(rng, name):
    channels, side = _log_uniform(rng, 3, 32), _log_uniform(rng, 6, 48)
    window = _window(rng, (channels, side, side), (3, 5, 7))
    return layers.local(name, (channels, side, side), _log_uniform(rng, 4, 32), **window)


def _draw_pool(rng, name):
    shape = _map(rng)
    function = ("max", "average")[rng.integers(2)]
    return layers.pool(name, shape, function=function, **_window(rng, shape, (2, 2, 3, 3)))


def _draw_norm(rng, name):
    return layers.norm(name, _map(rng), function=("batch", "lrn")[rng.integers(2)])


def _draw_softmax(rng, name):
    make = (layers.softmax, layers.argmax)[rng.integers(2)]
    return make(name, (_log_uniform(rng, 2, 4096),))


DRAW = {
    "conv": _draw_conv,
    "depthwise_conv": _draw_depthwise,
    "local": _draw_local,
    "dense": lambda rng, name: layers.dense(name, (_log_uniform(rng, 16, 16_384),), _log_uniform(rng, 8, 4096)),
    "pool": _draw_pool,
    "activation": lambda rng, name: layers.activation(name, _map_or_vector(rng), str(rng.choice(layers.ACTIVATIONS))),
    "norm": _draw_norm,
    "softmax": _draw_softmax,
    "add": lambda rng, name: layers.add(name, [_map(rng)] * 2),
    "concat": lambda rng, name: layers.concat(name, [_map(rng)] * int(rng.integers(2, 5))),
    "dropout": lambda rng, name: layers.dropout(name, _map_or_vector(rng)),
    "flatten": lambda rng, name: layers.flatten(name, _map(rng)),
    "reshape": lambda rng, name: layers.reshape(name, *[_map(rng)] * 2),
}
