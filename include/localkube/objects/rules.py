"""The rules for the fields of objects, and between the fields of pods, Jobs and DaemonSets.

A rule belongs to a field of a type and gets a value whose own fields are valid and have their defaults.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from localkube.objects.errors import ApiError
from localkube.objects.object import Json, containers_of, lookup, quantity


class Problem(NamedTuple):
    """What is wrong with one field: a cause of a 422."""

    field: str
    reason: str
    message: str


def required(field: str, detail: str = "") -> Problem:
    """Report a field that is missing or empty."""
    return Problem(field, "FieldValueRequired", "Required value" + (f": {detail}" if detail else ""))


def invalid(field: str, value: Any, detail: str) -> Problem:
    """Report a wrong value; the detail says what is right."""
    return Problem(field, "FieldValueInvalid", f"Invalid value: {json.dumps(value)}: {detail}")


def unsupported(field: str, value: Any, allowed: Iterable[str]) -> Problem:
    """Report a value that is not among the allowed ones."""
    listed = ", ".join(json.dumps(one) for one in allowed)
    message = f"Unsupported value: {json.dumps(value)}: supported values: {listed}"
    return Problem(field, "FieldValueNotSupported", message)


def forbidden(field: str, detail: str) -> Problem:
    """Report a field that may not be set."""
    return Problem(field, "FieldValueForbidden", f"Forbidden: {detail}")


def unprocessable(kind: str, name: str, problems: Iterable[Problem], group: str = "") -> ApiError:
    """Return 422 with one cause for each field that has a problem."""
    causes = [one._asdict() for one in problems]
    sentences = [f"{cause['field']}: {cause['message']}" for cause in causes]
    listed = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    about = {"name": name, "kind": kind, **({"group": group} if group else {})}
    qualified = f"{kind}.{group}" if group else kind
    return ApiError(422, f'{qualified} "{name}" is invalid: {listed}', **about, causes=causes)


Rule = Callable[[Any], Iterable[Problem]]  # a problem's field continues the one that the rule belongs to

VOLUMES = ("emptyDir", "configMap", "secret")
FIELDS = (
    *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"),
    *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
)
KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")
_DNS = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_WORD = r"(?=[^/]{1,63}$)[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_LABEL = re.compile(rf"(?=.{{1,63}}$){_DNS}")
_SUBDOMAIN = re.compile(rf"(?=.{{1,253}}$){_DNS}(\.{_DNS})*")
_LABEL_NAME = re.compile(rf"((?=[^/]{{1,253}}/)(?i:{_DNS}(\.{_DNS})*)/)?{_WORD}")
_LABEL_VALUE = re.compile(rf"({_WORD})?")
_ALPHANUMERIC = "and must start and end with an alphanumeric character (at most"
_LABEL_RULE = f"must consist of lower case alphanumeric characters or '-', {_ALPHANUMERIC} 63)"
_SUBDOMAIN_RULE = f"must consist of lower case alphanumeric characters, '-' or '.', {_ALPHANUMERIC} 253)"
_LABEL_VALUE_RULE = f"must consist of alphanumeric characters, '-', '_' or '.', {_ALPHANUMERIC} 63)"
_LABEL_NAME_RULE = f"after an optional DNS subdomain and '/', {_LABEL_VALUE_RULE}"


def name_problems(name: str, of_namespace: bool) -> Iterator[Problem]:
    """Check the name of an object; a namespace's is a label, being part of host names."""
    pattern, rule = (_LABEL, _LABEL_RULE) if of_namespace else (_SUBDOMAIN, _SUBDOMAIN_RULE)
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif not pattern.fullmatch(name):
        yield invalid("metadata.name", name, rule)


def _must(holds: Callable[[Any], Any], detail: str) -> Rule:
    return lambda value: [] if holds(value) else [invalid("", value, detail)]


def _one_of(*allowed: str) -> Rule:
    return lambda value: [] if value in allowed else [unsupported("", value, allowed)]


def _not_here(what: str) -> Rule:
    return lambda value: [forbidden("", f"localkube has no {what}")]


