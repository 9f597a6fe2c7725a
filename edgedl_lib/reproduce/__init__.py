"""What a notebook needs to be a reproduction: claims, data, figure style; and the pipeline that runs and checks it.

Notebooks import from here; the methods of the library never do.
"""

from .ledger import load_claims
from .record import claim, not_run
from .source import show_source

__all__ = ["claim", "load_claims", "not_run", "show_source"]
