"""The links of a task in Airflow: the campaign page, the plot, the bucket's and the cluster's console."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from airflow.sdk import BaseHook, BaseOperatorLink
from airflow.sdk.configuration import conf

from higgsdemo.run import ClusterRun, PlanError
from higgsdemo.run_folder import picture_key

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class PageLink(BaseOperatorLink):
    """The run's page."""

    name = "Campaign page"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its URL."""
        return _page("", dag_id=ti_key.dag_id, run_id=ti_key.run_id)


class PlotLink(BaseOperatorLink):
    """The picture in the run's folder."""

    name = "Plot"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its URL."""
        planned = _planned(operator)
        name = picture_key(planned and planned.run.histograms, "png")
        return _page("api/file", dag_id=ti_key.dag_id, run_id=ti_key.run_id, name=name)


class BucketLink(BaseOperatorLink):
    """The run's folder in the console of its cloud."""

    name = "Bucket"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its URL; empty for a store without a known console."""
        planned = _planned(operator)
        return bucket_console(planned) if planned else ""


class ClusterLink(BaseOperatorLink):
    """The cluster in the console of its cloud."""

    name = "Cluster"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its URL; empty for a cluster outside of the clouds."""
        planned = _planned(operator)
        return cluster_console(planned) if planned else ""


def bucket_console(planned: ClusterRun) -> str:
    """Return the console's URL of a run's folder; empty when the store is not the cloud's own."""
    target = urlsplit(planned.run.output)
    prefix = target.path.strip("/")
    if target.scheme == "gs":
        return f"https://console.cloud.google.com/storage/browser/{target.netloc}/{prefix}"
    if BaseHook.get_connection(planned.run.output_connection).extra_dejson.get("endpoint_url"):
        return ""
    query = urlencode({"prefix": f"{prefix}/"})
    return f"https://s3.console.aws.amazon.com/s3/buckets/{target.netloc}?{query}"


def cluster_console(planned: ClusterRun) -> str:
    """Return the console's URL of a cluster; empty when no cloud made it."""
    name, location = planned.cluster.name, planned.cluster.location
    if planned.cluster.provider == "gke" and location:
        return f"https://console.cloud.google.com/kubernetes/clusters/details/{location}/{name}/details"
    if planned.cluster.provider == "eks" and location:
        return f"https://{location}.console.aws.amazon.com/eks/clusters/{name}"
    return ""


def _page(path: str, **query: str) -> str:
    base = conf.get("api", "base_url", fallback="").rstrip("/")
    return f"{base}/higgs/{path}?{urlencode(query)}"


def _planned(operator: Any) -> ClusterRun | None:
    """Return the cluster's part of the run that a task works on, or the first of those it works on."""
    several = getattr(operator, "assignments", None) or [None]
    assigned = getattr(operator, "assignment", None) or several[0]
    with suppress(PlanError):
        return ClusterRun.read(assigned) if assigned else None
    return None
