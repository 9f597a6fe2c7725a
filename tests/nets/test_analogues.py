"""The small analogues keep the paper's layer counts and its balance of work and bytes."""

import pytest

from edgedl_lib.nets import ANALOGUES, UnknownName, analogue
from edgedl_lib.nets.zoo import alexnet, deepface, kaldi_asr, vgg19

LAYERS = {"IMC": 24, "VGG": 46, "FACE": 10, "DIG": 9, "ASR": 13, "POS": 3, "NER": 3, "CHK": 3}
ORIGINALS = {
    "IMC": alexnet().with_input_bytes(152_000),
    "VGG": vgg19().with_input_bytes(152_000),
    "FACE": deepface().with_input_bytes(271_000),
    "ASR": kaldi_asr().with_batch(548).with_input_bytes(4_594_000),
}


@pytest.mark.parametrize("name", ANALOGUES)
def test_layer_counts_are_the_papers(name):
    assert len(analogue(name)) == LAYERS[name]
    assert analogue(name).is_chain


@pytest.mark.parametrize("name", ORIGINALS)
def test_work_per_transmitted_byte_stays_within_a_factor_of_three(name):
    original, small = ORIGINALS[name], analogue(name)
    ratio = (small.mac / small.input_bytes) / (original.mac / original.input_bytes)
    assert 1 / 3 < ratio < 3
    assert small.mac < original.mac / 3


def test_alexnet_analogue_shrinks_its_data_at_the_same_places():
    def relative(graph):
        return [graph[f"pool{number}"].output_bytes / graph.input_bytes for number in (1, 2, 5)]

    assert relative(analogue("IMC")) == pytest.approx(relative(ORIGINALS["IMC"]), rel=0.35)


def test_faces_use_local_layers_and_language_none():
    kinds = {name: {layer.kind for layer in analogue(name)} for name in ANALOGUES}
    assert "local" in kinds["FACE"]
    assert all(not kinds[name] & {"conv", "pool", "local"} for name in ("ASR", "POS", "NER", "CHK"))


def test_unknown_analogue_is_refused():
    with pytest.raises(UnknownName, match="no analogue 'imc'; choose one of IMC, VGG"):
        analogue("imc")
