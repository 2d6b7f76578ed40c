"""What the API server refuses with 422: one cause for each wrong field, and the fields that may not change.

Types, unknown and required fields are the schema's business; this is about values.
"""

from __future__ import annotations

import re

from localkube.causes import Causes
from localkube.errors import ApiError, forbidden, invalid
from localkube.job_validation import check_job, check_job_update
from localkube.objects import Obj, lookup, quantity
from localkube.resources import Resource
from localkube.selectors import OPERATORS, selects

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_COUNT_OR_SHARE = re.compile(r"\d+%?")
_VOLUMES = ("emptyDir", "configMap", "secret", "hostPath")
_LARGEST_DATA = 1 << 20
_POD_MUTABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
_LABEL_NAME_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
    "an alphanumeric character (at most 63), after an optional DNS subdomain and '/'"
)
_LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (at most 63)"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character (at most 253)"
)
LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (at most 63)"
)


def is_dns_label(text: object) -> bool:
    """Whether this is a name for a namespace, container, volume or cluster."""
    return isinstance(text, str) and len(text) <= 63 and _LABEL.fullmatch(text) is not None


def _is_subdomain(text: str) -> bool:
    return len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None


def validate(resource: Resource, obj: Obj, old: Obj | None, missing: list[str]) -> None:
    """Check an object that has its defaults, against the stored one if it is an update. Raises ApiError 422.

    Missing are the required fields that the client left out; they are all the client learns, if any.
    """
    causes = Causes()
    for field in missing:
        causes.required(field)
    if not missing:
        _metadata(resource, obj["metadata"], causes)
        match resource.plural:
            case "pods":
                _pod(obj, old, causes)
            case "jobs":
                check_job(obj, causes)
                _template(obj, causes)
                if old is not None:
                    check_job_update(obj, old, causes)
            case "daemonsets":
                _daemonset(obj, old, causes)
            case "configmaps" | "secrets":
                _data(obj, old, causes)
    if causes.found:
        raise invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), causes.found)


def check_namespace(resource: str, obj: Obj, namespace: Obj | None) -> None:
    """Refuse to create in a namespace that is missing or going. Raises ApiError 403 or 404."""
    name = obj["metadata"]["namespace"]
    if namespace is None:
        raise ApiError(
            404, "NotFound", f'namespaces "{name}" not found', {"name": name, "kind": "namespaces"}
        )
    if "deletionTimestamp" in namespace["metadata"]:
        cause = {
            "reason": "NamespaceTerminating",
            "field": "metadata.namespace",
            "message": f"namespace {name} is being terminated",
        }
        raise forbidden(
            resource,
            obj["metadata"].get("name", ""),
            f"unable to create new content in namespace {name} because it is being terminated",
            causes=[cause],
        )


def _metadata(resource: Resource, meta: Obj, causes: Causes) -> None:
    fits, rule = (
        (is_dns_label, LABEL_RULE) if resource.plural == "namespaces" else (_is_subdomain, _SUBDOMAIN_RULE)
    )
    if not meta.get("name"):
        causes.required("metadata.name", "name or generateName is required")
    elif not fits(meta["name"]):
        causes.invalid("metadata.name", meta["name"], rule)
    _labels(meta.get("labels") or {}, "metadata.labels", causes)
    for key in meta.get("annotations") or {}:
        _label_name(key, "metadata.annotations", causes)


def _label_name(key: str, field: str, causes: Causes) -> None:
    prefix, slash, name = key.rpartition("/")
    if (
        not 0 < len(name) <= 63
        or not _LABEL_VALUE.fullmatch(name)
        or (slash and not _is_subdomain(prefix.lower()))
    ):
        causes.invalid(field, key, _LABEL_NAME_RULE)


def _labels(labels: dict[str, str], field: str, causes: Causes) -> None:
    for key, value in labels.items():
        _label_name(key, field, causes)
        if len(value) > 63 or not _LABEL_VALUE.fullmatch(value):
            causes.invalid(field, value, _LABEL_VALUE_RULE)


