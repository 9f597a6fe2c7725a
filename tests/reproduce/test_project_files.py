"""The three ways to install agree, and importing stays cheap."""

import re
import subprocess
import sys
import time
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

from edgedl_lib.reproduce.dependencies import direct_imports
from tests.reproduce.mini import ROOT


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pair) == 2 for pair in pairs), "every constraint is name==version"
    return {normal(name): version for name, version in pairs}


def requirements():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(text) for text in project["dependencies"] + project["optional-dependencies"]["test"]]


def test_every_requirement_is_pinned_to_a_version_it_allows():
    pinned = pins()
    for requirement in requirements():
        assert normal(requirement.name) in pinned, f"{requirement.name} has no line in constraints.txt"
        assert requirement.specifier.contains(pinned[normal(requirement.name)]), requirement


def test_conda_installs_the_same_through_the_same_files():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    plain = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    nested = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert f"python{python}" in plain and "pip" in plain
    assert nested == ["-c constraints.txt", "-e .[test]"]


def test_import_is_fast_and_brings_no_heavy_library():
    code = "import sys, edgedl_lib; print([m for m in ('torch', 'flwr', 'pandas', 'matplotlib') if m in sys.modules])"
    begun = time.perf_counter()
    answer = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert answer.stdout.strip() == "[]" and time.perf_counter() - begun < 5
    own = next(line for line in answer.stderr.splitlines() if line.endswith(" edgedl_lib"))
    assert int(own.split("|")[1]) < 300_000, "microseconds"


@pytest.mark.parametrize("room, above", [
    ("system", {"nets", "inference", "offloading", "reproduce"}),
    ("nets", {"inference", "offloading", "reproduce"}),
    ("inference", {"offloading", "reproduce"}),
    ("offloading", {"reproduce"}),
])  # fmt: skip
def test_layers_of_the_library_point_one_way(room, above):
    for path in (ROOT / "edgedl_lib" / room).rglob("*.py"):
        rooms = {file.relative_to(ROOT / "edgedl_lib").parts[0] for file in direct_imports(path, ROOT)}
        assert not rooms & above, f"{path.relative_to(ROOT)} imports {rooms & above}"
