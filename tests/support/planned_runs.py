"""Planned runs that the tests work with."""

from types import SimpleNamespace
from typing import Any

from higgsdemo.campaign import Cluster, DatasetRef
from higgsdemo.run import ClusterRun, Run

ALONE = SimpleNamespace(get_task_states=lambda **_: {})
"""What a task knows of the other runs of its campaign: that there is none."""
EKS: dict[str, Any] = {
    "cluster_role": "arn:aws:iam::123456789012:role/eks-cluster",
    "node_role": "arn:aws:iam::123456789012:role/eks-node",
    "subnets": ["subnet-0a", "subnet-0b"],
}
"""What EKS must be told."""
THEIRS: dict[str, Any] = {
    "provider": "existing",
    "connection": "theirs",
    "flavor": None,
    "input_connection": "with_keys",
}
"""A cluster that people have, and that the Airflow connection `theirs` leads to."""


def dataset(name: str = "CMS_Run2012C_DoubleElectron", **changes: Any) -> DatasetRef:
    fields: dict[str, Any] = {"name": name, "url": f"s3://higgs-demo/{name}/", "sample": "run2012c"}
    return DatasetRef(**fields | changes)


def planned(run: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> ClusterRun:
    """One cluster's part of a run, with the given fields changed."""
    run_fields: dict[str, Any] = {
        "campaign": "higgs-full",
        "name": "20190521t090000-ab12",
        "image": "higgsdemo/nanoaod:1",
        "stage_in_image": "higgsdemo/nanoaod:1",
        "output": "s3://higgs-results/higgs-full/20190521t090000-ab12",
        "output_connection": "higgs_s3",
        "pod_endpoint": None,
        "stages": ("create", "prepare", "submit", "cleanup"),
        "resume": False,
        "cleanup": "jobs",
    }
    cluster_fields: dict[str, Any] = {
        "name": "kubecon-demo-0",
        "provider": "local",
        "connection": "localkube_default",
        "flavor": "local-1",
        "nodes": 2,
        "input_connection": "higgs_s3",
        "resources": {"cpu": "0.9", "memory": "6Gi"},
        "datasets": [dataset()],
    }
    return ClusterRun(
        run=Run(**run_fields | (run or {})), cluster=Cluster(**cluster_fields | (cluster or {}))
    )
