"""DeepFace: three locally connected layers hold most of its parameters."""

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph


def deepface(identities: int = 4030) -> LayerGraph:
    """DeepFace (Taigman et al. 2014): C1, M2, C3, L4, L5, L6, F7, F8, softmax and argmax, ten layers as in [12].

    The rectifiers run fused with the layer they follow, as the paper counts them.

    >>> net = deepface()
    >>> [layer.output_shape for layer in net if layer.kind == "local"]
    [(16, 55, 55), (16, 25, 25), (16, 21, 21)]
    """
    net = ModelBuilder("deepface", (3, 152, 152))
    net.conv("C1", 32, kernel=11, activation="relu")
    net.max_pool("M2", kernel=3, stride=2)
    net.conv("C3", 16, kernel=9, activation="relu")
    net.local("L4", 16, kernel=9, activation="relu")
    net.local("L5", 16, kernel=7, stride=2, activation="relu")
    net.local("L6", 16, kernel=5, activation="relu")
    net.dense("F7", 4096, activation="relu")
    net.dense("F8", identities)
    net.softmax("prob")
    net.argmax("argmax")
    return net.graph()
