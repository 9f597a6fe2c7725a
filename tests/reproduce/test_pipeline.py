"""The pipeline on a small project: what runs again, what survives an interruption, how failures are told."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from edgedl_lib.reproduce.collect import without_timings
from edgedl_lib.reproduce.dependencies import NotebookError
from edgedl_lib.reproduce.execute import check_parameters, check_run, execute
from edgedl_lib.reproduce.pipeline import PipelineBusy, Run, _only_run, run_pipeline
from tests.reproduce.mini import code_cell, ledger_row, write_ledger, write_notebook


def run(**options):
    """Run the pipeline up to the results; return its status, what it said, and the results."""
    screen = io.StringIO()
    order = Run(**{"target": "results", **options})
    status = run_pipeline(order, screen)
    results = order.folder / "results.json"
    return status, screen.getvalue(), json.loads(results.read_text()) if results.exists() else None


def executed(root):
    """When each executed notebook was written."""
    return {path.name[:5].rstrip("."): path.stat().st_mtime_ns for path in root.glob("build/quick/notebooks/*.ipynb")}


def rerun(root, **options):
    """Run again; return the names of the notebooks that were executed."""
    before = executed(root)
    status, text, _ = run(**options)
    assert status == 0, text
    return {name for name, stamp in executed(root).items() if before.get(name) != stamp}


def seconds_of_an_idle_run(root):
    begun = time.perf_counter()
    assert rerun(root) == set()
    return time.perf_counter() - begun


def later(path):
    """Touch a file so that its time is after everything that was built."""
    os.utime(path, (time.time() + 2, time.time() + 2))


def test_first_run_second_run_and_what_a_touched_file_runs_again(mini_project):
    status, text, results = run()
    assert status == 0, text
    assert results["schema"] == 1 and [row["status"] for row in results["notebooks"]] == ["ok", "ok"]
    claim = results["claims"][0]
    assert (claim["id"], claim["value"], claim["verdict"]) == ("alpha.two", 2.0, "reproduced")
    assert (
        "1 reproduced" in text
        and '<testcase classname="alpha" name="alpha.two"' in (mini_project / "build/quick/claims.xml").read_text()
    )

    assert min(seconds_of_an_idle_run(mini_project) for _ in range(3)) < 5

    (mini_project / "edgedl_lib/only_beta.py").write_text("VALUE = 3.0\n")
    assert rerun(mini_project) == {"beta"}
    (mini_project / "data/facts.csv").write_text("value\n3.0\n")
    assert rerun(mini_project) == {"alpha"}
    assert rerun(mini_project) == set()


def test_touched_module_that_both_import_runs_both_again(mini_project):
    run()
    later(mini_project / "edgedl_lib/__init__.py")
    assert rerun(mini_project) == {"alpha", "beta"}


def test_two_runs_with_one_seed_agree_apart_from_timings(mini_project):
    _, _, first = run()
    subprocess.run(["rm", "-rf", "build"], check=True)
    _, _, second = run()
    assert without_timings(first) == without_timings(second)


def test_seeds_are_taken_together(mini_project):
    write_notebook(
        mini_project / "notebooks/alpha.ipynb",
        code_cell("from edgedl_lib.reproduce import claim"),
        code_cell("claim('alpha.two', 1.95 + 0.05 * seed)"),
    )
    status, text, results = run(seeds=(0, 1, 2))
    row = results["claims"][0]
    assert status == 0, text
    assert row["seeds"] == [0, 1, 2] and row["value"] == pytest.approx(2.0)
    assert row["interval"] == pytest.approx([2 - 0.05 * 4.3027 / 3**0.5, 2 + 0.05 * 4.3027 / 3**0.5], rel=1e-4)


def test_failing_notebook_does_not_stop_the_other_and_is_told_once(mini_project):
    source = "text = 'before'\nraise RuntimeError('the roof fell in')"
    write_notebook(mini_project / "notebooks/alpha.ipynb", code_cell(source))
    status, text, results = run()
    assert status == 1
    assert set(executed(mini_project)) == {"beta"}
    assert text.count("the roof fell in") == 3  # in the source, in the traceback's excerpt, in its last line
    assert "alpha.seed-0 failed in cell 2" in text and "text = 'before'" in text
    assert {row["name"]: row["status"] for row in results["notebooks"]} == {"alpha": "failed", "beta": "ok"}
    assert results["claims"][0]["verdict"] == "not run" and "alpha failed" in results["claims"][0]["reason"]


def test_notebook_that_does_not_parse_is_told_and_does_not_stop_the_other(mini_project):
    write_notebook(mini_project / "notebooks/alpha.ipynb", code_cell("import edgedl_lib.("))
    status, text, _ = run()
    assert status == 1 and set(executed(mini_project)) == {"beta"}
    assert "alpha.seed-0: alpha.ipynb does not parse" in text and "claim " not in text
    assert run()[0] == 1


def test_claims_that_leave_their_band_or_are_never_recorded_fail_the_run(mini_project):
    ledger = mini_project / "data/claims/alpha.csv"
    write_ledger(ledger, ledger_row("alpha.two", low="2.5", high="3"), ledger_row("alpha.three"))
    status, text, _ = run()
    assert status == 1
    assert "claim alpha.two: measured 2 x, outside the band [2.5, 3]" in text
    assert "claim alpha.three: alpha never records it" in text
    assert run()[0] == 1, "a failed check must not pass the second time"
    write_ledger(ledger, ledger_row("alpha.two", low="2.5", high="3", differs_because="a smaller net"))
    assert run()[0] == 0


def test_claim_that_this_machine_cannot_measure_is_not_run_and_fails_nothing(mini_project):
    cells = "from edgedl_lib.reproduce import not_run", "not_run('alpha.two', 'no such instruction')"
    write_notebook(mini_project / "notebooks/alpha.ipynb", *map(code_cell, cells))
    status, text, results = run()
    assert status == 0, text
    assert (results["claims"][0]["verdict"], results["claims"][0]["reason"]) == ("not run", "no such instruction")


def test_claim_recorded_by_a_notebook_that_does_not_own_it_is_refused(mini_project):
    cells = code_cell("from edgedl_lib.reproduce import claim"), code_cell("claim('alpha.two', 2.0)")
    write_notebook(mini_project / "notebooks/beta.ipynb", *cells)
    status, text, _ = run()
    assert status == 1 and "alpha.two belongs to alpha but" in text


def slow_project(root):
    write_notebook(root / "notebooks/alpha.ipynb", code_cell("import time\ntime.sleep(60)"))


def start_and_wait_for_beta(root):
    command = [sys.executable, "-m", "edgedl_lib.reproduce.cli", "check", "--cores", "2"]
    process = subprocess.Popen(command, cwd=root, start_new_session=True, stdout=subprocess.PIPE, text=True)
    deadline = time.time() + 40
    while "beta" not in executed(root) and time.time() < deadline:
        time.sleep(0.1)
    assert "beta" in executed(root), "the quick notebook should have finished"
    return process


def quicken(root):
    write_notebook(
        root / "notebooks/alpha.ipynb",
        code_cell("from edgedl_lib.reproduce import claim"),
        code_cell("claim('alpha.two', 2.0)"),
    )


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_run_keeps_what_is_finished_and_nothing_half_written(mini_project, sent):
    slow_project(mini_project)
    process = start_and_wait_for_beta(mini_project)
    os.killpg(process.pid, sent)
    process.wait(timeout=30)
    assert set(executed(mini_project)) == {"beta"}
    quicken(mini_project)
    assert rerun(mini_project) == {"alpha"}


def test_killed_kernel_fails_its_notebook_only(mini_project):
    write_notebook(mini_project / "notebooks/alpha.ipynb", code_cell("import os\nos.kill(os.getpid(), 9)"))
    status, text, _ = run()
    assert status == 1 and set(executed(mini_project)) == {"beta"}
    assert "alpha.seed-0" in text and "kernel died" in text


def test_second_run_in_one_folder_is_refused(tmp_path):
    with _only_run(tmp_path), pytest.raises(PipelineBusy, match="another run works in"), _only_run(tmp_path):
        pass


@pytest.mark.parametrize("profile, seeds, words", [
    ("fast", [0], "unknown profile 'fast'; expected one of quick, paper"),
    ("quick", [], "distinct non-negative"),
    ("quick", [-1], r"the seeds are \[-1\]"),
    ("quick", [1, 1], "distinct"),
])  # fmt: skip
def test_bad_profile_or_seeds(profile, seeds, words):
    with pytest.raises(ValueError, match=words):
        check_run(profile, seeds)


def test_unknown_parameter_is_refused_before_anything_runs(mini_project):
    notebook, target = mini_project / "notebooks/alpha.ipynb", mini_project / "out/notebooks/alpha.ipynb"
    with pytest.raises(NotebookError, match="alpha.ipynb has no parameter 'speed'.*profile, seed"):
        check_parameters(notebook, {"speed": 3})
    with pytest.raises(NotebookError):
        execute(notebook, target, "quick", 0, {"speed": 3})
    assert not target.exists()


@pytest.mark.parametrize("text, words", [(None, "cannot read"), ("{", "is not a notebook"), ("[]", "has no cells")])
def test_broken_notebook_file(tmp_path, text, words):
    path = tmp_path / "x.ipynb"
    if text is not None:
        path.write_text(text)
    with pytest.raises(NotebookError, match=words):
        check_parameters(path, {})


@pytest.mark.parametrize("arguments, words", [
    (["--profile", "fast"], "unknown profile 'fast'"),
    (["--seeds", "one"], "the seeds are 'one'; expected integers"),
])  # fmt: skip
def test_command_line_answers_in_one_sentence(mini_project, arguments, words):
    command = [sys.executable, "-m", "edgedl_lib.reproduce.cli", "check", *arguments]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 2 and words in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
