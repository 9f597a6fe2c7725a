"""Real data, fetched once and checksummed: recorded traces for the ``paper`` profile and for tests.

A file is looked for in this order: the folder that ``EDGEDL_DATA`` names; the cache (``build/data`` of the checkout);
then, if the registry knows where its original lies, the network.  Whatever is found must have the registered checksum.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from .project import project_root


class DataUnavailable(FileNotFoundError):
    """A data file that is neither in the data folder, nor in the cache, nor to be had from the network."""


class CorruptedData(ValueError):
    """A data file whose checksum is not the registered one."""


@dataclass(frozen=True)
class DataFile:
    """One registered file: its name in a data folder, its SHA-256, where it comes from and under which licence.

    ``hashed`` says of what the SHA-256 is: of the ``"file"``, or of its ``"content"`` for a gzip file, since the same
    content packed by another hand is another file.
    """

    name: str
    sha256: str
    url: str
    licence: str
    citation: str
    hashed: str = "file"


def registry() -> dict[str, DataFile]:
    """Return the registered files (``data/registry.csv``) by name."""
    with open(project_root() / "data" / "registry.csv", newline="", encoding="utf-8") as file:
        return {row["name"]: DataFile(**row) for row in csv.DictReader(file)}


def fetch(name: str) -> Path:
    """Return the path of a registered data file, fetching it if need be.

    Parameters
    ----------
    name : str
        For instance ``"traces/hsdpa_3g.csv"``.

    Raises
    ------
    KeyError
        If the registry does not know the name.
    DataUnavailable
        If the file is nowhere to be had; the message says where to put it.
    CorruptedData
        If a file of that name exists but is not the registered one; it is left in place.
    """
    files = registry()
    if name not in files:
        raise KeyError(f"unknown data file {name!r}; data/registry.csv knows {', '.join(sorted(files))}")
    for folder in _folders():
        if (folder / name).is_file():
            return _verified(folder / name, files[name])
    return _download(files[name])


def available(name: str) -> bool:
    """Whether :func:`fetch` would succeed without the network."""
    return any((folder / name).is_file() for folder in _folders())


def _folders() -> list[Path]:
    configured = os.environ.get("EDGEDL_DATA")
    return ([Path(configured)] if configured else []) + [project_root() / "build" / "data"]


def _verified(path: Path, entry: DataFile) -> Path:
    digest = _digest(path, entry.hashed)
    if digest != entry.sha256:
        raise CorruptedData(
            f"{path} has SHA-256 {digest[:12]}…, expected {entry.sha256[:12]}…; delete it and fetch it again"
        )
    return path


def _digest(path: Path, hashed: str) -> str:
    if hashed == "content":
        try:
            return hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
        except (OSError, EOFError) as error:
            raise CorruptedData(f"{path} is not a complete gzip file; delete it and fetch it again") from error
    import pooch

    return pooch.file_hash(str(path), alg="sha256")


def _download(entry: DataFile) -> Path:
    if not entry.url:
        raise DataUnavailable(
            f"{entry.name} is not in the data folder; set EDGEDL_DATA to a folder that holds it ({entry.citation})"
        )
    import pooch

    target = project_root() / "build" / "data" / entry.name
    try:
        known = f"sha256:{entry.sha256}" if entry.hashed == "file" else None  # content is verified below
        pooch.retrieve(entry.url, known, fname=target.name, path=target.parent)
    except ValueError as error:
        raise CorruptedData(f"{entry.url} no longer holds the registered {entry.name}: {error}") from error
    except OSError as error:
        raise DataUnavailable(
            f"{entry.name} could not be fetched ({type(error).__name__}); set EDGEDL_DATA to a folder that holds it"
        ) from error
    return _verified(target, entry)
