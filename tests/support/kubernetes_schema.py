"""The field types of what localkube serves, as the Kubernetes client declares them ("!" marks required ones).

`python tests/support/kubernetes_schema.py` writes include/localkube/objects/schema.json anew, which a
test compares with what the installed client says.
"""

import inspect
import json
import re
from pathlib import Path

from kubernetes import client

SCHEMA = Path(__file__).parents[2] / "include" / "localkube" / "objects" / "schema.json"
KINDS = ["Namespace", "Node", "Pod", "ConfigMap", "Secret", "ServiceAccount", "Event", "DaemonSet", "Job"]
KINDS += ["NetworkPolicy", "ResourceQuota"]
OPAQUE = {"Affinity.podAffinity", "Affinity.podAntiAffinity", "ObjectMeta.managedFields"}
VOLUMES = {"name", "emptyDir", "configMap", "secret"}
QUANTITIES = {
    "ResourceRequirements.limits",
    "ResourceRequirements.requests",
    "PodSpec.overhead",
    "NodeStatus.capacity",
    "NodeStatus.allocatable",
    "ContainerStatus.allocatedResources",
    "PodStatus.allocatedResources",
    "EmptyDirVolumeSource.sizeLimit",
    "ResourceQuotaSpec.hard",
    "ResourceQuotaStatus.hard",
    "ResourceQuotaStatus.used",
}
NEEDED = {"PodTemplateSpec.spec"}  # which the API requires of Jobs and DaemonSets, but the client does not
ENCODED = {"Secret.data", "ConfigMap.binaryData"}
SIMPLE = {
    "str": "string",
    "int": "integer",
    "bool": "boolean",
    "datetime": "time",
    "object": "any",
    "float": "number",
}


def schema() -> dict[str, dict[str, str]]:
    types: dict[str, dict[str, str]] = {}
    todo = list(KINDS)
    while todo:
        name = todo.pop()
        if name in types:
            continue
        model = client_model(name)
        types[name] = {}
        for attribute, field in sorted(model.attribute_map.items(), key=lambda item: item[1]):
            kind, referred = field_type(f"{name}.{field}", model.openapi_types[attribute])
            needed = f"{name}.{field}" in NEEDED or required(model, attribute)
            types[name][field] = kind + ("!" if needed else "")
            todo += referred
    return {name: types[name] for name in sorted(types)}


def client_model(name: str) -> type:
    return next(
        getattr(client, prefix + name) for prefix in ("CoreV1", "V1", "") if hasattr(client, prefix + name)
    )


def field_type(where: str, declared: str) -> tuple[str, list[str]]:
    """Return a field's type ("[]X": a list of X, "{}X": a map to X) and the object types it refers to."""
    owner, field = where.split(".")
    if where in OPAQUE or (owner == "Volume" and field not in VOLUMES):
        return "any", []
    depth = "[]" if declared.startswith("list[") else "{}" if declared.startswith("dict[") else ""
    inner = re.sub(r"^(list\[|dict\[str, )|\]$", "", declared) if depth else declared
    inner = inner.removeprefix("CoreV1").removeprefix("V1")
    if where in QUANTITIES:
        return f"{depth}quantity", []
    if where in ENCODED:
        return f"{depth}base64", []
    if inner in SIMPLE:
        return depth + SIMPLE[inner], []
    if inner.startswith(("list[", "dict[")):
        return "any", []
    return depth + inner, [inner]


def required(model: type, attribute: str) -> bool:
    """Return whether the API requires a field, for which the client's models then refuse None."""
    return f"Invalid value for `{attribute}`, must not be `None`" in inspect.getsource(model)


def text() -> str:
    lines = [f"  {json.dumps(name)}: {json.dumps(fields)}" for name, fields in schema().items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    SCHEMA.write_text(text())
