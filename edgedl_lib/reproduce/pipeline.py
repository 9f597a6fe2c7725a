"""Running the whole pipeline from one command: Snakemake underneath, progress on a terminal, one summary at the end."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from .collect import collect
from .dependencies import NotebookError, fingerprint, read_notebook
from .execute import check_run
from .failures import describe_failures
from .ledger import VERDICTS
from .project import project_root


class PipelineBusy(RuntimeError):
    """Another run works in the same build folder."""


@dataclass(frozen=True)
class Run:
    """What to run: the profile, the seeds, the number of cores, whether the book shows solutions, and how far to go.

    ``target`` is a rule of the Snakefile: ``book``, or ``results`` to check every claim without building pages.
    """

    profile: str = "quick"
    seeds: tuple[int, ...] = (0,)
    cores: int = 0
    solutions: bool = True
    target: str = "book"

    @property
    def folder(self) -> Path:
        """Where everything that the run makes lies."""
        return project_root() / "build" / self.profile


def run_pipeline(run: Run, screen: TextIO = sys.stdout) -> int:
    """Execute, check and build everything that is out of date; return the exit status.

    Parameters
    ----------
    run : Run
        What to run.
    screen : TextIO
        Where progress (on a terminal only) and the summary go.

    Raises
    ------
    ValueError
        For an unknown profile or bad seeds.
    PipelineBusy
        If another run holds the build folder.
    """
    check_run(run.profile, list(run.seeds))
    run.folder.mkdir(parents=True, exist_ok=True)
    with _only_run(run.folder):
        begun = time.time()
        _forget_failures(run.folder)
        _discard_stale(run)
        (run.folder / "started").write_text(str(begun))
        status = _snakemake(run, screen)
        if status == -signal.SIGINT:
            print("interrupted; finished notebooks are kept, the same command goes on from here", file=screen)
            return 130
        if status:
            _explain(run, begun, screen)
        _summary(run, time.time() - begun, status, screen)
    return 1 if status else 0


@contextmanager
def _only_run(folder: Path) -> Iterator[None]:
    """Hold the build folder; the system lets go of it even if this process is killed."""
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise PipelineBusy(f"another run works in {folder}; wait for it, or stop it first") from None
        yield


def _forget_failures(folder: Path) -> None:
    for name in ("failed", "progress"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _discard_stale(run: Run) -> None:
    """Remove executed notebooks whose contents, library, data or parameters are no longer today's.

    Outputs are written in one step, so what exists is whole: its own fingerprint decides, also after a killed run.
    """
    root = project_root()
    for path in (run.folder / "notebooks").glob("*.seed-*.ipynb"):
        name, seed = path.stem.rsplit(".seed-", 1)
        source = root / "notebooks" / f"{name}.ipynb"
        recorded = read_notebook(path)["metadata"].get("edgedl_run", {}).get("fingerprint")
        try:
            current = fingerprint(source, root, profile=run.profile, seed=int(seed))
        except NotebookError:
            current = None
        if recorded != current:
            path.unlink()
    if not (run.folder / "html" / "index.html").is_file():
        (run.folder / "built").unlink(missing_ok=True)


def snakemake_command(run: Run) -> list[str]:
    """Return the Snakemake call that the pipeline amounts to."""
    seeds = " ".join(map(str, run.seeds))
    command = [sys.executable, "-m", "snakemake", run.target, "--snakefile", str(project_root() / "Snakefile")]
    command += ["--cores", str(run.cores or os.cpu_count() or 1), "--keep-going", "--ignore-incomplete", "--nolock"]
    command += ["--rerun-triggers", "mtime", "params", "input", "--max-checksum-file-size", "0"]
    command += ["--quiet", "rules", "progress", "reason", "host"]
    return [*command, "--config", f"profile={run.profile}", f"seeds={seeds}", f"solutions={_yes_or_no(run.solutions)}"]


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def _snakemake(run: Run, screen: TextIO) -> int:
    with open(run.folder / "snakemake.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(snakemake_command(run), stdout=log, stderr=subprocess.STDOUT, cwd=project_root())
        try:
            while process.poll() is None:
                _show_progress(run, screen)
                time.sleep(0.2)
        except KeyboardInterrupt:
            process.wait()
            return -signal.SIGINT
        finally:
            _clear_line(screen)
    return process.returncode


def _show_progress(run: Run, screen: TextIO) -> None:
    """One line, rewritten in place: notebooks done of total and the current cells.  Nothing if nobody watches."""
    if not screen.isatty():
        return
    total = len(list((project_root() / "notebooks").glob("*.ipynb"))) * len(run.seeds)
    done = len(list((run.folder / "notebooks").glob("*.ipynb")))
    current = [text for path in sorted((run.folder / "progress").glob("*.json")) if (text := _current(path))]
    otherwise = "starting" if done < total else "collecting and building"
    line = f"notebooks {min(done, total)}/{total}  {'; '.join(current) or otherwise}"
    width = shutil.get_terminal_size().columns - 1
    screen.write(f"\r\033[K{line[:width]}")
    screen.flush()


def _current(path: Path) -> str:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return f"{path.stem} cell {state['cell'] + 1}/{state['cells']}"


def _clear_line(screen: TextIO) -> None:
    if screen.isatty():
        screen.write("\r\033[K")
        screen.flush()


def _explain(run: Run, begun: float, screen: TextIO) -> None:
    """Say once what failed: cells with their tracebacks, claims that left their band, or what the builder said."""
    failures = describe_failures(run.folder)
    try:
        outcome = collect(run.profile, list(run.seeds), started=begun)
        (run.folder / "checked").unlink(missing_ok=True)  # so that the next run does not build on these results
        failed = {f"{row['name']} failed" for row in outcome["notebooks"] if row["status"] == "failed"}
        claims = [f"claim {name}: {reason}" for name, reason in outcome["failures"] if reason not in failed]
    except ValueError as error:
        claims = [str(error)]
    if not failures and not claims:
        claims = _last_words((run.folder / "snakemake.log").read_text(encoding="utf-8"))
    print("\n".join([*failures, *claims]), file=screen)


def _last_words(log: str) -> list[str]:
    """What a job said of its failure; failing that, the end of Snakemake's log."""
    _, found, words = log.partition("\nedgedl: ")
    if found:
        return [words.partition("\nRuleException")[0].strip()]
    return ["the pipeline stopped:", *log.strip().splitlines()[-40:]]


def _summary(run: Run, seconds: float, status: int, screen: TextIO) -> None:
    results = run.folder / "results.json"
    if not results.is_file():
        return
    content = json.loads(results.read_text(encoding="utf-8"))
    verdicts = Counter(row["verdict"] for row in content["claims"])
    begun = float((run.folder / "started").read_text())
    ran = sum(1 for path in (run.folder / "notebooks").glob("*.ipynb") if path.stat().st_mtime >= begun)
    failed = sum(row["status"] == "failed" for row in content["notebooks"])
    page = run.folder / "html" / "index.html"
    book = page if page.is_file() else "none yet"
    lines = [
        f"profile    {run.profile}, seeds {' '.join(map(str, run.seeds))}",
        f"notebooks  {len(content['notebooks'])}: {ran} executed, {failed} failed, "
        f"{len(content['notebooks']) - ran - failed} reused",
        f"claims     {len(content['claims'])}: " + ", ".join(f"{verdicts[name]} {name}" for name in VERDICTS),
        f"time       {seconds:.1f} s",
        f"book       {book}" + (" (not replaced)" if status and page.is_file() else ""),
    ]
    print("\n".join(lines), file=screen)
