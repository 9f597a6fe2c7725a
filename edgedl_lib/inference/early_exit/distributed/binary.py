"""Signs instead of numbers: the parts of a network that fit a device with two kilobytes of memory."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Sign(torch.autograd.Function):
    """Sign with a straight-through gradient where the input lies within [-1, 1]."""

    @staticmethod
    def forward(context, values: Tensor) -> Tensor:
        context.save_for_backward(values)
        return torch.where(values >= 0, 1.0, -1.0)

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        (values,) = context.saved_tensors
        return gradient * (values.abs() <= 1)


def sign(values: Tensor) -> Tensor:
    """Minus one or one, zero counts as one; gradients pass where the value lies within [-1, 1].

    >>> sign(torch.tensor([-0.2, 0.0, 3.0])).tolist()
    [-1.0, 1.0, 1.0]
    """
    return _Sign.apply(values)


class BinaryWeight(nn.Module):
    """A weight of which inference uses the sign alone; training keeps a float between -1 and 1 behind it."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.latent = nn.Parameter(0.5 * torch.randn(shape).clamp(-2, 2))

    def forward(self) -> Tensor:
        """The signs, in the weight's shape."""
        return sign(self.latent)


class FloatWeight(nn.Module):
    """An ordinary weight, for the levels that have memory to spare."""

    def __init__(self, senders: int, features: int, classes: int) -> None:
        super().__init__()
        self.latent = nn.Parameter(torch.randn(senders, features, classes) / features**0.5)

    def forward(self) -> Tensor:
        """The weight itself."""
        return self.latent


def clip_latent_weights(model: nn.Module) -> None:
    """Keep every latent weight within [-1, 1], else its sign could never turn again; the ``after_step`` of training."""
    for module in model.modules():
        if isinstance(module, BinaryWeight):
            module.latent.clamp_(-1, 1)


def pooled(maps: Tensor, stride: int = 2) -> Tensor:
    """Max-pool 3x3, padding 1, as every block of DDNN has it."""
    return functional.max_pool2d(maps, 3, stride, 1)
