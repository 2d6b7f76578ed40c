"""A run of this project on the cluster under test: its own operators and triggers, a bucket of this machine.

Only the workload is another: a script that ends as its completion index says. So no pod needs a way to this
machine, and any image with Python will do. Results are put into the bucket here, as the pods would.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from clouds.tasks import carry_out, make
from cluster.conftest import Target
from higgsdemo.clusters.existing import ExistingProvider
from higgsdemo.kubernetes import jobs
from higgsdemo.kubernetes.names import selector
from higgsdemo.operators.jobs import CleanupJobsOperator, SubmitJobsOperator, WaitForJobsOperator
from higgsdemo.operators.list_shards import ListShardsOperator
from higgsdemo.run import ClusterRun
from planned_runs import dataset, planned
from s3_server import Bucket
from space import Space, python
from stores import connect

SHARDS = ("a", "b", "c", "d")


def use_script(monkeypatch: pytest.MonkeyPatch, space: Space, script: str) -> None:
    """Let the pods of Jobs run a script in place of the image's own command."""
    made_by_us = jobs.pod_spec

    def pod_spec(*arguments: Any) -> Any:
        spec = made_by_us(*arguments)
        (container,) = spec["containers"]
        container["command"] = python(script)
        container["env"] += space.told_to_go()["env"]
        return spec

    monkeypatch.setattr(jobs, "pod_spec", pod_spec)


@dataclass(frozen=True)
class CampaignRun:
    """One cluster's part of a run, and what there is of it in the cluster and in the bucket."""

    space: Space
    bucket: Bucket
    assignment: ClusterRun

    @classmethod
    def of(cls, space: Space, bucket: Bucket, run: Any = None, cluster: Any = None) -> CampaignRun:
        """Return a run over four shards, reached by the Airflow connections `under_test` and `with_keys`."""
        for shard in SHARDS:
            bucket.write(f"in/{shard}.root", b"events")
        run_fields = {
            "campaign": space.test,
            "name": "run",
            "image": space.image,
            "output": f"s3://{bucket.name}/out",
            "output_connection": "with_keys",
        }
        cluster_fields = {
            "provider": "existing",
            "connection": "under_test",
            "flavor": None,
            "namespace": space.namespace,
            "backoff_limit_per_index": 0,
            "resources": {"cpu": "0.1", "memory": "64Mi"},
            "input_connection": "with_keys",
            "datasets": [dataset("D", url=f"s3://{bucket.name}/in/")],
        }
        return cls(space, bucket, planned(run_fields | (run or {}), cluster_fields | (cluster or {})))

    def submit(self, *results: str) -> dict[str, Any]:
        """List the shards, submit their Jobs, and leave the results of these shards as the pods would."""
        make(ListShardsOperator, self.assignment).execute({})
        submitted: dict[str, Any] = make(SubmitJobsOperator, self.assignment).execute({})
        for shard in results:
            self.bucket.write(f"out/results/D/{shard}.json", b"{}")
        return submitted

    def wait(self, submitted: dict[str, Any]) -> dict[str, Any]:
        """Wait for the Jobs, as the triggerer does, and judge them."""
        judged: dict[str, Any] = carry_out(WaitForJobsOperator, self.assignment, submitted=submitted)
        return judged

    def cleanup(self) -> None:
        make(CleanupJobsOperator, self.assignment).execute({"dag_run": SimpleNamespace(conf={})})

    def document(self, key: str) -> Any:
        body = self.bucket.read(f"out/{key}")
        return json.loads(body)

    def jobs(self) -> list[Any]:
        return self._of_the_run(self.space.kube.batch.list_namespaced_job)

    def pods(self) -> list[Any]:
        return self._of_the_run(self.space.kube.core.list_namespaced_pod)

    def _of_the_run(self, listed: Callable[..., Any]) -> list[Any]:
        run = self.assignment.run
        return list(listed(self.space.namespace, label_selector=selector(run.campaign, run.name)).items)

    def held(self) -> dict[str, int]:
        """How many objects of the campaign, of all its runs, the cluster holds; by kind."""
        core, batch, apps = self.space.kube.core, self.space.kube.batch, self.space.kube.apps
        lists = {
            "jobs": batch.list_namespaced_job,
            "daemonsets": apps.list_namespaced_daemon_set,
            "configmaps": core.list_namespaced_config_map,
            "secrets": core.list_namespaced_secret,
            "pods": core.list_namespaced_pod,
        }
        ours = selector(self.assignment.run.campaign)
        return {
            kind: len(found(self.space.namespace, label_selector=ours).items) for kind, found in lists.items()
        }


Campaign = Callable[..., CampaignRun]


@pytest.fixture
def campaign(
    space: Space, target: Target, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Campaign]:
    """Make runs of a campaign of this test's own, whose pods run a script; all of it is cleaned up."""
    there = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(target.kubeconfig)}}
    connect(monkeypatch, under_test=there, with_keys=bucket.connection())
    monkeypatch.setattr(ExistingProvider, "poll_seconds", 0.3)
    made: list[CampaignRun] = []

    def run(script: str, run: Any = None, **cluster: Any) -> CampaignRun:
        use_script(monkeypatch, space, script)
        made.append(CampaignRun.of(space, bucket, run, cluster))
        return made[-1]

    yield run
    for one in made:
        one.cleanup()
