"""Who answers for which image: the fog node where it is sure enough, else the server; and what that is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgedl_lib.inference.early_exit.criteria import largest_probability
from edgedl_lib.inference.early_exit.inspection.images import OK, RAW_BYTES, Tiles
from edgedl_lib.inference.early_exit.inspection.network import RESULT_BYTES, ExitOutputs, feature_bytes

NEVER = 1.01  # a threshold above every probability: no image leaves early
POLICIES = ("server only", "fog only", "split")


@dataclass(frozen=True)
class Inspection:
    """What was answered for n tiles, and by whom.

    Attributes
    ----------
    outputs : Tensor, shape (n, 6), of the exit that answered
    at_fog : Tensor, shape (n,), bool: answered by the fog node
    sent_bytes : Tensor, shape (n,), over the shared uplink
    """

    outputs: Tensor
    at_fog: Tensor
    sent_bytes: Tensor

    @property
    def kinds(self) -> Tensor:
        """Answered type, (n,)."""
        return self.outputs[:, :-1].argmax(dim=1)

    @property
    def exit_ratio(self) -> float:
        """Share of the tiles that the fog node answered."""
        return float(self.at_fog.double().mean())

    @property
    def bytes_per_image(self) -> float:
        """Mean bytes over the shared uplink."""
        return float(self.sent_bytes.double().mean())

    def accuracy(self, tiles: Tiles) -> float:
        """Share of the types that are right, in [0, 1]."""
        return float((self.kinds == tiles.kinds).double().mean())

    def degree_error(self, tiles: Tiles) -> float:
        """Root mean square error of the degree, over the defects whose type is right; "ok" tiles have no degree.

        Raises
        ------
        ValueError
            If no defect was typed correctly.
        """
        rows = (self.kinds == tiles.kinds) & (tiles.kinds != OK)
        if not rows.any():
            raise ValueError("no defect was typed correctly: there is no degree to judge")
        return float((self.outputs[rows, -1] - tiles.degrees[rows]).double().square().mean().sqrt())


def inspect(outputs: ExitOutputs, policy: str, threshold: float = NEVER) -> Inspection:
    """Answer every tile under a policy.

    Parameters
    ----------
    outputs : of both exits
    policy : "server only" (raw pictures go up), "fog only", or "split" (feature maps of unsure tiles go up)
    threshold : for "split": the fog answers when its largest probability is at least this; above 1 never

    Raises
    ------
    ValueError
        If the policy is unknown, or the threshold negative or NaN.
    """
    if policy not in POLICIES:
        raise ValueError(f"policy {policy!r} is unknown: use one of {', '.join(POLICIES)}")
    if not threshold >= 0:
        raise ValueError(f"threshold {threshold} must be at least 0; above 1 nothing leaves early")
    if policy == "server only":
        return _answered(outputs.fog, outputs.whole, torch.zeros(len(outputs.fog), dtype=torch.bool), RAW_BYTES)
    sure = largest_probability(outputs.fog[:, :-1]) >= (0.0 if policy == "fog only" else threshold)
    return _answered(outputs.fog, outputs.server, sure, feature_bytes())


def choose_threshold(outputs: ExitOutputs, tiles: Tiles, tolerance: float = 0.005) -> float:
    """Lowered from "never" as long as the split stays within `tolerance` of the accuracy of never leaving early.

    The search stops at the first threshold that loses more: a lower one that happens to look well again is luck.  Use
    validation tiles; a threshold chosen on the test tiles flatters itself.
    """
    least = inspect(outputs, "split").accuracy(tiles) - tolerance - 1e-12
    chosen = NEVER
    for threshold in thresholds()[::-1].tolist():
        if inspect(outputs, "split", threshold).accuracy(tiles) < least:
            break
        chosen = threshold
    return chosen


def thresholds() -> np.ndarray:
    """The grid of thresholds, from always leaving (0) to never (1.01)."""
    return np.linspace(0.0, NEVER, 102)


def exit_ratios(outputs: ExitOutputs) -> np.ndarray:
    """Exit ratio at each threshold of the grid."""
    return np.array([inspect(outputs, "split", threshold).exit_ratio for threshold in thresholds()])


def _answered(fog: Tensor, server: Tensor, at_fog: Tensor, bytes_up: int) -> Inspection:
    sent = torch.where(at_fog, RESULT_BYTES, bytes_up)
    return Inspection(torch.where(at_fog[:, None], fog, server), at_fog, sent)
