"""What the API server fills in when a client leaves it out."""

import base64
import json
import secrets
from pathlib import Path
from typing import Any

from localkube.objects.object import Json, Obj

_MANY = 2**31 - 1


def _pull_policy(container: Json) -> str:
    image = container.get("image", "")
    tagless = ":" not in image.rpartition("/")[2] and "@" not in image
    return "Always" if tagless or image.endswith(":latest") else "IfNotPresent"


_COMPUTED: dict[str, dict[str, Any]] = {
    "PodSpec": {"serviceAccountName": lambda spec: spec.get("serviceAccount")},
    "Container": {"imagePullPolicy": _pull_policy},
    "ResourceRequirements": {"requests": lambda resources: resources.get("limits") or None},
    "Volume": {"emptyDir": lambda volume: {} if len(volume) == 1 else None},
    "JobSpec": {
        "completions": lambda spec: None if "parallelism" in spec else 1,
        "backoffLimit": lambda spec: _MANY if "backoffLimitPerIndex" in spec else 6,
        "podReplacementPolicy": lambda spec: (
            "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed"
        ),
    },
}
_FIXED: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_bytes())

# Defaults by type and field. A function gets the object as it was sent, and returns None for no default. A
# mapping that the client sends gets the keys that it lacks.
DEFAULTS = {kind: _COMPUTED.get(kind, {}) | _FIXED.get(kind, {}) for kind in _COMPUTED.keys() | _FIXED}
_OUTAGE = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
_TOLERATIONS = [_OUTAGE | {"key": f"node.kubernetes.io/{key}"} for key in ("not-ready", "unreachable")]
LONGEST_PREFIX = 58  # of a generated name; what is longer is cut
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # of generated names: no vowels, no look-alikes


def complete(obj: Obj) -> Obj:
    """Fill in what depends on the whole object, in place; a Job's selector is made of its uid."""
    match obj["kind"]:
        case "Pod":
            return new_pod(obj["metadata"], admitted(obj["spec"]))
        case "Job":
            spec = obj["spec"]
            labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
            for prefix in ("batch.kubernetes.io/", ""):
                labels |= {f"{prefix}controller-uid": obj.uid, f"{prefix}job-name": obj.name}
            spec.setdefault("selector", job_selector(obj))
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
    return Obj(apiVersion="v1", kind="Pod", metadata=metadata, spec=spec, status={"phase": "Pending"})


def admitted(spec: Json) -> Json:
    """Return a pod spec with what pods get, but not the templates of Jobs and DaemonSets."""
    tolerations = list(spec.get("tolerations") or ())
    tolerations += [one for one in _TOLERATIONS if one not in tolerations]
    return {"serviceAccountName": "default", **spec, "tolerations": tolerations}


def job_selector(job: Obj) -> Json:
    """Return what selects the pods of a Job."""
    return {"matchLabels": {"batch.kubernetes.io/controller-uid": job.uid}}
