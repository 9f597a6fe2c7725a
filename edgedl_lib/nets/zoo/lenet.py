"""LeNet-5 as Caffe ships it for MNIST."""

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph


def lenet5(argmax: bool = False) -> LayerGraph:
    """LeNet-5 (LeCun et al. 1998) in Caffe's MNIST version: 431,080 parameters, 8 layers, 9 with ``argmax``.

    Neurosurgeon's [12] application DIG runs it with 100 images per query.

    >>> lenet5().parameter_count
    431080
    """
    net = ModelBuilder("lenet5", (1, 28, 28))
    net.conv("conv1", 20, kernel=5)
    net.max_pool("pool1", kernel=2)
    net.conv("conv2", 50, kernel=5)
    net.max_pool("pool2", kernel=2)
    net.dense("ip1", 500)
    net.relu("relu1")
    net.dense("ip2", 10)
    net.softmax("prob")
    if argmax:
        net.argmax("argmax")
    return net.graph()
