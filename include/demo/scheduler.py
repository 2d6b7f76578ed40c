"""Airflow's scheduler, with the tasks' imports loaded beforehand.

Its workers are forked from it, and each task from a worker: no task has to load again what is loaded here,
which halves what the workers compute during the demo campaign.
"""

import sys
from importlib import import_module

from airflow.__main__ import main

WARM = (
    "airflow.sdk.execution_time.task_runner",
    "airflow.providers.amazon.aws.hooks.base_aws",
    "kubernetes.client",
    "obstore.store",
    "higgsdemo.clusters.local",
    "higgsdemo.dag",
    "higgsdemo.kubernetes.jobs",
    "higgsdemo.kubernetes.api",
    "higgsdemo.publication.summary",
)
"""What the tasks of the campaign on local clusters import."""

if __name__ == "__main__":
    for module in WARM:
        import_module(module)
    sys.argv[:] = ["airflow", "scheduler", "--skip-serve-logs"]
    main()
