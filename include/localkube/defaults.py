"""What the API server fills in when a client leaves it out."""

import base64
import copy
import secrets

from localkube.objects import Json, Obj, containers_of, lookup

_POD: Json = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
    "enableServiceLinks": True,
}
_CONTAINER: Json = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "resources": {},
}
_JOB: Json = {"parallelism": 1, "completionMode": "NonIndexed", "suspend": False}
_DAEMON_COUNTS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # of generated names: no vowels, no look-alikes
_OUTAGE = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
_TOLERATIONS = [_OUTAGE | {"key": f"node.kubernetes.io/{key}"} for key in ("not-ready", "unreachable")]


def generated_name(prefix: str) -> str:
    """A name from metadata.generateName, as the API server makes it: the prefix and five characters."""
    return prefix[:58] + "".join(secrets.choice(_ALPHABET) for _ in range(5))


def with_defaults(resource: str, given: Obj) -> Obj:
    """The object completed; its uid must be set already, because a Job's selector is made of it."""
    obj: Obj = copy.deepcopy(given)
    match resource:
        case "pods":
            _pod_spec(obj["spec"])
            return new_pod(obj["metadata"], admitted(obj["spec"]))
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
            obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj.name
            obj |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        case "nodes":
            obj.setdefault("spec", {})
        case "secrets":
            for key, value in (obj.pop("stringData", None) or {}).items():
                obj.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()
            obj.setdefault("type", "Opaque")
    return obj


def new_pod(metadata: Json, spec: Json) -> Obj:
    """A pod of a spec that has its defaults, which pods may share."""
    status = {"phase": "Pending", "qosClass": _qos_class(spec)}
    return Obj(apiVersion="v1", kind="Pod", metadata=metadata, spec=spec, status=status)


def admitted(spec: Json) -> Json:
    """A pod spec with what is added to pods, but not to the templates of Jobs and DaemonSets."""
    tolerations = list(spec.get("tolerations") or ())
    tolerations += [one for one in _TOLERATIONS if one not in tolerations]
    return {"serviceAccountName": "default", **spec, "tolerations": tolerations}


def job_selector(job: Obj) -> Json:
    """What selects the pods of a Job."""
    return {"matchLabels": {"batch.kubernetes.io/controller-uid": job.uid}}


def _complete(obj: Json, defaults: Json) -> None:
    for key, value in defaults.items():
        obj.setdefault(key, copy.copy(value))


def _pod_spec(spec: Json) -> None:
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


def _container(container: Json) -> None:
    _complete(container, _CONTAINER)
    image, resources = container["image"], container["resources"]
    tagless = ":" not in image.rpartition("/")[2] and "@" not in image
    latest = tagless or image.endswith(":latest")
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    if resources.get("limits"):
        resources["requests"] = dict(resources["limits"]) | (resources.get("requests") or {})
    for variable in container.get("env") or ():
        if field := lookup(variable, "valueFrom.fieldRef"):
            field.setdefault("apiVersion", "v1")


def _qos_class(spec: Json) -> str:
    """Guaranteed when all limits for cpu and memory equal the requests, BestEffort without any."""
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
    _complete(spec, _JOB)
    spec.setdefault("backoffLimit", 2**31 - 1 if "backoffLimitPerIndex" in spec else 6)
    spec.setdefault("podReplacementPolicy", "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed")
    for rule in lookup(spec, "podFailurePolicy.rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern.setdefault("status", "True")
    _pod_spec(template["spec"])
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    for prefix in ("batch.kubernetes.io/", ""):
        labels |= {f"{prefix}controller-uid": job.uid, f"{prefix}job-name": job.name}
    spec.setdefault("selector", job_selector(job))
    job["status"] = {}
