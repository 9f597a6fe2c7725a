"""The setup cell of a chapter brings to Colab what Colab lacks, and touches nothing anywhere else."""

import re
import sys
from pathlib import Path

import pytest

from edgedl_lib.reproduce.dependencies import read_notebook

ROOT = Path(__file__).resolve().parents[1]
# What a Colab machine has of what chapters import, as its release notes list it.
PREINSTALLED = {"numpy", "scipy", "pandas", "matplotlib", "torch", "sklearn", "networkx", "psutil", "tqdm", "IPython"}
PACKAGE_OF = {"myst_nb": "myst-nb"}


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_setup_cell_comes_first_and_installs_what_the_chapter_imports(path):
    cells = [cell for cell in read_notebook(path)["cells"] if cell["cell_type"] == "code"]
    setup = "".join(cells[0]["source"])
    assert {"setup", "remove-cell"} <= set(cells[0]["metadata"]["tags"])
    indented = [line for line in setup.splitlines() if line.lstrip().startswith(("%", "!"))]
    assert indented and all(line.startswith("    ") for line in indented), "only inside the branch for Colab"
    installed = set(re.search(r"%pip install --quiet (.*)", setup).group(1).split())
    code = "\n".join("".join(cell["source"]) for cell in cells[1:])
    imported = {name.split(".")[0] for name in re.findall(r"^\s*(?:import|from) ([\w.]+)", code, re.MULTILINE)}
    foreign = imported - PREINSTALLED - {"edgedl_lib"} - set(sys.stdlib_module_names)
    assert {PACKAGE_OF.get(name, name) for name in foreign} <= installed
