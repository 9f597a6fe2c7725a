"""Peak memory of tensors, measured: every storage that PyTorch's operations return is counted while it lives."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveTensors(TorchDispatchMode):
    """Bytes of the tensors alive, after every operation inside a ``with`` block.

    Each operation's results are looked at: a storage is counted once, however many views share it, until the last
    tensor on it is gone.  What an operation allocates and frees inside itself (scratch memory of a convolution) is not
    seen.  Tensors made before the block count only if they are given.

    Parameters
    ----------
    present : iterable of Tensor
        Made before, and counted from the start: the input.

    >>> with LiveTensors() as live:
    ...     first = torch.zeros(100)
    ...     second = first[:50] + 1
    ...     del first
    >>> live.peak_bytes, live.bytes_now()
    (600, 200)
    """

    def __init__(self, present: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()
        self._sizes: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak_bytes = 0
        for tensor in present:
            self._count(tensor)
        self.peak_bytes = self.bytes_now()

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        """Run the operation, count its results, drop what has gone."""
        result = operation(*arguments, **(options or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._count(leaf)
        self.peak_bytes = max(self.peak_bytes, self.bytes_now())
        return result

    def bytes_now(self) -> int:
        """Bytes alive at this moment."""
        self._sizes = {key: entry for key, entry in self._sizes.items() if not entry[0].expired()}
        return sum(size for _, size in self._sizes.values())

    def _count(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        reference = StorageWeakRef(storage)
        self._sizes.setdefault(reference.cdata, (reference, storage.nbytes()))
