"""The columns that `kubectl get` prints: the server makes the table, as the real one does."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from localkube.objects.object import Json, Obj, lookup, seconds


def _duration(elapsed: float) -> str:
    """Format seconds as kubectl does: 42s, 3m20s, 5h, 2d."""
    whole = max(int(elapsed), 0)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 180:
        return f"{minutes}m" + (f"{whole % 60}s" if minutes < 10 and whole % 60 else "")
    if hours < 48:
        return f"{hours}h" + (f"{minutes % 60}m" if hours < 8 and minutes % 60 else "")
    return f"{days}d" + (f"{hours % 24}h" if days < 8 and hours % 24 else "")


def _since(path: str) -> Callable[[Obj], str]:
    def read(obj: Obj) -> str:
        then = obj.at(path)
        return _duration(time.time() - seconds(then)) if then else "<unknown>"

    return read


def _joined(path: str) -> Callable[[Obj], str]:
    def read(obj: Obj) -> str:
        return ",".join(f"{key}={value}" for key, value in (obj.at(path) or {}).items()) or "<none>"

    return read


def _reason(one: Json) -> Any:
    return lookup(one, "state.waiting.reason") or lookup(one, "state.terminated.reason")


def _pod_status(pod: Obj) -> str:
    """Return the STATUS column: the phase, or a container's more precise reason."""
    initial = [] if pod.is_true("Initialized") else pod.at("status.initContainerStatuses") or []
    if pod.deleting and not pod.finished:
        return "Terminating"
    for n, one in enumerate(initial):
        if lookup(one, "state.terminated.exitCode") != 0 and not one["started"]:
            reason = _reason(one)
            return f"Init:{n}/{len(initial)}" if reason in (None, "PodInitializing") else f"Init:{reason}"
    telling = filter(None, map(_reason, pod.at("status.containerStatuses") or ()))
    return str(next(telling, None) or pod.at("status.reason") or pod.at("status.phase") or "Unknown")


def _beside(pod: Obj) -> set[str]:
    """Return the names of the containers that run beside each other: the main ones and sidecars."""
    spec = pod["spec"]
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    return {one["name"] for one in (*sidecars, *spec["containers"])}


def _sum(pod: Obj, field: str) -> int:
    """Add up a field over those containers of a pod."""
    names = _beside(pod)
    return sum(one.get(field, 0) for one in pod.container_statuses if one["name"] in names)


def _node_status(node: Obj) -> str:
    cordoned = ",SchedulingDisabled" if node.at("spec.unschedulable") else ""
    return ("Ready" if node.is_true("Ready") else "NotReady") + cordoned


def _roles(node: Obj) -> str:
    prefix = "node-role.kubernetes.io/"
    return ",".join(key.removeprefix(prefix) for key in node.labels if key.startswith(prefix)) or "<none>"


def _job_status(job: Obj) -> str:
    kinds = ("Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet")
    return next((kind for kind in kinds if job.is_true(kind)), "Terminating" if job.deleting else "Running")


def _completions(job: Obj) -> str:
    return f"{job.at('status.succeeded') or 0}/{job['spec']['completions']}"


def _job_duration(job: Obj) -> str:
    start, end = job.at("status.startTime"), job.at("status.completionTime")
    return _duration((seconds(end) if end else time.time()) - seconds(start)) if start else ""


# Title -> path of the value, or a function of the object; one that ends in "+" is for -o wide only.
Columns = dict[str, str | Callable[[Obj], Any]]
_NAME = "metadata.name"
_AGE: Columns = {"Age": _since("metadata.creationTimestamp")}
_DATA: Columns = {"Data": lambda obj: len((obj.get("data") or {}) | (obj.get("binaryData") or {})), **_AGE}
# fmt: off
_COLUMNS: dict[str, Columns] = {
    "namespaces": {"Name": _NAME, "Status": "status.phase", **_AGE},
    "nodes": {
        "Name": _NAME, "Status": _node_status, "Roles": _roles, **_AGE,
        "Version": "status.nodeInfo.kubeletVersion",
    },
    "pods": {
        "Name": _NAME, "Ready": lambda pod: f"{_sum(pod, 'ready')}/{len(_beside(pod))}",
        "Status": _pod_status, "Restarts": lambda pod: _sum(pod, "restartCount"), **_AGE,
        "IP+": "status.podIP", "Node+": "spec.nodeName", "Nominated Node+": "status.nominatedNodeName",
        "Readiness Gates+": "spec.readinessGates",
    },
    "configmaps": {"Name": _NAME, **_DATA},
    "secrets": {"Name": _NAME, "Type": "type", **_DATA},
    "serviceaccounts": {"Name": _NAME, "Secrets": lambda obj: len(obj.get("secrets") or ()), **_AGE},
    "resourcequotas": {"Name": _NAME, **_AGE, "Request": _joined("status.used")},
    "events": {
        "Last Seen": _since("lastTimestamp"), "Type": "type", "Reason": "reason",
        "Object": lambda obj: f"{obj.at('involvedObject.kind')}/{obj.at('involvedObject.name')}".lower(),
        "Source+": "source.component", "Message": "message", "First Seen+": _since("firstTimestamp"),
        "Count+": "count", "Name+": _NAME,
    },
    "daemonsets": {
        "Name": _NAME, "Desired": "status.desiredNumberScheduled",
        "Current": "status.currentNumberScheduled", "Ready": "status.numberReady",
        "Up-to-date": lambda obj: obj.at("status.updatedNumberScheduled") or 0,
        "Available": lambda obj: obj.at("status.numberAvailable") or 0,
        "Node Selector": _joined("spec.template.spec.nodeSelector"), **_AGE,
    },
    "networkpolicies": {"Name": _NAME, "Pod-Selector": _joined("spec.podSelector.matchLabels"), **_AGE},
    "jobs": {
        "Name": _NAME, "Status": _job_status, "Completions": _completions, "Duration": _job_duration,
        **_AGE,
    },
}
# fmt: on


def _cell(obj: Obj, column: str | Callable[[Obj], Any]) -> Any:
    if not isinstance(column, str):
        return column(obj)
    value = obj.at(column)
    return "<none>" if value is None else value


def _head(title: str) -> Json:
    name, wide = title.rstrip("+"), title.endswith("+")
    form = "name" if name == "Name" else ""
    return {"name": name, "type": "string", "format": form, "description": "", "priority": int(wide)}


def table(resource: str, objects: Iterable[Obj], include: str, metadata: Json) -> Json:
    """Return a meta.k8s.io/v1 Table; include (Metadata, Object or None) says what goes with each row."""
    columns = _COLUMNS[resource]
    heads = [_head(title) for title in columns]
    rows: list[Json] = []
    for obj in objects:
        shown = {} if include == "None" else {"object": obj if include == "Object" else _metadata(obj)}
        rows.append({"cells": [_cell(obj, column) for column in columns.values()], **shown})
    named = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return {**named, "columnDefinitions": heads, "rows": rows}


def _metadata(obj: Obj) -> Json:
    """Return the object as PartialObjectMetadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
