"""The Kubernetes objects of a campaign: for each dataset one Indexed Job and the manifest its pods read.

They are complete manifests as plain dictionaries, rendered from a run alone, so that the same run always
gives the same names and content: submitting again finds what exists.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from higgsdemo.campaign import DatasetRef
from higgsdemo.datasets.shards import Shard
from higgsdemo.kubernetes import names
from higgsdemo.kubernetes.containers import CERTIFIED_FILE, MANIFEST_FILE, READ_ONLY, Manifest
from higgsdemo.kubernetes.pods import POD_ACCOUNT, failure_policy, pod_annotations, pod_security, pod_spec
from higgsdemo.kubernetes.progress import SHARDS, SHARDS_PER_POD
from higgsdemo.kubernetes.workloads import NOOP, WORKLOADS
from higgsdemo.run import ClusterRun

MANIFEST_BYTES = 900_000  # a ConfigMap holds 1 MiB in all; the rest is room for its metadata
ENVELOPE = len('{"shards": []}\n')
KEEP_FINISHED = 24 * 3600  # s: long enough to look at a failed pod the next morning
PULLS_WITH = {  # named, since a quota may require it, and tiny: the Jobs may fill the nodes
    "requests": {"cpu": "0", "memory": "0"},
    "limits": {"cpu": "100m", "memory": "64Mi"},
}
PAUSE_IMAGE = "registry.k8s.io/pause:3.10"


@dataclass(frozen=True, slots=True)
class Chunk:
    """The part of a dataset that one Job processes: each line of its manifest is one completion index.

    :param shards: in all of them.
    :param shards_per_pod: in each of them but the last.
    :param certified: the certified sections of its dataset as JSON, if only they count.
    """

    lines: tuple[str, ...]
    shards: int
    shards_per_pod: int = 1
    certified: str = ""

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    @property
    def names(self) -> Iterator[list[str]]:
        """Names of the shards of each completion index."""
        return ([shard["name"] for shard in json.loads(line)["shards"]] for line in self.lines)


class _Entry(NamedTuple):
    """A shard as its pod is told of it, and its bytes; 0 where unknown."""

    text: str
    size: int


def chunks(shards: Iterable[Shard], shards_per_pod: int, certified: str = "") -> Iterator[Chunk]:
    """Cut shards into completion indexes of ``shards_per_pod``, and these into manifests below 1 MiB.

    :param certified: lies beside each manifest.

    An index whose line would be longer than a manifest takes fewer shards, and is the last of its Job.
    """
    groups: list[list[_Entry]] = []
    size, room = 0, MANIFEST_BYTES - len(certified)

    def chunk() -> Chunk:
        lines = (f'{{"shards": [{", ".join(one.text for one in dealt)}]}}' for dealt in _deal(groups))
        return Chunk(tuple(lines), sum(map(len, groups)), shards_per_pod, certified)

    for group in _groups(shards, shards_per_pod, room - ENVELOPE):
        length = ENVELOPE + sum(len(one.text) for one in group) + len(", ") * (len(group) - 1)
        if groups and size + length > room:
            yield chunk()
            groups, size = [], 0
        groups.append(group)
        size += length
        if len(group) < shards_per_pod:
            yield chunk()
            groups, size = [], 0
    if groups:
        yield chunk()


def _groups(shards: Iterable[Shard], most: int, room: int) -> Iterator[list[_Entry]]:
    """Yield the entries of each completion index: `most` shards, or as many as fit into so many bytes."""
    group: list[_Entry] = []
    size = 0
    for shard in shards:
        entry = _Entry(json.dumps(_entry(shard)), shard.bytes or 0)
        if len(group) == most or (group and size + len(entry.text) > room):
            yield group
            group, size = [], 0
        group.append(entry)
        size += len(entry.text) + len(", ")
    if group:
        yield group


def _deal(groups: list[list[_Entry]]) -> list[list[_Entry]]:
    """Share out the shards of a Job anew over its completion indexes, to each as many as before.

    The largest go first, to the first indexes, which Kubernetes starts first; and the next ones to those with
    the smallest so far. So no pod begins late with a shard that takes long, and pods take equally long.
    """
    largest = iter(sorted(chain(*groups), key=lambda one: -one.size))
    dealt: list[list[_Entry]] = [[] for _ in groups]
    for row in range(len(groups[0])):
        takers = [hand for hand, group in zip(dealt, groups, strict=True) if row < len(group)]
        for hand in reversed(takers) if row % 2 else takers:
            hand.append(next(largest))
    return dealt


def _entry(shard: Shard) -> Manifest:
    entry: Manifest = {
        "name": shard.name,
        "url": shard.url,
        "size": shard.size,
        "etag": shard.etag,
        "checksum": shard.checksum,
        "entries": shard.entries,
        "lumi": shard.lumi,
    }
    return {name: value for name, value in entry.items() if value is not None}


def config_map(assignment: ClusterRun, dataset: DatasetRef, chunk: Chunk) -> Manifest:
    """Return the ConfigMap with the manifest of one chunk of ``dataset``."""
    data, name = {MANIFEST_FILE: chunk.text}, dataset.name
    if chunk.certified:
        data[CERTIFIED_FILE] = chunk.certified
    return _object(assignment, "v1/ConfigMap", [name, data], name, data=data, immutable=True)


def secret(assignment: ClusterRun, environment: dict[str, str]) -> Manifest:
    """Return the Secret with which the pods reach the store; entries of one cluster have one each."""
    unique = ["storage", assignment.cluster.name]
    return _object(assignment, "v1/Secret", unique, type="Opaque", stringData=environment)


def service_account(assignment: ClusterRun) -> Manifest:
    """Return the service account that gives the pods their cloud identity.

    Its name is the same in every run, as the cloud's side of the bond names it, so no run removes it.
    """
    identity = assignment.cluster.pod_identity or ""
    bond = "eks.amazonaws.com/role-arn" if identity.startswith("arn:") else "iam.gke.io/gcp-service-account"
    annotations = {bond: identity}
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": POD_ACCOUNT,
            "namespace": assignment.cluster.namespace,
            "labels": {names.PART_OF: names.PROJECT},
            "annotations": annotations | {names.SPEC_HASH: names.digest(annotations)},
        },
        "automountServiceAccountToken": False,
    }


def network_policy(assignment: ClusterRun, egress: Sequence[str]) -> Manifest:
    """Return the NetworkPolicy by which pods reach only name servers and ``egress``, and nobody reaches them.

    A run has one, as a second would add what it allows to the first.

    :param egress: address ranges in CIDR notation.
    """
    spec: Manifest = {
        "podSelector": {"matchLabels": names.labels(assignment.run)},
        "policyTypes": ["Ingress", "Egress"],
        "egress": [
            {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]},
            {"to": [{"ipBlock": {"cidr": cidr}} for cidr in egress]},
        ],
    }
    return _object(assignment, "networking.k8s.io/v1/NetworkPolicy", ["network"], spec=spec)


def job(
    assignment: ClusterRun,
    dataset: DatasetRef,
    chunk: Chunk,
    manifest_name: str,
    secret_name: str | None,
    environment: Mapping[str, str] | None = None,
) -> Manifest:
    """Return the Indexed Job that runs one chunk of ``dataset``.

    :param secret_name: the Secret with which the pods reach the stores; None when they need none.
    :param environment: what they need to know of the stores besides.
    """
    run, cluster = assignment.run, assignment.cluster
    completions = len(chunk.lines)
    annotations = {"annotations": found} if (found := pod_annotations(assignment)) else {}
    spec: Manifest = {
        "completionMode": "Indexed",
        "completions": completions,
        "parallelism": min(cluster.parallelism or completions, completions),
        "backoffLimitPerIndex": cluster.backoff_limit_per_index,
        "ttlSecondsAfterFinished": KEEP_FINISHED,
        "podFailurePolicy": failure_policy(assignment),
        "template": {
            "metadata": {"labels": names.labels(run, dataset.name), **annotations},
            "spec": pod_spec(assignment, dataset, manifest_name, secret_name, environment or {}),
        },
    }
    made = _object(assignment, "batch/v1/Job", [cluster.name, dataset.name, spec], dataset.name, spec=spec)
    made["metadata"]["annotations"] |= {
        SHARDS: str(chunk.shards),
        SHARDS_PER_POD: str(chunk.shards_per_pod),
        "higgsdemo/dataset": dataset.name,
    }
    return made


def prepull(assignment: ClusterRun) -> Manifest:
    """Return the DaemonSet that pulls the run's images on every node; ready on a node means it is there."""
    run = assignment.run
    images = {"pull": run.image}
    if WORKLOADS[run.workload].with_sidecar:
        images["pull-stage-in"] = run.stage_in_image
    pod_labels = names.labels(run) | {"app.kubernetes.io/component": "prepull"}
    same = {"resources": PULLS_WITH, "securityContext": READ_ONLY}
    policy = assignment.cluster.image_pull_policy
    spec: Manifest = {
        "selector": {"matchLabels": pod_labels},
        "template": {
            "metadata": {"labels": pod_labels},
            "spec": {
                "automountServiceAccountToken": False,
                "securityContext": pod_security(),
                "terminationGracePeriodSeconds": 0,
                "initContainers": [
                    {"name": name, "image": image, "imagePullPolicy": policy, "command": [NOOP], **same}
                    for name, image in images.items()
                ],
                "containers": [
                    {"name": "pause", "image": PAUSE_IMAGE, "imagePullPolicy": "IfNotPresent", **same}
                ],
            },
        },
    }
    return _object(assignment, "apps/v1/DaemonSet", ["prepull", spec], spec=spec)


def _object(
    assignment: ClusterRun, kind: str, unique: list[Any], dataset: str | None = None, **content: Any
) -> Manifest:
    """Return an object of a run, which a digest of its spec, if it has one, tells from one that differs.

    :param kind: with its API version, as ``batch/v1/Job``.
    :param unique: tells it, by its name, from others of the run.
    """
    version, _, kind = kind.rpartition("/")
    metadata: Manifest = {
        "name": names.object_name(assignment.run, unique),
        "namespace": assignment.cluster.namespace,
        "labels": names.labels(assignment.run, dataset),
    }
    if "spec" in content:
        metadata["annotations"] = {names.SPEC_HASH: names.digest(content["spec"])}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}
