"""Wrong versions of hybrid edge-cloud learning: leaks, forgotten messages, and work done twice."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch

from edgedl_lib.inference.split.wire import Kind, Message, encode
from edgedl_lib.nets.datasets import Split, digits
from edgedl_lib.nets.training import accuracy
from edgedl_lib.offloading.vertical.hybrid_learning import design_for, divide, learn_hybrid, messages, study
from edgedl_lib.offloading.vertical.hybrid_learning.learning import received_codes
from edgedl_lib.offloading.vertical.hybrid_learning.networks import encoder
from edgedl_lib.reproduce.sabotage import sabotage

DESIGN = design_for(8)
PASSES = 6  # enough to see a wrong method fail


@cache
def parts():
    return divide(digits(0), 500)


@cache
def learned(seed=0, **options):
    return learn_hybrid(parts(), options.pop("design", DESIGN), seed, passes=PASSES, **options)


@sabotage("edgecloudlearn.accuracy", "edgecloudlearn.raw_gap")
def codes_of_another_encoder():
    """The edge was given a new encoder, and the cloud kept the classifier of the old one."""
    newer = learned(seed=1).encoder
    right = accuracy(learned().classifier, received_codes(newer, parts().test))
    return {"edgecloudlearn.accuracy": 100 * right, "edgecloudlearn.raw_gap": 96 - 100 * right}


@sabotage("edgecloudlearn.accuracy_lstm")
def steps_in_the_wrong_order():
    """The codes of a sequence are sent by value instead of by step, so the cloud reads them in another order."""
    run = learned(variant="lstm")
    codes = received_codes(run.encoder, parts().test)
    shuffled = codes.inputs.unflatten(1, (DESIGN.steps, -1)).transpose(1, 2).flatten(1)
    return 100 * accuracy(run.classifier, Split(shuffled, codes.targets))


@sabotage("edgecloudlearn.bytes_share")
def codes_as_floats():
    """The tensor is sent as the network computes it, four bytes a value."""
    sent = study.measured_messages(parts(), encoder(DESIGN).eval())
    floats = len(encode(Message(Kind.TENSOR, 0.0, np.zeros((64, DESIGN.code), np.float32))))
    raw = messages.total_bytes(messages.raw_frames(torch.zeros(64, 1, 8, 8)))
    return max(floats / raw, 4 * sent.share)


def encoder_in_every_frame(rate):
    """Nobody remembers that the edge has the encoder already: it comes with every frame of new images."""
    both = study.histories(parts(), DESIGN, rate)
    frames = -(-len(parts().new) // 64) + -(-len(parts().test) // 64)
    both["hybrid"]["send the encoder"] *= frames
    return study.time_ratio(both)


def encoding_in_every_pass(rate):
    """Codes are not kept: every training pass runs the start images' encoder and the joint network again."""
    both = study.histories(parts(), DESIGN, rate)
    both["hybrid"]["learn from codes"] += both["hybrid"]["learn the encoder"]
    both["hybrid"]["send codes"] *= 15
    return study.time_ratio(both)


@sabotage("edgecloudlearn.time_traffic", "edgecloudlearn.time_10mbps", "edgecloudlearn.time_1gbps")
def nothing_is_kept():
    """Encoder and codes cross the link again and again, as if each pass were the first."""
    return {
        "edgecloudlearn.time_traffic": encoder_in_every_frame(1e6),
        "edgecloudlearn.time_10mbps": encoding_in_every_pass(10e6),
        "edgecloudlearn.time_1gbps": encoding_in_every_pass(1e9),
    }


@sabotage("edgecloudlearn.untrained_loss")
def both_encoders_trained():
    """The 'untrained' baseline is another trained encoder."""
    return 100 * (learned().accuracy - learned(seed=1).accuracy)


@sabotage("edgecloudlearn.raw_size_bytes")
def free_download():
    """The encoder is assumed to be at the edge already, and codes are rounded down to the payload."""
    sent = study.raw_size_messages(parts(), DESIGN)
    unseen = len(parts().new) + len(parts().test)
    return unseen * DESIGN.side**2 / sent.raw_new


@sabotage("edgecloudlearn.one_byte_accuracy")
def pixels_past_the_bottleneck():
    """A code of 'one' byte for each step, not for the image."""
    return 100 * learned(design=replace(DESIGN, code=8)).accuracy
