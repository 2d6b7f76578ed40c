"""What the value of a single field must be: the rules of the API server that need no look at other fields."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from localkube.errors import Problem, forbidden, invalid, required, unsupported
from localkube.objects import quantity

Rule = Callable[[Any], Iterator[tuple[str, Problem]]]  # what is wrong, and with which part of the field

OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")  # of a matchExpression
VOLUMES = ("emptyDir", "configMap", "secret", "hostPath")
_LABEL = re.compile(r"(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"(?=.{0,63}$)(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_START_AND_END = "and must start and end with an alphanumeric character"
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    f"{_START_AND_END} (at most 63)"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    f"{_START_AND_END} (at most 253)"
)
_LABEL_NAME_RULE = (
    f"name part must consist of alphanumeric characters, '-', '_' or '.', {_START_AND_END} (at most 63), "
    "after an optional DNS subdomain and '/'"
)
_LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    f"{_START_AND_END} (at most 63)"
)


def name_problem(name: str, of_namespace: bool) -> Problem | None:
    """What is wrong with the name of an object; a namespace's is a label, being part of host names."""
    pattern, rule = (_LABEL, _LABEL_RULE) if of_namespace else (_SUBDOMAIN, _SUBDOMAIN_RULE)
    return None if pattern.fullmatch(name) else invalid(name, rule)


def _must(holds: Callable[[Any], Any], detail: str) -> Rule:
    def rule(value: Any) -> Iterator[tuple[str, Problem]]:
        if not holds(value):
            yield "", invalid(value, detail)

    return rule


def _one_of(*allowed: str) -> Rule:
    def rule(value: Any) -> Iterator[tuple[str, Problem]]:
        if value not in allowed:
            yield "", unsupported(value, allowed)

    return rule


def _not_here(what: str) -> Rule:
    def rule(value: Any) -> Iterator[tuple[str, Problem]]:
        yield "", forbidden(f"localkube has no {what}")

    return rule


def _filled(value: Any) -> Iterator[tuple[str, Problem]]:
    if not value:
        yield "", required()


def _amounts(value: dict[str, str]) -> Iterator[tuple[str, Problem]]:
    for name, amount in value.items():
        if quantity(amount) < 0:
            yield f"[{name}]", invalid(amount, "must be greater than or equal to 0")


def _label_names(value: dict[str, str]) -> Iterator[tuple[str, Problem]]:
    for key in value:
        prefix, slash, name = key.rpartition("/")
        if (
            not name
            or not _LABEL_VALUE.fullmatch(name)
            or (slash and not _SUBDOMAIN.fullmatch(prefix.lower()))
        ):
            yield "", invalid(key, _LABEL_NAME_RULE)


def _labels(value: dict[str, str]) -> Iterator[tuple[str, Problem]]:
    yield from _label_names(value)
    for text in value.values():
        if not _LABEL_VALUE.fullmatch(text):
            yield "", invalid(text, _LABEL_VALUE_RULE)


def _data_keys(value: dict[str, str]) -> Iterator[tuple[str, Problem]]:
    for key in value:
        if not _DATA_KEY.fullmatch(key):
            detail = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
            yield f"[{key}]", invalid(key, detail)


def _expressions(value: list[dict[str, Any]]) -> Iterator[tuple[str, Problem]]:
    for n, one in enumerate(value):
        values = one.get("values") or []
        if one["operator"] in ("In", "NotIn") and not values:
            yield f"[{n}].values", required("must be specified when `operator` is 'In' or 'NotIn'")
        if one["operator"] in ("Gt", "Lt") and not (len(values) == 1 and re.fullmatch(r"-?\d+", values[0])):
            yield f"[{n}].values", required("must be specified single value when `operator` is 'Lt' or 'Gt'")


_not_negative = _must(lambda value: quantity(value) >= 0, "must be greater than or equal to 0")
_dns_label = _must(_LABEL.fullmatch, _LABEL_RULE)
_relative = _must(
    lambda path: not path.startswith("/") and ".." not in path.split("/"),
    "must be a relative path without '..'",
)
_count_or_share = _must(
    lambda value: re.fullmatch(r"\d+%?", str(value)), "must be a whole number or a percentage such as 10%"
)
_a_variable = _must(lambda name: name and "=" not in name, "must be a name without '='")
_few = _must(lambda rules: len(rules) <= 20, "must have at most 20 rules")
_any_value = _must(bool, "at least one value is required")

FIELD_RULES: dict[str, Rule] = {
    "ObjectMeta.labels": _labels,
    "ObjectMeta.annotations": _label_names,
    "ConfigMap.data": _data_keys,
    "ConfigMap.binaryData": _data_keys,
    "Secret.data": _data_keys,
    "Secret.stringData": _data_keys,
    "PodSpec.containers": _filled,
    "PodSpec.ephemeralContainers": _not_here("ephemeral containers"),
    "PodSpec.schedulingGates": _not_here("scheduling gates"),
    "PodSpec.restartPolicy": _one_of("Always", "OnFailure", "Never"),
    "Container.name": _dns_label,
    "Container.lifecycle": _not_here("lifecycle hooks"),
    "Container.restartPolicy": _not_here("sidecar containers"),
    "Container.terminationMessagePolicy": _one_of("File", "FallbackToLogsOnError"),
    "EnvVar.name": _a_variable,
    "VolumeMount.subPath": _relative,
    "VolumeMount.subPathExpr": _not_here("subPathExpr"),
    "Volume.name": _dns_label,
    "Volume:any": _not_here(f"volumes but {', '.join(VOLUMES)}"),  # fields of that type: all other kinds
    "EmptyDirVolumeSource.sizeLimit": _not_negative,
    "ResourceRequirements.limits": _amounts,
    "ResourceRequirements.requests": _amounts,
    "NodeSelectorTerm.matchExpressions": _expressions,
    "NodeSelectorTerm.matchFields": _expressions,
    "NodeSelectorRequirement.operator": _one_of(*OPERATORS),
    "LabelSelector.matchExpressions": _expressions,
    "LabelSelectorRequirement.operator": _one_of(*OPERATORS[:4]),
    "DaemonSetUpdateStrategy.type": _one_of("RollingUpdate", "OnDelete"),
    "RollingUpdateDaemonSet.maxUnavailable": _count_or_share,
    "JobSpec.completionMode": _one_of("Indexed", "NonIndexed"),
    "JobSpec.podReplacementPolicy": _one_of("Failed", "TerminatingOrFailed"),
    "JobSpec.successPolicy": _not_here("success policies"),
    "JobSpec.managedBy": _not_here("Jobs managed by other controllers"),
    "JobSpec.manualSelector": _not_here("hand-made selectors"),
    "PodFailurePolicy.rules": _few,
    "PodFailurePolicyRule.action": _one_of("Count", "FailIndex", "FailJob", "Ignore"),
    "PodFailurePolicyOnExitCodesRequirement.operator": _one_of("In", "NotIn"),
    "PodFailurePolicyOnExitCodesRequirement.values": _any_value,
}
FIELD_RULES |= {
    f"JobSpec.{field}": _not_negative
    for field in (
        *("parallelism", "completions", "backoffLimit", "backoffLimitPerIndex", "maxFailedIndexes"),
        *("activeDeadlineSeconds", "ttlSecondsAfterFinished"),
    )
}
