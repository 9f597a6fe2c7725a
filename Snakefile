# The reproduction pipeline: the one place that says what depends on what.
#
#   snakemake --cores all --config profile=quick seeds="0 1 2"
#
# runs it; `make book` does that with progress and a summary.  `--executor slurm` spreads it over a cluster.
import sys
from pathlib import Path

from edgedl_lib.reproduce.dependencies import NotebookError, dependencies, fingerprint, is_exclusive
from edgedl_lib.reproduce.execute import check_run

ROOT = Path(workflow.basedir)
PROFILE = str(config.get("profile", "quick"))
SEEDS = [int(seed) for seed in str(config.get("seeds", "0")).split()]
SOLUTIONS = str(config.get("solutions", "yes"))
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
check_run(PROFILE, SEEDS)


def source(name):
    return ROOT / "notebooks" / f"{name}.ipynb"


def inputs(wildcards):
    """A notebook that cannot be read depends on itself alone: its job then says what is wrong, and the others go on."""
    try:
        return relative(dependencies(source(wildcards.name), ROOT))
    except NotebookError:
        return relative([source(wildcards.name)])


def identity(wildcards):
    try:
        return fingerprint(source(wildcards.name), ROOT, profile=PROFILE, seed=int(wildcards.seed))
    except NotebookError:
        return "unreadable"


def relative(paths):
    return sorted(str(path.relative_to(ROOT)) for path in paths)


EXECUTED = [f"build/{PROFILE}/notebooks/{name}.seed-{seed}.ipynb" for name in NOTEBOOKS for seed in SEEDS]
CLAIMS = relative((ROOT / "data" / "claims").glob("*.csv"))
PAGES = relative(path for path in (ROOT / "book").rglob("*") if path.is_file())
TABLES = relative((ROOT / "data").rglob("*.csv"))
PIPELINE = relative((ROOT / "edgedl_lib" / "reproduce").glob("*.py"))


rule book:
    input:
        f"build/{PROFILE}/built",


rule notebook:
    input:
        inputs,
    output:
        f"build/{PROFILE}/notebooks/{{name}}.seed-{{seed}}.ipynb",
    params:
        fingerprint=identity,
    threads: lambda wildcards: workflow.cores if is_exclusive(source(wildcards.name)) else 1
    shell:
        f"{sys.executable} -m edgedl_lib.reproduce.execute notebooks/{{wildcards.name}}.ipynb {{output}}"
        f" --profile {PROFILE} --seed {{wildcards.seed}}"


rule results:
    input:
        EXECUTED + CLAIMS,
    output:
        f"build/{PROFILE}/results.json",
        f"build/{PROFILE}/claims.xml",
        touch(f"build/{PROFILE}/checked"),
    params:
        seeds=SEEDS,
    shell:
        f"{sys.executable} -m edgedl_lib.reproduce.collect --profile {PROFILE} --seeds {' '.join(map(str, SEEDS))}"


rule site:
    input:
        f"build/{PROFILE}/results.json",
        f"build/{PROFILE}/checked",
        PAGES + TABLES + PIPELINE + ["_config.yml", "_toc.yml"],
    output:
        touch(f"build/{PROFILE}/built"),  # not the pages: Snakemake would take the old book away before the new one is whole
    params:
        solutions=SOLUTIONS,
        seed=SEEDS[0],
    shell:
        f"{sys.executable} -m edgedl_lib.reproduce.site --profile {PROFILE} --seed {SEEDS[0]} --solutions {SOLUTIONS}"
