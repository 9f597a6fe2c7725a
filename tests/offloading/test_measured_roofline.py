"""The host's roofline: arithmetic of the plane, work and traffic of the layers, and one small real measurement."""

import pytest
import torch

from edgedl_lib.offloading.platform.measured.host_roofline import (
    HostRoofline,
    RooflinePoint,
    activation_kernel,
    convolution_kernel,
    dense_family,
    dense_kernel,
    host_kernels,
    measure_host_roofline,
)

ROOFS = HostRoofline(peak=100e9, bandwidth=20e9, points=())


def test_the_roof_is_the_lower_of_both_limits():
    assert ROOFS.ridge_point == 5.0
    assert ROOFS.attainable(1.0) == 20e9
    assert ROOFS.attainable(ROOFS.ridge_point) == ROOFS.attainable(500.0) == 100e9
    assert ROOFS.attainable(0.0) == 0.0


def test_a_point_on_the_memory_roof_has_share_one():
    point = RooflinePoint("read", "dense", flop=2e9, bytes_moved=4e9, seconds=0.2)
    assert (point.intensity, point.rate) == (0.5, 10e9)
    assert ROOFS.share(point) == 1.0


def test_points_of_a_kind_come_by_rising_intensity():
    points = [RooflinePoint(f"b{b}", "dense", flop=b, bytes_moved=1.0, seconds=1.0) for b in (4, 1, 2)]
    roofs = HostRoofline(1.0, 1.0, (*points, RooflinePoint("relu", "activation", 1.0, 8.0, 1.0)))
    assert [point.name for point in roofs.of_kind("dense")] == ["b1", "b2", "b4"]
    assert roofs.of_kind("nothing") == ()


def test_work_and_traffic_of_a_dense_layer():
    kernel = dense_kernel(batch=2, inputs=30, outputs=10)
    assert kernel.flop == 2 * 2 * 30 * 10
    assert kernel.bytes_moved == 4 * (30 * 10 + 2 * (30 + 10))
    assert kernel.call().shape == (2, 10)


def test_work_and_traffic_of_convolutions():
    full = convolution_kernel("conv 3x3", channels=8, filters=16, side=10, kernel=3)
    depthwise = convolution_kernel("depth-wise", channels=8, filters=8, side=10, kernel=3, groups=8)
    assert full.flop == 2 * 9 * 8 * 16 * 100
    assert depthwise.flop == 2 * 9 * 8 * 100
    assert full.bytes_moved == 4 * (9 * 8 * 16 + (8 + 16) * 100)
    assert full.call().shape == (1, 16, 10, 10)  # the side is kept
    assert full.flop / full.bytes_moved > 5 * depthwise.flop / depthwise.bytes_moved


def test_intensity_grows_with_the_batch_towards_twice_the_batch_per_weight():
    intensities = [k.flop / k.bytes_moved for k in dense_family((1, 2, 4), inputs=512, outputs=512)]
    assert intensities == sorted(intensities)
    assert intensities[0] == pytest.approx(0.5, rel=0.01)  # two operations on each four-byte weight


def test_operands_rotate_so_that_no_cache_holds_them():
    kernel = activation_kernel(elements=2**10)
    first, second = kernel.call().clone(), kernel.call().clone()
    assert not torch.equal(first, second)


def test_the_standard_layers_cover_the_plane():
    kernels = host_kernels()
    assert len({kernel.name for kernel in kernels}) == len(kernels) >= 12
    intensities = [kernel.flop / kernel.bytes_moved for kernel in kernels]
    assert min(intensities) < 0.2
    assert max(intensities) > 100


def test_a_small_measurement_is_finite_and_leaves_the_threads_alone():
    before = torch.get_num_threads()
    roofs = measure_host_roofline([dense_kernel(1, 2048, 2048), dense_kernel(64, 2048, 2048)], windows=2)
    assert torch.get_num_threads() == before
    assert roofs.peak > roofs.bandwidth > 1e8
    vector, matrix = roofs.of_kind("dense")
    assert matrix.rate > vector.rate  # weights are used 64 times instead of once
    assert 0.0 < roofs.share(vector) < 3.0
