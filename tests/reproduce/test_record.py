"""``claim(...)``: the card, the typed output, and every way to misuse it."""

import math

import numpy as np
import pytest

from edgedl_lib.reproduce import record
from edgedl_lib.reproduce.ledger import UnknownClaim
from edgedl_lib.reproduce.record import MIME, RecordError, anchor, claim, not_run
from tests.reproduce.mini import ledger_row, write_ledger


@pytest.fixture(autouse=True)
def ledger(mini_project, monkeypatch):
    monkeypatch.setattr(record, "_recorded", {})
    write_ledger(
        mini_project / "data/claims/alpha.csv",
        ledger_row("alpha.two"),
        ledger_row("alpha.count", kind="count", unit="cases", reported="44", low="40", high="48"),
        ledger_row("alpha.never", low="", high="", not_run="no such hardware"),
        ledger_row("alpha.off", differs_because="<other> hardware"),
        ledger_row("alpha.recalled", evidence="memory"),
    )


def test_record_carries_typed_output_card_and_text():
    bundle = claim("alpha.two", np.float32(2.0), interval=(1.9, 2.05))._repr_mimebundle_()
    assert bundle[MIME] == {"id": "alpha.two", "value": 2.0, "interval": [1.9, 2.05]}
    assert "reproduced" in bundle["text/plain"]
    for text in ("reported", "measured", "band", "source", anchor("alpha.two"), "edgedl-verdict-reproduced"):
        assert text in bundle["text/html"]


def test_card_escapes_text_and_gives_the_reason_of_a_known_deviation():
    card = claim("alpha.off", 3.0)._repr_mimebundle_()["text/html"]
    assert "&lt;other&gt; hardware" in card and "edgedl-verdict-differs" in card


def test_recalled_figure_says_so():
    assert "recalled, unverified" in claim("alpha.recalled", 2.0)._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_value_that_is_not_finite_is_refused(value):
    with pytest.raises(RecordError, match="expected a finite number"):
        claim("alpha.two", value)


@pytest.mark.parametrize("value", ["2.0", None, True, [2.0], np.array([2.0]), 2 + 0j])
def test_value_of_the_wrong_type_is_refused(value):
    with pytest.raises(RecordError, match="expected a number in x"):
        claim("alpha.two", value)


def test_count_must_be_whole():
    with pytest.raises(RecordError, match=r"44.5 is not whole"):
        claim("alpha.count", 44.5)
    assert claim("alpha.count", 44.0).value == 44


@pytest.mark.parametrize("interval", [(3, 4), (2.0,), "ab", (1.0, math.inf), 5])
def test_interval_must_be_two_numbers_around_the_value(interval):
    with pytest.raises(RecordError, match="interval"):
        claim("alpha.two", 2.0, interval)


def test_unknown_id_and_not_run_are_refused():
    with pytest.raises(UnknownClaim, match="did you mean"):
        claim("alpha.tow", 2.0)
    with pytest.raises(RecordError, match="not run"):
        claim("alpha.never", 2.0)


def test_second_recording_is_refused():
    claim("alpha.two", 2.0)
    with pytest.raises(RecordError, match="recorded already"):
        claim("alpha.two", 2.0)


def test_refused_value_does_not_count_as_recorded():
    with pytest.raises(RecordError):
        claim("alpha.two", math.nan)
    assert claim("alpha.two", 2.0).verdict == "reproduced"


def test_what_this_machine_cannot_measure_is_recorded_with_its_reason():
    bundle = not_run("alpha.two", "no 8-bit dot product")._repr_mimebundle_()
    assert bundle[MIME] == {"id": "alpha.two", "value": None, "interval": None, "reason": "no 8-bit dot product"}
    assert "edgedl-verdict-notrun" in bundle["text/html"] and "no 8-bit dot product" in bundle["text/html"]
    with pytest.raises(RecordError, match="recorded already"):
        claim("alpha.two", 2.0)
    with pytest.raises(RecordError, match="reason is empty"):
        not_run("alpha.off", " ")
