"""Executing one notebook with papermill: checked parameters, visible progress, an output that is whole or absent."""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from .dependencies import NotebookError, fingerprint, read_notebook
from .project import project_root

PROFILES = ("quick", "paper")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
CELL_TIMEOUT = {"quick": 300, "paper": None}
"""Seconds that one cell may take before the run is given up."""


def check_run(profile: str, seeds: list[int]) -> None:
    """Refuse a profile that does not exist and seeds that are not distinct non-negative integers.

    Raises
    ------
    ValueError
        Naming the value and what was expected.
    """
    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile!r}; expected one of {', '.join(PROFILES)}")
    if not seeds or any(seed < 0 for seed in seeds) or len(set(seeds)) != len(seeds):
        raise ValueError(f'the seeds are {seeds}; expected distinct non-negative integers, for instance SEEDS="0 1 2"')


def check_parameters(notebook: Path, parameters: dict) -> None:
    """Refuse parameters that the notebook does not have: papermill would only print a line and go on.

    Raises
    ------
    NotebookError
        If the notebook has no cell tagged ``parameters`` or lacks one of the names.
    """
    import papermill

    read_notebook(notebook)
    known = papermill.inspect_notebook(str(notebook))
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise NotebookError(
            f"{notebook.name} has no parameter {unknown[0]!r}; its cell tagged 'parameters' knows "
            f"{', '.join(known) or 'none'}"
        )


def execute(notebook: Path, target: Path, profile: str, seed: int, knobs: dict | None = None) -> Path:
    """Execute ``notebook`` and write it, outputs included, to ``target`` in one step.

    Parameters
    ----------
    notebook, target : Path
        Source and executed notebook.
    profile : {"quick", "paper"}
        Handed to the notebook.
    seed : int
        Handed to the notebook.
    knobs : dict, optional
        Further parameters of this notebook.

    Raises
    ------
    papermill.PapermillExecutionError
        If a cell fails; the partial notebook is then kept in the folder ``failed`` beside that of ``target``.
    NotebookError, ValueError
        For bad parameters; nothing is executed.
    """
    check_run(profile, [seed])
    parameters = {"profile": profile, "seed": seed, **(knobs or {})}
    identity = fingerprint(notebook, project_root(), profile=profile, seed=seed)
    check_parameters(notebook, parameters)
    partial = target.parent.parent / "failed" / target.name
    partial.parent.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    progress = Progress(target.parent.parent / "progress" / f"{target.stem}.json")
    begun = time.time()
    try:
        _papermill(notebook, partial, parameters, progress)
    finally:
        progress.close()
    _stamp(partial, identity, profile, seed, begun)
    os.replace(partial, target)
    return target


def _papermill(notebook: Path, partial: Path, parameters: dict, progress: Progress) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError

    _kernel_environment()
    options = dict(
        parameters=parameters,
        kernel_name="python3",
        engine_name="edgedl",
        progress_bar=False,
        cwd=str(project_root()),
        execution_timeout=CELL_TIMEOUT[parameters["profile"]],
        progress=progress,
    )
    with tempfile.TemporaryDirectory(prefix="edgedl-") as sockets:
        _register_engine(sockets)
        try:
            papermill.execute_notebook(str(notebook), str(partial), **options)
        except (DeadKernelError, RuntimeError):
            if progress.cell > 0:
                raise
            papermill.execute_notebook(str(notebook), str(partial), **options)


def _kernel_environment() -> None:
    """One thread a kernel, a fixed hash seed, and the strict rule that a claim is recorded once."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    os.environ.update(PYTHONHASHSEED="0", EDGEDL_BATCH="1", EDGEDL_ROOT=str(project_root()))


def _stamp(path: Path, identity: str, profile: str, seed: int, begun: float) -> None:
    content = read_notebook(path)
    content["metadata"]["edgedl_run"] = {
        "profile": profile,
        "seed": seed,
        "seconds": round(time.time() - begun, 2),
        "finished": time.time(),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        "fingerprint": identity,
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


class Progress:
    """A small file that says which cell is running; whoever shows progress reads it."""

    def __init__(self, path: Path):
        self.path, self.cell = path, 0
        path.parent.mkdir(parents=True, exist_ok=True)

    def at(self, cell: int, cells: int) -> None:
        """Say that the run has reached ``cell`` of ``cells``."""
        self.cell = cell
        self.path.write_text(json.dumps({"cell": cell, "cells": cells}), encoding="utf-8")

    def close(self) -> None:
        """Take the file away."""
        self.path.unlink(missing_ok=True)


def _register_engine(sockets: str) -> None:
    """Add our engine to papermill: it reports the current cell and talks to its kernel over IPC where there is IPC.

    Kernels that start at the same moment collide on TCP ports; sockets in a folder of their own do not.
    """
    from jupyter_client.manager import AsyncKernelManager
    from papermill.engines import NBClientEngine, papermill_engines

    class IPCKernelManager(AsyncKernelManager):
        transport = "ipc"
        ip = str(Path(sockets, "kernel"))

    class ProgressEngine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, *, progress, **options):
            start, cells = nb_man.cell_start, len(nb_man.nb.cells)

            def cell_start(cell, cell_index=None, **kwargs):
                progress.at(cell_index if cell_index is not None else progress.cell, cells)
                return start(cell, cell_index, **kwargs)

            nb_man.cell_start = cell_start
            if os.name == "posix":
                options["kernel_manager_class"] = IPCKernelManager
            return super().execute_managed_notebook(nb_man, kernel_name, **options)

    papermill_engines.register("edgedl", ProgressEngine)


def main(arguments: list[str] | None = None) -> int:
    """Entry point of one pipeline job."""
    parser = argparse.ArgumentParser(prog="python -m edgedl_lib.reproduce.execute", description=main.__doc__)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        execute(options.notebook.resolve(), options.target.resolve(), options.profile, options.seed)
    except Exception as error:
        _leave_word(options.target, error)
        print(f"edgedl: {options.notebook.name} failed: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _leave_word(target: Path, error: Exception) -> None:
    """If nothing of the notebook ran, what is to be told at the end is the error itself."""
    folder = target.resolve().parent.parent / "failed"
    if not (folder / target.name).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{target.stem}.txt").write_text(str(error), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
