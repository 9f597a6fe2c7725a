"""Update codecs: make a model or an update small, as real bytes, and count them.

Every codec has ``encode(values, rng) -> Packet`` and ``decode(packet)``; `Chain` composes them, and `encode_arrays`
does it for a whole model.  Seeds, extremes and positions travel inside the payload, so a packet's size is what is sent.
"""

from edgedl_lib.training.codecs.arrays import (
    Arrays,
    ErrorFeedback,
    Matrices,
    Packets,
    WholeModel,
    decode_arrays,
    decode_payload,
    encode_arrays,
)
from edgedl_lib.training.codecs.bits import CodecError
from edgedl_lib.training.codecs.codec import Chain, Codec, Dense, Packet, Transform, stream_seed
from edgedl_lib.training.codecs.lowrank import LowRank
from edgedl_lib.training.codecs.quantise import LowPrecision, Quantise
from edgedl_lib.training.codecs.rotate import Kashin, Rotate, walsh_hadamard
from edgedl_lib.training.codecs.sparse import RandomMask, Subsample, TopK

__all__ = [
    "Arrays",
    "Chain",
    "Codec",
    "CodecError",
    "Dense",
    "ErrorFeedback",
    "Kashin",
    "LowPrecision",
    "LowRank",
    "Matrices",
    "Packet",
    "Packets",
    "Quantise",
    "RandomMask",
    "Rotate",
    "Subsample",
    "TopK",
    "Transform",
    "WholeModel",
    "decode_arrays",
    "decode_payload",
    "encode_arrays",
    "stream_seed",
    "walsh_hadamard",
]
