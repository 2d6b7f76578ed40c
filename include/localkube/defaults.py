"""What the API server fills in when a client leaves it out."""

from __future__ import annotations

import base64
import copy
from typing import Any

from localkube.objects import Obj, owned_by

_CONTAINER = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
_POD = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
    "enableServiceLinks": True,
}
_TOLERATIONS = [
    {
        "key": f"node.kubernetes.io/{key}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
    for key in ("not-ready", "unreachable")
]
_DAEMON_COUNTS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
JOB_FINALIZER = "batch.kubernetes.io/job-tracking"


def with_defaults(resource: str, obj: Obj) -> Obj:
    """The object completed; its uid must be set already, because a Job's selector is made of it."""
    obj = copy.deepcopy(obj)
    if resource in ("pods", "jobs", "daemonsets", "nodes"):
        obj.setdefault("spec", {})
    match resource:
        case "pods":
            _pod_spec(obj["spec"])
            obj["spec"] = admitted(obj["spec"])
            obj["status"] = {"phase": "Pending", "qosClass": _qos_class(obj["spec"])}
        case "jobs":
            _job(obj)
        case "daemonsets":
            strategy = obj["spec"].setdefault("updateStrategy", {})
            if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
                rolling = {"maxSurge": 0, "maxUnavailable": 1} | (strategy.get("rollingUpdate") or {})
                strategy["rollingUpdate"] = rolling
            obj["spec"].setdefault("revisionHistoryLimit", 10)
            obj["status"] = dict.fromkeys(_DAEMON_COUNTS, 0)
            _pod_spec(obj["spec"].setdefault("template", {}).setdefault("spec", {}))
        case "namespaces":
            obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"].get(
                "name", ""
            )
            obj["spec"] = {"finalizers": ["kubernetes"]}
            obj["status"] = {"phase": "Active"}
        case "secrets":
            plain = obj.pop("stringData", None) or {}
            if plain:
                encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
                obj["data"] = (obj.get("data") or {}) | encoded
            obj.setdefault("type", "Opaque")
    return obj


def admitted(spec: Obj) -> Obj:
    """A pod spec with what is added to pods, but not to the templates of Jobs and DaemonSets."""
    tolerations = list(spec.get("tolerations") or ())
    tolerations += [one for one in _TOLERATIONS if one not in tolerations]
    return {"serviceAccountName": "default", **spec, "tolerations": tolerations}


def _pod_spec(spec: Obj) -> None:
    for key, value in _POD.items():
        spec.setdefault(key, copy.copy(value))
    if "serviceAccount" in spec:
        spec.setdefault("serviceAccountName", spec["serviceAccount"])
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        _container(container)
    for volume in spec.get("volumes") or ():
        for kind in ("configMap", "secret"):
            if isinstance(volume.get(kind), dict):
                volume[kind].setdefault("defaultMode", 0o644)
        if len(volume) == 1:
            volume["emptyDir"] = {}


def _container(container: Obj) -> None:
    for key, value in _CONTAINER.items():
        container.setdefault(key, value)
    image = str(container.get("image", ""))
    tagless = ":" not in image.rpartition("/")[2] and "@" not in image
    container.setdefault(
        "imagePullPolicy", "Always" if tagless or image.endswith(":latest") else "IfNotPresent"
    )
    resources = container.setdefault("resources", {})
    if resources.get("limits"):
        resources["requests"] = dict(resources["limits"]) | (resources.get("requests") or {})
    for variable in container.get("env") or ():
        if (variable.get("valueFrom") or {}).get("fieldRef"):
            variable["valueFrom"]["fieldRef"].setdefault("apiVersion", "v1")


def _qos_class(spec: Obj) -> str:
    """Guaranteed when all limits for cpu and memory equal the requests, BestEffort without any."""
    resources = [
        one.get("resources") or {}
        for kind in ("initContainers", "containers")
        for one in spec.get(kind) or ()
    ]
    if not any(one.get("requests") or one.get("limits") for one in resources):
        return "BestEffort"
    guaranteed = all(
        (one.get("limits") or {}).get(key) is not None
        and one["limits"][key] == (one.get("requests") or {}).get(key)
        for one in resources
        for key in ("cpu", "memory")
    )
    return "Guaranteed" if guaranteed else "Burstable"


def _job(job: Obj) -> None:
    spec: dict[str, Any] = job["spec"]
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 2**31 - 1 if "backoffLimitPerIndex" in spec else 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed")
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern.setdefault("status", "True")
    template = spec.setdefault("template", {})
    _pod_spec(template.setdefault("spec", {}))
    uid, name = job["metadata"]["uid"], job["metadata"].get("name", "")
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    labels |= {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    spec.setdefault("selector", {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
    job["status"] = {}


def pod_of(template: Obj, owner: Obj, prefix: str, name: str, spec: Obj, **metadata: Any) -> Obj:
    """A pod as a controller makes it, of a template and an admitted spec, which pods may share."""
    given = template.get("metadata") or {}
    for key in ("labels", "annotations"):
        if merged := {**(given.get(key) or {}), **(metadata.pop(key, None) or {})}:
            metadata[key] = merged
    metadata |= {"name": name, "generateName": prefix, "namespace": owner["metadata"]["namespace"]}
    metadata["ownerReferences"] = owned_by(owner)
    status = {"phase": "Pending", "qosClass": _qos_class(spec)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}
