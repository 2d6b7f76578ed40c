"""The columns `kubectl get` prints: the server makes the table, as the real one does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from localkube.objects import Obj, condition, is_true, labels_of, lookup, name_of, seconds

Column = tuple[str, Callable[[Obj], Any]]  # a name ending in "+" is shown with -o wide only


def age(timestamp: str | None) -> str:
    """Time since, the way kubectl writes it: 42s, 3m20s, 5h, 2d."""
    if not timestamp:
        return "<unknown>"
    return duration(time.time() - seconds(timestamp))


def duration(elapsed: float) -> str:
    """Seconds the way kubectl writes them."""
    whole = max(int(elapsed), 0)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{hours}h" if hours < 48 else f"{days}d{hours % 24}h" if days < 8 and hours % 24 else f"{days}d"


def _age(obj: Obj) -> str:
    return age(obj["metadata"].get("creationTimestamp"))


def _at(path: str, missing: Any = "<none>") -> Callable[[Obj], Any]:
    def read(obj: Obj) -> Any:
        value = lookup(obj, path)
        return missing if value is None else value

    return read


def _containers(obj: Obj, key: str) -> str:
    spec = lookup(obj, "spec.template.spec") or obj["spec"]
    return ",".join(one[key] for one in spec.get("containers") or ())


def _selector(obj: Obj) -> str:
    labels = lookup(obj, "spec.selector.matchLabels") or {}
    return ",".join(f"{key}={value}" for key, value in labels.items()) or "<none>"


def pod_phase(pod: Obj) -> str:
    """The STATUS column: the phase, or the more telling reason of a container."""
    status = pod.get("status") or {}
    text = status.get("reason") or status.get("phase", "Unknown")
    initial = status.get("initContainerStatuses") or []
    for n, one in enumerate(initial):
        state = one.get("state") or {}
        if "terminated" in state and state["terminated"].get("exitCode") == 0:
            continue
        if "terminated" in state:
            text = f"Init:{state['terminated'].get('reason') or 'Error'}"
        elif lookup(state, "waiting.reason") not in (None, "PodInitializing"):
            text = f"Init:{state['waiting']['reason']}"
        else:
            text = f"Init:{n}/{len(initial)}"
        break
    else:
        for one in reversed(status.get("containerStatuses") or []):
            state = one.get("state") or {}
            text = lookup(state, "waiting.reason") or lookup(state, "terminated.reason") or text
    if "deletionTimestamp" in pod["metadata"] and status.get("phase") not in ("Succeeded", "Failed"):
        return "Terminating"
    return str(text)


def _ready(pod: Obj) -> str:
    statuses = lookup(pod, "status.containerStatuses") or []
    return f"{sum(bool(one.get('ready')) for one in statuses)}/{len(pod['spec'].get('containers') or ())}"


def _restarts(pod: Obj) -> str:
    return str(sum(one.get("restartCount", 0) for one in lookup(pod, "status.containerStatuses") or []))


def _node_status(node: Obj) -> str:
    ready = condition(node, "Ready")
    text = "Ready" if ready and ready["status"] == "True" else "NotReady"
    return text + (",SchedulingDisabled" if lookup(node, "spec.unschedulable") else "")


def _roles(node: Obj) -> str:
    prefix = "node-role.kubernetes.io/"
    return (
        ",".join(sorted(key.removeprefix(prefix) for key in labels_of(node) if key.startswith(prefix)))
        or "<none>"
    )


def _job_status(job: Obj) -> str:
    for kind, text in (
        ("Complete", "Complete"),
        ("Failed", "Failed"),
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("SuccessCriteriaMet", "SuccessCriteriaMet"),
    ):
        if is_true(job, kind):
            return text
    return "Terminating" if "deletionTimestamp" in job["metadata"] else "Running"


def _job_completions(job: Obj) -> str:
    done = lookup(job, "status.succeeded") or 0
    if job["spec"].get("completions") is not None:
        return f"{done}/{job['spec']['completions']}"
    return f"{done}/1 of {job['spec']['parallelism']}" if job["spec"]["parallelism"] > 1 else f"{done}/1"


def _job_duration(job: Obj) -> str:
    start, end = lookup(job, "status.startTime"), lookup(job, "status.completionTime")
    if not start:
        return ""
    return duration((seconds(end) if end else time.time()) - seconds(start))


def _data_count(obj: Obj) -> int:
    return len(obj.get("data") or {}) + len(obj.get("binaryData") or {})


_NAME: Column = ("Name", name_of)
_AGE: Column = ("Age", _age)
_TEMPLATE: list[Column] = [
    ("Containers+", lambda o: _containers(o, "name")),
    ("Images+", lambda o: _containers(o, "image")),
    ("Selector+", _selector),
]
_COLUMNS: dict[str, list[Column]] = {
    "namespaces": [_NAME, ("Status", _at("status.phase")), _AGE],
    "nodes": [
        _NAME,
        ("Status", _node_status),
        ("Roles", _roles),
        _AGE,
        ("Version", _at("status.nodeInfo.kubeletVersion")),
        (
            "Internal-IP+",
            lambda o: next(
                (a["address"] for a in lookup(o, "status.addresses") or () if a["type"] == "InternalIP"),
                "<none>",
            ),
        ),
        ("External-IP+", lambda o: "<none>"),
        ("OS-Image+", _at("status.nodeInfo.osImage")),
        ("Kernel-Version+", _at("status.nodeInfo.kernelVersion")),
        ("Container-Runtime+", _at("status.nodeInfo.containerRuntimeVersion")),
    ],
    "pods": [
        _NAME,
        ("Ready", _ready),
        ("Status", pod_phase),
        ("Restarts", _restarts),
        _AGE,
        ("IP+", _at("status.podIP")),
        ("Node+", _at("spec.nodeName")),
        ("Nominated Node+", lambda o: "<none>"),
        ("Readiness Gates+", lambda o: "<none>"),
    ],
    "configmaps": [_NAME, ("Data", _data_count), _AGE],
    "secrets": [_NAME, ("Type", _at("type")), ("Data", _data_count), _AGE],
    "serviceaccounts": [_NAME, ("Secrets", lambda o: len(o.get("secrets") or ())), _AGE],
    "events": [
        ("Last Seen", lambda o: age(o.get("lastTimestamp"))),
        ("Type", _at("type")),
        ("Reason", _at("reason")),
        (
            "Object",
            lambda o: f"{o['involvedObject'].get('kind', '').lower()}/{o['involvedObject'].get('name')}",
        ),
        ("Source+", _at("source.component")),
        ("Message", lambda o: str(o.get("message", "")).strip()),
        ("First Seen+", lambda o: age(o.get("firstTimestamp"))),
        ("Count+", _at("count", 1)),
        ("Name+", name_of),
    ],
    "daemonsets": [
        _NAME,
        ("Desired", _at("status.desiredNumberScheduled", 0)),
        ("Current", _at("status.currentNumberScheduled", 0)),
        ("Ready", _at("status.numberReady", 0)),
        ("Up-to-date", _at("status.updatedNumberScheduled", 0)),
        ("Available", _at("status.numberAvailable", 0)),
        (
            "Node Selector",
            lambda o: (
                ",".join(f"{k}={v}" for k, v in (lookup(o, "spec.template.spec.nodeSelector") or {}).items())
                or "<none>"
            ),
        ),
        _AGE,
        *_TEMPLATE,
    ],
    "jobs": [
        _NAME,
        ("Status", _job_status),
        ("Completions", _job_completions),
        ("Duration", _job_duration),
        _AGE,
        *_TEMPLATE,
    ],
}


def table(resource: str, objects: Iterable[Obj], include: str, metadata: Obj) -> Obj:
    """A meta.k8s.io/v1 Table; include (Metadata, Object or None) says what goes with each row."""
    columns = _COLUMNS[resource]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [
            {
                "name": name.rstrip("+"),
                "type": "string",
                "format": "name" if name == "Name" else "",
                "description": "",
                "priority": int(name.endswith("+")),
            }
            for name, _ in columns
        ],
        "rows": [
            {"cells": [read(obj) for _, read in columns], **_row_object(obj, include)} for obj in objects
        ],
    }


def _row_object(obj: Obj, include: str) -> Obj:
    if include == "None":
        return {}
    return {"object": obj if include == "Object" else metadata_only(obj)}


def metadata_only(obj: Obj) -> Obj:
    """The object as PartialObjectMetadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
