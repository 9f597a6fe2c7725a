"""The same job in process, on Ray, and on a SuperLink with SuperNodes; what fails says why, what was started stops."""

import importlib.util
import socket
import ssl
import sys
import time
from dataclasses import replace

import psutil
import pytest

from edgedl_lib.training import deployment
from edgedl_lib.training.deployment import comparison, failures, job, programs, superlink
from edgedl_lib.training.deployment.certificates import node_keys, server_files
from edgedl_lib.training.deployment.job import Job
from edgedl_lib.training.deployment.programs import Program, ProgramFailed
from edgedl_lib.training.run import RunFailed, run
from edgedl_lib.training.strategy import FederatedAveraging

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="Flower's simulation engine needs ray: pip install 'flwr[simulation]'",
)
CLIENTS = 3


@pytest.fixture(scope="module")
def small() -> Job:
    return comparison.small_job(rounds=2, clients=CLIENTS)


@pytest.fixture(scope="module")
def expected(small):
    return run(small.task, small.strategy, small.rounds)


@pytest.fixture(scope="module")
def running():
    """Three nodes for all tests; afterwards nothing of them may be left."""
    with superlink.Deployment(CLIENTS) as started:
        yield started
        programs_now = (started.superlink, *started.supernodes.values())
        family = [process for program in programs_now for process in program._family()]
    assert len(family) > len(programs_now)  # each has started others
    assert not any(process.is_running() for process in family)
    assert not started.folder.exists()
    started.stop()


@needs_ray
def test_the_same_job_on_ray(small, expected):
    history = run(small.task, small.strategy, small.rounds, engine="ray")
    assert comparison.largest_difference(history, expected) <= 1e-6
    assert history.participants == expected.participants and history.rejected == ()
    assert history.accuracy == pytest.approx(expected.accuracy)


def test_the_same_job_on_separate_programs(running, small, expected):
    history = running.run(small).history
    assert comparison.largest_difference(history, expected) <= 1e-6
    assert history.participants == expected.participants and history.rejected == ()
    assert history.accuracy == pytest.approx(expected.accuracy)
    assert history.uplink_bytes.tolist() == expected.uplink_bytes.tolist()


def test_every_client_failing_is_a_failure(running, small):
    task, alone = replace(small.task, client_step=failures.failing), FederatedAveraging(clients_per_round=1)
    with pytest.raises(RunFailed, match="battery empty") as failure:
        running.run(Job(task, alone, 1))
    assert len(failure.value.history.rejected) == 1 and len(failure.value.history.arrays) > 0


@pytest.mark.parametrize("wrong", ["unknown key", "no TLS"])
def test_a_stranger_is_refused(running, wrong):
    stranger = running.connect(0, node_keys(running.folder, f"stranger-{wrong[:2]}"), insecure=wrong == "no TLS")
    try:
        stranger.process.wait(60)
    finally:
        stranger.stop()
    assert stranger.process.returncode != 0
    assert not superlink.CONNECTED.search(stranger.written())


def test_a_node_killed_in_a_round_does_not_stop_training(running, small):
    history = failures.kill_a_node(running, replace(small, rounds=3))
    assert history.rounds == 3 and history.abandoned == ()
    assert history.participants == ((0, 1, 2), (1, 2), (1, 2))
    assert [(bad.round, bad.client, bad.reason) for bad in history.rejected] == [(2, 0, failures.NO_REPLY)]
    assert history.accuracy[-1] > history.accuracy[0]


def test_a_superlink_that_does_not_come_up_says_why(monkeypatch):
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        monkeypatch.setattr(superlink, "free_port", lambda: occupied.getsockname()[1])
        with pytest.raises(ProgramFailed, match="(?s)superlink ended .* address already in use"):
            superlink.Deployment(1).__enter__()


def test_in_process_rounds_start_at_once():
    cost = comparison.in_process(comparison.crowd(rounds=3, clients=20))
    assert cost.start < 0.5 and cost.history.rounds == 3


def test_programs_are_timed_and_their_last_words_are_shown(tmp_path):
    assert programs.finish("says", [sys.executable, "-c", "print(41 + 1)"], tmp_path).strip() == "42"
    with pytest.raises(ProgramFailed, match="(?s)status 3.*last words"):
        programs.finish("fails", [sys.executable, "-c", "print('last words'); raise SystemExit(3)"], tmp_path)
    with pytest.raises(ProgramFailed, match="did not end within 0.5 s"):
        programs.finish("hangs", [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, seconds=0.5)


def test_a_stopped_program_takes_its_children_with_it(tmp_path):
    child = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)"
    parent = f"import subprocess, sys, time; {child}; time.sleep(60)"
    program = Program("parent", [sys.executable, "-c", parent], tmp_path)
    programs.wait_until(lambda: len(program._family()) == 2, "it has a child", [program])
    family = program._family()
    program.stop()
    time.sleep(0.1)
    assert not program.running and not any(psutil.pid_exists(process.pid) for process in family)


def test_programs_have_no_telemetry_no_updates_and_no_colours(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a notebook does
    environment = programs.offline_environment()
    assert environment["FLWR_TELEMETRY_ENABLED"] == "0" == environment["RAY_USAGE_STATS_ENABLED"]
    assert environment["FLWR_DISABLE_UPDATE_CHECK"] == "1"
    assert "FORCE_COLOR" not in environment and environment["NO_COLOR"] == "1"


def test_the_certificate_holds_for_this_machine_and_keys_are_private(tmp_path):
    files, keys = server_files(tmp_path), node_keys(tmp_path, "node")
    context = ssl.create_default_context(cafile=str(files.authority))
    assert len(context.get_ca_certs()) == 1
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key)
    assert keys.private.stat().st_mode & 0o077 == 0 == files.key.stat().st_mode & 0o077
    assert keys.public.read_text().startswith("ecdsa-sha2-nistp384")


def test_a_job_that_only_this_process_knows_is_refused(small, tmp_path):
    local = replace(small, task=replace(small.task, client_step=lambda *_, **__: None))
    with pytest.raises(TypeError, match="define models, client steps and strategies in a module"):
        local.write(tmp_path / "job")


def test_an_answer_survives_the_file_and_a_failure_is_raised(small, expected, tmp_path):
    job.write_answer(str(tmp_path / "a.pickle"), job.Answer(expected, (0.0, 5.0, 6.0, 8.0)))
    answer = job.read_answer(tmp_path / "a.pickle")
    assert comparison.largest_difference(answer.history, expected) == 0 and answer.round_seconds == 1.5
    job.write_answer(str(tmp_path / "b.pickle"), TimeoutError("2 of 3 nodes"))
    with pytest.raises(RunFailed, match="TimeoutError: 2 of 3 nodes"):
        job.read_answer(tmp_path / "b.pickle")


class TooSmall:
    """A grid in which one of three nodes is missing."""

    def get_node_ids(self):
        return [1, 2]


def test_missing_nodes_are_counted_and_not_waited_for_for_ever(small, monkeypatch):
    monkeypatch.setattr(job, "REGISTRATION", 0.2)
    with pytest.raises(TimeoutError, match="2 of 3 nodes"):
        job.ready_grid(TooSmall(), small, [])


def test_impossible_deployments_are_refused(small):
    with pytest.raises(ValueError, match="at least 1"):
        superlink.Deployment(0)
    with pytest.raises(ValueError, match="start as many nodes"):
        superlink.Deployment(2).run(small)
    with pytest.raises(ValueError, match="unknown engine"):
        deployment.run(small.task, small.strategy, 1, engine="cloud")
