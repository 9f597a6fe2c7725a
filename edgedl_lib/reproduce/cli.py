"""The command line: ``edgedl book``, ``check``, ``profile``, ``simulate``, ``assignments``, ``tidy``, ``serve``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; every foreseeable fault ends in one sentence and a non-zero status."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options) or 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (ValueError, LookupError, OSError, RuntimeError) as error:
        print(f"edgedl: {error.args[0] if isinstance(error, LookupError) else error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edgedl", description="The survey, executable: run it, check it, build it.")
    commands = parser.add_subparsers(required=True, metavar="command")

    for name, target, text in (
        ("book", "book", "execute notebooks, check claims, build the book"),
        ("check", "results", "execute notebooks and check claims, without building pages"),
    ):
        book = commands.add_parser(name, help=text)
        book.add_argument("--profile", default="quick", help="quick or paper")
        book.add_argument("--seeds", default="0", help='for instance "0 1 2"')
        book.add_argument("--cores", type=int, default=0, help="all by default")
        book.add_argument("--without-solutions", action="store_true", help="leave the exercises' solutions out")
        book.set_defaults(command=_book, target=target)

    profile = commands.add_parser("profile", help="measure this machine for device='host'")
    profile.add_argument("--output", type=Path, help="where to write the device file")
    profile.set_defaults(command=_profile)

    simulate = commands.add_parser("simulate", help="run a scenario file, for instance data/scenarios/integral.toml")
    simulate.add_argument("file", type=Path, help="a TOML file; data/scenarios/README.md describes the format")
    simulate.add_argument("--seed", type=int, default=0)
    simulate.set_defaults(command=_simulate)

    assignments = commands.add_parser("assignments", help="release the student's version of a chapter")
    assignments.add_argument("chapters", nargs="*", help="all chapters by default")
    assignments.add_argument("--output", type=Path, help="build/assignments by default")
    assignments.set_defaults(command=_assignments)

    tidy = commands.add_parser("tidy", help="strip outputs from notebooks, except those that tests compare")
    tidy.add_argument("--check", action="store_true", help="change nothing; fail if something would change")
    tidy.set_defaults(command=_tidy)

    serve = commands.add_parser("serve", help="show the built book in a browser")
    serve.add_argument("--profile", default="quick")
    serve.add_argument("--port", type=int, default=8000)
    serve.set_defaults(command=_serve)
    return parser


def _book(options: argparse.Namespace) -> int:
    from .pipeline import Run, run_pipeline

    try:
        seeds = tuple(int(seed) for seed in options.seeds.replace(",", " ").split())
    except ValueError:
        raise ValueError(f'the seeds are {options.seeds!r}; expected integers, for instance SEEDS="0 1 2"') from None
    return run_pipeline(Run(options.profile, seeds, options.cores, not options.without_solutions, options.target))


def _profile(options: argparse.Namespace) -> None:
    from edgedl_lib.system.host import profile_host_command

    profile_host_command(options.output)


def _simulate(options: argparse.Namespace) -> None:
    from edgedl_lib.system.simulator import load_scenario, simulate

    run = simulate(load_scenario(options.file), options.seed)
    print(run.scenario.name)
    for name, value in run.summary().items():
        print(f"  {name:24} {value:12,.4g}")
    for name, usage in run.usage.items():
        print(f"  {name:24} {usage.utilisation:12.1%} in use")


def _assignments(options: argparse.Namespace) -> None:
    from .assignments import release_command

    release_command(options.chapters, options.output)


def _tidy(options: argparse.Namespace) -> int:
    from .tidy import tidy_command

    return tidy_command(check=options.check)


def _serve(options: argparse.Namespace) -> None:
    from .serve import serve

    serve(options.profile, options.port)


if __name__ == "__main__":
    sys.exit(main())
