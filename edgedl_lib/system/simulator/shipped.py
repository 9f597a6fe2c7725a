"""The scenario files that come with the repository, by name."""

from __future__ import annotations

from pathlib import Path

from edgedl_lib.system.simulator.scenario import Scenario, load_scenario

FOLDER = Path(__file__).resolve().parents[3] / "data" / "scenarios"

FILES = {
    "integral": "integral.toml",
    "partial": "partial.toml",
    "vertical": "vertical.toml",
    "horizontal": "horizontal.toml",
    "contention": "contention.toml",
    "queue": "queue.toml",
}


def shipped_names() -> tuple[str, ...]:
    """Names of the scenario files."""
    return tuple(FILES)


def shipped_path(name: str) -> Path:
    """Where the file of that name lies.

    Raises
    ------
    KeyError
        If there is no such file.
    """
    if name not in FILES:
        raise KeyError(f"no scenario {name!r} comes with the repository: there are {', '.join(FILES)}")
    return FOLDER / FILES[name]


def shipped_scenario(name: str) -> Scenario:
    """One of the scenarios that come with the repository.

    Examples
    --------
    >>> shipped_scenario("integral")["wifi"].rate
    20000000.0
    """
    return load_scenario(shipped_path(name))
