"""The claims files: what is accepted, what is refused and in which words, and how a value is judged."""

import pytest

from edgedl_lib.reproduce.ledger import COLUMNS, LedgerError, UnknownClaim, find_claim, load_claims, read_ledger
from tests.reproduce.mini import ledger_row, write_ledger


def read_one(tmp_path, **cells):
    write_ledger(tmp_path / "x.csv", ledger_row("a.b", **cells))
    return read_ledger(tmp_path / "x.csv")[0]


def test_row_becomes_claim_with_numbers_and_owner(tmp_path):
    claim = read_one(tmp_path)
    assert (claim.id, claim.reported, claim.low, claim.high, claim.notebook) == ("a.b", 2.0, 1.9, 2.1, "x")
    assert claim.banded and claim.enforced


@pytest.mark.parametrize(
    "cells, words",
    [
        (dict(low="abc"), "'abc' is not a number"),
        (dict(high="inf"), "not finite"),
        (dict(low="nan"), "not finite"),
        (dict(kind="guess"), "kind is 'guess'"),
        (dict(evidence="rumour"), "evidence is 'rumour'"),
        (dict(scale="huge"), "scale is 'huge'"),
        (dict(measurement="felt"), "measurement is 'felt'"),
        (dict(low="3", high="1"), "the band [3.0, 1.0] is empty"),
        (dict(rationale=""), "no rationale"),
        (dict(low="", high=""), "needs either a band"),
        (dict(not_run="no hardware"), "not both"),
        (dict(id="Upper.case"), "not a dotted slug"),
        (dict(id="nodot"), "not a dotted slug"),
    ],
)
def test_bad_cell_is_named_with_its_line(tmp_path, cells, words):
    with pytest.raises(LedgerError) as error:
        read_one(tmp_path, **cells)
    assert words in str(error.value) and "x.csv line 2" in str(error.value)


def test_missing_file_wrong_header_short_row_and_binary_are_refused(tmp_path):
    with pytest.raises(LedgerError, match="restore it from version control"):
        read_ledger(tmp_path / "absent.csv")
    (tmp_path / "x.csv").write_text("id,system\na.b,A\n")
    with pytest.raises(LedgerError, match="the header is"):
        read_ledger(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_text(",".join(COLUMNS) + "\na.b,A\n")
    with pytest.raises(LedgerError, match="2 cells; expected"):
        read_ledger(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LedgerError, match="not UTF-8"):
        read_ledger(tmp_path / "x.csv")


def test_repeated_id_is_refused_within_and_across_files(tmp_path):
    write_ledger(tmp_path / "x.csv", ledger_row("a.b"), ledger_row("a.b"))
    with pytest.raises(LedgerError, match="'a.b' stands on two rows"):
        load_claims(tmp_path)
    write_ledger(tmp_path / "x.csv", ledger_row("a.b"))
    write_ledger(tmp_path / "y.csv", ledger_row("a.b"))
    with pytest.raises(LedgerError, match="'a.b' stands on two rows"):
        load_claims(tmp_path)


def test_empty_folder_is_refused(tmp_path):
    with pytest.raises(LedgerError, match="no claims files"):
        load_claims(tmp_path)


def test_unknown_id_names_the_nearest(tmp_path):
    write_ledger(tmp_path / "x.csv", ledger_row("alpha.speed"))
    with pytest.raises(UnknownClaim, match="did you mean alpha.speed"):
        find_claim("alpha.sped", load_claims(tmp_path))


@pytest.mark.parametrize(
    "cells, value, verdict",
    [
        ({}, 2.0, "reproduced"),
        ({}, 1.9, "reproduced"),
        ({}, 2.2, "differs"),
        (dict(reported="40.7"), 2.0, "trend"),
        (dict(reported="", reported_low="1.95", reported_high="2.05"), 2.0, "reproduced"),
        (dict(reported="", reported_low="1", reported_high="2.05"), 2.0, "trend"),
        (dict(reported="", kind="trend", low="0.8", high=""), 7.0, "reproduced"),
        (dict(reported="", kind="trend", low="", high="0.8"), 0.9, "differs"),
    ],
)
def test_verdict(tmp_path, cells, value, verdict):
    assert read_one(tmp_path, **cells).verdict(value) == verdict


def test_recalled_figures_and_known_deviations_never_fail_a_run(tmp_path):
    assert not read_one(tmp_path, evidence="memory").enforced
    assert not read_one(tmp_path, differs_because="other hardware").enforced


def test_ledgers_of_the_book_are_sound_and_belong_to_notebooks():
    from tests.reproduce.mini import ROOT

    notebooks = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    claims = load_claims(ROOT / "data" / "claims").values()
    assert claims and {claim.notebook for claim in claims} <= notebooks
