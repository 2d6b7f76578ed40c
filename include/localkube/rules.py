"""What the fields of an object must be, and what those of pods, Jobs and DaemonSets must be to one another.

A rule belongs to a field of a type and sees a value whose own fields are in order and have their defaults.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from localkube.errors import ApiError
from localkube.objects import Json, lookup, quantity
from localkube.selectors import selects


class Problem(NamedTuple):
    """What is wrong with one field: a cause of a 422."""

    field: str
    reason: str
    message: str


def required(field: str, detail: str = "") -> Problem:
    """A field that is missing or empty."""
    return Problem(field, "FieldValueRequired", "Required value" + (f": {detail}" if detail else ""))


def invalid(field: str, value: Any, detail: str) -> Problem:
    """A value that is not right; the detail says what is."""
    return Problem(field, "FieldValueInvalid", f"Invalid value: {json.dumps(value)}: {detail}")


def unsupported(field: str, value: Any, allowed: Iterable[str]) -> Problem:
    """A value that is none of those there are."""
    listed = ", ".join(json.dumps(one) for one in allowed)
    message = f"Unsupported value: {json.dumps(value)}: supported values: {listed}"
    return Problem(field, "FieldValueNotSupported", message)


def forbidden(field: str, detail: str) -> Problem:
    """A field that may not be set."""
    return Problem(field, "FieldValueForbidden", f"Forbidden: {detail}")


def unprocessable(kind: str, name: str, problems: Iterable[Problem], group: str = "") -> ApiError:
    """422 with one cause for each field that has a problem."""
    causes = [one._asdict() for one in problems]
    sentences = [f"{cause['field']}: {cause['message']}" for cause in causes]
    listed = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    about = {"name": name, "kind": kind, **({"group": group} if group else {})}
    qualified = f"{kind}.{group}" if group else kind
    return ApiError(422, f'{qualified} "{name}" is invalid: {listed}', **about, causes=causes)


Rule = Callable[[Any], Iterable[Problem]]  # the field of its problems goes on from the one it belongs to

VOLUMES = ("emptyDir", "configMap", "secret", "hostPath")
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
    """What is wrong with the name of an object; a namespace's is a label, being part of host names."""
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


def _filled(value: Any) -> list[Problem]:
    return [] if value else [required("")]


def _amounts(value: dict[str, str]) -> list[Problem]:
    detail = "must be greater than or equal to 0"
    return [invalid(f"[{name}]", text, detail) for name, text in value.items() if quantity(text) < 0]


def _label_names(value: dict[str, str]) -> list[Problem]:
    return [invalid("", key, _LABEL_NAME_RULE) for key in value if not _LABEL_NAME.fullmatch(key)]


def _labels(value: dict[str, str]) -> list[Problem]:
    wrong = [text for text in value.values() if not _LABEL_VALUE.fullmatch(text)]
    return [*_label_names(value), *(invalid("", text, _LABEL_VALUE_RULE) for text in wrong)]


def _data_keys(value: dict[str, str]) -> list[Problem]:
    wrong = [key for key in value if not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key)]
    return [invalid(f"[{key}]", key, "must consist of [-._a-zA-Z0-9] (at most 253)") for key in wrong]


def _expressions(value: list[Json]) -> Iterator[Problem]:
    for n, one in enumerate(value):
        operator, values = one["operator"], one.get("values") or []
        if operator in ("In", "NotIn") and not values:
            yield required(f"[{n}].values", "must be specified when `operator` is 'In' or 'NotIn'")
        if operator in ("Gt", "Lt") and not (len(values) == 1 and re.fullmatch(r"-?\d+", values[0])):
            yield required(f"[{n}].values", "must be one whole number when `operator` is 'Lt' or 'Gt'")


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
    restart, indexed = spec["template"]["spec"]["restartPolicy"], spec["completionMode"] == "Indexed"
    completions, per_index, most = map(spec.get, ("completions", "backoffLimitPerIndex", "maxFailedIndexes"))
    if restart == "Always":
        yield required(".template.spec.restartPolicy", 'valid values: "OnFailure", "Never"')
    if restart == "OnFailure" and (per_index is not None or "podFailurePolicy" in spec):
        detail = 'only "Never" is supported with backoffLimitPerIndex or podFailurePolicy'
        yield invalid(".template.spec.restartPolicy", restart, detail)
    if indexed and completions is None:
        yield required(".completions", "when completion mode is Indexed")
    if per_index is not None and not indexed:
        yield invalid(".backoffLimitPerIndex", per_index, "requires indexed completion mode")
    if most is not None and per_index is None:
        yield required(".backoffLimitPerIndex", "when maxFailedIndexes is specified")
    if most is not None and completions is not None and most > completions:
        yield invalid(".maxFailedIndexes", most, "must be less than or equal to completions")
    if "podFailurePolicy" in spec and spec.get("podReplacementPolicy", "Failed") != "Failed":
        yield unsupported(".podReplacementPolicy", spec["podReplacementPolicy"], ["Failed"])
    for n, rule in enumerate(lookup(spec, "podFailurePolicy.rules") or ()):
        here = f".podFailurePolicy.rules[{n}]"
        if rule["action"] == "FailIndex" and per_index is None:
            yield invalid(f"{here}.action", "FailIndex", "requires the backoffLimitPerIndex to be set")
        if bool(rule.get("onExitCodes")) == bool(rule.get("onPodConditions")):
            yield invalid(here, rule["action"], "one of onExitCodes and onPodConditions is required")


