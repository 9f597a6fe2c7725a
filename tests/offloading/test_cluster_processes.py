"""Workers start in milliseconds, and nobody stays when the process that wanted them is gone."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from edgedl_lib.inference.split.process import child_environment
from edgedl_lib.offloading.cluster import Peer, Setup, WorkerProcess, WorkerStartError
from edgedl_lib.offloading.cluster.nursery import Spawned, obey
from edgedl_lib.offloading.cluster.peer import soon
from edgedl_lib.offloading.cluster.processes import shared_nursery

PARENT = """
import os, signal, sys
from edgedl_lib.offloading.cluster import WorkerProcess, shared_nursery
workers = [WorkerProcess(str(number)) for number in range(2)]
workers[0].pause()
print(shared_nursery().pid, *(worker.pid for worker in workers), flush=True)
sys.stdin.readline()
{end}
"""


def gone(pids, within=10.0):
    """Whether all processes end in time; one that nobody has waited for yet counts as ended."""
    until = time.perf_counter() + within
    while time.perf_counter() < until:
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
            return True
        time.sleep(0.05)
    return False


def test_a_worker_starts_within_milliseconds():
    shared_nursery().order("stop", WorkerProcess("first").pid)  # the nursery is ready
    seconds = []
    for number in range(5):
        begun = time.perf_counter()
        worker = WorkerProcess(str(number))
        seconds.append(time.perf_counter() - begun)
        worker.stop()
    assert np.median(seconds) < 0.2
    assert gone([worker.pid])


def parent(end):
    """Another process with a nursery and two workers, one of them paused, that ends as it is told."""
    return subprocess.Popen(
        [sys.executable, "-c", PARENT.format(end=end)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, env=child_environment(),
    )  # fmt: skip


def test_nobody_outlives_the_parent_not_even_a_paused_worker():
    for one in [parent(""), parent("os.kill(os.getpid(), signal.SIGKILL)")]:  # both start at the same time
        with one:
            nursery, *workers = map(int, one.stdout.readline().split())
            assert len(workers) == 2 and all(psutil.pid_exists(pid) for pid in (nursery, *workers))
            one.stdin.write("\n")
            one.stdin.close()
            one.wait(20)
        assert gone([nursery, *workers])


def test_a_nursery_signals_its_own_workers_only():
    with pytest.raises(WorkerStartError, match=f"{os.getpid()} is no worker of this nursery"):
        shared_nursery().order("kill", os.getpid())
    with pytest.raises(WorkerStartError, match="dance"):
        shared_nursery().order("dance", 1)
    assert shared_nursery().alive


def test_a_dead_nursery_is_named_and_replaced():
    first = shared_nursery()
    worker = WorkerProcess("orphan")
    os.kill(first.pid, signal.SIGKILL)
    assert gone([worker.pid])
    with pytest.raises(WorkerStartError, match="the nursery"):
        first.order("start")
    worker.stop()  # nothing left to stop
    assert shared_nursery() is not first
    WorkerProcess("next").stop()


def test_without_fork_workers_are_fresh_processes():
    workers = Spawned()
    pid, port = map(int, workers.start().split())
    try:
        peer = Peer(("127.0.0.1", port))
        peer.set_up(Setup("layers", {"network": "lenet5"}), soon(30))
        assert peer.perform(0, np.zeros((1, 1, 28, 28), np.uint8), soon(10)).output.shape == (1, 10)
        peer.close()
        assert obey(f"kill {pid}", workers) == "ok" and gone([pid])
    finally:
        workers.stop_all()
    assert not psutil.pid_exists(pid)
