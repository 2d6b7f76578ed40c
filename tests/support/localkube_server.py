"""A real localkube server for tests, and the official client of its clusters."""

import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from demo.ports import free_port
from kube_client import Kube
from space import Space
from waiting import eventually

SOURCE = Path(__file__).parents[2] / "include"
SHELL = "test/shell:1"
IMAGES = {SHELL: {"Entrypoint": ["/bin/sh", "-c"], "Env": ["PATH=/usr/bin:/bin", "FROM_IMAGE=yes"]}}


class Server:
    """One localkube process and its state directory."""

    def __init__(self, state: Path, images: dict[str, Any] = IMAGES, **environment: str) -> None:
        self.state = state
        self.environment = environment
        state.mkdir(parents=True, exist_ok=True)
        self.images = state.parent / f"{state.name}-images.json"
        self.images.write_text(json.dumps(images))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        options = f"--state {self.state} --port {self.port} --images {self.images} --backoff 0.2"
        return [sys.executable, "-m", "localkube", "serve", *options.split()]

    def start(self) -> None:
        environment = {"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"], "SECRET_OF_SERVER": "hidden"}
        self.process = subprocess.Popen(self.command(), env=environment | self.environment)
        eventually(self.listening, "localkube listens")

    def listening(self) -> bool:
        """Whether this process answers; a child of a killed one may hold its port open for a moment."""
        assert self.process is not None
        assert self.process.poll() is None, "localkube ended"
        try:
            return httpx.get(f"https://127.0.0.1:{self.port}/healthz", verify=False).text == "ok"
        except httpx.TransportError:
            return False

    def end(self, number: int = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait()

    def admin(self) -> httpx.Client:
        token = (self.state / "admin.token").read_text()
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}/localkube/",
            headers={"Authorization": f"Bearer {token}"},
            verify=ssl.create_default_context(cafile=self.state / "ca.crt"),
            timeout=30,
        )

    def create_cluster(self, name: str, **shape: Any) -> Kube:
        with self.admin() as admin:
            answer = admin.post("clusters", json={"name": name, **shape})
        assert answer.status_code in (200, 201), answer.text
        return Kube(answer.json()["kubeconfig"])


@contextmanager
def localkube(folder: Path, images: dict[str, Any] = IMAGES, **environment: str) -> Iterator[Server]:
    """Yield a server that runs, with its state and its images file in a folder."""
    server = Server(folder / "state", images, **environment)
    server.start()
    yield server
    assert server.process is not None
    if server.process.poll() is None:  # a test may have killed it
        server.end()


def processes(text: str) -> list[int]:
    """Return the processes of this machine that have a text in their command line or environment."""
    found = psutil.process_iter(["cmdline", "environ"])
    said = {one.pid: [*(one.info["cmdline"] or ()), *(one.info["environ"] or {}).values()] for one in found}
    return [pid for pid, words in said.items() if text in " ".join(words)]


def shell_space(kube: Kube | None, namespace: str = "default", test: str = "t") -> Space:
    """Return what a test has in a namespace, with pods that run shell scripts in localkube's image for it.

    :param kube: none where manifests alone are wanted.
    """
    return Space(kube, namespace, SHELL, test, entry_point=True)  # type: ignore[arg-type]
