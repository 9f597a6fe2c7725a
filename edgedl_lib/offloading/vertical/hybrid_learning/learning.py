"""Two steps of learning: an encoder from few raw images, then a classifier from the codes of all.

The test images take part in neither.
"""

from dataclasses import dataclass

import torch
from torch import nn

from edgedl_lib.nets.datasets import Dataset, Split
from edgedl_lib.nets.training import accuracy, build, predict, train
from edgedl_lib.offloading.vertical.hybrid_learning.messages import code_frames, read_codes
from edgedl_lib.offloading.vertical.hybrid_learning.networks import Design, classifier, encoder, raw_network

PASSES = 15
BATCH = 64
LEARNING_RATE = 1e-2


@dataclass(frozen=True)
class Parts:
    """Who has which images.

    Attributes
    ----------
    start : Split
        Raw images that the cloud already has or gets first; the encoder is learned from them.
    new : Split
        Images that appear at the edge; the cloud sees only their codes.
    test : Split
        Unseen by all training.
    """

    start: Split
    new: Split
    test: Split


@dataclass(frozen=True)
class Learned:
    """Encoder at the edge, classifier in the cloud, and how many unseen images they get right.

    Attributes
    ----------
    encoder : nn.Module or None
        None where the cloud sees raw pixels.
    classifier : nn.Module
    accuracy : float
        Share of the test images, in [0, 1], answered from codes that have crossed the wire.
    """

    encoder: nn.Module | None
    classifier: nn.Module
    accuracy: float


def divide(data: Dataset, start: int) -> Parts:
    """The first `start` training images are known raw; the others are new at the edge."""
    if not 0 < start < len(data.train):
        raise ValueError(
            f"{start} start images of {len(data.train)} leave a part empty; choose at least one, fewer than all"
        )
    rest = Split(data.train.inputs[start:], data.train.targets[start:])
    return Parts(data.train.subset(start), rest, data.test)


def learn_hybrid(
    parts: Parts, design: Design, seed: int, *, variant: str = "cnn", trained: bool = True, passes: int = PASSES
) -> Learned:
    """Learn the encoder jointly with a throw-away classifier on `start`, then the classifier on the codes of all.

    Parameters
    ----------
    trained : bool
        False leaves the encoder at its random start: the baseline without preliminary learning.
    passes : int
        Over the start images, and again over all codes.
    """
    edge_part = build(lambda: encoder(design, variant), seed)
    if trained:
        joint = nn.Sequential(edge_part, build(lambda: classifier(design, variant), seed + 1))
        _train(joint, parts.start, seed, passes)
    else:
        calibrate(edge_part, parts.start)
    return learn_from_codes(edge_part, parts, build(lambda: classifier(design, variant), seed + 2), seed, passes)


@torch.no_grad()
def calibrate(edge_part: nn.Module, split: Split) -> None:
    """Let an untrained encoder standardise its values on `split`, which is all that it learns."""
    for module in edge_part.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = 1.0  # the one batch decides
    edge_part.train()
    edge_part(split.inputs)
    edge_part.eval()


def learn_from_codes(edge_part: nn.Module, parts: Parts, cloud_part: nn.Module, seed: int, passes: int) -> Learned:
    """Train the cloud's part on received codes; the edge's part is frozen."""
    received = received_codes(edge_part, parts.start), received_codes(edge_part, parts.new)
    codes = Split(*(torch.cat(pair) for pair in zip(*((s.inputs, s.targets) for s in received), strict=True)))
    _train(cloud_part, codes, seed, passes)
    return Learned(edge_part, cloud_part, accuracy(cloud_part, received_codes(edge_part, parts.test)))


def learn_raw(parts: Parts, design: Design, seed: int, *, variant: str = "cnn", passes: int = PASSES) -> Learned:
    """Cloud-only learning: all images cross the link as pixels."""
    network = build(lambda: raw_network(design, variant), seed)
    images = torch.cat([parts.start.inputs, parts.new.inputs])
    _train(network, Split(images, torch.cat([parts.start.targets, parts.new.targets])), seed, passes)
    return Learned(None, network, accuracy(network, parts.test))


def received_codes(edge_part: nn.Module, split: Split) -> Split:
    """What the cloud reads of a split after encoding, serialising and decoding."""
    return Split(read_codes(code_frames(predict(edge_part, split.inputs))), split.targets)


def _train(network: nn.Module, split: Split, seed: int, passes: int) -> None:
    train(network, split, epochs=passes, seed=seed, learning_rate=LEARNING_RATE, batch_size=BATCH)
