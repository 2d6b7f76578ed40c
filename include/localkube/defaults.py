"""What the API server fills in when a client leaves it out."""

import base64
import copy
from typing import Any

from localkube.objects import Obj, containers_of, lookup, namespace_of, reference

JOB_FINALIZER = "batch.kubernetes.io/job-tracking"
_POD: Obj = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
    "enableServiceLinks": True,
}
_CONTAINER: Obj = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "resources": {},
}
_JOB: Obj = {"parallelism": 1, "completionMode": "NonIndexed", "suspend": False}
_DAEMON_COUNTS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
_TOLERATIONS = [
    {
        "key": f"node.kubernetes.io/{key}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
    for key in ("not-ready", "unreachable")
]


def with_defaults(resource: str, obj: Obj) -> Obj:
    """The object completed; its uid must be set already, because a Job's selector is made of it."""
    obj = copy.deepcopy(obj)
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
            _pod_spec(obj["spec"]["template"]["spec"])
        case "namespaces":
            name = obj["metadata"].get("name", "")
            obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
            obj |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        case "nodes":
            obj.setdefault("spec", {})
        case "secrets":
            for key, value in (obj.pop("stringData", None) or {}).items():
                obj.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()
            obj.setdefault("type", "Opaque")
    return obj


def admitted(spec: Obj) -> Obj:
    """A pod spec with what is added to pods, but not to the templates of Jobs and DaemonSets."""
    tolerations = list(spec.get("tolerations") or ())
    tolerations += [one for one in _TOLERATIONS if one not in tolerations]
    return {"serviceAccountName": "default", **spec, "tolerations": tolerations}


def _complete(obj: Obj, defaults: Obj) -> None:
    for key, value in defaults.items():
        obj.setdefault(key, copy.copy(value))


def _pod_spec(spec: Obj) -> None:
    _complete(spec, _POD)
    if "serviceAccount" in spec:
        spec.setdefault("serviceAccountName", spec["serviceAccount"])
    for container in containers_of(spec):
        _container(container)
    for volume in spec.get("volumes") or ():
        for kind in ("configMap", "secret"):
            if kind in volume:
                volume[kind].setdefault("defaultMode", 0o644)
        if len(volume) == 1:
            volume["emptyDir"] = {}


def _container(container: Obj) -> None:
    _complete(container, _CONTAINER)
    image = container["image"]
    tagless = ":" not in image.rpartition("/")[2] and "@" not in image
    latest = tagless or image.endswith(":latest")
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    resources = container["resources"]
    if resources.get("limits"):
        resources["requests"] = dict(resources["limits"]) | (resources.get("requests") or {})
    for variable in container.get("env") or ():
        if (variable.get("valueFrom") or {}).get("fieldRef"):
            variable["valueFrom"]["fieldRef"].setdefault("apiVersion", "v1")


def _qos_class(spec: Obj) -> str:
    """Guaranteed when all limits for cpu and memory equal the requests, BestEffort without any."""
    asked = [one["resources"] for one in containers_of(spec)]
    if not any(one.get("requests") or one.get("limits") for one in asked):
        return "BestEffort"
    sure = all(
        (limit := lookup(one, f"limits.{key}")) is not None and limit == lookup(one, f"requests.{key}")
        for one in asked
        for key in ("cpu", "memory")
    )
    return "Guaranteed" if sure else "Burstable"


def _job(job: Obj) -> None:
    spec: dict[str, Any] = job["spec"]
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    _complete(spec, _JOB)
    spec.setdefault("backoffLimit", 2**31 - 1 if "backoffLimitPerIndex" in spec else 6)
    spec.setdefault("podReplacementPolicy", "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed")
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern.setdefault("status", "True")
    template = spec["template"]
    _pod_spec(template["spec"])
    uid, name = job["metadata"]["uid"], job["metadata"].get("name", "")
    for prefix in ("batch.kubernetes.io/", ""):
        labels = template.setdefault("metadata", {}).setdefault("labels", {})
        labels |= {f"{prefix}controller-uid": uid, f"{prefix}job-name": name}
    spec.setdefault("selector", job_selector(job))
    job["status"] = {}


def job_selector(job: Obj) -> Obj:
    """What selects the pods of a Job."""
    return {"matchLabels": {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}}


def pod_of(template: Obj, owner: Obj, prefix: str, name: str, spec: Obj, **metadata: Any) -> Obj:
    """A pod as a controller makes it, of a template and an admitted spec, which pods may share."""
    given = template.get("metadata") or {}
    for key in ("labels", "annotations"):
        if merged := {**(given.get(key) or {}), **(metadata.pop(key, None) or {})}:
            metadata[key] = merged
    metadata |= {"name": name, "generateName": prefix, "namespace": namespace_of(owner)}
    metadata["ownerReferences"] = [reference(owner) | {"controller": True, "blockOwnerDeletion": True}]
    status = {"phase": "Pending", "qosClass": _qos_class(spec)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}
