"""3x3 passes against the direct convolution, and against PyTorch."""

import numpy as np
import pytest

from edgedl_lib.nets.zoo import model
from edgedl_lib.offloading.platform import streaming


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 7, 11])
def test_passes_equal_the_direct_convolution(kernel):
    generator = np.random.default_rng(kernel)
    image, kernels = generator.standard_normal((2, 14, 13)), generator.standard_normal((3, 2, kernel, kernel))
    assert np.allclose(streaming.convolve_by_passes(image, kernels), streaming.convolve(image, kernels), atol=1e-12)


def test_direct_convolution_equals_torch():
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(0)
    image, kernels = generator.standard_normal((2, 9, 8)), generator.standard_normal((3, 2, 3, 3))
    expected = torch.nn.functional.conv2d(torch.from_numpy(image)[None], torch.from_numpy(kernels))[0].numpy()
    assert np.allclose(streaming.convolve(image, kernels), expected)


@pytest.mark.parametrize("kernel", range(1, 13))
def test_utilisation_is_one_exactly_for_multiples_of_three(kernel):
    share = streaming.utilisation(kernel)
    assert 0 < share <= 1
    assert (share == 1) == (kernel % 3 == 0)


def test_a_kernel_without_taps_is_refused():
    with pytest.raises(ValueError, match="0"):
        streaming.passes(0)


def test_alexnet_has_three_pooled_stages_and_each_gains():
    stages = streaming.pooled_stages()
    assert [(stage.convolution, stage.pooling) for stage in stages] == [
        ("conv1", "pool1"),
        ("conv2", "pool2"),
        ("conv5", "pool5"),
    ]
    assert all(stage.parallel < stage.sequential <= 2 * stage.parallel for stage in stages)


def test_convolution_cycles_follow_the_passes():
    conv1 = model("alexnet")["conv1"]
    assert streaming.convolution_cycles(conv1) == 96 * 55 * 55 * 3 * 16 / 16  # 11x11 is 16 passes, on 16 engines
