"""Parse the DAGs: this project against the same with the providers imported at the top.

Airflow's DAG processor reads the DAG files again and again, and serializes what it finds. Here it does so
with `dags/higgs.py` over copies of the full campaign's file, in a process that has imported Airflow and
read a DAG before; then with the same file that has the hooks which the project uses imported at its top, as
is usual.
"""

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

from bench.measure import BenchError, measure
from bench.report import Report, Say, megabytes, number, table
from bench.surroundings import REPOSITORY

CAMPAIGN = REPOSITORY / "include" / "config" / "higgs-full.json"
FIRST = """\
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("first"):
    EmptyOperator(task_id="task")
"""
PROVIDERS = """\
from airflow.providers.amazon.aws.hooks.eks import EksHook
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.cncf.kubernetes.hooks.kubernetes import AsyncKubernetesHook, KubernetesHook
from airflow.providers.google.cloud.hooks.gcs import GCSHook
from airflow.providers.google.cloud.hooks.kubernetes_engine import GKEHook
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--configs", type=int, nargs="+", default=[1, 10, 100], help="numbers of campaigns")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Parse each number of campaigns in both ways."""
    found = table("Parse", "campaigns", "CPU s", "s a campaign", "MB more", "peak MB")
    findings = []
    ours = (REPOSITORY / "dags" / "higgs.py").read_text()
    for name, source in (("this project", ours), ("providers at the top", PROVIDERS + ours)):
        for campaigns in options.configs:
            say(f"Parsing {campaigns} campaigns, {name} ...")
            folder = options.folder / f"{name}-{campaigns}"
            _write(folder, source, campaigns)
            measured = measure(_parse, [(folder, campaigns)])
            cost, (grown,) = measured.cost, measured.results
            row = (number(cost.cpu), number(cost.cpu / campaigns), megabytes(grown), megabytes(cost.memory))
            found.add_row(name, str(campaigns), *row)
            if campaigns == min(options.configs):
                findings.append(f"{name}: {number(cost.cpu)} s of CPU over Airflow's own import.")
    return Report(__doc__.partition("\n")[2], found, tuple(findings))


def _write(folder: Path, source: str, campaigns: int) -> None:
    """Lay out a checkout of one DAG file, and campaigns that differ in name alone."""
    for part in ("first", "dags", "include/config"):
        (folder / part).mkdir(parents=True)
    (folder / "first" / "first.py").write_text(FIRST)
    (folder / "dags" / "higgs.py").write_text(source)
    for copy in range(campaigns):
        shutil.copy(CAMPAIGN, folder / "include" / "config" / f"campaign-{copy}.json")


def _parse(folder: Path, campaigns: int) -> Callable[[], int]:
    import psutil
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    def parse(part: str) -> int:
        bag = DagBag(folder / part)
        if bag.import_errors:
            raise BenchError(f"cannot be parsed: {bag.import_errors}")
        return len([DagSerialization.to_dict(dag) for dag in bag.dags.values()])

    def work() -> int:
        before = psutil.Process().memory_info().rss
        if (parsed := parse("dags")) != campaigns:
            raise BenchError(f"{parsed} DAGs instead of {campaigns}")
        return int(psutil.Process().memory_info().rss - before)

    parse("first")
    return work
