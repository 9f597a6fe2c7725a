"""Loaded by Python itself at the start of a grading kernel: no look at solutions, no other programs.

An audit hook cannot be taken back from within the process.  Folders that may not be read stand in ``EDGEDL_GUARD``.
"""

import json
import os
import sys

FORBIDDEN = tuple(os.path.realpath(folder) for folder in json.loads(os.environ.get("EDGEDL_GUARD", "[]")))
PROGRAMS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn")
READS = ("open", "os.listdir", "os.scandir", "shutil.copyfile", "os.link", "os.symlink", "os.rename")


def _fence(event, arguments):
    if event in READS and isinstance(arguments[0], str | bytes | os.PathLike):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if path.startswith(FORBIDDEN) or path.endswith(".ipynb"):
            raise PermissionError("a submission may not read notebooks while it is graded")
    elif event in PROGRAMS:
        raise PermissionError("a submission may not start programs while it is graded")
    elif event == "subprocess.Popen" and not _is_fenced_python(*arguments):
        raise PermissionError("a submission may start Python only, while it is graded")


def _is_fenced_python(executable, arguments, folder, environment):
    same = os.path.realpath(executable or arguments[0]) == os.path.realpath(sys.executable)
    return same and (environment is None or environment.get("EDGEDL_GUARD") == os.environ.get("EDGEDL_GUARD"))


if FORBIDDEN:
    sys.addaudithook(_fence)
