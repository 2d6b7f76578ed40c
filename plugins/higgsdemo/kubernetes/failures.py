"""Why shards have no result: what the last pod that tried each of them said, or else what its Job knows."""

import json
from collections.abc import Collection, Iterable, Set
from typing import Any, NamedTuple

from higgsdemo.datasets.shards import Shard
from higgsdemo.kubernetes import names
from higgsdemo.kubernetes.api import KubeCluster
from higgsdemo.kubernetes.beside import ANALYSIS
from higgsdemo.kubernetes.containers import MANIFEST_FILE
from higgsdemo.kubernetes.last_words import line_of
from higgsdemo.kubernetes.progress import indexes
from higgsdemo.run import ClusterRun
from higgsdemo.wording import printable

INDEX = "batch.kubernetes.io/job-completion-index"
JOB = "batch.kubernetes.io/job-name"
NO_RESULT = "its pod ended with exit code 0 and left no result: does the image keep the pod contract?"
GONE = "its pods have failed and are gone"
UNTRIED = "its Job ended, or was stopped, before a pod of it was through"
REMOVED = "its Job is gone, and with it what its pods said"
LONGEST_REASON = 500  # characters; a termination message may have 4096
LOGS_READ = 20  # pods whose logs are read: enough to see why, few enough for a busy cluster
LOG_LINES = 20
Failure = dict[str, Any]
Manifest = dict[str, Any]


class Attempt(NamedTuple):
    """What is known of a shard's completion index, in the last Job that tried it.

    :param known: what its Job knows of it.
    :param shards: the names of all its shards.
    :param pod: its last failed pod; None where another has succeeded, or none is left.
    """

    known: str
    shards: tuple[str, ...] = ()
    pod: Manifest | None = None

    @property
    def ended(self) -> bool:
        return self.pod is not None or self.known != UNTRIED


def failed_shards(cluster: KubeCluster, assignment: ClusterRun, missing: Iterable[Shard]) -> list[Failure]:
    """Return dataset, shard, URL, reason and, of the first ones, the end of the log of shards in ``missing``.

    It asks for the Jobs and the failed pods of the run, and for the manifests of the datasets concerned: a
    cost that grows with the failures, not with the campaign.
    """
    missing = list(missing)
    wanted = {(names.label_value(shard.dataset), shard.name) for shard in missing}
    attempts = _attempts(cluster, assignment, wanted)
    logs: dict[str, list[str]] = {}
    return [
        {
            "cluster": assignment.cluster.name,
            "dataset": shard.dataset,
            "shard": shard.name,
            "url": shard.url,
            **_describe(
                cluster,
                attempts.get((names.label_value(shard.dataset), shard.name), Attempt(REMOVED)),
                shard.name,
                logs,
            ),
        }
        for shard in missing
    ]


def _attempts(
    cluster: KubeCluster, assignment: ClusterRun, wanted: Set[tuple[str, str]]
) -> dict[tuple[str, str], Attempt]:
    """Return the last attempt at each shard, by label value of the dataset and shard."""
    run = assignment.run
    ours = f"{names.selector(run.campaign, run.name)},{names.DATASET}"
    pods = {
        (pod["metadata"]["labels"][JOB], int(pod["metadata"]["labels"][INDEX])): pod
        for pod in sorted(cluster.failed_pods(f"{ours},{JOB},{INDEX}"), key=_created)
        if "deletionTimestamp" not in pod["metadata"]  # it was told to end, which is no reason
    }
    found: dict[tuple[str, str], Attempt] = {}
    for job in sorted(cluster.jobs(ours), key=_created, reverse=True):
        name, dataset = job["metadata"]["name"], job["metadata"]["labels"][names.DATASET]
        open_ = {key for key in wanted if key[0] == dataset and not (key in found and found[key].ended)}
        if not open_:
            continue
        status = job.get("status") or {}
        completed, failed = (
            set(indexes(status.get(state))) for state in ("completedIndexes", "failedIndexes")
        )
        for index, line in enumerate(_lines(cluster, job)):
            known = NO_RESULT if index in completed else _gone(job) if index in failed else UNTRIED
            pod = None if index in completed else pods.get((name, index))
            shards = tuple(shard["name"] for shard in json.loads(line)["shards"])
            attempt = Attempt(known, shards, pod)
            for key in open_ & {(dataset, shard) for shard in shards}:
                if attempt.ended or key not in found:
                    found[key] = attempt
    return found


