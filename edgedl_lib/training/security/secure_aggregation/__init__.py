"""Secure Aggregation: a server learns a sum and nothing else (Bonawitz et al. 2017 [222])."""

from edgedl_lib.training.security.secure_aggregation.client import Client
from edgedl_lib.training.security.secure_aggregation.parameters import (
    BadMessage,
    Parameters,
    ProtocolError,
    TooFewClients,
)
from edgedl_lib.training.security.secure_aggregation.protocol import STAGES, Outcome, run
from edgedl_lib.training.security.secure_aggregation.server import Server

__all__ = ["STAGES", "BadMessage", "Client", "Outcome", "Parameters", "ProtocolError", "Server", "TooFewClients", "run"]