def _daemon_set(spec: Json) -> Iterator[Problem]:
    labels = lookup(spec, "template.metadata.labels") or {}
    restart = spec["template"]["spec"]["restartPolicy"]
    if restart != "Always":
        yield unsupported(".template.spec.restartPolicy", restart, ["Always"])
    if not spec["selector"] or not selects(spec["selector"], labels):
        yield invalid(".template.metadata.labels", labels, "`selector` does not match template `labels`")


_COUNTS = ("parallelism", "completions", "backoffLimit", "backoffLimitPerIndex", "maxFailedIndexes")
_SECONDS = ("activeDeadlineSeconds", "ttlSecondsAfterFinished")
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
_not_negative = _must(lambda value: quantity(value) >= 0, "must be greater than or equal to 0")
_label = _must(_LABEL.fullmatch, _LABEL_RULE)
_relative = _must(
    lambda path: not path.startswith("/") and ".." not in path.split("/"),
    "must be a relative path without '..'",
)
RULES: dict[str, Rule] = {
    "ObjectMeta.labels": _labels,
    "ObjectMeta.annotations": _label_names,
    **dict.fromkeys(("ConfigMap.data", "ConfigMap.binaryData"), _data_keys),
    **dict.fromkeys(("Secret.data", "Secret.stringData"), _data_keys),
    **dict.fromkeys(("Pod.spec", "PodTemplateSpec.spec"), _pod),
    "PodSpec.containers": _filled,
    "PodSpec.ephemeralContainers": _not_here("ephemeral containers"),
    "PodSpec.schedulingGates": _not_here("scheduling gates"),
    "PodSpec.restartPolicy": _one_of("Always", "OnFailure", "Never"),
    "Container.name": _label,
    "Container.lifecycle": _not_here("lifecycle hooks"),
    "Container.restartPolicy": _not_here("sidecar containers"),
    "Container.terminationMessagePolicy": _one_of("File", "FallbackToLogsOnError"),
    "EnvVar.name": _must(lambda name: name and "=" not in name, "must be a name without '='"),
    "VolumeMount.subPath": _relative,
    "VolumeMount.subPathExpr": _not_here("subPathExpr"),
    "Volume.name": _label,
    "Volume:any": _not_here(f"volumes but {', '.join(VOLUMES)}"),  # fields of that type: all other kinds
    "EmptyDirVolumeSource.sizeLimit": _not_negative,
    **dict.fromkeys(("ResourceRequirements.limits", "ResourceRequirements.requests"), _amounts),
    **dict.fromkeys(("NodeSelectorTerm.matchExpressions", "NodeSelectorTerm.matchFields"), _expressions),
    "NodeSelectorRequirement.operator": _one_of(*_OPERATORS, "Gt", "Lt"),
    "LabelSelector.matchExpressions": _expressions,
    "LabelSelectorRequirement.operator": _one_of(*_OPERATORS),
    "DaemonSet.spec": _daemon_set,
    "DaemonSetUpdateStrategy.type": _one_of("RollingUpdate", "OnDelete"),
    "RollingUpdateDaemonSet.maxUnavailable": _must(lambda most: type(most) is int, "must be a number"),
    "Job.spec": _job,
    **{f"JobSpec.{field}": _not_negative for field in (*_COUNTS, *_SECONDS)},
    "JobSpec.completionMode": _one_of("Indexed", "NonIndexed"),
    "JobSpec.podReplacementPolicy": _one_of("Failed", "TerminatingOrFailed"),
    "JobSpec.successPolicy": _not_here("success policies"),
    "JobSpec.managedBy": _not_here("Jobs managed by other controllers"),
    "JobSpec.manualSelector": _not_here("hand-made selectors"),
    "PodFailurePolicyRule.action": _one_of("Count", "FailIndex", "FailJob", "Ignore"),
    "PodFailurePolicyOnExitCodesRequirement.operator": _one_of("In", "NotIn"),
    "PodFailurePolicyOnExitCodesRequirement.values": _filled,
}
