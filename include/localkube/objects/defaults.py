"""What the API server fills in when a client leaves it out."""

import base64
import secrets
from typing import Any

from localkube.objects.object import Json, Obj, containers_of, lookup

_ROLLING = {"maxSurge": 0, "maxUnavailable": 1}
_DAEMON_COUNTS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
# Defaults that depend on no other field; called where each object needs its own.
DEFAULTS: dict[str, dict[str, Any]] = {
    "PodSpec": {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": dict,
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
    },
    "Container": {
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "resources": dict,
    },
    "ObjectFieldSelector": {"apiVersion": "v1"},
    "ConfigMapVolumeSource": {"defaultMode": 0o644},
    "SecretVolumeSource": {"defaultMode": 0o644},
    "JobSpec": {"completionMode": "NonIndexed", "suspend": False},
    "PodFailurePolicyOnPodConditionsPattern": {"status": "True"},
    "DaemonSet": {"status": lambda: dict.fromkeys(_DAEMON_COUNTS, 0)},
    "DaemonSetSpec": {"revisionHistoryLimit": 10, "updateStrategy": lambda: {"type": "RollingUpdate"}},
    "DaemonSetUpdateStrategy": {"type": "RollingUpdate"},
    "RollingUpdateDaemonSet": _ROLLING,
    "Job": {"status": dict},
    "ResourceQuota": {"spec": dict, "status": dict},
    "Node": {"spec": dict},
    "Secret": {"type": "Opaque"},
}
_OUTAGE = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
_TOLERATIONS = [_OUTAGE | {"key": f"node.kubernetes.io/{key}"} for key in ("not-ready", "unreachable")]
LONGEST_PREFIX = 58  # of a generated name; what is longer is cut
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # of generated names: no vowels, no look-alikes


def complete(obj: Obj) -> Obj:
    """Fill in what depends on other fields, in place; a Job's selector is made of its uid."""
    match obj["kind"]:
        case "Pod":
            _pod_spec(obj["spec"])
            return new_pod(obj["metadata"], admitted(obj["spec"]))
        case "Job":
            _job(obj)
        case "DaemonSet":
            _pod_spec(obj["spec"]["template"]["spec"])
            if obj["spec"]["updateStrategy"]["type"] == "RollingUpdate":
                obj["spec"]["updateStrategy"].setdefault("rollingUpdate", _ROLLING)
        case "Namespace":
            obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj.name
            obj |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        case "Secret":
            for key, value in obj.pop("stringData", {}).items():
                obj.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()
    return obj


def generated_name(prefix: str) -> str:
    """Generate a name from metadata.generateName, as the API server does: the prefix and five characters."""
    return prefix[:LONGEST_PREFIX] + "".join(secrets.choice(_ALPHABET) for _ in range(5))


def new_pod(metadata: Json, spec: Json) -> Obj:
    """Return a pod with a spec that has its defaults, which pods may share."""
    status = {"phase": "Pending", "qosClass": _qos_class(spec)}
    return Obj(apiVersion="v1", kind="Pod", metadata=metadata, spec=spec, status=status)


def admitted(spec: Json) -> Json:
    """Return a pod spec with what pods get, but not the templates of Jobs and DaemonSets."""
    tolerations = list(spec.get("tolerations") or ())
    tolerations += [one for one in _TOLERATIONS if one not in tolerations]
    return {"serviceAccountName": "default", **spec, "tolerations": tolerations}


def job_selector(job: Obj) -> Json:
    """Return what selects the pods of a Job."""
    return {"matchLabels": {"batch.kubernetes.io/controller-uid": job.uid}}


def _pod_spec(spec: Json) -> None:
    if "serviceAccount" in spec:
        spec.setdefault("serviceAccountName", spec["serviceAccount"])
    for container in containers_of(spec):
        image, resources = container["image"], container["resources"]
        tagless = ":" not in image.rpartition("/")[2] and "@" not in image
        latest = tagless or image.endswith(":latest")
        container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
        if resources.get("limits"):
            resources["requests"] = resources["limits"] | resources.get("requests", {})
    for volume in spec.get("volumes", ()):
        if len(volume) == 1:
            volume["emptyDir"] = {}


def _qos_class(spec: Json) -> str:
    """Return Guaranteed when all limits for cpu and memory equal the requests, BestEffort without any."""
    asked = [one["resources"] for one in containers_of(spec)]
    if not any(one.get("requests") or one.get("limits") for one in asked):
        return "BestEffort"
    paths = ("limits.cpu", "requests.cpu"), ("limits.memory", "requests.memory")
    pairs = [(lookup(one, limit), lookup(one, request)) for one in asked for limit, request in paths]
    return "Guaranteed" if all(limit and limit == request for limit, request in pairs) else "Burstable"


def _job(job: Obj) -> None:
    spec, template = job["spec"], job["spec"]["template"]
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 2**31 - 1 if "backoffLimitPerIndex" in spec else 6)
    spec.setdefault("podReplacementPolicy", "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed")
    _pod_spec(template["spec"])
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    for prefix in ("batch.kubernetes.io/", ""):
        labels |= {f"{prefix}controller-uid": job.uid, f"{prefix}job-name": job.name}
    spec.setdefault("selector", job_selector(job))
