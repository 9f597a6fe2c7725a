"""AlexNet as a Caffe chain, and as the two-branch graph that its two GPUs computed."""

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph


def alexnet(argmax: bool = False) -> LayerGraph:
    """AlexNet (Krizhevsky et al. 2012) layer by layer as in Caffe's deploy file, with grouped convolutions.

    23 layers from conv1 to prob.  Neurosurgeon [12] counts 24, with ``argmax=True``; IONN [175] counts 24 with the data
    layer instead.

    >>> net = alexnet()
    >>> len(net), net.parameter_count, net["pool5"].output_bytes
    (23, 60965224, 36864)
    """
    net = ModelBuilder("alexnet", (3, 227, 227))
    net.conv("conv1", 96, kernel=11, stride=4)
    net.relu("relu1")
    net.lrn("norm1")
    net.max_pool("pool1", kernel=3, stride=2)
    net.conv("conv2", 256, kernel=5, padding=2, groups=2)
    net.relu("relu2")
    net.lrn("norm2")
    net.max_pool("pool2", kernel=3, stride=2)
    net.conv("conv3", 384, kernel=3, padding=1)
    net.relu("relu3")
    net.conv("conv4", 384, kernel=3, padding=1, groups=2)
    net.relu("relu4")
    net.conv("conv5", 256, kernel=3, padding=1, groups=2)
    net.relu("relu5")
    net.max_pool("pool5", kernel=3, stride=2)
    _classifier(net)
    if argmax:
        net.argmax("argmax")
    return net.graph()


def alexnet_two_branch() -> LayerGraph:
    """AlexNet as the DAG that DADS (Hu et al. 2019) partitions: each group of a grouped convolution is a branch.

    The branches meet before conv3 and before fc6, as on the two GPUs of the original; each branch normalises its own
    channels.  Parameters and multiply-accumulates equal those of :func:`alexnet`.
    """
    net = ModelBuilder("alexnet_two_branch", (3, 227, 227))
    lower = [_lower_branch(net, side) for side in "ab"]
    middle = net.concat("concat2", after=lower)
    upper = [_upper_branch(net, side, middle) for side in "ab"]
    net.concat("concat5", after=upper)
    _classifier(net)
    return net.graph()


def _lower_branch(net: ModelBuilder, side: str) -> str:
    net.conv(f"conv1{side}", 48, kernel=11, stride=4, after="input")
    net.relu(f"relu1{side}")
    net.lrn(f"norm1{side}")
    net.max_pool(f"pool1{side}", kernel=3, stride=2)
    net.conv(f"conv2{side}", 128, kernel=5, padding=2)
    net.relu(f"relu2{side}")
    net.lrn(f"norm2{side}")
    return net.max_pool(f"pool2{side}", kernel=3, stride=2)


def _upper_branch(net: ModelBuilder, side: str, source: str) -> str:
    net.conv(f"conv3{side}", 192, kernel=3, padding=1, after=source)
    net.relu(f"relu3{side}")
    net.conv(f"conv4{side}", 192, kernel=3, padding=1)
    net.relu(f"relu4{side}")
    net.conv(f"conv5{side}", 128, kernel=3, padding=1)
    net.relu(f"relu5{side}")
    return net.max_pool(f"pool5{side}", kernel=3, stride=2)


def _classifier(net: ModelBuilder) -> None:
    net.dense("fc6", 4096)
    net.relu("relu6")
    net.dropout("drop6")
    net.dense("fc7", 4096)
    net.relu("relu7")
    net.dropout("drop7")
    net.dense("fc8", 1000)
    net.softmax("prob")
