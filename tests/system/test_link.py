"""Links and radios: the factor eight, broken and free links, and what the radio draws."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedl_lib.system.link import Link
from edgedl_lib.system.radio import RADIOS, radio_power, tail_energy
from edgedl_lib.system.specification import MissingSpecification


def test_a_photograph_over_the_three_networks_of_neurosurgeon():
    for rate, milliseconds in ((12.8e6, 95), (152_000 * 8 / 0.18, 180), (152_000 * 8 / 0.87, 870)):
        assert Link("link", rate).transfer_time(152_000) == pytest.approx(milliseconds / 1000)


def test_round_trip_is_paid_only_if_something_is_sent():
    assert Link("link", 8e6, rtt=0.05).transfer_time([0, 1_000_000]).tolist() == [0.0, 1.05]


def test_broken_and_free_links():
    assert Link("broken", 0.0).transfer_time([0, 1]).tolist() == [0.0, math.inf]
    assert Link("free", math.inf, rtt=0.01).transfer_time(1e12) == 0.01
    assert Link("lossy", 8e6, loss=1.0).transfer_time([0, 1]).tolist() == [0.0, math.inf]
    assert Link("free but lossy", math.inf, loss=0.5).transfer_time(1) == 0.0


def test_lost_bits_are_sent_again_in_time_and_energy():
    link = Link("lossy", 8e6, energy_per_bit=1e-6, loss=0.2)
    assert link.transfer_time(1_000_000) == pytest.approx(1.25)
    assert link.transfer_energy(1_000_000) == pytest.approx(10.0)


def test_unknown_energy_is_not_zero():
    with pytest.raises(MissingSpecification, match="energy per bit of link 'cable' is unknown"):
        Link("cable", 1e9, energy_per_bit=None).transfer_energy(1)


@given(rate=st.floats(1, 1e10), first=st.floats(0, 1e9), second=st.floats(0, 1e9))
def test_without_round_trip_time_is_additive(rate, first, second):
    link = Link("link", rate)
    assert link.transfer_time(first + second) == pytest.approx(link.transfer_time(first) + link.transfer_time(second))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": -1.0}, "rate of link 'link' in bit/s must be zero or more, not -1.0"),
        ({"rate": math.nan}, "must be zero or more, not nan"),
        ({"rtt": -0.1}, "rtt of link 'link'"),
        ({"rtt": math.inf}, "rtt of link 'link'"),
        ({"energy_per_bit": math.nan}, "energy_per_bit of link 'link'"),
        ({"loss": 1.1}, r"loss of link 'link' is a fraction in \[0, 1\], not 1.1"),
        ({"loss": math.nan}, "is a fraction"),
    ],
)
def test_impossible_links_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Link(**{"name": "link", "rate": 1e6, **change})


@pytest.mark.parametrize("wrong", [-1, math.nan])
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match="size_bytes must be zero or more"):
        Link("link", 1e6).transfer_time(wrong)
    with pytest.raises(ValueError, match="size_bytes must be zero or more"):
        Link("link", 1e6).transfer_energy([1, wrong])


def test_upload_power_on_the_networks_of_neurosurgeon():
    assert radio_power("LTE", 6.76e6) == pytest.approx(4.25, abs=0.005)
    assert radio_power("3G", 1.40e6) == pytest.approx(2.03, abs=0.005)
    assert radio_power("Wi-Fi", 12.8e6) == pytest.approx(3.76, abs=0.005)


def test_an_awake_radio_draws_its_base_power_and_more_with_both_directions():
    for technology, constants in RADIOS.items():
        assert radio_power(technology, 0) == constants.base_power
        assert radio_power(technology, 1e6, 1e6) > radio_power(technology, 1e6)
        assert tail_energy(technology) == constants.tail_power * constants.tail_time


def test_unknown_technology_names_the_known_ones():
    with pytest.raises(ValueError, match="radio technology 'wimax' is unknown: use one of lte, 3g, wifi"):
        radio_power("wimax", 1e6)
    with pytest.raises(ValueError, match="uplink_bit_per_s must be zero or more"):
        radio_power("lte", -1)
