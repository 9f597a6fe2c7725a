"""Networks small enough for a microcontroller: CMSIS-NN's CIFAR-10 example and MLPerf Tiny's anomaly detector."""

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph

FLOAT_BYTES = 4


def cmsis_cifar10(filters: tuple[int, int, int] = (32, 32, 64)) -> LayerGraph:
    """CIFAR-10 network of the CMSIS-NN paper (Lai et al. 2018 [150]): 24.60 M operations, 89,440 weights.

    The network in CMSIS-NN's repository is ``filters=(32, 16, 32)``.

    >>> net = cmsis_cifar10()
    >>> 2 * net.mac, sum(layer.weight_count for layer in net)
    (24596480, 89440)
    """
    if len(filters) != 3:
        raise ValueError(f"the network has three convolutions, {len(filters)} filter counts were given: {filters}")
    net = ModelBuilder("cmsis_cifar10", (3, 32, 32))
    for number, width in enumerate(filters, start=1):
        net.conv(f"conv{number}", width, kernel=5, padding=2)
        net.relu(f"relu{number}")
        net.max_pool(f"pool{number}", kernel=3, stride=2)
    net.dense("fc", 10)
    net.softmax("prob")
    return net.graph()


def autoencoder_ad() -> LayerGraph:
    """MLPerf Tiny's anomaly detector: dense autoencoder 640-128x4-8-128x4-640 on float32 spectrogram frames.

    >>> autoencoder_ad().mac
    264192
    """
    net = ModelBuilder("autoencoder_ad", (640,))
    for number, units in enumerate((128,) * 4 + (8,) + (128,) * 4, start=1):
        net.dense(f"fc{number}", units)
        net.batch_norm(f"fc{number}_bn")
        net.relu(f"fc{number}_act")
    net.dense("fc10", 640)
    return net.graph(input_bytes=FLOAT_BYTES * 640)
