"""The links of a task in Airflow: the campaign page, the plot, the bucket's and the cluster's console."""

from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

from airflow.sdk import BaseHook, BaseOperator, BaseOperatorLink
from airflow.sdk.configuration import conf
from airflow.sdk.types import TaskInstanceKey

from higgsdemo.run import ClusterRun, PlanError
from higgsdemo.run_folder import picture_key


class PageLink(BaseOperatorLink):
    """The run's page."""

    name = "Campaign page"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return _page("", dag_id=ti_key.dag_id, run_id=ti_key.run_id)


class PlotLink(BaseOperatorLink):
    """The picture in the run's folder."""

    name = "Plot"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        assignment = _assignment_of(operator)
        name = picture_key(assignment is not None and assignment.run.counted is not None, "png")
        return _page("api/file", dag_id=ti_key.dag_id, run_id=ti_key.run_id, name=name)


class BucketLink(BaseOperatorLink):
    """The run's folder in the console of its cloud."""

    name = "Bucket"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its URL; empty for a store without a known console."""
        assignment = _assignment_of(operator)
        if assignment is None:
            return ""
        target = urlsplit(assignment.run.output)
        prefix = target.path.strip("/")
        if target.scheme == "gs":
            return f"https://console.cloud.google.com/storage/browser/{target.netloc}/{prefix}"
        if BaseHook.get_connection(assignment.run.output_connection).extra_dejson.get("endpoint_url"):
            return ""
        query = urlencode({"prefix": f"{prefix}/"})
        return f"https://s3.console.aws.amazon.com/s3/buckets/{target.netloc}?{query}"


class ClusterLink(BaseOperatorLink):
    """The cluster in the console of its cloud."""

    name = "Cluster"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return its URL; empty for a cluster outside of the clouds."""
        assignment = _assignment_of(operator)
        if assignment is None or not (location := assignment.cluster.location):
            return ""
        name, provider = assignment.cluster.name, assignment.cluster.provider
        if provider == "gke":
            return f"https://console.cloud.google.com/kubernetes/clusters/details/{location}/{name}/details"
        return f"https://{location}.console.aws.amazon.com/eks/clusters/{name}" if provider == "eks" else ""


def _page(path: str, **query: str) -> str:
    base = conf.get("api", "base_url", fallback="").rstrip("/")
    return f"{base}/higgs/{path}?{urlencode(query)}"


def _assignment_of(operator: Any) -> ClusterRun | None:
    """Return the cluster's part of the run that a task works on, or the first of those it works on."""
    several = getattr(operator, "assignments", None) or [None]
    assigned = getattr(operator, "assignment", None) or several[0]
    with suppress(PlanError):
        return ClusterRun.read(assigned) if assigned else None
    return None
