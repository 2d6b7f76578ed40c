"""The Kubernetes objects of a campaign: for each dataset one Indexed Job and the manifest its pods read.

Whole manifests as plain dictionaries, rendered from a run and nothing else, so that the same run always gives
the same names and the same content: submitting again finds what is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from higgsdemo import labels as names
from higgsdemo.campaign.model import Cluster, DatasetRef
from higgsdemo.progress import SHARDS, SHARDS_PER_POD
from higgsdemo.run import ClusterRun
from higgsdemo.shards import Shard
from higgsdemo.workloads import BAD_INPUT, WORKLOADS

Manifest = dict[str, Any]

MANIFEST_BYTES = 900_000  # a ConfigMap holds 1 MiB in all; the rest is room for its metadata
MANIFEST_FILE = "shards.jsonl"
MANIFEST_DIR = "/manifest"
INPUT_DIR = "/input"
CONTAINER = "analysis"
USER = 65532  # the "nonroot" of distroless images; any other than 0 will do
KEEP_FINISHED = 24 * 3600  # s: long enough to look at a failed pod the next morning
GRACE_PERIOD = 5  # s, as the original: a pod holds nothing worth saving
PAUSE_IMAGE = "registry.k8s.io/pause:3.10"


@dataclass(frozen=True, slots=True)
class Chunk:
    """The part of a dataset that one Job works off: a line of its manifest is one completion index."""

    lines: tuple[str, ...]
    shards: int

    @property
    def text(self) -> str:
        """The manifest file."""
        return "".join(f"{line}\n" for line in self.lines)


def chunks(shards: Iterable[Shard], shards_per_pod: int) -> Iterator[Chunk]:
    """Cut shards into completion indexes of ``shards_per_pod``, and these into manifests below 1 MiB."""
    lines: list[str] = []
    size = count = 0
    for group in _batched(shards, shards_per_pod):
        line = json.dumps({"shards": [_entry(shard) for shard in group]})
        if lines and size + len(line) + 1 > MANIFEST_BYTES:
            yield Chunk(tuple(lines), count)
            lines, size, count = [], 0, 0
        lines.append(line)
        size += len(line) + 1
        count += len(group)
    if lines:
        yield Chunk(tuple(lines), count)


def _entry(shard: Shard) -> Manifest:
    entry: Manifest = {"name": shard.name, "url": shard.url}
    return entry if shard.size is None else entry | {"size": shard.size}


def config_map(assignment: ClusterRun, dataset: DatasetRef, chunk: Chunk) -> Manifest:
    """Return the ConfigMap with the manifest of one chunk of ``dataset``."""
    run, data = assignment.run, {MANIFEST_FILE: chunk.text}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(assignment, names.object_name(run, [dataset.name, data]), dataset.name),
        "data": data,
        "immutable": True,
    }


def secret(assignment: ClusterRun, environment: dict[str, str]) -> Manifest:
    """Return the Secret with which the pods reach the store."""
    name = f"{names.object_name(assignment.run, 'storage')}"
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(assignment, name),
        "type": "Opaque",
        "stringData": environment,
    }


def job(
    assignment: ClusterRun, dataset: DatasetRef, chunk: Chunk, manifest_name: str, secret_name: str
) -> Manifest:
    """Return the Indexed Job that runs one chunk of ``dataset``."""
    run, cluster = assignment.run, assignment.cluster
    completions = len(chunk.lines)
    spec: Manifest = {
        "completionMode": "Indexed",
        "completions": completions,
        "parallelism": min(cluster.parallelism or completions, completions),
        "backoffLimitPerIndex": cluster.backoff_limit_per_index,
        "maxFailedIndexes": min(run.allowed_failures(chunk.shards), completions),
        "ttlSecondsAfterFinished": KEEP_FINISHED,
        "podFailurePolicy": _pod_failure_policy(),
        "template": {
            "metadata": {"labels": names.labels(run, dataset.name)},
            "spec": _pod_spec(assignment, dataset, manifest_name, secret_name),
        },
    }
    metadata = _metadata(assignment, names.object_name(run, [cluster.name, dataset.name, spec]), dataset.name)
    metadata["annotations"] = {
        SHARDS: str(chunk.shards),
        SHARDS_PER_POD: str(cluster.shards_per_pod),
        "higgsdemo/dataset": dataset.name,
        names.SPEC_HASH: names.digest(spec),
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def prepull(assignment: ClusterRun) -> Manifest:
    """Return the DaemonSet that pulls the run's image on every node; ready on a node means it is there."""
    run = assignment.run
    workload = WORKLOADS[run.workload]
    pod_labels = names.labels(run) | {"app.kubernetes.io/component": "prepull"}
    same = {"imagePullPolicy": "IfNotPresent", "securityContext": _container_security()}
    spec: Manifest = {
        "selector": {"matchLabels": pod_labels},
        "template": {
            "metadata": {"labels": pod_labels},
            "spec": {
                "automountServiceAccountToken": False,
                "securityContext": _pod_security(),
                "terminationGracePeriodSeconds": 0,
                "initContainers": [
                    {"name": "pull", "image": run.image, "command": list(workload.noop), **same}
                ],
                "containers": [{"name": "pause", "image": PAUSE_IMAGE, **same}],
            },
        },
    }
    metadata = _metadata(assignment, names.object_name(run, ["prepull", spec]))
    metadata["annotations"] = {names.SPEC_HASH: names.digest(spec)}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec}


