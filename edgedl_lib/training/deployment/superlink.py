"""A real deployment on this machine: a SuperLink and a SuperNode for every client, separate programs on loopback.

Everything that crosses a socket is encrypted with TLS, and the SuperLink answers only nodes whose keys were registered
with it.  The application travels as a Flower App Bundle through ``flwr run``, as it would to a server elsewhere.
Nothing leaves the machine: no telemetry, no look for updates, no installation of packages.
"""

from __future__ import annotations

import json
import re
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edgedl_lib.training.deployment.certificates import LOOPBACK, NodeKeys, node_keys, server_files
from edgedl_lib.training.deployment.job import Answer, Job, answer_path, read_answer
from edgedl_lib.training.deployment.programs import Program, ProgramFailed, finish, free_port, wait_until

PROJECT = """\
[project]
name = "edgedl-job"
version = "1.0.0"
description = "The applications of edgedl_lib.training"
license = "MIT"
dependencies = []

[tool.flwr.app]
publisher = "edgedl"

[tool.flwr.app.components]
serverapp = "edgedl_job.apps:server"
clientapp = "edgedl_job.apps:client"

[tool.flwr.app.config]
job = ""
"""
APPS = """\
from edgedl_lib.training.deployment import job

server = job.server
client = job.client
"""
CONNECTED = re.compile(r"SuperNode ID: (\d+)")
START_LIMIT = 90.0  # s


class Deployment:
    """SuperLink and SuperNodes; a context manager.

    Parameters
    ----------
    clients : int
        One SuperNode for each.

    Attributes
    ----------
    nodes : dict of int to int
        Number that the SuperLink gave to each client's node; it is bound to the node's key.
    keys : list of NodeKeys
    start_seconds : float
        From nothing to all nodes connected.
    """

    def __init__(self, clients: int) -> None:
        if clients < 1:
            raise ValueError(f"a deployment of {clients} clients has nobody to train; give at least 1")
        self.clients = clients
        self.supernodes: dict[int, Program] = {}
        self.nodes: dict[int, int] = {}
        self.superlink: Program | None = None
        self._jobs = 0

    def __enter__(self) -> Deployment:
        self._temporary = tempfile.TemporaryDirectory(prefix="edgedl-deployment-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        begin = time.perf_counter()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.perf_counter() - begin
        return self

    def __exit__(self, *fault) -> None:
        self.stop()

    def run(self, job: Job, *, meanwhile=None) -> Answer:
        """Submit a job and wait for its answer.

        Parameters
        ----------
        meanwhile : callable, optional
            Called again and again while the job runs.

        Raises
        ------
        RunFailed
            The job itself failed.
        ProgramFailed
            The SuperLink ended, or there was no answer in time.
        """
        if job.clients != self.clients:
            raise ValueError(f"the job has {job.clients} clients but {self.clients} nodes run; start as many nodes")
        self._jobs += 1
        known = Job(job.task, job.strategy, job.rounds, job.settings, dict(self.nodes))
        path = known.write(self.folder / f"job-{self._jobs}.pickle")
        self._flwr(f"run-{self._jobs}", "run", str(self._project()), "here", "--run-config", f'job="{path}"')

        def done() -> bool:
            if meanwhile is not None:
                meanwhile()
            return answer_path(path).exists()

        wait_until(done, f"job {self._jobs} has an answer", [self.superlink], job.limit)
        return read_answer(path)

    def stop(self) -> None:
        """Stop every program and remove the folder; may be called again."""
        programs = [*self.supernodes.values(), *([self.superlink] if self.superlink else [])]
        if programs:
            with ThreadPoolExecutor(len(programs)) as together:
                list(together.map(Program.stop, programs))
        self.supernodes, self.superlink = {}, None
        self._temporary.cleanup()

    def wait_for(self, client: int) -> None:
        """Wait until a node has been let in."""
        node = self.supernodes[client]
        wait_until(lambda: bool(CONNECTED.search(node.written())), "it connected", [node], START_LIMIT)

    def connect(self, client: int, keys: NodeKeys, *, insecure: bool = False) -> Program:
        """Start a SuperNode; whether it is let in is the SuperLink's decision."""
        tls = ["--insecure"] if insecure else ["--root-certificates", str(self.files.authority)]
        own = {"certfile": self.files.certificate, "keyfile": self.files.key, "ca-certfile": self.files.authority}
        serving = [text for name, path in own.items() for text in (f"--ssl-{name}", str(path))]
        node = f"partition-id={client} num-partitions={self.clients}"
        command = ["flower-supernode", *tls, "--superlink", self.address, "--node-config", node]
        command += ["--host", LOOPBACK, "--port", str(free_port()), *([] if insecure else serving)]
        command += [] if insecure else ["--auth-supernode-private-key", str(keys.private)]
        command += ["--max-retries", "3", "--max-wait-time", "20"]
        return Program(f"supernode-{client}-{keys.private.stem}", command, self.folder, self._environment)

    def _start(self) -> None:
        self._environment = {"FLWR_HOME": str(self.folder / "home"), "TMPDIR": str(self.folder)}
        self.files, port = server_files(self.folder), free_port()
        self.address = f"{LOOPBACK}:{port}"
        self.superlink = self._start_superlink(port)
        wait_until(self._healthy, "the SuperLink answers", [self.superlink], START_LIMIT)
        self._write_connection()
        self.keys = [node_keys(self.folder, f"node-{client}") for client in range(self.clients)]
        with ThreadPoolExecutor(2) as together:
            self.nodes = dict(enumerate(together.map(self._register, self.keys)))
        for client, pair in enumerate(self.keys):
            self.supernodes[client] = self.connect(client, pair)
        for client in self.supernodes:
            self.wait_for(client)

    def _start_superlink(self, port: int) -> Program:
        command = ["flower-superlink", "--host", LOOPBACK, "--port", str(port), "--enable-supernode-auth"]
        command += ["--ssl-certfile", str(self.files.certificate), "--ssl-keyfile", str(self.files.key)]
        command += ["--ssl-ca-certfile", str(self.files.authority), "--disable-runtime-dependency-installation"]
        return Program("superlink", command, self.folder, self._environment)

    def _healthy(self) -> bool:
        trusted = ssl.create_default_context(cafile=str(self.files.authority))
        try:
            with urllib.request.urlopen(f"https://{self.address}/health", context=trusted, timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def _write_connection(self) -> None:
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        lines = ["[superlink]", 'default = "here"', "[superlink.here]", f'address = "{self.address}"']
        (home / "config.toml").write_text("\n".join([*lines, f'root-certificates = "{self.files.authority}"', ""]))

    def _project(self) -> Path:
        project = self.folder / "edgedl-job"
        package = project / "edgedl_job"
        package.mkdir(parents=True, exist_ok=True)
        (project / "pyproject.toml").write_text(PROJECT)
        (package / "__init__.py").write_text("")
        (package / "apps.py").write_text(APPS)
        return project

    def _register(self, keys: NodeKeys) -> int:
        said = self._flwr(
            f"register-{keys.public.stem}", "supernode", "register", str(keys.public), "here", "--format", "json"
        )
        found = re.search(r"\{.*\}", said, re.DOTALL)
        if not found:
            raise ProgramFailed(f"flwr supernode register answered without a node: {said}")
        return int(json.loads(found.group())["node-id"])

    def _flwr(self, name: str, *arguments: str) -> str:
        return finish(name, ["flwr", *arguments], self.folder, environment=self._environment)
