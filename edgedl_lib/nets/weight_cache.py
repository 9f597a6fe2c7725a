"""Trained weights, kept under a name that is a hash of everything that made them.

What decides a training is in the name: initial weights, data, settings and the source of the functions involved.  A
change of any of them is another name, so nothing stale is ever found, and nothing has to be invalidated.
"""

import hashlib
import inspect
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edgedl_lib.nets.datasets import Split

History = tuple[np.ndarray, np.ndarray, int]
"""Loss and validation accuracy per epoch, and the number of steps."""


def cached_file(folder: Path, model: nn.Module, split: Split, settings: Mapping[str, object]) -> Path:
    """Where the result of this training is kept, whether it exists yet or not.

    Raises
    ------
    ValueError
        A function whose result depends on values that its source does not show, and that has no ``cache_key``.
    """
    digest = hashlib.sha256()
    for tensor in (*model.parameters(), *model.buffers(), split.inputs, split.targets):
        digest.update(_raw(tensor))
    facts = [torch.__version__, repr(model), _attributes(model), *sorted(map(_described, *_columns(settings)))]
    digest.update("\n".join(facts).encode())
    return Path(folder) / f"{digest.hexdigest()[:32]}.weights"


def store(model: nn.Module, history: History, path: Path) -> None:
    """Write weights and history in one step: a run that is cut off leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{torch.initial_seed()}.partial")
    loss, validation_accuracy, steps = history
    content = {"weights": model.state_dict(), "history": (loss.tolist(), validation_accuracy.tolist(), steps)}
    torch.save(content, partial)
    partial.replace(path)


def restore(model: nn.Module, path: Path) -> History:
    """Load weights into the model, set it to evaluation mode and return the history.

    Raises
    ------
    ValueError
        The file is damaged.
    """
    try:
        stored = torch.load(path, weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as fault:
        raise ValueError(f"{path} is damaged ({fault}); delete it and train again") from fault
    model.load_state_dict(stored["weights"])
    model.eval()
    loss, validation_accuracy, steps = stored["history"]
    return np.array(loss), np.array(validation_accuracy), steps


def _raw(tensor: Tensor) -> bytes:
    return tensor.detach().contiguous().numpy().tobytes()


def _attributes(model: nn.Module) -> str:
    """What the modules hold besides tensors: a code, a threshold, a seed; and which parameters may change."""
    plain = [sorted((k, repr(v)) for k, v in vars(part).items() if not k.startswith("_")) for part in model.modules()]
    return repr((plain, [parameter.requires_grad for parameter in model.parameters()]))


def _columns(settings: Mapping[str, object]) -> tuple[tuple[str, ...], tuple[object, ...]]:
    return tuple(settings), tuple(settings.values())


def _described(name: str, value: object) -> str:
    if isinstance(value, Split):
        return f"{name}={hashlib.sha256(_raw(value.inputs) + _raw(value.targets)).hexdigest()}"
    if not callable(value):
        return f"{name}={value!r}"
    hidden = not inspect.isfunction(value) or value.__closure__
    if hidden and not hasattr(value, "cache_key"):
        raise ValueError(
            f"{name} depends on values that a cache cannot see; give it a cache_key, or train without cache"
        )
    source = inspect.getsource(value if inspect.isfunction(value) else type(value))
    return f"{name}={source}{getattr(value, 'cache_key', '')!r}"
