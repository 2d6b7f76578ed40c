"""What the API server refuses: 422 with one cause for each wrong field, and the fields that may not change."""

from __future__ import annotations

import re
from typing import Any

from localkube.job_validation import check_job, check_job_update
from localkube.causes import Causes
from localkube.errors import ApiError, forbidden, invalid
from localkube.objects import Obj, quantity
from localkube.resources import RESOURCES

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_VOLUMES = ("emptyDir", "configMap", "secret", "hostPath")
_MIB = 1 << 20
_POD_MUTABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")

LABEL_RULE = ("a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
              "end with an alphanumeric character (at most 63)")
SUBDOMAIN_RULE = ("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
                  "must start and end with an alphanumeric character (at most 253)")


def is_dns_label(text: object) -> bool:
    return isinstance(text, str) and len(text) <= 63 and _LABEL.fullmatch(text) is not None


def validate(resource: str, obj: Obj, old: Obj | None = None) -> None:
    """Check an object that has its defaults, against the stored one if it is an update; raises ApiError 403 or 422."""
    causes = Causes()
    _metadata(resource, obj["metadata"], causes)
    match resource:
        case "pods":
            _pod_spec(obj["spec"], "spec", causes)
            if old is not None and _frozen_pod(obj["spec"]) != _frozen_pod(old["spec"]):
                causes.forbidden("spec", "pod updates may not change fields other than `spec.containers[*].image`,"
                                 "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations`")
        case "jobs":
            check_job(obj, causes)
            _template(obj["spec"].get("template"), causes)
            if old is not None:
                check_job_update(obj, old, causes)
        case "daemonsets":
            _template(obj["spec"].get("template"), causes)
            if obj["spec"]["template"]["spec"].get("restartPolicy") != "Always":
                causes.unsupported("spec.template.spec.restartPolicy",
                                   obj["spec"]["template"]["spec"].get("restartPolicy"), ["Always"])
            if not obj["spec"].get("selector"):
                causes.required("spec.selector")
            elif old is not None and obj["spec"]["selector"] != old["spec"]["selector"]:
                causes.invalid("spec.selector", obj["spec"]["selector"], "field is immutable")
        case "configmaps" | "secrets":
            _data(obj, old, causes)
    if causes.found:
        kind = RESOURCES[resource]
        raise invalid(kind.kind, kind.group, obj["metadata"].get("name", ""), causes.found)


def check_namespace(resource: str, obj: Obj, namespace: Obj | None) -> None:
    """Refuse to create in a namespace that is missing or going; raises ApiError 403 or 404."""
    name = obj["metadata"]["namespace"]
    if namespace is None:
        raise ApiError(404, "NotFound", f'namespaces "{name}" not found', {"name": name, "kind": "namespaces"})
    if "deletionTimestamp" in namespace["metadata"]:
        raise forbidden(resource, obj["metadata"].get("name", ""), f"unable to create new content in namespace {name} "
                        "because it is being terminated",
                        causes=[{"reason": "NamespaceTerminating", "field": "metadata.namespace",
                                 "message": f"namespace {name} is being terminated"}])


def _metadata(resource: str, meta: Obj, causes: Causes) -> None:
    name, prefix = meta.get("name"), meta.get("generateName")
    if not name and not prefix:
        causes.required("metadata.name", "name or generateName is required")
    one_label = resource == "namespaces"
    for field, text in (("name", name), ("generateName", prefix)):
        if text and not name_fits(text.rstrip("-") if field == "generateName" else text, one_label):
            causes.invalid(f"metadata.{field}", text, LABEL_RULE if one_label else SUBDOMAIN_RULE)
    _labels(meta.get("labels") or {}, "metadata.labels", causes)


def name_fits(text: str, one_label: bool) -> bool:
    return is_dns_label(text) if one_label else len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None


def _labels(labels: Obj, field: str, causes: Causes) -> None:
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        if not (0 < len(name) <= 63 and _LABEL_VALUE.fullmatch(name)) or (slash and not name_fits(prefix, False)):
            causes.invalid(field, key, "name part must consist of alphanumeric characters, '-', '_' or '.', and must "
                           "start and end with an alphanumeric character (at most 63), after an optional DNS prefix/")
        if len(value) > 63:
            causes.invalid(field, value, "must be no more than 63 characters")
        elif not _LABEL_VALUE.fullmatch(value):
            causes.invalid(field, value, "a valid label must be an empty string or consist of alphanumeric characters, "
                           "'-', '_' or '.', and must start and end with an alphanumeric character")


def _template(template: Obj | None, causes: Causes) -> None:
    if template is None:
        return causes.required("spec.template")
    _labels((template.get("metadata") or {}).get("labels") or {}, "spec.template.labels", causes)
    _pod_spec(template["spec"], "spec.template.spec", causes)


