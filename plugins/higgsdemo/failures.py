"""Why shards have no result: what the last pod that tried each of them said when it ended."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from higgsdemo import labels
from higgsdemo.jobs import CONTAINER, MANIFEST_FILE
from higgsdemo.run import ClusterRun

if TYPE_CHECKING:
    from higgsdemo.kube import KubeCluster
    from higgsdemo.shards import Shard

INDEX = "batch.kubernetes.io/job-completion-index"
UNKNOWN = "no pod of it has failed: its Job was stopped, or removed, before its turn"
LONGEST_REASON = 500  # characters; a termination message may have 4096
Failure = dict[str, str]


def failures_key(cluster: str) -> str:
    """Return the key, in the run's folder, of a cluster's failed shards."""
    return f"failures/{cluster}.json"


def failed_shards(cluster: KubeCluster, assignment: ClusterRun, missing: Iterable[Shard]) -> list[Failure]:
    """Return dataset, shard, URL and reason of each shard in ``missing``.

    It asks for the failed pods of the run and for the manifests they read: a cost that grows with the
    failures, not with the campaign.
    """
    run = assignment.run
    reasons: dict[tuple[str, str], str] = {}
    manifests: dict[str, list[str]] = {}
    pods = cluster.failed_pods(labels.selector(run.campaign, run.name))
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"])):
        name = _manifest_name(pod)
        if name not in manifests:
            manifests[name] = cluster.config_map(name)["data"][MANIFEST_FILE].splitlines()
        line = manifests[name][int(pod["metadata"]["labels"][INDEX])]
        for shard in json.loads(line)["shards"]:
            reasons[pod["metadata"]["labels"][labels.DATASET], shard["name"]] = pod_reason(pod)
    return [
        {
            "cluster": assignment.cluster.name,
            "dataset": shard.dataset,
            "shard": shard.name,
            "url": shard.url,
            "reason": reasons.get((labels.label_value(shard.dataset), shard.name), UNKNOWN),
        }
        for shard in missing
    ]


def pod_reason(pod: dict[str, Any]) -> str:
    """Return in one line why a pod has failed."""
    status = pod["status"]
    parts = [status.get("reason"), status.get("message")]
    for container in status.get("containerStatuses") or []:
        ended = (container.get("state") or {}).get("terminated")
        if container["name"] == CONTAINER and ended:
            said = (ended.get("message") or "").strip().splitlines()
            parts += [ended.get("reason"), f"exit code {ended['exitCode']}", said[-1] if said else None]
    return ", ".join(part for part in parts if part)[:LONGEST_REASON] or "no reason given"


def _manifest_name(pod: dict[str, Any]) -> str:
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    return str(volumes["manifest"]["configMap"]["name"])
