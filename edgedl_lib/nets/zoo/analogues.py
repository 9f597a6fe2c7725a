"""Small analogues of Neurosurgeon's eight networks, 1 to 30 ms each on one CPU thread.

They keep the layer kinds, kernels and (nearly) the widths of the originals and shrink the input: fewer pixels, fewer
speech frames, or, for the tiny taggers, more sentences.  The transmitted bytes of a query shrink by the same factor, so
work per transmitted byte and the ratio of input to activations stay close to the paper's.
"""

from collections.abc import Callable

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph, UnknownName
from edgedl_lib.nets.zoo.lenet import lenet5
from edgedl_lib.nets.zoo.speech_and_text import kaldi_asr, senna

# Bytes of one query in the paper (recalled).
QUERY_BYTES = {"IMC": 152_000, "VGG": 152_000, "FACE": 271_000, "DIG": 307_000, "ASR": 4_594_000}
QUERY_BYTES |= {"POS": 38_000, "NER": 43_000, "CHK": 75_000}
SENTENCE_WORDS = 28
SPEECH_FRAMES = 548
SENTENCES = 40  # a single sentence takes 0.1 ms, too short to measure


def analogue(name: str) -> LayerGraph:
    """Analogue of one application of Neurosurgeon [12]: IMC, VGG, FACE, DIG, ASR, POS, NER or CHK.

    >>> analogue("FACE").input_bytes
    67750
    """
    if name not in ANALOGUES:
        raise UnknownName(f"no analogue {name!r}; choose one of {', '.join(ANALOGUES)}")
    return ANALOGUES[name]()


def alexnet_analogue() -> LayerGraph:
    """AlexNet on 115x115 pixels with half-width dense layers: 24 layers."""
    net = ModelBuilder("alexnet_analogue", (3, 115, 115))
    _normalised_conv(net, 1, 96, kernel=11, stride=4)
    _normalised_conv(net, 2, 256, kernel=5, padding=2, groups=2)
    for number, width, groups in ((3, 384, 1), (4, 384, 2), (5, 256, 2)):
        net.conv(f"conv{number}", width, kernel=3, padding=1, groups=groups)
        net.relu(f"relu{number}")
    net.max_pool("pool5", kernel=3, stride=2)
    _classifier(net, units=2048)
    return net.graph(input_bytes=_scaled("IMC", (115 / 227) ** 2))


def vgg_analogue() -> LayerGraph:
    """VGG-19 on 64x64 pixels at five eighths of its width: 46 layers."""
    net = ModelBuilder("vgg_analogue", (3, 64, 64))
    for stage, (width, depth) in enumerate(((40, 2), (80, 2), (160, 4), (320, 4), (320, 4)), start=1):
        for index in range(1, depth + 1):
            net.conv(f"conv{stage}_{index}", width, kernel=3, padding=1)
            net.relu(f"relu{stage}_{index}")
        net.max_pool(f"pool{stage}", kernel=2)
    _classifier(net, units=2048)
    return net.graph(input_bytes=_scaled("VGG", (64 / 224) ** 2))


def deepface_analogue() -> LayerGraph:
    """DeepFace on 76x76 pixels, padded so that its local layers keep their kernels: 10 layers."""
    net = ModelBuilder("deepface_analogue", (3, 76, 76))
    net.conv("C1", 32, kernel=11, activation="relu")
    net.max_pool("M2", kernel=3, stride=2)
    net.conv("C3", 16, kernel=9, padding=2, activation="relu")
    net.local("L4", 16, kernel=9, padding=2, activation="relu")
    net.local("L5", 16, kernel=7, stride=2, activation="relu")
    net.local("L6", 16, kernel=5, activation="relu")
    net.dense("F7", 2048, activation="relu")
    net.dense("F8", 1000)
    net.softmax("prob")
    net.argmax("argmax")
    return net.graph(input_bytes=_scaled("FACE", (76 / 152) ** 2))


def lenet_analogue() -> LayerGraph:
    """LeNet-5 itself on 100 digits, as in the paper: small enough as it is."""
    return lenet5(argmax=True).with_batch(100).with_input_bytes(QUERY_BYTES["DIG"])


def kaldi_analogue(frames: int = 16) -> LayerGraph:
    """The Kaldi-like network on 16 of the paper's 548 speech frames."""
    return kaldi_asr().with_batch(frames).with_input_bytes(_scaled("ASR", frames / SPEECH_FRAMES))


def senna_analogue(task: str) -> LayerGraph:
    """A SENNA-like tagger on 40 sentences of 28 words."""
    graph = senna(task).with_batch(SENTENCES * SENTENCE_WORDS)
    return graph.with_input_bytes(_scaled(task.upper(), SENTENCES))


ANALOGUES: dict[str, Callable[[], LayerGraph]] = {
    "IMC": alexnet_analogue,
    "VGG": vgg_analogue,
    "FACE": deepface_analogue,
    "DIG": lenet_analogue,
    "ASR": kaldi_analogue,
    "POS": lambda: senna_analogue("pos"),
    "NER": lambda: senna_analogue("ner"),
    "CHK": lambda: senna_analogue("chk"),
}


def _scaled(name: str, share: float) -> int:
    return round(QUERY_BYTES[name] * share)


def _normalised_conv(net: ModelBuilder, number: int, filters: int, **options) -> None:
    net.conv(f"conv{number}", filters, **options)
    net.relu(f"relu{number}")
    net.lrn(f"norm{number}")
    net.max_pool(f"pool{number}", kernel=3, stride=2)


def _classifier(net: ModelBuilder, units: int) -> None:
    for number in (6, 7):
        net.dense(f"fc{number}", units)
        net.relu(f"relu{number}")
        net.dropout(f"drop{number}")
    net.dense("fc8", 1000)
    net.softmax("prob")
    net.argmax("argmax")
