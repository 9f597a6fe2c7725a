"""Real data: found, verified, or refused with the remedy."""

import gzip
import hashlib

import pytest

from edgedl_lib.reproduce import data_cache
from edgedl_lib.reproduce.data_cache import CorruptedData, DataUnavailable, available, fetch

CONTENT = b"trace,time_s,throughput_mbps\n"


@pytest.fixture
def cache(mini_project, monkeypatch):
    monkeypatch.delenv("EDGEDL_DATA", raising=False)
    digest = hashlib.sha256(CONTENT).hexdigest()
    lines = ["name,sha256,url,licence,citation", f"traces/a.csv,{digest},,MIT,somebody 2013",
             f"traces/b.csv,{digest},http://127.0.0.1:9/b.csv,MIT,somebody 2013"]  # fmt: skip
    (mini_project / "data/registry.csv").write_text("\n".join(lines) + "\n")
    return mini_project


def test_file_in_the_configured_folder_is_used(cache, tmp_path, monkeypatch):
    (tmp_path / "real/traces").mkdir(parents=True)
    (tmp_path / "real/traces/a.csv").write_bytes(CONTENT)
    assert not available("traces/a.csv")
    monkeypatch.setenv("EDGEDL_DATA", str(tmp_path / "real"))
    assert available("traces/a.csv") and fetch("traces/a.csv").read_bytes() == CONTENT


def test_unknown_name_lists_the_known(cache):
    with pytest.raises(KeyError, match="traces/a.csv"):
        fetch("traces/c.csv")


def test_corrupted_file_is_named_and_kept(cache):
    path = cache / "build/data/traces/a.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT + b"x")
    with pytest.raises(CorruptedData, match="delete it and fetch it again"):
        fetch("traces/a.csv")
    assert path.exists()


def test_file_without_address_says_where_to_put_it(cache):
    with pytest.raises(DataUnavailable, match="set EDGEDL_DATA to a folder that holds it"):
        fetch("traces/a.csv")


def test_refused_connection_says_where_to_put_it(cache):
    with pytest.raises(DataUnavailable, match="traces/b.csv could not be fetched"):
        fetch("traces/b.csv")
    assert not (cache / "build/data/traces/b.csv").exists()


def test_corrupted_download_is_refused(cache, monkeypatch):
    def spoiled(url, known_hash, fname, path):
        raise ValueError("SHA256 hash of downloaded file does not match")

    monkeypatch.setattr("pooch.retrieve", spoiled)
    with pytest.raises(CorruptedData, match="no longer holds the registered traces/b.csv"):
        data_cache.fetch("traces/b.csv")


def test_gzip_content_counts_and_not_its_packing(cache):
    lines = ["name,sha256,hashed,url,licence,citation", f"a.gz,{hashlib.sha256(CONTENT).hexdigest()},content,,MIT,x"]
    (cache / "data/registry.csv").write_text("\n".join(lines) + "\n")
    path = cache / "build/data/a.gz"
    path.parent.mkdir(parents=True)
    for level in (1, 9):
        path.write_bytes(gzip.compress(CONTENT, level))
        assert fetch("a.gz") == path
    path.write_bytes(gzip.compress(CONTENT + b"x"))
    with pytest.raises(CorruptedData, match="delete it and fetch it again"):
        fetch("a.gz")
    path.write_bytes(gzip.compress(CONTENT)[:-9])
    with pytest.raises(CorruptedData, match="not a complete gzip file"):
        fetch("a.gz")
