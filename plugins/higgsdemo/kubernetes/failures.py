"""Why shards have no result: what the last pod that tried each of them said when it ended."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from higgsdemo.kubernetes import labels
from higgsdemo.kubernetes.pods import ANALYSIS, MANIFEST_FILE
from higgsdemo.run import ClusterRun

if TYPE_CHECKING:
    from higgsdemo.datasets.shards import Shard
    from higgsdemo.kubernetes.api import KubeCluster

INDEX = "batch.kubernetes.io/job-completion-index"
UNKNOWN = "no pod of it has failed: its Job was stopped, or removed, before its turn"
LONGEST_REASON = 500  # characters; a termination message may have 4096
LOGS_READ = 20  # pods whose logs are looked at: enough to see why, little enough for a cluster that is busy
LOG_LINES = 20
Failure = dict[str, Any]


def failures_key(cluster: str) -> str:
    """Return the key, in the run's folder, of a cluster's failed shards."""
    return f"failures/{cluster}.json"


def failed_shards(cluster: KubeCluster, assignment: ClusterRun, missing: Iterable[Shard]) -> list[Failure]:
    """Return dataset, shard, URL, reason and, of the first ones, the end of the log of shards in ``missing``.

    It asks for the failed pods of the run and for the manifests they read: a cost that grows with the
    failures, not with the campaign.
    """
    tried = _last_pods(cluster, assignment)
    logs: dict[str, list[str]] = {}
    return [
        {
            "cluster": assignment.cluster.name,
            "dataset": shard.dataset,
            "shard": shard.name,
            "url": shard.url,
            **_told(cluster, tried.get((labels.label_value(shard.dataset), shard.name)), logs),
        }
        for shard in missing
    ]


def _last_pods(cluster: KubeCluster, assignment: ClusterRun) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the last failed pod of each shard, by label value of the dataset and shard."""
    run = assignment.run
    last: dict[tuple[str, str], dict[str, Any]] = {}
    manifests: dict[str, list[str]] = {}
    pods = cluster.failed_pods(labels.selector(run.campaign, run.name))
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"])):
        name = _manifest_name(pod)
        if name not in manifests:
            manifests[name] = cluster.config_map(name)["data"][MANIFEST_FILE].splitlines()
        line = manifests[name][int(pod["metadata"]["labels"][INDEX])]
        for shard in json.loads(line)["shards"]:
            last[pod["metadata"]["labels"][labels.DATASET], shard["name"]] = pod
    return last


def _told(cluster: KubeCluster, pod: dict[str, Any] | None, logs: dict[str, list[str]]) -> Failure:
    """Return what a pod said; ``logs`` keeps the logs that were read, as one pod may have had many shards."""
    if pod is None:
        return {"reason": UNKNOWN}
    name = pod["metadata"]["name"]
    if name not in logs and len(logs) < LOGS_READ:
        container = next((ended["name"] for ended in _ended_badly(pod)), ANALYSIS)
        logs[name] = cluster.log_end(name, container, LOG_LINES)
    return {"reason": pod_reason(pod)} | ({"log": logs[name]} if logs.get(name) else {})


def pod_reason(pod: dict[str, Any]) -> str:
    """Return in one line why a pod has failed."""
    status = pod["status"]
    parts = [status.get("reason"), status.get("message")]
    for container in _ended_badly(pod):
        ended = container["state"]["terminated"]
        said = (ended.get("message") or "").strip().splitlines()
        parts += [ended.get("reason"), f"exit code {ended['exitCode']}", said[-1] if said else None]
    return ", ".join(part for part in parts if part)[:LONGEST_REASON] or "no reason given"


def _ended_badly(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statuses of the containers that have failed; those that never began have not."""
    status = pod["status"]
    statuses = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    return [one for one in statuses if ((one.get("state") or {}).get("terminated") or {}).get("exitCode")]


def _manifest_name(pod: dict[str, Any]) -> str:
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    return str(volumes["manifest"]["configMap"]["name"])
