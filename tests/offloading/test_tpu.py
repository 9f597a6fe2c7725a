"""TPU v1: closed forms of the paper, bounds, deadline and design space."""

import pytest

from edgedl_lib.offloading.platform import tpu
from edgedl_lib.offloading.platform.facts import facts
from edgedl_lib.system.catalogue import UnknownName


def test_array_and_memories_follow_from_their_parts():
    assert tpu.mac_units() == 65_536
    assert tpu.tpu_peak() == pytest.approx(91.75e12, rel=1e-4)
    assert tpu.on_chip_bytes() == 28 * 2**20
    assert tpu.weight_bandwidth() == pytest.approx(34e9, rel=0.005)


def test_ridge_points_of_table_2():
    assert [round(tpu.die_ridge(die)) for die in ("haswell", "k80", "tpu")] == [13, 9, 1349]


def test_bound_is_bandwidth_left_of_the_ridge_and_peak_right_of_it():
    assert tpu.bound("mlp0") == pytest.approx(2 * 200 * 34e9)
    assert tpu.bound("cnn0") == tpu.bound("cnn1") == tpu.tpu_peak()


def test_bound_table_shares_of_the_paper():
    shares = [round(row.share, 2) for row in tpu.bound_table()]
    assert shares == [0.90, 0.85, 0.85, 0.43, 0.94, 0.15]


@pytest.mark.parametrize("factor", [1.0, 2.0, 4.0, 100.0])
def test_more_bandwidth_never_lowers_a_bound_and_never_passes_the_peak(factor):
    for name in tpu.APPLICATIONS:
        assert tpu.bound(name) <= tpu.bound(name, bandwidth_factor=factor) <= tpu.tpu_peak()


def test_performance_per_watt_matches_the_abstract_of_the_paper():
    # 17 and 34 with the host, 41 and 83 without: from the mean speed-ups 14.5 and 29.2
    total = [round(tpu.performance_per_watt(s, incremental=False)) for s in (14.5, 29.2)]
    incremental = [round(tpu.performance_per_watt(s, incremental=True)) for s in (14.5, 29.2)]
    assert total == [17, 34]
    assert incremental == [41, 82]


def test_deployed_mean_of_equal_values_is_that_value():
    assert tpu.deployed_mean(dict.fromkeys(tpu.APPLICATIONS, 3.0)) == pytest.approx(3.0)


def test_geometric_mean_of_reciprocals_is_the_reciprocal():
    values = [0.5, 3.0, 7.0]
    assert tpu.geometric_mean([1 / v for v in values]) == pytest.approx(1 / tpu.geometric_mean(values))


def test_batch_model_passes_through_both_measured_points():
    service = tpu.batch_service("haswell")
    assert service.throughput(16) == pytest.approx(5482)
    assert service.throughput(64) == pytest.approx(13194)


def test_a_longer_deadline_never_shrinks_the_batch():
    service = tpu.batch_service("k80")
    batches = [service.largest_batch(deadline / 1000) for deadline in range(1, 20)]
    assert batches == sorted(batches)
    assert batches[0] == 0 and batches[-1] == service.largest
    assert service.share_kept(1e-3) == 0.0 and service.share_kept(1.0) == 1.0


def test_power_is_idle_at_no_load_and_busy_at_full():
    assert tpu.power_at_load("tpu", 0) == 28
    assert tpu.power_at_load("tpu", 1) == 40
    with pytest.raises(ValueError, match="1.5"):
        tpu.power_at_load("tpu", 1.5)


def test_opteron_machines_of_the_roofline_paper():
    assert tpu.opteron_peak("opteron x2") == pytest.approx(17.6e9)
    assert tpu.opteron_peak("opteron x4") == pytest.approx(73.6e9)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(UnknownName, match="mlp9.*mlp0"):
        tpu.bound("mlp9")
    with pytest.raises(UnknownName, match="colour"):
        facts("tpu_v1", "tpu")["colour"]
