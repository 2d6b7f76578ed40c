"""One of Airflow's components, which imports what it needs while its database is being created.

Imports are most of a component's start, and garbage collection is a quarter of them, although they leave no
garbage. What the scheduler has imported, its tasks need not: they are forked from it.
"""

import gc
import sys
import time
from importlib import import_module
from pathlib import Path

NEEDED = {
    "api-server": ("airflow.api_fastapi.main",),
    "dag-processor": (
        "airflow.api_fastapi.execution_api.app",
        "airflow.api_fastapi.execution_api.routes",
        "airflow.jobs.dag_processor_job_runner",
    ),
    "scheduler": (
        "airflow.jobs.scheduler_job_runner",
        "airflow.sdk.execution_time.task_runner",
        "airflow.providers.amazon.aws.hooks.base_aws",
        "greenback",
        "hist.intervals",
        "jinja2.ext",
        "kubernetes.client",
        "kubernetes_asyncio.client",
        "mplhep",
        "obstore.auth.boto3",
        "obstore.store",
        "pyhf",
        "higgsdemo.clusters.local",
        "higgsdemo.dag",
        "higgsdemo.datasets.listing",
        "higgsdemo.kubernetes.jobs",
        "higgsdemo.kubernetes.api",
        "higgsdemo.publication.histograms",
        "higgsdemo.publication.summarise",
        "higgsdemo.triggers.cluster",
        "higgsdemo.triggers.jobs",
        "higgsdemo.triggers.prepull",
    ),
    "triggerer": (
        "airflow.api_fastapi.execution_api.app",
        "airflow.api_fastapi.execution_api.routes",
        "airflow.jobs.triggerer_job_runner",
        "kubernetes_asyncio.client",
        "higgsdemo.triggers.cluster",
        "higgsdemo.triggers.jobs",
        "higgsdemo.triggers.prepull",
    ),
}
"""What each component imports anyway. The dag-processor imports the plugins anew for each parse."""


def main(name: str, mark: str, version: str, *arguments: str) -> None:
    """Become a component, with the arguments of its command, once the file `mark` says `version`."""
    gc.disable()
    for module in NEEDED[name]:
        import_module(module)
    if name != "scheduler":
        _leave_out_old_versions()
    gc.freeze()  # later collections leave these objects out
    gc.enable()
    while not (Path(mark).exists() and Path(mark).read_text() == version):
        time.sleep(0.1)
    sys.argv[:] = ["airflow", name, *arguments]
    import_module("airflow.__main__").main()


def _leave_out_old_versions() -> None:
    """Serve tasks of this Airflow alone: no older ones are here, and routes for them take 3 s of CPU to make.

    The version before the newest must stay: it has a route that the newest lacks, and none may be unused.
    """
    from airflow.api_fastapi.execution_api.versions import bundle

    bundle.versions = bundle.versions[:2]


if __name__ == "__main__":
    main(*sys.argv[1:])