def _pod_spec(assignment: ClusterRun, dataset: DatasetRef, manifest_name: str, secret_name: str) -> Manifest:
    cluster = assignment.cluster
    resources = {"cpu": cluster.resources.cpu, "memory": cluster.resources.memory}
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_PERIOD,
        "securityContext": _pod_security(),
        "containers": [
            {
                "name": CONTAINER,
                "image": assignment.run.image,
                "imagePullPolicy": "IfNotPresent",
                "env": [{"name": k, "value": v} for k, v in _environment(assignment, dataset).items()],
                "envFrom": [{"secretRef": {"name": secret_name}}],
                "resources": {"requests": resources, "limits": resources},
                "securityContext": _container_security(),
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "volumeMounts": [
                    {"name": "manifest", "mountPath": MANIFEST_DIR, "readOnly": True},
                    {"name": "input", "mountPath": INPUT_DIR},
                    {"name": "tmp", "mountPath": "/tmp"},
                ],
            }
        ],
        "volumes": [
            {"name": "manifest", "configMap": {"name": manifest_name}},
            {"name": "input", "emptyDir": _stage_in_volume(cluster)},
            {"name": "tmp", "emptyDir": {}},
        ],
    }


def _environment(assignment: ClusterRun, dataset: DatasetRef) -> dict[str, str]:
    run, cluster = assignment.run, assignment.cluster
    environment = {
        "SHARD_MANIFEST": f"{MANIFEST_DIR}/{MANIFEST_FILE}",
        "INPUT_DIR": INPUT_DIR,
        "OUTPUT_URL": run.results(dataset.name),
        "DATASET": dataset.name,
        "SAMPLE": dataset.sample,
        "DATATYPE": dataset.datatype,
        "DPATH": cluster.dpath,
        "SKIP_EXISTING": "true",
        "HOME": "/tmp",
    }
    if run.download_limit_kbps:
        environment["DOWNLOAD_LIMIT_KBPS"] = str(run.download_limit_kbps)
    return environment


def _stage_in_volume(cluster: Cluster) -> Manifest:
    """Memory for ``/dev/shm``; else the node's disk, which a provider puts on local SSDs where asked to."""
    return {"medium": "Memory"} if cluster.dpath == "/dev/shm" else {}


def _pod_failure_policy() -> Manifest:
    return {
        "rules": [
            # A preempted, drained or deleted node is no fault of the shard: it costs no retry.
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {
                "action": "FailIndex",
                "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": [BAD_INPUT]},
            },
        ]
    }


def _pod_security() -> Manifest:
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _container_security() -> Manifest:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _metadata(assignment: ClusterRun, name: str, dataset: str | None = None) -> Manifest:
    return {
        "name": name,
        "namespace": assignment.cluster.namespace,
        "labels": names.labels(assignment.run, dataset),
    }


def _batched(shards: Iterable[Shard], size: int) -> Iterator[Sequence[Shard]]:
    batch: list[Shard] = []
    for shard in shards:
        batch.append(shard)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
