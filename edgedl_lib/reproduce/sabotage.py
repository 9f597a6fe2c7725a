"""Wrong methods on purpose: every claim has one, and its value must fall outside the claim's band."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sabotage:
    """A wrong method and the claims that must catch it."""

    claims: tuple[str, ...]
    method: Callable[[], object]

    def values(self) -> dict[str, float]:
        """Run the wrong method: a mapping from claim id to value.

        Raises
        ------
        ValueError
            If the method answers with other ids than it was registered for.
        """
        result = self.method()
        values = result if isinstance(result, dict) else dict.fromkeys(self.claims, result)
        if set(values) != set(self.claims):
            raise ValueError(
                f"{self.method.__name__} answered for {sorted(values)}; registered for {sorted(self.claims)}"
            )
        return values


_registry: list[Sabotage] = []


def sabotage(*claims: str) -> Callable:
    """Register a wrong method for the named claims; it returns one value, or a mapping from id to value."""
    if not claims or not all(isinstance(name, str) for name in claims):
        raise ValueError("sabotage needs the ids of the claims it attacks: @sabotage('neurosurgeon.best_cut')")

    def register(method: Callable[[], object]) -> Callable[[], object]:
        _registry.append(Sabotage(claims, method))
        return method

    return register


def load_sabotage(folder: Path) -> list[Sabotage]:
    """Import every ``sabotage_*.py`` of ``folder`` and return what they registered."""
    _registry.clear()
    for path in sorted(folder.glob("sabotage_*.py")):
        spec = importlib.util.spec_from_file_location(f"edgedl_tests_{path.stem}", path)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return list(_registry)
