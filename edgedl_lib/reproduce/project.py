"""Where things lie in a checkout."""

from __future__ import annotations

import os
from pathlib import Path


def project_root() -> Path:
    """Return the folder of the checkout.

    ``EDGEDL_ROOT`` wins (the pipeline sets it for its kernels); then the nearest parent of the working folder that
    holds ``data/claims``; then the folder above the installed package, which is the checkout for an editable install.

    Raises
    ------
    FileNotFoundError
        If none of them holds ``data/claims``.
    """
    override = os.environ.get("EDGEDL_ROOT")
    here = Path.cwd()
    candidates = [Path(override)] if override else [here, *here.parents, Path(__file__).resolve().parents[2]]
    for folder in candidates:
        if (folder / "data" / "claims").is_dir():
            return folder
    raise FileNotFoundError(
        f"no edgedl checkout found from {candidates[0]}: run from inside the repository, or set EDGEDL_ROOT to it"
    )


def weights_folder() -> Path:
    """Return the folder of trained weights, which are kept by a hash of what made them and never committed."""
    return project_root() / "build" / "weights"
