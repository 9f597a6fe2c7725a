"""The same applications elsewhere: on Flower's simulation engine, and as separate programs with TLS and keys."""

from __future__ import annotations

from edgedl_lib.training.deployment.job import Job
from edgedl_lib.training.history import History

__all__ = ["Job", "run"]


def run(task, strategy, rounds: int, *, engine: str, **settings) -> History:
    """One job on ``"ray"`` or on a ``"deployment"`` that is started for it and stopped afterwards."""
    job = Job(task, strategy, rounds, settings)
    if engine == "ray":
        from edgedl_lib.training.deployment.simulation import simulate

        return simulate(job).history
    if engine == "deployment":
        from edgedl_lib.training.deployment.superlink import Deployment

        with Deployment(job.clients) as deployment:
            return deployment.run(job).history
    raise ValueError(f"unknown engine {engine!r}; choose 'ray' or 'deployment'")
