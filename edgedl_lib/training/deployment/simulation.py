"""Flower's simulation engine on Ray: one job in a process of its own, because Ray can be started only once in each.

``python -m edgedl_lib.training.deployment.simulation JOB`` runs the job of a file and writes the answer beside it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from edgedl_lib.training.deployment.job import Answer, Job, JobServer, answer_path, client_of, read_answer, read_job
from edgedl_lib.training.deployment.programs import ProgramFailed, finish

CPUS = 2  # of Ray; each client takes one


def simulate(job: Job, *, cpus: int = CPUS) -> Answer:
    """Run a job on Ray.

    Raises
    ------
    RunFailed
        The job itself failed.
    ProgramFailed
        Ray or Flower failed, or took too long; the message holds the end of the log.
    ModuleNotFoundError
        Ray is not installed.
    """
    require_ray()
    with tempfile.TemporaryDirectory(prefix="edgedl-ray-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        path = job.write(folder / "job.pickle")
        command = [sys.executable, "-m", __name__, str(path), str(cpus)]
        environment = {"FLWR_HOME": str(folder / "home"), "RAY_TMPDIR": str(folder)}
        try:
            said = finish("ray", command, folder, environment=environment, seconds=job.limit)
        except ProgramFailed:
            if answer_path(path).exists():
                return read_answer(path)
            raise
        if not answer_path(path).exists():
            raise ProgramFailed(f"the simulation ended without an answer; its log ends with {said[-2000:]}")
        return read_answer(path)


def require_ray() -> None:
    """Say what is missing before anything is started."""
    try:
        import ray  # noqa: F401
    except ModuleNotFoundError:
        remedy = "pip install 'flwr[simulation]', or use the in-process engine, which needs nothing"
        raise ModuleNotFoundError(f"Flower's simulation engine needs ray, which is not installed: {remedy}") from None


def main(path: str, cpus: int) -> None:
    """Start Ray, hold the rounds, stop Ray."""
    from flwr.simulation import run_simulation  # only here: whoever does not simulate need not load it

    job = read_job(path)
    backend = {
        "init_args": {"num_cpus": cpus, "include_dashboard": False, "log_to_driver": False},
        "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
    }
    run_simulation(JobServer(path), client_of(job), num_supernodes=job.clients, backend_config=backend)


if __name__ == "__main__":
    os.environ.setdefault("RAY_DISABLE_IMPORT_WARNING", "1")
    main(sys.argv[1], int(sys.argv[2]))
