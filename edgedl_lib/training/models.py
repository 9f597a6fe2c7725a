"""The small models of the federated chapters, and models as named arrays.

The functions stand at module level, so that a task with one of them can be sent to another process:
``functools.partial(perceptron, 64, 200, 200, 10)`` makes a model of that shape when it is called.
"""

import numpy as np
import torch
from torch import nn

Arrays = dict[str, np.ndarray]  # in the order of the model's state dict


def logistic(inputs: int, classes: int) -> nn.Module:
    """Multinomial logistic regression: one linear layer, softmax in the loss."""
    return nn.Linear(inputs, classes)


def perceptron(*widths: int) -> nn.Module:
    """Fully connected layers of the given widths, ReLU between them: ``perceptron(64, 200, 200, 10)``."""
    if len(widths) < 2:
        raise ValueError(f"widths {widths} must name at least the inputs and the classes")
    layers = []
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def two_nn() -> nn.Module:
    """The 2NN of McMahan et al. 2017 [198] for MNIST: 784-200-200-10, 199,210 parameters."""
    return perceptron(784, 200, 200, 10)


def mnist_cnn() -> nn.Module:
    """The CNN of McMahan et al. 2017 [198] for 1x28x28 images: 1,663,370 parameters."""
    return convolutional(side=28, filters=(32, 64), hidden=512)


def small_cnn() -> nn.Module:
    """The same network made small for the 1x8x8 digits: 3x3 kernels, 8 and 16 filters, 64 hidden units."""
    return convolutional(side=8, filters=(8, 16), hidden=64, kernel=3)


def convolutional(side: int, filters: tuple[int, int], hidden: int, kernel: int = 5, classes: int = 10) -> nn.Module:
    """Twice convolution (same padding), ReLU and 2x2 maximum; one hidden layer; inputs (n, 1, side, side)."""
    first, second = filters
    return nn.Sequential(
        nn.Conv2d(1, first, kernel, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, kernel, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(second * (side // 4) ** 2, hidden),
        nn.ReLU(),
        nn.Linear(hidden, classes),
    )


def to_arrays(model: nn.Module) -> Arrays:
    """Copy of the model's weights and buffers, by name; real ones are float32, counters keep their integer type."""
    return {name: _array(tensor) for name, tensor in model.state_dict().items()}


def load_arrays(model: nn.Module, arrays: Arrays) -> nn.Module:
    """Copy the arrays into the model, in place.

    Raises
    ------
    ValueError
        A name or a shape does not fit the model.
    """
    state = model.state_dict()
    if state.keys() != arrays.keys():
        raise ValueError(f"the arrays {sorted(state.keys() ^ arrays.keys())} do not fit the model; send all of its own")
    with torch.no_grad():
        for name, tensor in state.items():
            if tensor.shape != arrays[name].shape:
                raise ValueError(f"{name} has shape {arrays[name].shape}, the model needs {tuple(tensor.shape)}")
            tensor.copy_(torch.from_numpy(np.asarray(arrays[name], order="C")))
    return model


def flatten(arrays: Arrays) -> np.ndarray:
    """All entries in one vector, float32, in the order of the names."""
    return np.concatenate([np.asarray(each, dtype=np.float32).ravel() for each in arrays.values()])


def unflatten(vector: np.ndarray, like: Arrays) -> Arrays:
    """The inverse of :func:`flatten`: names, shapes and types are those of ``like``.

    Raises
    ------
    ValueError
        The vector has another number of entries than ``like``.
    """
    sizes = [each.size for each in like.values()]
    if vector.ndim != 1 or len(vector) != sum(sizes):
        raise ValueError(f"a vector of shape {vector.shape} does not fill {sum(sizes)} entries")
    pieces = np.split(vector, np.cumsum(sizes)[:-1])
    named = zip(like.items(), pieces, strict=True)
    return {name: _as_type(piece.reshape(each.shape), each.dtype) for (name, each), piece in named}


def parameter_count(arrays: Arrays) -> int:
    """Number of entries of all arrays."""
    return sum(each.size for each in arrays.values())


def _array(tensor: torch.Tensor) -> np.ndarray:
    values = tensor.detach().cpu()
    return values.float().numpy().copy() if values.is_floating_point() else values.numpy().copy()


def _as_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The values as that type; integers are rounded, not cut."""
    return (np.rint(values) if np.issubdtype(dtype, np.integer) else values).astype(dtype)