def _pod(pod: Obj, old: Obj | None, causes: Causes) -> None:
    _pod_spec(pod["spec"], "spec", causes)
    if old is not None and _frozen(pod["spec"]) != _frozen(old["spec"]):
        causes.forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations`",
        )


def _frozen(spec: Obj) -> Obj:
    """A pod's spec without what may change."""
    frozen = {key: value for key, value in spec.items() if key not in _POD_MUTABLE}
    for kind in ("containers", "initContainers"):
        frozen[kind] = [
            {key: value for key, value in one.items() if key != "image"} for one in spec.get(kind) or ()
        ]
    return frozen


def _daemonset(daemonset: Obj, old: Obj | None, causes: Causes) -> None:
    spec = daemonset["spec"]
    _template(daemonset, causes)
    if (restart := spec["template"]["spec"]["restartPolicy"]) != "Always":
        causes.unsupported("spec.template.spec.restartPolicy", restart, ["Always"])
    if (kind := spec["updateStrategy"]["type"]) not in ("RollingUpdate", "OnDelete"):
        causes.unsupported("spec.updateStrategy.type", kind, ["RollingUpdate", "OnDelete"])
    most = (spec["updateStrategy"].get("rollingUpdate") or {}).get("maxUnavailable", 1)
    if not _COUNT_OR_SHARE.fullmatch(str(most)):
        field = "spec.updateStrategy.rollingUpdate.maxUnavailable"
        causes.invalid(field, most, "must be a whole number or a percentage such as 10%")
    selector, labels = spec.get("selector"), (spec["template"].get("metadata") or {}).get("labels") or {}
    if not selector:
        return causes.required("spec.selector")
    for n, one in enumerate(selector.get("matchExpressions") or ()):
        _expression(one, f"spec.selector.matchExpressions[{n}]", causes)
    if not selects(selector, labels):
        causes.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    if old is not None and selector != old["spec"]["selector"]:
        causes.invalid("spec.selector", selector, "field is immutable")


def _template(owner: Obj, causes: Causes) -> None:
    template = owner["spec"]["template"]
    _labels((template.get("metadata") or {}).get("labels") or {}, "spec.template.labels", causes)
    _pod_spec(template["spec"], "spec.template.spec", causes)


def _pod_spec(spec: Obj, field: str, causes: Causes) -> None:
    if not spec.get("containers"):
        causes.required(f"{field}.containers")
    if spec["restartPolicy"] not in ("Always", "OnFailure", "Never"):
        causes.unsupported(f"{field}.restartPolicy", spec["restartPolicy"], ["Always", "OnFailure", "Never"])
    if spec.get("ephemeralContainers"):
        causes.forbidden(f"{field}.ephemeralContainers", "localkube has no ephemeral containers")
    _node_affinity(spec, field, causes)
    volumes: set[str] = set()
    for n, volume in enumerate(spec.get("volumes") or ()):
        _volume(volume, f"{field}.volumes[{n}]", volumes, causes)
    names: set[str] = set()
    for kind in ("initContainers", "containers"):
        for n, container in enumerate(spec.get(kind) or ()):
            where = f"{field}.{kind}[{n}]"
            _container(container, where, volumes, causes)
            if container["name"] in names:
                causes.duplicate(f"{where}.name", container["name"])
            names.add(container["name"])
            if kind == "initContainers" and container.get("restartPolicy"):
                causes.forbidden(f"{where}.restartPolicy", "localkube has no sidecar containers")


def _node_affinity(spec: Obj, field: str, causes: Causes) -> None:
    path = "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
    for n, term in enumerate(lookup(spec, path) or ()):
        for kind in ("matchExpressions", "matchFields"):
            for m, one in enumerate(term.get(kind) or ()):
                _expression(one, f"{field}.{path}[{n}].{kind}[{m}]", causes)


def _expression(one: Obj, field: str, causes: Causes) -> None:
    values = one.get("values") or []
    if one["operator"] not in OPERATORS:
        causes.unsupported(f"{field}.operator", one["operator"], list(OPERATORS))
    elif one["operator"] in ("In", "NotIn") and not values:
        causes.required(f"{field}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif one["operator"] in ("Gt", "Lt") and (len(values) != 1 or not values[0].lstrip("-").isdigit()):
        causes.required(f"{field}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")


def _volume(volume: Obj, field: str, names: set[str], causes: Causes) -> None:
    if not is_dns_label(volume["name"]):
        causes.invalid(f"{field}.name", volume["name"], LABEL_RULE)
    elif volume["name"] in names:
        causes.duplicate(f"{field}.name", volume["name"])
    names.add(volume["name"])
    for kind in volume:
        if kind not in ("name", *_VOLUMES):
            causes.forbidden(f"{field}.{kind}", f"localkube has the volumes {', '.join(_VOLUMES)} only")
    if len(volume) > 2:
        causes.forbidden(field, "may not specify more than 1 volume type")
    size = (volume.get("emptyDir") or {}).get("sizeLimit")
    if size is not None:
        _not_negative(size, f"{field}.emptyDir.sizeLimit", causes)


def _container(container: Obj, field: str, volumes: set[str], causes: Causes) -> None:
    if not is_dns_label(container["name"]):
        causes.invalid(f"{field}.name", container["name"], LABEL_RULE)
    if not container.get("image"):
        causes.required(f"{field}.image")
    if container.get("lifecycle"):
        causes.forbidden(f"{field}.lifecycle", "localkube has no lifecycle hooks")
    if container["terminationMessagePolicy"] not in ("File", "FallbackToLogsOnError"):
        causes.unsupported(
            f"{field}.terminationMessagePolicy",
            container["terminationMessagePolicy"],
            ["File", "FallbackToLogsOnError"],
        )
    for n, variable in enumerate(container.get("env") or ()):
        if not variable["name"] or "=" in variable["name"]:
            causes.invalid(f"{field}.env[{n}].name", variable["name"], "must be a name without '='")
        if variable.get("value") and variable.get("valueFrom"):
            causes.invalid(
                f"{field}.env[{n}].valueFrom", "", "may not be specified when `value` is not empty"
            )
    for n, mount in enumerate(container.get("volumeMounts") or ()):
        where, below = f"{field}.volumeMounts[{n}]", mount.get("subPath", "")
        if mount["name"] not in volumes:
            causes.not_found(f"{where}.name", mount["name"])
        if below.startswith("/") or ".." in below.split("/"):
            causes.invalid(f"{where}.subPath", below, "must be a relative path without '..'")
    _resources(container["resources"], f"{field}.resources", causes)


def _resources(resources: Obj, field: str, causes: Causes) -> None:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            _not_negative(amount, f"{field}.{kind}[{name}]", causes)
            if name in limits and quantity(amount) > quantity(limits[name]):
                causes.invalid(
                    f"{field}.requests",
                    amount,
                    f"must be less than or equal to {name} limit of {limits[name]}",
                )


def _not_negative(amount: str, field: str, causes: Causes) -> None:
    if quantity(amount) < 0:
        causes.invalid(field, amount, "must be greater than or equal to 0")


def _data(obj: Obj, old: Obj | None, causes: Causes) -> None:
    size = 0
    for field in ("data", "binaryData"):
        encoded = obj["kind"] == "Secret" or field == "binaryData"
        for key, value in (obj.get(field) or {}).items():
            if not _DATA_KEY.fullmatch(key):
                causes.invalid(
                    f"{field}[{key}]",
                    key,
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
                )
            size += len(value) * 3 // 4 if encoded else len(value.encode())
    if size > _LARGEST_DATA:
        causes.too_long("data" if obj["kind"] == "Secret" else "", _LARGEST_DATA)
    if old is not None and old.get("immutable"):
        for field in ("data", "binaryData", "immutable"):
            if obj.get(field) != old.get(field):
                causes.forbidden(field, "field is immutable when `immutable` is set")
