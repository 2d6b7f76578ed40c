"""Second attempts at completion indexes whose pods take long, while these go on.

A Job gives an index one pod at a time, so its second attempts are a Job more, which the first one owns: they
go together. A shard's result is the same whoever writes it, and an index is done with the pod that is through
first.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from higgsdemo.kubernetes import names
from higgsdemo.kubernetes.containers import MANIFEST_FILE, Manifest
from higgsdemo.kubernetes.failures import JOB
from higgsdemo.kubernetes.progress import SHARDS, indexes, job_ends
from higgsdemo.run import Run

RACES = "higgsdemo/races"  # at second attempts: the indexes of their owner, in the order of their own
_SAME = ("completionMode", "backoffLimitPerIndex", "ttlSecondsAfterFinished", "podFailurePolicy")
_PODS = ("active", "ready", "succeeded", "failed", "terminating")


def second_attempt(
    run: Run, job: Manifest, data: Mapping[str, str], slow: Sequence[int]
) -> tuple[Manifest, Manifest]:
    """Return the ConfigMap and the Job that try the completion indexes ``slow`` of a Job again.

    Their name follows from this very Job and the indexes, so that repeating it finds them.

    :param data: of the Job's own ConfigMap.
    """
    first, spec = job["metadata"], job["spec"]
    lines = data[MANIFEST_FILE].splitlines()
    again = [lines[index] for index in slow]
    shards = sum(len(json.loads(line)["shards"]) for line in again)
    marks = {SHARDS: str(shards), RACES: ",".join(map(str, slow))}
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": first["name"], "uid": first["uid"]}
    name = names.object_name(run, [first["uid"], *slow])
    metadata = {"name": name, "namespace": first["namespace"], "ownerReferences": [owner]}
    metadata |= {"labels": first["labels"], "annotations": first["annotations"] | marks}
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {**data, MANIFEST_FILE: "".join(f"{line}\n" for line in again)},
        "immutable": True,
    }
    number = len(again)
    pods = {
        **{key: spec[key] for key in _SAME if key in spec},
        "completions": number,
        "parallelism": min(number, spec["parallelism"]),
        "template": {
            "metadata": spec["template"]["metadata"] | {"labels": first["labels"]},
            "spec": _pod_spec(spec["template"]["spec"], name) | {"affinity": _elsewhere(first["name"])},
        },
    }
    return config_map, {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": pods}


def _pod_spec(spec: Manifest, name: str) -> Manifest:
    """Return the spec of pods with a manifest of this name; what they publish besides results is apart."""
    copy: Manifest = json.loads(json.dumps(spec))
    for volume in copy["volumes"]:
        if volume["name"] == "manifest":
            volume["configMap"]["name"] = name
    for container in (*copy.get("initContainers", ()), *copy["containers"]):
        if any(variable["name"] == "OUTPUT_URL" for variable in container.get("env", ())):
            container["env"].append({"name": "ATTEMPT", "value": name})
    return copy


def _elsewhere(job: str) -> Manifest:
    """Return the wish for a node without a pod of this Job, of which only slow ones still run."""
    pods = {"labelSelector": {"matchLabels": {JOB: job}}, "topologyKey": "kubernetes.io/hostname"}
    preferred = [{"weight": 100, "podAffinityTerm": pods}]
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}


def raced_job(job: Manifest) -> str | None:
    """Return the uid of the Job whose indexes this one tries again; None for one of its own, or an orphan."""
    metadata = job["metadata"]
    races, owners = RACES in (metadata.get("annotations") or {}), metadata.get("ownerReferences")
    return str(owners[0]["uid"]) if races and owners else None


def raced_indexes(job: Manifest) -> list[int]:
    """Return the completion indexes of its owner that a second attempt tries, in the order of its own."""
    return list(indexes(job["metadata"]["annotations"][RACES]))


def open_indexes(job: Manifest) -> set[int]:
    """Return the completion indexes of a Job that have neither succeeded nor failed for good."""
    through = _through(job)
    return set(range(job["spec"]["completions"])) - through["completedIndexes"] - through["failedIndexes"]


def counted_once(jobs: Iterable[Manifest]) -> Iterator[Manifest]:
    """Yield the Jobs that are no second attempts, each with a status as if these were its own pods.

    An index is done when either attempt has succeeded, and has failed when both have. A Job has ended when no
    index is open, though a pod that has lost may still run.
    """
    again: dict[str, list[Manifest]] = {}
    jobs = list(jobs)
    for job in jobs:
        if first := raced_job(job):
            again.setdefault(first, []).append(job)
    for job in jobs:
        if not raced_job(job):
            more = again.get(job["metadata"]["uid"])
            yield job | {"status": _together(job, more)} if more else job


def _together(job: Manifest, again: Sequence[Manifest]) -> dict[str, Any]:
    done, failed = _through(job).values()
    going_on: set[int] = set()
    for one in again:
        theirs, through = raced_indexes(one), _through(one)
        done |= {theirs[index] for index in through["completedIndexes"]}
        if not job_ends(one):
            going_on |= {theirs[index] for index in open_indexes(one)}
    going_on -= done
    failed -= done | going_on
    ended = len(done | failed) == job["spec"]["completions"] or (bool(job_ends(job)) and not going_on)
    statuses = [one.get("status") or {} for one in (job, *again)]
    pods = {key: sum(int(status.get(key) or 0) for status in statuses) for key in _PODS}
    return {
        **pods,
        **({"active": 0, "ready": 0} if ended else {}),
        "completedIndexes": ",".join(map(str, sorted(done))),
        "failedIndexes": ",".join(map(str, sorted(failed))),
        "conditions": [{"type": "Complete", "status": "True"}] if ended else [],
    }


def _through(job: Manifest) -> dict[str, set[int]]:
    status = job.get("status") or {}
    return {key: set(indexes(status.get(key))) for key in ("completedIndexes", "failedIndexes")}