def _amounts(value: dict[str, str]) -> list[Problem]:
    detail = "must be greater than or equal to 0"
    return [invalid(f"[{name}]", text, detail) for name, text in value.items() if quantity(text) < 0]


def _label_names(value: Iterable[str]) -> list[Problem]:
    return [invalid("", key, _LABEL_NAME_RULE) for key in value if not _LABEL_NAME.fullmatch(key)]


def _labels(value: dict[str, str]) -> list[Problem]:
    wrong = [text for text in value.values() if not _LABEL_VALUE.fullmatch(text)]
    return [*_label_names(value), *(invalid("", text, _LABEL_VALUE_RULE) for text in wrong)]


def _data_keys(value: dict[str, str]) -> list[Problem]:
    wrong = [key for key in value if not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key)]
    return [invalid(f"[{key}]", key, "must consist of [-._a-zA-Z0-9] (at most 253)") for key in wrong]


def _variables(value: list[Json]) -> list[Problem]:
    detail, both = "may not be specified when `value` is not empty", ("value", "valueFrom")
    double = [n for n, one in enumerate(value) if all(map(one.get, both))]
    return [invalid(f"[{n}].valueFrom", "", detail) for n in double]


def _pod(spec: Json) -> Iterator[Problem]:
    volumes = [volume["name"] for volume in spec.get("volumes") or ()]
    seen: set[tuple[bool, str]] = set()
    for kind in ("volumes", "initContainers", "containers"):
        for n, one in enumerate(spec.get(kind) or ()):
            here, name = f".{kind}[{n}]", (kind == "volumes", one["name"])
            if name in seen:
                yield Problem(f"{here}.name", "FieldValueDuplicate", f'Duplicate value: "{one["name"]}"')
            seen.add(name)
            if kind != "volumes":
                yield from _container(one, volumes, here)
                if kind == "containers" and "restartPolicy" in one:
                    yield forbidden(
                        f"{here}.restartPolicy", "localkube restarts pods, not containers, by rules"
                    )
            elif len(one) > 2:
                yield forbidden(here, "may not specify more than 1 volume type")


def _container(container: Json, volumes: list[str], here: str) -> Iterator[Problem]:
    if not container.get("image"):
        yield required(f"{here}.image")
    for n, mount in enumerate(container.get("volumeMounts") or ()):
        if mount["name"] not in volumes:
            missing = f'Not found: "{mount["name"]}"'
            yield Problem(f"{here}.volumeMounts[{n}].name", "FieldValueNotFound", missing)
    limits = lookup(container, "resources.limits") or {}
    for name, amount in (lookup(container, "resources.requests") or {}).items():
        if quantity(amount) > quantity(limits.get(name, amount)):
            detail = f"must be less than or equal to {name} limit of {limits[name]}"
            yield invalid(f"{here}.resources.requests", amount, detail)


def _job(spec: Json) -> Iterator[Problem]:
    pod, indexed = spec["template"]["spec"], spec["completionMode"] == "Indexed"
    restart = pod["restartPolicy"]
    completions, per_index = spec.get("completions"), spec.get("backoffLimitPerIndex")
    if restart != "Never":
        yield unsupported(".template.spec.restartPolicy", restart, ["Never"])
    if completions is None:
        yield required(".completions", "localkube has no work queues")
    if per_index is not None and not indexed:
        yield invalid(".backoffLimitPerIndex", per_index, "requires indexed completion mode")
    if per_index is not None and (completions or 0) > 10**5:
        yield required(".maxFailedIndexes", "must be specified when completions is above 100000")
    if "podFailurePolicy" in spec and spec.get("podReplacementPolicy", "Failed") != "Failed":
        yield unsupported(".podReplacementPolicy", spec["podReplacementPolicy"], ["Failed"])
    for n, rule in enumerate(lookup(spec, "podFailurePolicy.rules") or ()):
        here = f".podFailurePolicy.rules[{n}]"
        if rule["action"] == "FailIndex" and per_index is None:
            yield invalid(f"{here}.action", "FailIndex", "requires the backoffLimitPerIndex to be set")
        if bool(rule.get("onExitCodes")) == bool(rule.get("onPodConditions")):
            yield invalid(here, rule["action"], "one of onExitCodes and onPodConditions is required")
        codes, names = rule.get("onExitCodes") or {}, [one["name"] for one in containers_of(pod)]
        if codes.get("containerName", names[0]) not in names:
            detail = "must be one of the container or initContainer names in the pod template"
            yield invalid(f"{here}.onExitCodes.containerName", codes["containerName"], detail)
        if codes.get("operator") == "In" and 0 in codes["values"]:
            at = f"{here}.onExitCodes.values[{codes['values'].index(0)}]"
            yield invalid(at, 0, "must not be 0 for the In operator")