def _pod_spec(spec: Obj, field: str, causes: Causes) -> None:
    if not spec.get("containers"):
        causes.required(f"{field}.containers")
    if spec["restartPolicy"] not in ("Always", "OnFailure", "Never"):
        causes.unsupported(f"{field}.restartPolicy", spec["restartPolicy"], ["Always", "OnFailure", "Never"])
    if spec.get("ephemeralContainers"):
        causes.forbidden(f"{field}.ephemeralContainers", "localkube has no ephemeral containers")
    volumes = _volumes(spec.get("volumes") or [], f"{field}.volumes", causes)
    names: set[str] = set()
    for kind in ("initContainers", "containers"):
        for n, container in enumerate(spec.get(kind) or ()):
            where = f"{field}.{kind}[{n}]"
            _container(container, where, volumes, causes)
            if container.get("name") in names:
                causes.duplicate(f"{where}.name", container["name"])
            names.add(container.get("name", ""))
            if kind == "initContainers" and container.get("restartPolicy"):
                causes.forbidden(f"{where}.restartPolicy", "localkube has no sidecar containers")


def _volumes(volumes: list[Obj], field: str, causes: Causes) -> set[str]:
    for n, volume in enumerate(volumes):
        kinds = [key for key in volume if key != "name"]
        if not is_dns_label(volume.get("name")):
            causes.invalid(f"{field}[{n}].name", volume.get("name"), LABEL_RULE)
        for kind in kinds:
            if kind not in _VOLUMES:
                causes.forbidden(f"{field}[{n}].{kind}", f"localkube has the volumes {', '.join(_VOLUMES)} only")
        size = (volume.get("emptyDir") or {}).get("sizeLimit")
        if size is not None:
            _quantity(size, f"{field}[{n}].emptyDir.sizeLimit", causes)
    return {volume.get("name", "") for volume in volumes}


def _container(container: Obj, field: str, volumes: set[str], causes: Causes) -> None:
    if not container.get("name"):
        causes.required(f"{field}.name")
    elif not is_dns_label(container["name"]):
        causes.invalid(f"{field}.name", container["name"], LABEL_RULE)
    if not container.get("image"):
        causes.required(f"{field}.image")
    if container.get("lifecycle"):
        causes.forbidden(f"{field}.lifecycle", "localkube has no lifecycle hooks")
    for n, variable in enumerate(container.get("env") or ()):
        if not variable.get("name") or "=" in variable["name"]:
            causes.invalid(f"{field}.env[{n}].name", variable.get("name"), "must be a name without '='")
        if variable.get("value") and variable.get("valueFrom"):
            causes.invalid(f"{field}.env[{n}].valueFrom", "", "may not be specified when `value` is not empty")
    for n, mount in enumerate(container.get("volumeMounts") or ()):
        if mount.get("name") not in volumes:
            causes.not_found(f"{field}.volumeMounts[{n}].name", mount.get("name"))
        if not mount.get("mountPath"):
            causes.required(f"{field}.volumeMounts[{n}].mountPath")
        if ".." in str(mount.get("subPath", "")).split("/") or str(mount.get("subPath", "")).startswith("/"):
            causes.invalid(f"{field}.volumeMounts[{n}].subPath", mount["subPath"], "must be a relative path without '..'")
    _resources(container.get("resources") or {}, f"{field}.resources", causes)


def _resources(resources: Obj, field: str, causes: Causes) -> None:
    values: dict[tuple[str, str], float | None] = {}
    for kind in ("limits", "requests"):
        for name, amount in (resources.get(kind) or {}).items():
            values[kind, name] = _quantity(amount, f"{field}.{kind}[{name}]", causes)
    for (kind, name), amount in values.items():
        limit = values.get(("limits", name))
        if kind == "requests" and amount is not None and limit is not None and amount > limit:
            causes.invalid(f"{field}.requests", resources["requests"][name],
                           f"must be less than or equal to {name} limit of {resources['limits'][name]}")


def _quantity(text: Any, field: str, causes: Causes) -> float | None:
    try:
        value = quantity(text)
    except ValueError as error:
        causes.invalid(field, text, str(error))
        return None
    if value < 0:
        causes.invalid(field, text, "must be greater than or equal to 0")
    return value


def _data(obj: Obj, old: Obj | None, causes: Causes) -> None:
    size = 0
    for field in ("data", "binaryData"):
        for key, value in (obj.get(field) or {}).items():
            if not _DATA_KEY.fullmatch(key) or len(key) > 253:
                causes.invalid(f"{field}[{key}]", key, "a valid config key must consist of alphanumeric characters, "
                               "'-', '_' or '.'")
            size += len(value.encode()) if obj["kind"] == "ConfigMap" and field == "data" else len(value) * 3 // 4
    if size > _MIB:
        causes.too_long("data" if obj["kind"] == "Secret" else "", _MIB)
    if old is not None and old.get("immutable"):
        for field in ("data", "binaryData", "immutable"):
            if obj.get(field) != old.get(field):
                causes.forbidden(field, "field is immutable when `immutable` is set")


def _frozen_pod(spec: Obj) -> Obj:
    """A pod's spec without what may change."""
    frozen = {key: value for key, value in spec.items() if key not in _POD_MUTABLE}
    for kind in ("containers", "initContainers"):
        frozen[kind] = [{key: value for key, value in one.items() if key != "image"} for one in spec.get(kind) or ()]
    return frozen
