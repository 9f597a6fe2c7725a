"""How a model travels in a Flower message: dense, or through a codec; and how many bytes of payload that is.

Headers and framing of Flower are not counted: the sizes are those of the numbers themselves, exact to the byte.
"""

from __future__ import annotations

import numpy as np

from edgedl_lib.training.flower import ArrayRecord, read_array, written_array
from edgedl_lib.training.models import Arrays


def to_record(arrays: Arrays) -> ArrayRecord:
    """The arrays as they are, types kept."""
    return ArrayRecord({name: written_array(each) for name, each in arrays.items()})


def from_record(record: ArrayRecord) -> Arrays:
    """The inverse of :func:`to_record`; every call makes new arrays."""
    return {name: read_array(each) for name, each in record.items()}


def dense_bytes(arrays: Arrays) -> int:
    """Payload of the arrays sent as they are."""
    return sum(each.nbytes for each in arrays.values())


def record_bytes(record: ArrayRecord) -> int:
    """Payload of a record: entries times bytes of an entry, without the headers."""
    return sum(int(np.prod(each.shape, dtype=np.int64)) * np.dtype(each.dtype).itemsize for each in record.values())


def difference(arrays: Arrays, reference: Arrays) -> Arrays:
    """Entry by entry ``arrays - reference``: what training changed."""
    return {name: each - reference[name] for name, each in arrays.items()}


def moved(arrays: Arrays, update: Arrays) -> Arrays:
    """Entry by entry ``arrays + update``, in the types of ``arrays``."""
    return {name: (each + update[name]).astype(each.dtype) for name, each in arrays.items()}
