"""A real localkube server for tests, the official client of its clusters, and the pods and Jobs they run."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil

from kube_client import Kube
from waiting import eventually

SOURCE = Path(__file__).parents[2] / "include"
SHELL = "test/shell:1"
IMAGES = {SHELL: {"Entrypoint": ["/bin/sh", "-c"], "Env": ["PATH=/usr/bin:/bin", "FROM_IMAGE=yes"]}}


def free_port() -> int:
    """Return a port nobody uses, below those given to clients: no client that waits may get it."""
    for port in range(20_000 + os.getpid() * 50 % 10_000, 32_000):
        with socket.socket() as free:
            if free.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no port is free")


class Server:
    """One localkube process and its state directory."""

    def __init__(self, state: Path, **environment: str) -> None:
        self.state = state
        self.environment = environment
        state.mkdir(parents=True, exist_ok=True)
        self.images = state.parent / f"{state.name}-images.json"
        self.images.write_text(json.dumps(IMAGES))
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


def processes(text: str) -> list[int]:
    """Return the processes of this machine that have a text in their command line or environment."""
    found = psutil.process_iter(["cmdline", "environ"])
    said = {one.pid: [*(one.info["cmdline"] or ()), *(one.info["environ"] or {}).values()] for one in found}
    return [pid for pid, words in said.items() if text in " ".join(words)]


def container(script: str, **more: Any) -> dict[str, Any]:
    return {"name": "main", "image": SHELL, "args": [script], **more}


def pod(name: str, script: str, **spec: Any) -> dict[str, Any]:
    """Return a pod that runs a shell script once."""
    more = spec.pop("container", {})
    base = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1}
    return {"metadata": {"name": name}, "spec": {**base, "containers": [container(script, **more)], **spec}}


def indexed_job(name: str, script: str, completions: int, **spec: Any) -> dict[str, Any]:
    """Return an Indexed Job of a shell script; the pod's spec may be given as `pod`."""
    inside = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container(script)]}
    return {
        "metadata": {"name": name},
        "spec": {
            "completions": completions,
            "parallelism": spec.pop("parallelism", completions),
            "completionMode": "Indexed",
            "template": {"spec": inside | spec.pop("pod", {})},
            **spec,
        },
    }


def job_ended(kube: Kube, namespace: str, name: str) -> Any:
    """Return the Job once it has its last condition."""

    def look() -> Any:
        job = kube.batch.read_namespaced_job(name, namespace)
        types = [one.type for one in job.status.conditions or []]
        return job if {"Complete", "Failed"} & set(types) else None

    return eventually(look, f"job {name} ends")


def pod_ended(kube: Kube, namespace: str, name: str, phases: str = "Succeeded Failed") -> Any:
    """Return the pod once it has succeeded or failed."""

    def look() -> Any:
        found = kube.core.read_namespaced_pod(name, namespace)
        return found if found.status.phase in phases.split() else None

    return eventually(look, f"the phase of pod {name} is one of {phases}")


def pod_running(kube: Kube, namespace: str, name: str) -> Any:
    """Return the pod once it runs."""
    return pod_ended(kube, namespace, name, "Running")
