"""The model zoo: networks written out layer by layer, one file per family."""

from collections.abc import Callable

from edgedl_lib.nets.graph import LayerGraph, UnknownName
from edgedl_lib.nets.zoo.alexnet import alexnet, alexnet_two_branch
from edgedl_lib.nets.zoo.analogues import ANALOGUES, analogue
from edgedl_lib.nets.zoo.deepface import deepface
from edgedl_lib.nets.zoo.googlenet import googlenet
from edgedl_lib.nets.zoo.lenet import lenet5
from edgedl_lib.nets.zoo.microcontroller import autoencoder_ad, cmsis_cifar10
from edgedl_lib.nets.zoo.mobilenet import (
    ds_cnn_kws,
    mobilenet_v1,
    mobilenet_v1_full,
    mobilenet_v1_shallow,
    mobilenet_v1_vww,
)
from edgedl_lib.nets.zoo.nin import nin
from edgedl_lib.nets.zoo.resnet import resnet18, resnet_bottleneck, resnet_cifar, resnet_ic
from edgedl_lib.nets.zoo.shufflenet import shufflenet
from edgedl_lib.nets.zoo.speech_and_text import kaldi_asr, senna
from edgedl_lib.nets.zoo.squeezenet import squeezenet
from edgedl_lib.nets.zoo.vgg import vgg16, vgg19
from edgedl_lib.nets.zoo.yolo import tiny_yolov2

_IMAGE_MODELS = (lenet5, alexnet, alexnet_two_branch, vgg16, vgg19, deepface, nin, tiny_yolov2, resnet18)
_SMALL_MODELS = (mobilenet_v1, googlenet, mobilenet_v1_vww, ds_cnn_kws, resnet_ic, autoencoder_ad, cmsis_cifar10)
_COMPACT_MODELS = (mobilenet_v1_full, mobilenet_v1_shallow, shufflenet, squeezenet, resnet_cifar, resnet_bottleneck)
_OTHER_MODELS = (kaldi_asr, senna)

MODELS: dict[str, Callable[..., LayerGraph]] = {
    build.__name__: build for build in (*_IMAGE_MODELS, *_SMALL_MODELS, *_COMPACT_MODELS, *_OTHER_MODELS)
}


def model(name: str, **options) -> LayerGraph:
    """Build a model of the zoo by name; options as of its function.

    Raises
    ------
    UnknownName
        A ``KeyError`` that lists the names.

    >>> model("mobilenet_v1", width=0.25).mac
    41030272
    """
    if name not in MODELS:
        raise UnknownName(f"no model {name!r} in the zoo; choose one of {', '.join(sorted(MODELS))}")
    return MODELS[name](**options)


__all__ = ["ANALOGUES", "MODELS", "analogue", "model", *MODELS]