def _created(thing: Manifest) -> str:
    return str(thing["metadata"]["creationTimestamp"])


def _lines(cluster: KubeCluster, job: Manifest) -> list[str]:
    """Return the manifest of a Job, a line per index; none where somebody has removed it."""
    from higgsdemo.kubernetes.requests import KubeError

    volumes = {volume["name"]: volume for volume in job["spec"]["template"]["spec"]["volumes"]}
    try:
        config_map = cluster.config_map(volumes["manifest"]["configMap"]["name"])
    except KubeError as error:
        if error.status != 404:
            raise
        return []
    return list(config_map["data"][MANIFEST_FILE].splitlines())


def _gone(job: Manifest) -> str:
    """Say what a Job knows of indexes whose pods are gone."""
    conditions = (job.get("status") or {}).get("conditions") or []
    ended = [one for one in conditions if one["type"] == "Failed" and one["status"] == "True"]
    told = [f"{one.get('reason', 'Failed')}: {one.get('message', '')}".rstrip(": ") for one in ended]
    return printable(f"{GONE} (Job {job['metadata']['name']}{', ' if told else ''}{'; '.join(told)})")


def _describe(cluster: KubeCluster, attempt: Attempt, shard: str, logs: dict[str, list[str]]) -> Failure:
    """Describe an attempt; ``logs`` keeps the logs that were read, since pods have many shards."""
    pod = attempt.pod
    if pod is None:
        return {"reason": attempt.known}
    name = pod["metadata"]["name"]
    if name not in logs and len(logs) < LOGS_READ:
        container = next((ended["name"] for ended in _ended_badly(pod)), ANALYSIS)
        logs[name] = cluster.log_end(name, container, LOG_LINES)
    reason = pod_reason(pod, shard, attempt.shards)
    return {"reason": reason} | ({"log": logs[name]} if logs.get(name) else {})


def pod_reason(pod: Manifest, shard: str = "", shards: Collection[str] = ()) -> str:
    """Return in one line why a pod has failed, at one of its shards.

    :param shards: the names of all its shards.
    """
    status = pod["status"]
    parts = [status.get("reason"), status.get("message")]
    for container in _ended_badly(pod):
        ended = container["state"]["terminated"]
        words = _words(ended.get("message") or "", shard, shards)
        parts += [ended.get("reason"), f"exit code {ended['exitCode']}", words]
    return printable(", ".join(part for part in parts if part), LONGEST_REASON) or "no reason given"


def _words(message: str, shard: str, shards: Collection[str]) -> str:
    """Return what a termination message says of a shard: a line that begins with its name, or the useful one.

    Lines that begin with the names of other shards concern only those. An image that writes no message has
    the end of its log here.
    """
    lines = message.splitlines()
    about = [
        max((name for name in shards if line.strip().startswith(f"{name}: ")), key=len, default="")
        for line in lines
    ]
    own, others = (
        [line for line, name in zip(lines, about, strict=True) if name == wanted] for wanted in (shard, "")
    )
    return own[-1].strip().removeprefix(f"{shard}: ") if shard and own else line_of("\n".join(others))


def _ended_badly(pod: Manifest) -> list[Manifest]:
    """Return the statuses of the containers that have failed, without those that never began."""
    status = pod["status"]
    statuses = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    return [one for one in statuses if ((one.get("state") or {}).get("terminated") or {}).get("exitCode")]
