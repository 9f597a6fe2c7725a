"""Collecting claims: reading executed notebooks, judging every claim, and writing ``results.json`` and JUnit XML."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from .dependencies import read_notebook
from .ledger import Claim, load_claims
from .project import project_root
from .record import MIME, format_number

SCHEMA = 1


class CollectError(ValueError):
    """Executed notebooks that contradict the ledger or each other."""


@dataclass(frozen=True)
class Measurement:
    """One recorded value, by which notebook, cell and seed; ``None`` with a reason where it could not be measured."""

    notebook: str
    seed: int
    cell: str
    value: float | None
    interval: tuple[float, float] | None
    reason: str = ""


@dataclass(frozen=True)
class Result:
    """One line of ``results.json``: a claim, what we measured, and the verdict.  ``failure`` stays out of the file."""

    id: str
    notebook: str
    cell: str | None
    seeds: list[int]
    value: float | None
    interval: list[float] | None
    reported: float | None
    low: float | None
    high: float | None
    unit: str
    scale: str
    verdict: str
    reason: str
    measurement: str
    failure: str


def read_measurements(path: Path, notebook: str, seed: int) -> dict[str, Measurement]:
    """Return what one executed notebook recorded, by claim id.

    Raises
    ------
    CollectError
        If two cells record one claim.
    """
    found: dict[str, Measurement] = {}
    for cell in read_notebook(path)["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {}).get(MIME)
            if data is None:
                continue
            if data["id"] in found:
                raise CollectError(f"{notebook}: {data['id']} is recorded twice; record each claim in one cell only")
            interval = tuple(data["interval"]) if data.get("interval") else None
            found[data["id"]] = Measurement(
                notebook, seed, cell.get("id", ""), data["value"], interval, data.get("reason", "")
            )
    return found


def mean_and_interval(values: list[float]) -> tuple[float, tuple[float, float] | None]:
    """Return the mean over seeds and its 95 % interval by Student's t; no interval where all values agree.

    >>> mean_and_interval([2.0, 2.0])
    (2.0, None)
    """
    if len(set(values)) == 1:
        return values[0], None
    from edgedl_lib.system.estimate import estimate  # here: most commands judge nothing and need not wait for it

    result = estimate(values)
    return result.mean, result.interval


def judge(claim: Claim, measurements: list[Measurement], problem: str = "") -> Result:
    """Judge one claim by its measurements, one for each seed.

    ``problem`` says why there are none, if their notebook failed.
    """
    blank = Result(
        claim.id,
        claim.notebook,
        None,
        [],
        None,
        None,
        claim.reported,
        claim.low,
        claim.high,
        claim.unit,
        claim.scale,
        "not run",
        claim.not_run,
        claim.measurement,
        "",
    )
    if claim.not_run:
        return blank
    if not measurements:
        reason = problem or f"{claim.notebook} never records it"
        return replace(blank, reason=reason, failure=reason)
    without = [m for m in measurements if m.value is None]
    if without:
        return replace(blank, cell=without[0].cell, reason=without[0].reason)
    value, interval = mean_and_interval([m.value for m in measurements])
    if len(measurements) == 1:
        interval = measurements[0].interval
    verdict = claim.verdict(value)
    measured = replace(
        blank,
        cell=measurements[0].cell,
        seeds=[m.seed for m in measurements],
        value=value,
        interval=list(interval) if interval else None,
        verdict=verdict,
    )
    return _with_reason(claim, measured)


def _with_reason(claim: Claim, result: Result) -> Result:
    if result.verdict != "differs":
        return result
    if claim.differs_because:
        return replace(result, reason=claim.differs_because)
    band = f"[{_bound(claim.low, '-∞')}, {_bound(claim.high, '∞')}]"
    reason = f"measured {format_number(result.value)} {claim.unit}, outside the band {band}"
    return replace(result, reason=reason, failure=reason if claim.enforced else "")


def _bound(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else format_number(value)


def collect(profile: str, seeds: list[int], *, root: Path | None = None, started: float | None = None) -> dict:
    """Read the executed notebooks of a profile and write ``results.json`` and ``claims.xml``.

    Parameters
    ----------
    profile : str
        Whose executed notebooks to read.
    seeds : list of int
        Which seeds to take together.
    root : Path, optional
        The checkout.
    started : float, optional
        When the run began (Unix time); notebooks finished before are called reused.

    Returns
    -------
    dict
        What was written, plus ``"failures"``: a list of (claim id, reason).
    """
    root = root or project_root()
    folder, begun = root / "build" / profile, started or time.time()
    claims = load_claims(root / "data" / "claims")
    names = sorted(path.stem for path in (root / "notebooks").glob("*.ipynb"))
    runs = [_notebook_run(folder, name, seed, begun) for name in names for seed in seeds]
    recorded = _all_measurements(folder, names, seeds)
    _check_owners(recorded, claims)
    failed = {run["name"] for run in runs if run["status"] == "failed"}
    results = [
        judge(claim, recorded.get(claim.id, []), f"{claim.notebook} failed" if claim.notebook in failed else "")
        for claim in claims.values()
        if claim.notebook in names
    ]
    content = {"schema": SCHEMA, "profile": profile, "started": begun, "finished": time.time(), "notebooks": runs}
    content["claims"] = [{k: v for k, v in asdict(result).items() if k != "failure"} for result in results]
    _write(folder / "results.json", json.dumps(content, indent=1, ensure_ascii=False))
    _write(folder / "claims.xml", junit(results))
    return {**content, "failures": [(result.id, result.failure) for result in results if result.failure]}


def _executed(folder: Path, name: str, seed: int) -> Path:
    return folder / "notebooks" / f"{name}.seed-{seed}.ipynb"


def _all_measurements(folder: Path, names: list[str], seeds: list[int]) -> dict[str, list[Measurement]]:
    """Measurements by claim id, over all notebooks and seeds that were executed."""
    recorded: dict[str, list[Measurement]] = {}
    for name in names:
        for seed in seeds:
            path = _executed(folder, name, seed)
            for identifier, found in (read_measurements(path, name, seed) if path.is_file() else {}).items():
                recorded.setdefault(identifier, []).append(found)
    return recorded


def _notebook_run(folder: Path, name: str, seed: int, started: float) -> dict:
    path = _executed(folder, name, seed)
    if not path.is_file():
        return {"name": name, "seed": seed, "status": "failed", "seconds": None, "peak_memory_bytes": None}
    run = read_notebook(path)["metadata"].get("edgedl_run", {})
    status = "ok" if run.get("finished", 0) >= started else "reused"
    return {
        "name": name,
        "seed": seed,
        "status": status,
        "seconds": run.get("seconds"),
        "peak_memory_bytes": run.get("peak_memory_bytes"),
    }


def _check_owners(recorded: dict[str, list[Measurement]], claims: dict[str, Claim]) -> None:
    for identifier, measurements in recorded.items():
        owners = {measurement.notebook for measurement in measurements}
        if identifier not in claims:
            raise CollectError(
                f"{owners.pop()} records {identifier}, which no ledger holds; add its row or drop the cell"
            )
        if owners != {claims[identifier].notebook}:
            raise CollectError(
                f"{identifier} belongs to {claims[identifier].notebook} but {', '.join(sorted(owners))} records it"
            )


def junit(results: list[Result]) -> str:
    """Write results as JUnit XML, one test a claim: ``not run`` is skipped, an unexplained ``differs`` fails."""
    suite = ElementTree.Element(
        "testsuite",
        name="claims",
        tests=str(len(results)),
        errors="0",
        failures=str(sum(bool(r.failure) for r in results)),
        skipped=str(sum(r.verdict == "not run" and not r.failure for r in results)),
    )
    for result in results:
        case = ElementTree.SubElement(suite, "testcase", classname=result.notebook, name=result.id)
        if result.failure:
            ElementTree.SubElement(case, "failure", message=result.failure)
        elif result.verdict == "not run":
            ElementTree.SubElement(case, "skipped", message=result.reason)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(path.suffix + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def without_timings(results: dict) -> dict:
    """Return results without what may differ between two runs with one seed: clock times and clocked figures."""
    volatile = {"value", "interval", "reason"}
    claims = [
        {k: v for k, v in row.items() if row["measurement"] != "timed" or k not in volatile}
        for row in results["claims"]
    ]
    notebooks = [{"name": run["name"], "seed": run["seed"]} for run in results["notebooks"]]
    return {"schema": results["schema"], "profile": results["profile"], "notebooks": notebooks, "claims": claims}


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the pipeline's ``results`` rule."""
    parser = argparse.ArgumentParser(prog="python -m edgedl_lib.reproduce.collect", description=main.__doc__)
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args(arguments)
    started = read_start(options.profile)
    try:
        outcome = collect(options.profile, options.seeds, started=started)
    except ValueError as error:
        print(f"edgedl: {error}", file=sys.stderr)
        return 2
    return 1 if outcome["failures"] else 0


def read_start(profile: str) -> float | None:
    """When the run that is going on began, if the driver left word of it."""
    path = project_root() / "build" / profile / "started"
    return float(path.read_text()) if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
