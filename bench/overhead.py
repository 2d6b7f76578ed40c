"""Run a campaign whose pods do nothing: this project against a chain of stock operators.

Three clusters are made, their images pulled, their files listed, one Job of one pod run on each, the results
merged and everything removed, in one real Airflow as `make demo` starts it. The other chain is written with
the providers' operators, `KubernetesJobOperator` above all, deferrable and polling once a second; what has no
operator is a plain task. Seconds are those that Airflow tells of a run, from the trigger to its end: the best
and the median of several runs in turn. The stock chain does less: it does not wait until the image is on
every node, draws nothing, and trusts that a cluster is gone. A task costs about half a second and a deferral
three, so their numbers count: this project waits for three seconds in the worker before it defers.
"""

import argparse
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import BenchError
from bench.report import Report, Say, number, ratio, table
from bench.services import PatientAirflow, copy_of_project, services, until
from bench.surroundings import REPOSITORY
from demo.bucket import Bucket
from demo.settings import Settings
from higgsdemo.catalogue import load_catalogue
from higgsdemo.command_line.airflow_api import FINISHED

OURS, STOCK = "bench-campaign", "bench-stock"
IMAGE, INPUT = "bench/nothing:1", "bench-files"  # of both chains; overhead_dag.py names them too
CAMPAIGN: dict[str, Any] = {
    "catalogue": "demo",
    "workload": "nanoaod",
    "image": IMAGE,
    "storage": {"input": f"s3://{INPUT}", "output": "s3://higgs-results", "connection": "higgs_s3"},
    "cleanup": "clusters",
    "tolerance": 1,  # a pod that does nothing leaves no result
    "defaults": {
        "provider": "local",
        "flavor": "local-1",
        "max_shards": 1,
        "resources": {"cpu": "0.9", "memory": "1Gi"},
    },
    "mapping": [
        {"name": "ours-0", "datasets": ["Simulated_ZZTo4mu_8TeV"]},
        {"name": "ours-1", "datasets": ["Simulated_ZZTo4e_8TeV"]},
        {"name": "ours-2", "datasets": ["Simulated_ZZTo2e2mu_8TeV"]},
    ],
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--runs", type=int, default=4, help="runs of each chain (default 4)")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Run both chains in turn."""
    seconds: dict[str, list[float]] = {OURS: [], STOCK: []}
    counts = {}
    say("Starting Airflow, an S3 server and localkube ...")
    with _services(options.folder) as session:
        for dag in seconds:
            until(partial(session.has_dag, dag), f"Airflow finds the DAG {dag}")
        for turn in range(options.runs):
            for dag, times in seconds.items():
                times.append(_run(session, dag, f"run-{turn}"))
                say(f"{dag}: {times[-1]:.1f} s")
        for dag in seconds:
            last = f"run-{options.runs - 1}"
            counts[dag] = len(session.tasks(dag, last)), session.events(dag, last, "deferred")
    found = table("Chain of three clusters", "seconds", "median", "task instances", "deferrals")
    for name, dag in (("this project", OURS), ("stock operators", STOCK)):
        ordered = sorted(seconds[dag])
        found.add_row(name, number(ordered[0]), number(ordered[len(ordered) // 2]), *map(str, counts[dag]))
    finding = f"The stock chain takes {ratio(min(seconds[OURS]), min(seconds[STOCK]))} the time."
    return Report(__doc__.partition("\n")[2], found, (finding,))


def _run(session: PatientAirflow, dag: str, run_id: str) -> float:
    session.trigger(dag, run_id, {"run_name": run_id} if dag == OURS else {})
    until(lambda: session.run_state(dag, run_id) in FINISHED, f"{dag} ends", pause=1)
    if session.run_state(dag, run_id) != "success":
        failed = [task.task_id for task in session.tasks(dag, run_id) if task.state == "failed"]
        raise BenchError(f"{dag} has failed: {', '.join(failed)}")
    return session.seconds(dag, run_id)


@contextmanager
def _services(folder: Path) -> Iterator[PatientAirflow]:
    """Run the services with the DAGs of both chains, and an image that does nothing."""
    copy = copy_of_project(folder, OURS, CAMPAIGN)
    shutil.copy(REPOSITORY / "bench" / "overhead_dag.py", copy / "dags" / "stock.py")
    settings = Settings.load(copy / ".run")
    connections = {
        f"stock_{cluster}": {
            "conn_type": "kubernetes",
            "extra": {"kube_config_path": str(settings.kubeconfig), "cluster_context": f"stock-{cluster}"},
        }
        for cluster in range(3)
    }
    with services(copy, settings, connections, OURS) as session:
        _fill(folder / "files", Settings.load(settings.state))
        images = json.loads(settings.images.read_text())
        settings.images.write_text(json.dumps(images | {IMAGE: {"Entrypoint": ["/bin/true"]}}))
        yield session


def _fill(folder: Path, settings: Settings) -> None:
    """Put files without events where both chains list them."""
    datasets = load_catalogue("demo").datasets
    for cluster in CAMPAIGN["mapping"]:
        for name in cluster["datasets"]:
            for file in range(datasets[name].files):
                path = folder / datasets[name].prefix / f"{file}.root"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"none")
    Bucket(settings, INPUT).upload(folder)
