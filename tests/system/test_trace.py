"""Traces: exact inversion against a stepping simulation, and files good and bad."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedl_lib.system.link import Link
from edgedl_lib.system.trace import Trace, load_trace, synthetic_trace, trace_names


def stepped_transfer(trace, size_bytes, start):
    """Segment by segment, as one would do it by hand."""
    left, now = 8.0 * size_bytes, start
    ends = [*trace.time[1:], math.inf]
    for begin, end, rate in zip(trace.time, ends, trace.rate, strict=True):
        if end <= now:
            continue
        now = max(now, begin)
        if rate > 0 and left <= rate * (end - now):
            return now + left / rate - start
        left -= rate * (end - now) if math.isfinite(end) else 0.0
        now = end
    return math.inf


@given(
    steps=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), min_size=1, max_size=12),
    size=st.integers(1, 40),
    start=st.floats(0, 40),
)
def test_inversion_equals_stepping(steps, size, start):
    durations, rates = np.array(steps, dtype=float).T
    trace = Trace("random", np.concatenate([[0], np.cumsum(durations)[:-1]]), rates)
    assert trace.transfer_time(size, start) == pytest.approx(stepped_transfer(trace, size, start), rel=1e-9)


def test_transfer_across_an_outage():
    trace = Trace("outage", [0, 1, 6], [8.0, 0.0, 8.0])
    assert trace.transfer_time(1) == 1.0  # ends on the sample: it does not wait for the outage
    assert trace.transfer_time(2) == 7.0
    assert trace.transfer_time([0, 1], start=[3, 3]).tolist() == [0.0, 4.0]


def test_a_trace_that_ends_dead_never_delivers():
    assert Trace("dead", [0, 1], [8.0, 0.0]).transfer_time([1, 2]).tolist() == [1.0, math.inf]


def test_a_constant_trace_is_a_link():
    sizes = np.array([0, 1, 1000, 10**9])
    trace, link = Trace("flat", [0], [5e6]), Link("flat", 5e6)
    np.testing.assert_allclose(trace.transfer_time(sizes, 12.0), link.transfer_time(sizes))


def test_rates_hold_from_their_sample_on():
    trace = Trace("steps", [0, 10, 20], [1.0, 2.0, 3.0])
    assert trace.rate_at([0, 9.99, 10, 20, 1e6]).tolist() == [1, 1, 2, 3, 3]
    assert trace.mean_rate == 1.5 and trace.duration == 20


def test_a_thousand_transfers_at_once_equal_one_by_one():
    trace = synthetic_trace(seed=1, duration=200)
    starts = np.linspace(0, 199, 1000)
    together = trace.transfer_time(250_000, starts)
    assert together[::100].tolist() == [trace.transfer_time(250_000, start) for start in starts[::100]]


@pytest.mark.parametrize(
    ("time", "rate", "message"),
    [
        ([], [], "at least one sample"),
        ([0, 1], [1.0], "one rate per time"),
        ([0, 0], [1.0, 1.0], "strictly increasing"),
        ([0, math.nan], [1.0, 1.0], "finite and strictly increasing"),
        ([0, 1], [1.0, -2.0], "must be finite and not negative, not -2.0 bit/s"),
        ([0, 1], [1.0, math.nan], "not nan bit/s"),
        ([0], [math.inf], "not inf bit/s"),
    ],
)
def test_impossible_traces_are_refused(time, rate, message):
    with pytest.raises(ValueError, match=message):
        Trace("wrong", time, rate)


def test_before_the_trace_nothing_is_known():
    trace = Trace("late", [5], [1.0])
    with pytest.raises(ValueError, match="begins at 5.0 s: no rate is known at 0.0 s"):
        trace.transfer_time(1, start=0)
    with pytest.raises(ValueError, match="no rate is known at nan"):
        trace.rate_at(math.nan)


def test_synthetic_traces_are_seeded_bounded_and_correlated():
    trace = synthetic_trace(seed=3, duration=2000)
    assert np.array_equal(trace.rate, synthetic_trace(seed=3, duration=2000).rate)
    assert not np.array_equal(trace.rate, synthetic_trace(seed=4, duration=2000).rate)
    assert trace.rate.min() >= 0.5e6 and trace.rate.max() <= 8e6
    assert trace.rate.min() < 0.7e6 and trace.rate.max() > 5.7e6  # the whole range is visited
    assert np.corrcoef(trace.rate[1:], trace.rate[:-1])[0, 1] > 0.8
    with pytest.raises(ValueError, match="0 < low <= high"):
        synthetic_trace(seed=0, low=0)


HSDPA = "trace,time_s,throughput_mbps\nbus_1,3.0,4.0\nbus_1,3.5,2.0\ntram_1,0.0,1.0\n"
IRELAND = (
    "trace,time_s,mode,downlink_mbps,uplink_mbps,speed_kmh\n"
    "5G/Driving/B_1,0,5G,10,1,0\n5G/Driving/B_1,1,5G,20,2,0\n5G/Driving/B_1,1,LTE,40,4,0\n"
)


def test_the_two_recorded_formats(tmp_path):
    (tmp_path / "3g.csv").write_text(HSDPA)
    (tmp_path / "5g.csv").write_text(IRELAND)
    bus = load_trace("bus_1", tmp_path / "3g.csv", direction="uplink")
    assert bus.time.tolist() == [0.0, 0.5] and bus.rate.tolist() == [4e6, 2e6]
    assert trace_names(tmp_path / "3g.csv") == ["bus_1", "tram_1"]
    drive = load_trace("B_1", tmp_path / "5g.csv")
    assert drive.rate.tolist() == [10e6, 30e6]  # two samples of one second are averaged
    assert load_trace("5G/Driving/B_1", tmp_path / "5g.csv", direction="uplink").rate.tolist() == [1e6, 3e6]


def test_bad_trace_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no trace file"):
        load_trace("bus_1", tmp_path / "none.csv")
    file = tmp_path / "trace.csv"
    file.write_text(HSDPA.replace("4.0", "fast"))
    with pytest.raises(ValueError, match="throughput_mbps of .* holds a value that is no number"):
        load_trace("bus_1", file)
    with pytest.raises(KeyError, match="no trace 'bus_9'"):
        load_trace("bus_9", file)
    with pytest.raises(ValueError, match="direction 'sideways' is unknown"):
        load_trace("bus_1", file, direction="sideways")
    file.write_text("time,rate\n0,1\n")
    with pytest.raises(ValueError, match="is no trace file"):
        load_trace("bus_1", file)
    file.write_text("trace,time_s,downlink_mbps\na,0,1\n")
    with pytest.raises(ValueError, match="has no uplink column"):
        load_trace("a", file, direction="uplink")
    file.write_text("")
    with pytest.raises(ValueError, match="is no trace file"):
        trace_names(file)
