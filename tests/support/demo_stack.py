"""The real services of the demo in a state folder of the tests' own, and campaigns run through them."""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from botocore.exceptions import BotoCoreError, ClientError

import waiting
from bench.services import RunsOfAirflow, TaskInstance
from demo.bucket import Bucket
from demo.demo_data import generate
from demo.files import locked
from demo.lifecycle import bring_up
from demo.ports import Ports, free_port
from demo.settings import REPOSITORY, USER, Settings
from demo.supervision import Supervision
from higgsdemo.campaign import Campaign, load_campaign
from higgsdemo.command_line.airflow_api import FINISHED
from higgsdemo.kubernetes.progress import job_progress
from waiting import Found

DAG = "demo-local"
PATIENCE = 480.0  # s: ten times what a campaign takes on a machine that does nothing else


class PatientTransport(httpx.HTTPTransport):
    """Asks again while Airflow does not answer or is too busy: SQLite is locked, or a part was killed."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request until something else than a server error comes back, or patience ends."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with suppress(httpx.TransportError):
                answer = super().handle_request(request)
                if not answer.is_server_error or time.monotonic() > deadline:
                    return answer
                answer.close()
            if time.monotonic() > deadline:
                raise httpx.ConnectError(f"no answer within {PATIENCE:g} s", request=request)
            time.sleep(0.5)


class Stack:
    """Airflow, the S3 server and localkube, up and filled with the demo's data."""

    def __init__(self, state: Path) -> None:
        ports = Ports(ui=free_port(), s3=free_port(), localkube=free_port())  # others take the usual ones
        self.supervision = Supervision(Settings.load(state).model_copy(update={"ports": ports}))
        self.campaign: Campaign = load_campaign(REPOSITORY / "include" / "config" / f"{DAG}.json")
        self.start()
        eventually(lambda: self.airflow.has_dag(DAG), "the campaign's DAG is parsed")

    def start(self) -> None:
        """Start the services; where somebody else has taken their ports, on others than before."""
        bring_up(self.supervision, self.campaign, print)
        self.supervision.keep()
        self.settings = self.supervision.settings
        self.airflow = RunsOfAirflow(self.settings.ui_url, USER, self.settings.secrets.ui_password)
        self.airflow._client = self.client("")
        self.output = Bucket(self.settings, "higgs-results")

    def stop(self) -> None:
        """Stop all services."""
        self.airflow.close()
        self.supervision.stop()

    def make(self, command: str, code: int = 0) -> str:
        """Return what a command of the documentation, such as `make demo`, prints; it has that exit code."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=REPOSITORY,
            env=self.shell(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def higgsdemo(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Return what the command prints, and its exit code."""
        return subprocess.run(
            [sys.executable, "-m", "higgsdemo.command_line", *arguments],
            env=self.shell() | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def shell(self) -> dict[str, str]:
        """Return the environment of a shell with these services, and the demo campaign by default."""
        paths = [str(REPOSITORY / "plugins"), str(REPOSITORY / "include")]
        return {
            **os.environ,
            "HIGGS_STATE": str(self.settings.state),
            "HIGGS_AIRFLOW_URL": self.settings.ui_url,
            "HIGGS_AIRFLOW_USER": USER,
            "HIGGS_AIRFLOW_PASSWORD": self.settings.secrets.ui_password,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(paths),
        }

    def trigger(self, run: str, **conf: Any) -> str:
        """Start a run of the demo campaign, which bears the given name."""
        self.airflow.trigger(DAG, run, {"run_name": run, **conf})
        return run

    def finish(self, run: str, dag: str = DAG) -> str:
        """Return the state in which a run ends, however long it takes while something of it changes."""
        seen: object = None
        changed = time.monotonic()
        while time.monotonic() < changed + PATIENCE:
            for _ in range(20):  # the state alone is cheap to tell
                if (state := self.airflow.run_state(dag, run)) in FINISHED:
                    return state
                time.sleep(0.5)
            with suppress(BotoCoreError, ClientError):
                now = self.airflow.tasks(dag, run), list(self.output.objects(f"{dag}/{run}/results/"))
                if now != seen:
                    seen, changed = now, time.monotonic()
        raise AssertionError(f"nothing of run {run} has changed for {PATIENCE:g} s; last seen: {seen}")

    def mark(self, run: str, task: TaskInstance, state: str, dag: str = DAG) -> None:
        """Mark one task instance as failed or success, whatever it does."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task.task_id}"
        at = f"/{task.map_index}" if task.map_index >= 0 else ""
        self.airflow._request("PATCH", f"{path}{at}", body={"new_state": state})

    def clear(self, run: str, task: TaskInstance, dag: str = DAG) -> None:
        """Let a task instance, and what comes after it, run again."""
        body = {
            "dag_run_id": run,
            "task_ids": [[task.task_id, task.map_index]],
            "include_downstream": True,
            "only_failed": False,
            "dry_run": False,
        }
        self.airflow._request("POST", f"/api/v2/dags/{dag}/clearTaskInstances", body=body)

    def connect(self, name: str, document: dict[str, Any]) -> None:
        """Keep a connection in Airflow's database."""
        body = {"connection_id": name, **document, "extra": json.dumps(document["extra"])}
        self.airflow._request("POST", "/api/v2/connections", body=body, allowed=(409,))  # asked once before

    def client(self, path: str) -> httpx.Client:
        """Return a logged in client of what the API server has below a path."""
        url, login = self.settings.ui_url, {"username": USER, "password": self.settings.secrets.ui_password}
        client = httpx.Client(base_url=url, timeout=60, trust_env=False, transport=PatientTransport())
        token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        client.base_url = f"{url}{path}"
        return client

    def tasks(self, run: str) -> dict[str, str | None]:
        """Return the states of a run's tasks, by name; of a mapped one as `submit_jobs kubecon-demo-0`."""
        return {_name(task): task.state for task in self.airflow.tasks(DAG, run)}

    def clusters(self, run: str) -> list[str]:
        """Return the clusters a run was mapped over."""
        tasks = self.airflow.tasks(DAG, run)
        return sorted(str(task.label) for task in tasks if task.task_id == "cluster.create_cluster")

    def complaint(self, run: str, task: str) -> str:
        """Why a task has failed, as the page tells it."""
        told = [cause["text"] for cause in self.airflow.campaign_run(DAG, run)["causes"]]
        return next(text for text in told if text.startswith(task.replace(" ", " of ")))

    def summary(self, run: str) -> dict[str, Any]:
        """Return the summary of a run."""
        content: dict[str, Any] = json.loads(self.output.read(f"{DAG}/{run}/summary.json"))
        return content

    def results(self, run: str) -> Iterator[tuple[str, bytes]]:
        """Key, in the run's folder, and content of each result of a run."""
        for key, _ in self.output.objects(f"{DAG}/{run}/results/"):
            yield key.removeprefix(f"{DAG}/{run}/"), self.output.read(key)

    def service(self, name: str) -> psutil.Process:
        """Return the process of a service that runs."""

        def running() -> int | None:
            return next((state.pid for state in self.supervision.states() if state.name == name), None)

        return psutil.Process(eventually(running, f"{name} runs"))

    def pods(self) -> list[psutil.Process]:
        """Return the processes of the pods that compute."""
        below = self.service("localkube").children(recursive=True)
        return [process for process in below if "workload" in command_line(process)]

    def hold(self) -> list[psutil.Process]:
        """Let the pods that compute stand still; return them."""
        pods = self.pods()
        for pod in pods:
            with suppress(psutil.NoSuchProcess):
                pod.suspend()
        return pods

    def localkube(self) -> httpx.Client:
        """Return a client of localkube's admin API."""
        return httpx.Client(
            base_url=f"{self.settings.localkube_url}/localkube/",
            headers={"Authorization": f"Bearer {self.settings.localkube_token.read_text().strip()}"},
            verify=ssl.create_default_context(cafile=self.settings.localkube_ca),
            trust_env=False,
        )

    def running_pods(self, cluster: str) -> int:
        """Return the number of a cluster's pods that run."""
        query = ("get", "pods", "-n", "higgs", "-o=name", "--field-selector=status.phase=Running")
        return len(self.kubectl("--context", cluster, *query, "-l", "higgsdemo/dataset").split())

    def suspended(self, cluster: str) -> set[bool]:
        """Whether the Jobs of a cluster that have not ended are suspended: the values found."""
        found = json.loads(self.kubectl("--context", cluster, "-n", "higgs", "get", "jobs", "-o=json"))
        return {job["spec"]["suspend"] for job in found["items"] if not job_progress(job).finished}

    def contexts(self) -> list[str]:
        """Return the clusters that run, by their contexts in the kubeconfig."""
        return self.kubectl("config", "get-contexts", "-o", "name").split()

    def kubectl(self, *arguments: str) -> str:
        """Return what kubectl prints."""
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(self.settings.kubeconfig), *arguments],
            env={
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
                "HOME": str(self.settings.state),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def with_demo_files(state: Path) -> Path:
    """Return a new state folder with the demo's files, generated once for the tests of all processes."""
    shared = Path(os.environ["HIGGS_TEST_FILES"])
    with locked(shared / "lock"):
        files = generate(shared / "files", os.environ | {"PYTHONPATH": str(REPOSITORY / "include")})
    state.mkdir(mode=0o700)
    (state / "demo-data").symlink_to(files)
    return state


def command_line(process: psutil.Process) -> list[str]:
    """Return the words of a process's command; none when it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def kill(process: psutil.Process) -> None:
    """Kill a process as `kill -9` does."""
    process.send_signal(signal.SIGKILL)


def release(pods: Iterable[psutil.Process]) -> None:
    """Let pods that stand still work on."""
    for pod in pods:
        with suppress(psutil.NoSuchProcess):
            pod.resume()


def eventually(look: Callable[[], Found | None], what: str, pause: float = 0.25) -> Found:
    """Return what `look` returns as soon as it is true; looking takes CPU from what it looks for."""
    return waiting.eventually(look, what, PATIENCE, pause)


def _name(task: TaskInstance) -> str:
    name = task.task_id.rpartition(".")[2]
    return f"{name} {task.label}" if task.map_index >= 0 else name
