"""Importing the package stays cheap: torch comes with the first model that runs."""

import subprocess
import sys

import pytest

import edgedl_lib.nets

PROGRAM = """
import sys
import edgedl_lib.nets as nets
for name in nets.MODELS:
    nets.model(name)
assert "torch" not in sys.modules and "pandas" not in sys.modules
nets.to_torch
assert "torch" in sys.modules
"""


def test_zoo_is_built_without_torch_which_arrives_on_demand():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_lazy_name_exists_and_an_unknown_one_is_refused():
    for name in edgedl_lib.nets._LAZY:
        assert getattr(edgedl_lib.nets, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'to_jax'"):
        edgedl_lib.nets.to_jax  # noqa: B018
