"""One of Airflow's components, which loads what it needs at once, while its database is being made.

Loading is most of a component's start, and a quarter of it is the search for garbage among what is loaded, of
which there is none. What the scheduler has loaded its tasks need not load again: workers are forked from it,
and each task from a worker.
"""

import gc
import sys
import time
from importlib import import_module
from pathlib import Path

NEEDED = {
    "api-server": ("airflow.api_fastapi.main",),
    "dag-processor": ("airflow.jobs.dag_processor_job_runner",),
    "scheduler": (
        "airflow.jobs.scheduler_job_runner",
        "airflow.sdk.execution_time.task_runner",
        "airflow.providers.amazon.aws.hooks.base_aws",
        "kubernetes.client",
        "kubernetes_asyncio.client",
        "mplhep",
        "obstore.store",
        "pyhf",
        "higgsdemo.clusters.local",
        "higgsdemo.dag",
        "higgsdemo.kubernetes.jobs",
        "higgsdemo.kubernetes.api",
        "higgsdemo.publication.histograms",
        "higgsdemo.publication.summary",
        "higgsdemo.triggers.cluster",
        "higgsdemo.triggers.jobs",
        "higgsdemo.triggers.prepull",
    ),
    "triggerer": (
        "airflow.jobs.triggerer_job_runner",
        "kubernetes_asyncio.client",
        "higgsdemo.triggers.cluster",
        "higgsdemo.triggers.jobs",
        "higgsdemo.triggers.prepull",
    ),
}
"""What each component imports anyway. The dag-processor reads the plugins anew each time."""


def main(name: str, mark: str, version: str, *arguments: str) -> None:
    """Become a component, with the arguments of its command, once the file `mark` says `version`."""
    gc.disable()
    for module in NEEDED[name]:
        import_module(module)
    gc.freeze()  # nor is it searched for among these later
    gc.enable()
    while not (Path(mark).exists() and Path(mark).read_text() == version):
        time.sleep(0.1)
    sys.argv[:] = ["airflow", name, *arguments]
    import_module("airflow.__main__").main()


if __name__ == "__main__":
    main(*sys.argv[1:])
