"""The arithmetic of the published ratios, from layer shapes and real payloads."""

import pytest

from edgedl_lib.training.codecs import Chain, Quantise, Rotate, Subsample
from edgedl_lib.training.communication.dropout import ratios


def test_parameters_of_the_papers():
    assert ratios.total(ratios.MNIST_CNN, "parameters") == 1_663_370
    assert ratios.total(ratios.kept(ratios.MNIST_CNN, 0.75), "parameters") == 936_874
    assert ratios.total(ratios.MODEL_C, "parameters") == 1_369_738
    assert ratios.lstm_parameters() == 1_347_776


def test_the_six_published_ratios():
    mnist = ratios.ratios(ratios.MNIST_CNN, 0.75, Quantise(4), Quantise(2))
    assert (mnist.down, mnist.up, mnist.compute) == pytest.approx((14.2, 28.4, 1.75), rel=0.03)
    cifar = ratios.ratios(ratios.MODEL_C, 0.875, Quantise(4), Quantise(2))
    assert (round(cifar.down), round(cifar.up), round(cifar.compute, 1)) == (10, 21, 1.3)


def test_convolutions_shrink_like_the_rest_if_their_inputs_go_too():
    both = ratios.ratios(ratios.MODEL_C, 0.75, Quantise(4), Quantise(2))
    units_only = ratios.ratios(ratios.MODEL_C, 0.75, Quantise(4), Quantise(2), inputs_too=False)
    assert both.down == pytest.approx(14.2, abs=0.05)
    assert units_only.down == pytest.approx(8 / 0.75, rel=0.01)


def test_keeping_all_saves_only_bits():
    whole = ratios.ratios(ratios.MNIST_CNN, 1.0, Quantise(4), Quantise(2))
    assert whole.compute == 1
    assert whole.down == pytest.approx(8, rel=1e-3)
    assert ratios.total(ratios.kept(ratios.MNIST_CNN, 1e-9), "parameters") > 0


def test_blocks_save_the_padding():
    def sketch(rotation):
        return ratios.inner_ratio(Chain(rotation, Subsample(0.0625), Quantise(2)))

    assert 250 < sketch(Rotate(1024)) < 256
    assert 155 < sketch(Rotate()) < 170
    assert ratios.derived_bits_ratio(4, 1.775) == 14.2
