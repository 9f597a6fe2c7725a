"""Federated Dropout as one small change of federated averaging: each client is sent its own smaller network."""

from __future__ import annotations

import numpy as np

from edgedl_lib.training.communication.dropout.submodel import Units, combined, draw_units, submodel
from edgedl_lib.training.exchange import difference, moved
from edgedl_lib.training.models import Arrays
from edgedl_lib.training.strategy import ClientUpdate, FederatedAveraging


class FederatedDropout(FederatedAveraging):
    """Sub-models of perceptrons, drawn anew for each client and round (Caldas et al. 2018 [205]).

    Give the task a client step that takes its network from the arrays it receives:
    ``functools.partial(structured_step, None)``.

    Parameters
    ----------
    keep : float
        Share of the units of each hidden layer that a client gets.
    by_contributors : bool
        Divide each entry's sum by the number of clients that hold it instead of by all of them.
    settings
        As for `FederatedAveraging`; `upload` and `download` make the links lossy.
    """

    def __init__(self, *, keep: float, by_contributors: bool = False, **settings) -> None:
        super().__init__(**settings)
        if not 0 < keep <= 1:
            raise ValueError(f"the kept share {keep} lies outside (0, 1]; 1 keeps the whole network")
        self.keep, self.by_contributors = keep, by_contributors

    def units(self, server_round: int, client: int, arrays: Arrays) -> Units:
        """What this client keeps in this round."""
        return draw_units(arrays, self.keep, np.random.default_rng([self.seed, server_round, client, 3]))

    def outgoing(self, server_round: int, client: int, arrays: Arrays) -> Arrays:
        """The client's own sub-model."""
        return arrays if self.keep == 1 else submodel(arrays, self.units(server_round, client, arrays))

    def aggregate(self, server_round: int, arrays: Arrays, updates: list[ClientUpdate]) -> Arrays:
        """Changes put back at their places, averaged, and added to the server's own weights."""
        parts = [self.units(server_round, update.client, arrays) for update in updates]
        sent = [submodel(arrays, units) for units in parts]
        changes = [difference(update.arrays, base) for update, base in zip(updates, sent, strict=True)]
        return moved(arrays, combined(changes, parts, arrays, self.by_contributors))