def _daemon_set(spec: Json) -> Iterator[Problem]:
    labels = lookup(spec, "template.metadata.labels") or {}
    restart = spec["template"]["spec"]["restartPolicy"]
    if restart != "Always":
        yield unsupported(".template.spec.restartPolicy", restart, ["Always"])
    wanted = spec["selector"].get("matchLabels") or {}
    if not wanted or not wanted.items() <= labels.items():
        yield invalid(".template.metadata.labels", labels, "`selector` does not match template `labels`")


_COUNTS = ("parallelism", "completions", "backoffLimit", "backoffLimitPerIndex", "ttlSecondsAfterFinished")
_not_negative = _must(lambda value: quantity(value) >= 0, "must be greater than or equal to 0")
_label = _must(_LABEL.fullmatch, _LABEL_RULE)
_FIXED = json.loads(Path(__file__).with_suffix(".json").read_bytes())  # choices, and what is absent here

RULES: dict[str, Rule] = {
    **{field: _one_of(*allowed) for field, allowed in _FIXED["choices"].items()},
    **{field: _not_here(what) for field, what in _FIXED["absent"].items()},
    "ObjectMeta.labels": _labels,
    "ObjectMeta.annotations": _label_names,
    "ObjectMeta.finalizers": _label_names,
    "ObjectMeta.ownerReferences": _must(
        lambda owners: sum(bool(one.get("controller")) for one in owners) < 2,
        "Only one reference can have Controller set to true",
    ),
    **dict.fromkeys(("ConfigMap.data", "ConfigMap.binaryData"), _data_keys),
    **dict.fromkeys(("Secret.data", "Secret.stringData"), _data_keys),
    **dict.fromkeys(("Pod.spec", "PodTemplateSpec.spec"), _pod),
    "PodSpec.containers": lambda value: [] if value else [required("")],
    "PodSpec.nodeSelector": _labels,
    "PodSpec.hostname": _label,
    "Container.name": _label,
    "Container.env": _variables,
    "ContainerPort.containerPort": _must(lambda port: 0 < port < 65536, "must be between 1 and 65535"),
    "EnvVar.name": _must(lambda name: name and "=" not in name, "must be a name without '='"),
    "ObjectFieldSelector.fieldPath": lambda path: [] if KEYED.fullmatch(path) else _one_of(*FIELDS)(path),
    "Volume.name": _label,
    "Volume:any": _not_here(f"volumes but {', '.join(VOLUMES)}"),  # fields of that type: all other kinds
    "EmptyDirVolumeSource.sizeLimit": _not_negative,
    **dict.fromkeys(("ResourceRequirements.limits", "ResourceRequirements.requests"), _amounts),
    "DaemonSet.spec": _daemon_set,
    "DaemonSetSpec.updateStrategy": lambda value: _one_of("RollingUpdate")(value["type"]),
    "RollingUpdateDaemonSet.maxUnavailable": _must(lambda most: type(most) is int, "must be a number"),
    "Job.spec": _job,
    **{f"JobSpec.{field}": _not_negative for field in _COUNTS},
    "PodFailurePolicyOnExitCodesRequirement.values": _must(
        lambda codes: codes and codes == sorted(set(codes)),
        "at least one value is required, ordered and unique",
    ),
}
