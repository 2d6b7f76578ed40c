"""The chain of a campaign as one writes it with the providers' own operators: the bench's DAG file.

Three clusters side by side, each made, its image pulled, its files listed, one Job run and all of it removed.
The one-machine Kubernetes has no operators for its clusters, so these tasks ask its admin API.
"""

from typing import Any

import httpx
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.operators.s3 import S3ListOperator
from airflow.providers.cncf.kubernetes.operators.job import KubernetesDeleteJobOperator, KubernetesJobOperator
from airflow.providers.cncf.kubernetes.operators.resource import KubernetesCreateResourceOperator
from airflow.sdk import DAG, BaseHook, TriggerRule, task, task_group

IMAGE = "bench/nothing:1"
PREPULL = f"""
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: prepull}}
spec:
  selector: {{matchLabels: {{app: prepull}}}}
  template:
    metadata: {{labels: {{app: prepull}}}}
    spec:
      initContainers: [{{name: pull, image: "{IMAGE}"}}]
      containers: [{{name: pause, image: "registry.k8s.io/pause:3.10"}}]
"""


def admin(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the admin API of the clusters."""
    connection = BaseHook.get_connection("localkube_default")
    answer = httpx.request(
        method,
        f"{connection.host}:{connection.port}/localkube/clusters{path}",
        headers={"Authorization": f"Bearer {connection.password}"},
        verify=connection.extra_dejson["ca"],
        json=body,
    )
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


@task
def create(cluster: str) -> None:
    """Ask for the cluster."""
    admin("POST", "", {"name": cluster, "nodes": 1, "cpu": "1", "memory": "2Gi"})


@task.sensor(poke_interval=1, mode="poke")
def running(cluster: str) -> bool:
    """Wait until it is there."""
    return bool(admin("GET", f"/{cluster}")["phase"] == "Running")


@task(trigger_rule=TriggerRule.ALL_DONE)
def delete(cluster: str) -> None:
    """Remove the cluster."""
    admin("DELETE", f"/{cluster}")


@task(trigger_rule=TriggerRule.ALL_DONE)
def merge() -> int:
    """Read what the pods have left."""
    hook = S3Hook("higgs_s3")
    return sum(len(hook.read_key(key, "higgs-results")) for key in hook.list_keys("higgs-results", "stock/"))


@task
def plot() -> None:
    """Draw it: nothing."""


@task_group
def run(cluster: str, connection: str) -> None:
    """Make a cluster and run its Job."""
    pull = KubernetesCreateResourceOperator(
        task_id="pull", yaml_conf=PREPULL, namespace="default", kubernetes_conn_id=connection
    )
    keys = S3ListOperator(
        task_id="keys", bucket="bench-files", prefix="demo/2012/ZZTo4e_8TeV/", aws_conn_id="higgs_s3"
    )
    job = KubernetesJobOperator(
        task_id="job",
        kubernetes_conn_id=connection,
        name="job",
        random_name_suffix=False,
        namespace="default",
        image=IMAGE,
        completion_mode="Indexed",
        completions=1,
        wait_until_job_complete=True,
        deferrable=True,
        job_poll_interval=1,
        poll_interval=1,
        get_logs=False,
    )
    create(cluster) >> running(cluster) >> pull >> keys >> job


@task_group
def remove(cluster: str, connection: str) -> None:
    """Remove its Job, and the cluster."""
    job = KubernetesDeleteJobOperator(
        task_id="job",
        kubernetes_conn_id=connection,
        name="job",
        namespace="default",
        trigger_rule=TriggerRule.ALL_DONE,
    )
    job >> delete(cluster)


with DAG("bench-stock", schedule=None):
    merged = merge()
    plotted = plot()
    merged >> plotted
    for number in range(3):
        names = {"cluster": f"stock-{number}", "connection": f"stock_{number}"}
        run.override(group_id=f"run_{number}")(**names) >> merged
        plotted >> remove.override(group_id=f"remove_{number}")(**names)
