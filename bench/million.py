"""Plan and submit a million files: memory against that for the 26,920 of the full campaign.

The full campaign, split over ten clusters that are there, on a bucket with so many files. One process does
what the tasks do: `plan` lists the bucket, splits the files by bytes and writes each cluster's list; then
each cluster's files are counted and its Jobs submitted. The bucket has names and sizes alone, and what stands
for the clusters takes every object and keeps none: neither is counted.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import httpx
from aiohttp import web

from bench.measure import BenchError, load, measure
from bench.relay import HOST
from bench.report import Report, Say, megabytes, number, table
from bench.surroundings import REPOSITORY, free_port
from higgsdemo.catalogue.files import DATASETS
from rehearsal.names import scale_catalogue

CAMPAIGN = "higgs-full"
CLUSTERS = 10
PATIENCE = 120.0  # s that the bucket's names may take
LARGEST = 4 << 20  # bytes of an object of a cluster


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--files", type=int, nargs="+", default=[26_920, 1_000_000], help="numbers of files")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Plan and submit each number of files."""
    found = table("Files", "Jobs", "seconds", "CPU s", "peak MB", "of the first")
    ratio, first = 1.0, 0
    for asked in options.files:
        say(f"Planning and submitting {asked} files ...")
        with _store(asked) as bucket, _sink() as cluster:
            measured = measure(_plan_and_submit, [(bucket, cluster)])
        cost, ((files, jobs),) = measured.cost, measured.results
        if files != asked:
            raise BenchError(f"{files} files were listed, not {asked}")
        first = first or cost.memory
        ratio = cost.memory / first
        row = (number(cost.seconds), number(cost.cpu), megabytes(cost.memory), f"{ratio:.2f}")
        found.add_row(str(files), str(jobs), *row)
    return Report(
        __doc__.partition("\n")[2],
        found,
        (f"{files} files take {ratio:.2f} times the memory of {options.files[0]}.",),
    )


def _plan_and_submit(bucket: str, cluster: str) -> Callable[[], tuple[int, int]]:
    """Prepare, with connections to the servers at these URLs; the work returns files and Jobs."""
    keys = {"conn_type": "aws", "login": "bench", "password": "bench-secret"}
    extra = {"endpoint_url": bucket, "region_name": "us-east-1"}
    os.environ["AIRFLOW_CONN_BENCH_S3"] = json.dumps(keys | {"extra": extra})
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sink",
        "clusters": [{"name": "sink", "cluster": {"server": cluster}}],
        "users": [{"name": "sink", "user": {"token": "none"}}],
        "contexts": [{"name": "sink", "context": {"cluster": "sink", "user": "sink"}}],
    }
    kubernetes = {"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(kubeconfig)}}
    os.environ["AIRFLOW_CONN_BENCH_KUBE"] = json.dumps(kubernetes)
    load(
        "higgsdemo.operators.jobs",
        "higgsdemo.operators.plan",
        "higgsdemo.datasets.split",
        "higgsdemo.clusters.existing",
    )

    def work() -> tuple[int, int]:
        files = jobs = 0
        for assignment in _planned():
            files += _carried_out("list_shards", "ListShardsOperator", assignment)["shards"]
            jobs += _carried_out("jobs", "SubmitJobsOperator", assignment)["jobs"]
        return files, jobs

    return work


def _planned() -> list[dict[str, Any]]:
    from higgsdemo.campaign import load_campaign
    from higgsdemo.campaign.at_trigger import AtTrigger
    from higgsdemo.operators import plan

    vars(plan)["keep"] = lambda *_: None  # there is no Airflow to keep it
    campaign = load_campaign(REPOSITORY / "include" / "config" / f"{CAMPAIGN}.json")
    at_trigger = AtTrigger(connections=["bench_kube", "bench_s3"])
    # The catalogue knows of 26,920 files.
    campaign = campaign.model_copy(update={"incomplete": "warn", "at_trigger": at_trigger})
    there = {
        "provider": "existing",
        "connection": "bench_kube",
        "cores": 16,
        "nodes": 22,
        "image_pull_policy": "Never",
    }
    mapping = [there | {"name": f"there-{number}"} for number in range(CLUSTERS)]
    storage = {"input": "s3://higgs-demo", "output": "s3://higgs-results", "connection": "bench_s3"}
    now = datetime.now(UTC)
    run = SimpleNamespace(
        dag_id=CAMPAIGN, run_id="bench", run_after=now, conf={"mapping": mapping, "storage": storage}
    )
    os.environ["AIRFLOW_VAR_HIGGSDEMO_AIRFLOW"] = "bench"
    context: Any = {"dag_run": run, "ti": SimpleNamespace(get_task_states=lambda **_: {})}
    return plan.PlanOperator(task_id="plan", campaign=campaign).execute(context)


def _carried_out(module: str, operator: str, assignment: dict[str, Any]) -> dict[str, int]:
    """Carry out a task; return the sums of what it counts."""
    from importlib import import_module

    made = getattr(import_module(f"higgsdemo.operators.{module}"), operator)
    context: Any = {"dag_run": SimpleNamespace(start_date=datetime.now(UTC))}
    returned = made(task_id=module, assignment=assignment).execute(context)
    if "jobs" in returned:
        return {"jobs": len(returned["jobs"])}
    return {"shards": sum(counts["shards"] for counts in returned["datasets"].values())}


@contextmanager
def _store(files: int) -> Iterator[str]:
    """Start a bucket with so many files."""
    url = f"http://{HOST}:{(port := free_port())}"
    fill = ("--fill", "higgs-demo", "cms-higgs")
    command = [sys.executable, "-m", "rehearsal.store", "--port", str(port), *fill]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        scale_catalogue("cms-higgs", files, folder)
        process = stack.enter_context(subprocess.Popen(command, env=os.environ | {DATASETS: str(folder)}))
        try:
            _answers(url)
            httpx.put(f"{url}/higgs-results", trust_env=False).raise_for_status()
            yield url
        finally:
            process.kill()


@contextmanager
def _sink() -> Iterator[str]:
    """Start a cluster's API that accepts every object and keeps none."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=_take_all, args=(port,), daemon=True)
    process.start()
    try:
        _answers(f"http://{HOST}:{port}")
        yield f"http://{HOST}:{port}"
    finally:
        process.kill()


def _take_all(port: int) -> None:
    async def answer(request: web.Request) -> web.Response:
        asked = await request.json() if request.method in ("POST", "PATCH") else {}
        body = {"kind": "Status"} | asked | {"metadata": asked.get("metadata", {}) | {"uid": "sink"}}
        return web.json_response(body, status=201 if request.method == "POST" else 200)

    app = web.Application(client_max_size=LARGEST)
    app.router.add_route("*", "/{path:.*}", answer)
    web.run_app(app, host=HOST, port=port, print=None, access_log=None)


def _answers(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            httpx.get(url, trust_env=False)
            return
        except httpx.TransportError as error:
            if time.monotonic() > deadline:
                raise BenchError(f"{url} does not answer: {error}") from None
            time.sleep(0.1)
