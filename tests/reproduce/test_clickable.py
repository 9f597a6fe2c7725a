"""Figures whose points are links to what stands behind them."""

import pytest
from matplotlib import pyplot

from edgedl_lib.reproduce.clickable import Detail, clickable


def scatter(details):
    figure, axes = pyplot.subplots()
    for index, detail in enumerate(details):
        axes.scatter([index], [index]).set_urls([f"#{detail.anchor}"])
    return figure


DETAILS = [Detail("int8", "int8: 3 %", "quantise(x < 3 & y)\n\nreturn x"), Detail("Low rank + int8", "both", "f()")]


def test_every_point_links_to_a_fold_that_shows_its_text():
    page = clickable(scatter(DETAILS), DETAILS, "two points")._repr_html_()
    for detail in DETAILS:
        assert f'xlink:href="#{detail.anchor}"' in page
        assert f'<pre id="{detail.anchor}">' in page
    assert "x &lt; 3 &amp; y" in page
    assert 'aria-label="two points"' in page
    assert "_blank" not in page


def test_the_html_survives_markdown_and_is_the_same_every_time():
    first = clickable(scatter(DETAILS), DETAILS, "two points")._repr_html_()
    assert "\n\n" not in first
    assert "<?xml" not in first and "<metadata>" not in first
    assert first == clickable(scatter(DETAILS), DETAILS, "two points")._repr_html_()


def test_the_figure_is_closed():
    before = len(pyplot.get_fignums())
    clickable(scatter(DETAILS), DETAILS, "two points")
    assert len(pyplot.get_fignums()) == before


def test_what_cannot_be_clicked_or_read_is_refused():
    with pytest.raises(ValueError, match="no point links to 'detail-low-rank-int8'"):
        clickable(scatter(DETAILS[:1]), DETAILS, "two points")
    with pytest.raises(ValueError, match="two points share an anchor"):
        clickable(scatter(DETAILS), [DETAILS[0], Detail("INT8", "", "")], "two points")
    with pytest.raises(ValueError, match="alternative text"):
        clickable(scatter(DETAILS), DETAILS, " ")
    pyplot.close("all")
