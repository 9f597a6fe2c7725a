"""What Edgent is compared with: one freedom, or none, instead of two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgedl_lib.inference.early_exit.edgent.optimiser import Choices, ExitCosts, choose, split_latency

ALL_SPLITS, ON_DEVICE, ON_EDGE = "all", "device", "edge"

#: Policy: which exits, and which splits of each, it may choose from.
POLICIES = {
    "Edgent": ("every", ALL_SPLITS),
    "device only": ("last", ON_DEVICE),
    "edge only": ("last", ON_EDGE),
    "partition only": ("last", ALL_SPLITS),
    "right-sizing only": ("every", ON_DEVICE),
}
BASELINES = tuple(name for name in POLICIES if name != "Edgent")


def policy_tables(policy: str, exits: Sequence[ExitCosts], rates, **options) -> list[np.ndarray]:
    """Latency (R, N_i + 1) of every exit in s, infinite where the policy may not go; options as of `split_latency`.

    Raises
    ------
    ValueError
        If the policy is unknown.
    """
    if policy not in POLICIES:
        raise ValueError(f"policy {policy!r} is unknown: use one of {', '.join(POLICIES)}")
    kept, splits = POLICIES[policy]
    column = _column(splits, options.get("direction", "server-first"))
    tables = [_only(split_latency(each, rates, **options), column) for each in exits]
    if kept == "last":
        tables[:-1] = [np.full_like(table, np.inf) for table in tables[:-1]]
    return tables


def policy_choices(policy: str, exits: Sequence[ExitCosts], rates, deadlines, **options) -> Choices:
    """What a policy chooses in every cell of the grid.

    Parameters
    ----------
    policy : one of :data:`POLICIES`
    exits : M exits, the whole network last
    rates, deadlines : (R,) bit/s, (L,) s
    """
    tables = policy_tables(policy, exits, rates, **options)
    return choose(tables, [each.accuracy for each in exits], rates, deadlines)


def _column(splits: str, direction: str) -> int | None:
    """Column of the only split allowed: 0 layers on the first side, or all of them; None allows every split."""
    if splits == ALL_SPLITS:
        return None
    first_side = ON_EDGE if direction == "server-first" else ON_DEVICE
    return -1 if splits == first_side else 0


def _only(table: np.ndarray, column: int | None) -> np.ndarray:
    if column is None:
        return table
    allowed = np.full_like(table, np.inf)
    allowed[:, column] = table[:, column]
    return allowed
