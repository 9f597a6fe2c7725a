"""Networks of dense layers for speech (Kaldi-like) and text (SENNA-like)."""

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph, UnknownName

# Task -> (features per word, tags): 50 word + 5 capital + 5 suffix, gazetteer or part-of-speech features
# (Collobert et al. 2011); 45 Penn tags, 17 entity and 42 chunk tags in IOBES coding.
SENNA_TASKS = {"pos": (60, 45), "ner": (75, 17), "chk": (60, 42)}
SENNA_WINDOW = 5
FLOAT_BYTES = 4


def kaldi_asr(features: int = 440, hidden: int = 2048, outputs: int = 4000) -> LayerGraph:
    """Kaldi-like acoustic model: 7 dense and 6 sigmoid layers, about 30 M parameters (DjiNN; Neurosurgeon [12]).

    The widths are ours: 11 spliced frames of 40 features, six hidden layers of 2,048.

    >>> len(kaldi_asr()), kaldi_asr().parameter_count
    (13, 30080928)
    """
    net = ModelBuilder("kaldi_asr", (features,))
    for number in range(1, 7):
        net.dense(f"fc{number}", hidden)
        net.activation(f"sigmoid{number}", "sigmoid")
    net.dense("fc7", outputs)
    return net.graph(input_bytes=FLOAT_BYTES * features)


def senna(task: str = "pos", hidden: int = 300) -> LayerGraph:
    """SENNA-like tagger of one word in its window of five (Collobert et al. 2011): dense, hard tanh, dense.

    ``task`` is "pos" (parts of speech), "ner" (named entities) or "chk" (chunks).
    """
    if task not in SENNA_TASKS:
        raise UnknownName(f"no SENNA task {task!r}; choose one of {', '.join(SENNA_TASKS)}")
    features_per_word, tags = SENNA_TASKS[task]
    features = SENNA_WINDOW * features_per_word
    net = ModelBuilder(f"senna_{task}", (features,))
    net.dense("fc1", hidden)
    net.activation("hardtanh", "hardtanh")
    net.dense("fc2", tags)
    return net.graph(input_bytes=FLOAT_BYTES * features)
