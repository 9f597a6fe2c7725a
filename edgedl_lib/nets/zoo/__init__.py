"""The model zoo: networks written out layer by layer, one file per family."""

from collections.abc import Callable

from edgedl_lib.nets.graph import LayerGraph, UnknownName
from edgedl_lib.nets.zoo.alexnet import alexnet, alexnet_two_branch
from edgedl_lib.nets.zoo.lenet import lenet5

MODELS: dict[str, Callable[..., LayerGraph]] = {
    build.__name__: build for build in (lenet5, alexnet, alexnet_two_branch)
}


def model(name: str, **options) -> LayerGraph:
    """Build a model of the zoo by name.

    Raises
    ------
    UnknownName
        A ``KeyError`` that lists the names.
    """
    if name not in MODELS:
        raise UnknownName(f"no model {name!r} in the zoo; choose one of {', '.join(sorted(MODELS))}")
    return MODELS[name](**options)


__all__ = ["MODELS", "model", *MODELS]
