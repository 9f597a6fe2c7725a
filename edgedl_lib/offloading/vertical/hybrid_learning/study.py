"""The chapter's questions to hybrid learning: accuracy against the raw model, bytes, and time over the backhaul."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from edgedl_lib.nets.datasets import Dataset
from edgedl_lib.nets.training import build, predict
from edgedl_lib.offloading.vertical.hybrid_learning import learning, messages, networks, timeline
from edgedl_lib.offloading.vertical.hybrid_learning.learning import Learned, Parts, learn_hybrid, learn_raw
from edgedl_lib.offloading.vertical.hybrid_learning.networks import Design
from edgedl_lib.offloading.vertical.hybrid_learning.timeline import Levels, Work
from edgedl_lib.system.catalogue import device
from edgedl_lib.system.link import Link

EDGE, CLOUD = "Core i7-6700", "GeForce GTX 1080 Ti"  # the survey names a quad-core edge server, and this card
RATES = (1e6, 10e6, 1e9)  # bit/s


@dataclass(frozen=True)
class Accuracies:
    """Shares of right answers on unseen images, one seed.

    Attributes
    ----------
    hybrid, raw, untrained : float
        Convolutional variant: from codes, from pixels, from the codes of an untrained encoder.
    one_byte : float
        From codes of a single byte.
    lstm, lstm_raw : float
        Recurrent variant.
    """

    hybrid: float
    raw: float
    untrained: float
    one_byte: float
    lstm: float
    lstm_raw: float


def accuracies(data: Dataset, start: int, seed: int, passes: int = learning.PASSES) -> Accuracies:
    """Train everything once on one seed."""
    parts, design = learning.divide(data, start), networks.design_for(data.input_shape[-1])
    runs = {
        "hybrid": learn_hybrid(parts, design, seed, passes=passes),
        "raw": learn_raw(parts, design, seed, passes=passes),
        "untrained": learn_hybrid(parts, design, seed, trained=False, passes=passes),
        "one_byte": learn_hybrid(parts, replace(design, code=1), seed, passes=passes),
        "lstm": learn_hybrid(parts, design, seed, variant="lstm", passes=passes),
        "lstm_raw": learn_raw(parts, design, seed, variant="lstm", passes=passes),
    }
    return Accuracies(**{name: run.accuracy for name, run in runs.items()})


@dataclass(frozen=True)
class Messages:
    """Bytes of every message of both histories, headers included; `raw_new` and `codes` cover the same images."""

    raw_start: int
    raw_new: int
    codes: int
    encoder: int

    @property
    def share(self) -> float:
        """Bytes of the codes over the raw bytes of the same images."""
        return self.codes / self.raw_new

    @property
    def share_with_download(self) -> float:
        """The same with the encoder's download."""
        return (self.codes + self.encoder) / self.raw_new


def measured_messages(parts: Parts, edge_part: nn.Module) -> Messages:
    """Encode everything for real and count; new images and queries (the test images) travel in the same way."""
    unseen = (parts.new.inputs, parts.test.inputs)
    codes = [messages.code_frames(predict(edge_part, images)) for images in unseen]
    raw = [messages.raw_frames(images) for images in unseen]
    return Messages(
        raw_start=messages.total_bytes(messages.raw_frames(parts.start.inputs)),
        raw_new=sum(map(messages.total_bytes, raw)),
        codes=sum(map(messages.total_bytes, codes)),
        encoder=len(messages.encoder_payload(edge_part)),
    )


def levels(rate: float) -> Levels:
    """Edge, cloud and a backhaul of `rate` bit/s."""
    return Levels(device(EDGE), device(CLOUD), Link("backhaul", rate))


def histories(
    parts: Parts, design: Design, rate: float, passes: int = learning.PASSES, variant: str = "cnn"
) -> dict[str, dict[str, float]]:
    """Stages (s) of hybrid and cloud-only learning over a backhaul of `rate` bit/s."""
    edge_part, cloud_part, raw = _untrained(design, variant)
    sent = measured_messages(parts, edge_part)
    work = Work(len(parts.start), len(parts.new), len(parts.test), passes, learning.BATCH)
    sizes = {"raw_start": sent.raw_start, "encoder": sent.encoder, "codes": sent.codes}
    place = levels(rate)
    return {
        "hybrid": timeline.hybrid_time(work, place, design, (edge_part, cloud_part), sizes),
        "cloud only": timeline.cloud_only_time(work, place, design, raw, sent.raw_start + sent.raw_new),
    }


def time_ratio(both: dict[str, dict[str, float]]) -> float:
    """Seconds of the hybrid history over those of the cloud-only one."""
    return sum(both["hybrid"].values()) / sum(both["cloud only"].values())


def time_ratios(parts: Parts, design: Design, rates: Sequence[float], **options) -> list[float]:
    """The ratio for each rate (bit/s)."""
    return [time_ratio(histories(parts, design, rate, **options)) for rate in rates]


def accuracy_over_bytes(parts: Parts, design: Design, codes: Sequence[int], seed: int, passes: int) -> list[Learned]:
    """The convolutional variant with codes of other lengths."""
    return [learn_hybrid(parts, replace(design, code=code), seed, passes=passes) for code in codes]


def _untrained(design: Design, variant: str) -> list[nn.Module]:
    """Encoder, classifier and raw network; sizes and times do not depend on what has been learned."""
    makers = (networks.encoder, networks.classifier, networks.raw_network)
    return [build(lambda make=make: make(design, variant), 0).eval() for make in makers]


def raw_size_messages(parts: Parts, design: Design) -> Messages:
    """Degenerate: as many codes as pixels."""
    whole = replace(design, code=design.side**2)
    return measured_messages(parts, build(lambda: networks.encoder(whole), 0).eval())
