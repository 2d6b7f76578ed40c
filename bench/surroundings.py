"""What a bench runs against: its own Airflow home, S3 server and localkube."""

import asyncio
import base64
import json
import multiprocessing
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench.measure import BenchError
from bench.relay import HOST, Relay, Tls, relay
from demo.store import Store, serve

REPOSITORY = Path(__file__).resolve().parents[1]
BUCKET = "bench"
CONNECTION = "bench_s3"
PATIENCE = 60.0  # s that a server may take to start


@contextmanager
def own_airflow(folder: Path) -> Iterator[None]:
    """Keep the bench away from the caller's Airflow, cluster and cloud accounts."""
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(("AIRFLOW_", "AWS_", "GOOGLE_", "KUBE")):
            del os.environ[name]
    os.environ |= {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Localkube:
    """A localkube process, and the relay through which its clusters are reached."""

    def __init__(self, url: str, state: Path, process: psutil.Process, counter: Relay) -> None:
        self._url, self._state, self._process, self._counter = url, state, process, counter
        self.take = counter.take

    def hold_back(self, seconds: float) -> None:
        """Delay every answer through the relay."""
        self._counter.delay = seconds

    def cluster(self, name: str, **shape: Any) -> dict[str, Any]:
        """Make a cluster and return its kubeconfig, which leads through the relay."""
        kubeconfig = self.uncounted(name, **shape)
        there = kubeconfig["clusters"][0]["cluster"]
        there["server"] = there["server"].replace(self._url, f"https://{HOST}:{self._counter.port}")
        return kubeconfig

    def uncounted(self, name: str, **shape: Any) -> dict[str, Any]:
        """Make a cluster and return its kubeconfig, past the relay."""
        answer = httpx.post(
            f"{self._url}/localkube/clusters",
            json={"name": name, **shape},
            headers={"Authorization": f"Bearer {(self._state / 'admin.token').read_text()}"},
            verify=ssl.create_default_context(cafile=self._state / "ca.crt"),
            trust_env=False,
        )
        kubeconfig: dict[str, Any] = answer.raise_for_status().json()["kubeconfig"]
        return kubeconfig

    def memory(self) -> int:
        """Return the bytes of memory that the server holds."""
        return int(self._process.memory_info().rss)

    def cpu(self) -> float:
        """Return the CPU seconds of the server so far."""
        times = self._process.cpu_times()
        return times.user + times.system


@contextmanager
def localkube(state: Path) -> Iterator[Localkube]:
    """Run a localkube with a new state folder."""
    port = free_port()
    command = [sys.executable, "-m", "localkube", "serve", "--state", str(state), "--port", str(port)]
    with subprocess.Popen([*command, "--log-level", "warning"]) as process:
        try:
            _listening(port, lambda: process.poll() is None)
            tls = Tls(state / "server.crt", state / "server.key", state / "ca.crt")
            with relay(port, tls) as counter:
                yield Localkube(f"https://{HOST}:{port}", state, psutil.Process(process.pid), counter)
        finally:
            process.terminate()


@contextmanager
def reached(kubeconfig: dict[str, Any]) -> Iterator[httpx.Client]:
    """Return a plain HTTP client of the cluster of a localkube kubeconfig."""
    there, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
    authority = base64.b64decode(there["certificate-authority-data"]).decode()
    with httpx.Client(
        base_url=there["server"],
        headers={"Authorization": f"Bearer {user['token']}"},
        verify=ssl.create_default_context(cadata=authority),
        timeout=PATIENCE,
        trust_env=False,
    ) as client:
        yield client


@contextmanager
def s3(keys: Iterable[str] = ()) -> Iterator[Relay]:
    """Run an S3 server with one bucket, behind a relay, and the Airflow connection `CONNECTION` to it.

    :param keys: objects of one byte that the bucket has.
    """
    with store(BUCKET, [(key, b"x") for key in keys]) as port, relay(port) as counter:
        os.environ[f"AIRFLOW_CONN_{CONNECTION.upper()}"] = json.dumps(s3_connection(counter.port))
        yield counter


@contextmanager
def store(bucket: str, objects: list[tuple[str, bytes]]) -> Iterator[int]:
    """Run an S3 server whose bucket has these objects, by key; yield its port."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, port := free_port(), bucket, objects), daemon=True)
    process.start()
    try:
        here.recv()  # the objects are there: over HTTP 27,000 would take a minute
        _listening(port, process.is_alive)
        yield port
    finally:
        process.kill()


def s3_connection(port: int) -> dict[str, Any]:
    """Return the Airflow connection to an S3 server of this machine."""
    extra = {"endpoint_url": f"http://{HOST}:{port}", "region_name": "us-east-1"}
    return {"conn_type": "aws", "login": "bench", "password": "bench-secret", "extra": extra}


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _listening(port: int, runs: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        if not runs() or time.monotonic() > deadline:
            raise BenchError("a server does not start; what it says stands above")
        time.sleep(0.05)


def _serve(pipe: Connection, port: int, bucket: str, objects: list[tuple[str, bytes]]) -> None:
    filled = Store(":memory:")
    filled.fill(bucket, objects)
    pipe.send(None)
    asyncio.run(serve(filled, HOST, port))
