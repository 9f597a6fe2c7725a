"""How a model travels in a Flower message: dense, or through a codec; and how many bytes of payload that is.

Headers and framing of Flower are not counted: the sizes are those of the numbers themselves, exact to the byte.
"""

from __future__ import annotations

import numpy as np

from edgedl_lib.training.flower import ArrayRecord, ConfigRecord, read_array, written_array
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


def encoded_record(codec, arrays: Arrays, rng: np.random.Generator) -> ArrayRecord:
    """Every real array as the bytes of its packet; counters of a model travel as they are."""
    from edgedl_lib.training.codecs import encode_arrays

    real = {name: each for name, each in arrays.items() if _is_real(each)}
    remembers = hasattr(codec, "encode_arrays")  # an ErrorFeedback
    packets = codec.encode_arrays(real, rng) if remembers else encode_arrays(codec, real, rng)
    payloads = {name: np.frombuffer(packet.payload, np.uint8) for name, packet in packets.packets.items()}
    return to_record({name: payloads.get(name, each) for name, each in arrays.items()})


def decoded_record(codec, record: ArrayRecord, shapes: ConfigRecord) -> Arrays:
    """The inverse of :func:`encoded_record`, as far as the codec keeps anything."""
    from edgedl_lib.training.codecs import ErrorFeedback, Packet

    codec = codec.codec if isinstance(codec, ErrorFeedback) else codec
    arrays = {}
    for name, values in from_record(record).items():
        shape = tuple(int(side) for side in shapes[name].split(",") if side)
        arrays[name] = values
        if values.dtype == np.uint8:
            arrays[name] = codec.decode(Packet(values.tobytes(), shape, 8 * values.size))
    return arrays


def shapes_of(arrays: Arrays) -> ConfigRecord:
    """Shapes beside a payload; both sides know them, so they are not counted."""
    return ConfigRecord({name: ",".join(map(str, each.shape)) for name, each in arrays.items()})


def _is_real(values: np.ndarray) -> bool:
    return np.issubdtype(values.dtype, np.floating)
