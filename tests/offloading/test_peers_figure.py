"""What the picture of the herd counts, and the answer that its question expects."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from edgedl_lib.figures.offloading.peers import frames_at, plot_neighbours
from edgedl_lib.offloading.horizontal.lavea import cluster, placement, schemes, study


@pytest.fixture(scope="module")
def run():
    node = cluster.front_and_neighbours(2.5)
    return placement.place(node, cluster.draw_stream(node, 120.0, 3), schemes.shortest_queue, 20.0)


def test_frames_at_a_node_are_those_that_came_and_have_not_left(run):
    times = np.linspace(0.0, 130.0, 57)
    for node in range(4):
        mine = [(a, f) for a, f, n in zip(run.stream.arrival, run.finish, run.node, strict=True) if n == node]
        assert frames_at(run, node, times).tolist() == [sum(a <= t < f for a, f in mine) for t in times]


def test_every_frame_is_somewhere_until_it_is_done(run):
    assert sum(frames_at(run, node, np.array([np.inf]))[0] for node in range(4)) == 0
    last = run.stream.arrival[-1]
    everywhere = sum(frames_at(run, node, np.array([last]))[0] for node in range(4))
    assert everywhere == np.sum(run.finish > last) > 0


def test_one_line_for_each_neighbour_and_one_mark_for_each_report(run):
    figure, axes = plt.subplots()
    plot_neighbours(axes, run, cluster.NEIGHBOUR_LOADS, 120.0, 20.0)
    assert len(axes.lines) == 5 + 3
    assert [text.get_text()[-3:] for text in axes.texts] == ["0.3", "0.5", "0.6"]
    plt.close(figure)


@pytest.mark.parametrize("first", [0, 10, 20])
def test_dice_beat_reports_that_come_once_a_minute_but_not_once_a_second(first):
    rules = {"told": schemes.shortest_queue, "thrown": schemes.random_node}
    old = study.placement_study(rules, (2.5,), range(first, first + 3), report_period=60.0)
    fresh = study.placement_study(rules, (2.5,), range(first, first + 3), report_period=1.0)
    assert np.all(old["told"] > old["thrown"])
    assert np.all(fresh["told"] < fresh["thrown"])
