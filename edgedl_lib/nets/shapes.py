"""Checks of shapes and the arithmetic of sliding windows."""

import math
from collections.abc import Sequence

Shape = tuple[int, ...]
Pair = int | tuple[int, int]


def window_output(size: int, kernel: int, stride: int, padding: int = 0, ceil: bool = False) -> int:
    """Number of window positions along one axis.

    >>> window_output(55, kernel=3, stride=2), window_output(112, 3, 2), window_output(112, 3, 2, ceil=True)
    (27, 55, 56)
    """
    room = size + 2 * padding - kernel
    if room < 0:
        return 0
    positions = (-(-room // stride) if ceil else room // stride) + 1
    starts_outside = (positions - 1) * stride >= size + padding
    return positions - 1 if ceil and starts_outside else positions


def window(name: str, input_shape: Shape, kernel: Pair, stride: Pair, padding: Pair) -> tuple[dict, int, int]:
    """Checked window of a map: its configuration, the input channels and the kernel area."""
    channels = check_map(name, input_shape)[0]
    sliding = {"kernel": _pair(kernel), "stride": _pair(stride), "padding": _pair(padding)}
    for key, smallest in (("kernel", 1), ("stride", 1), ("padding", 0)):
        if min(sliding[key]) < smallest:
            raise ValueError(f"{name}: {key} {sliding[key]} must be at least {smallest}")
    return sliding, channels, math.prod(sliding["kernel"])


def window_positions(name: str, input_shape: Shape, sliding: dict, ceil: bool = False) -> tuple[int, int]:
    """Output height and width of a sliding window."""
    axes = zip(input_shape[1:], sliding["kernel"], sliding["stride"], sliding["padding"], strict=True)
    output = tuple(window_output(*axis, ceil=ceil) for axis in axes)
    if min(output) < 1:
        raise ValueError(
            f"{name}: kernel {sliding['kernel']} is larger than the padded input {input_shape}; "
            "use a smaller kernel, more padding or a larger input"
        )
    return output


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def check_shape(name: str, shape: Shape) -> Shape:
    """The shape, if all its sizes are positive integers."""
    if not shape or any(not isinstance(size, int) or size < 1 for size in shape):
        raise ValueError(f"{name}: shape {shape} needs at least one dimension, all of them positive integers")
    return shape


def check_map(name: str, shape: Shape) -> Shape:
    """The shape, if it has channels, height and width."""
    if len(check_shape(name, shape)) != 3:
        raise ValueError(f"{name}: shape {shape} is not (channels, height, width); reshape the input first")
    return shape


def check_several(name: str, shapes: Sequence[Shape]) -> Sequence[Shape]:
    """The shapes, if there are at least two to join."""
    if len(shapes) < 2:
        raise ValueError(f"{name}: joins {len(shapes)} inputs, give it at least two")
    for shape in shapes:
        check_shape(name, shape)
    return shapes


def require_positive(name: str, **values: int) -> None:
    """Refuse counts that are not positive integers."""
    for key, value in values.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}: {key} is {value!r}, it must be a positive integer")
