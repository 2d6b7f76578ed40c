"""What the fields of the specs of pods, Jobs and DaemonSets must be to one another.

A rule sees a value whose own fields are in order, as the client sent it: without defaults.
"""

from collections.abc import Iterator
from typing import Any

from localkube.errors import Problem, duplicate, forbidden, invalid, required, unsupported
from localkube.field_rules import FIELD_RULES, Rule
from localkube.objects import Obj, containers_of, labels_of, lookup, quantity
from localkube.selectors import selects

Problems = Iterator[tuple[str, Problem]]

_LARGEST_DATA = 1 << 20  # bytes in a ConfigMap or Secret


def _pod(spec: Obj) -> Problems:
    names: set[str] = set()
    volumes = [volume["name"] for volume in spec.get("volumes") or ()]
    for kind in ("initContainers", "containers"):
        for n, container in enumerate(spec.get(kind) or ()):
            for part, problem in _container(container, volumes):
                yield f".{kind}[{n}]{part}", problem
            if container["name"] in names:
                yield f".{kind}[{n}].name", duplicate(container["name"])
            names.add(container["name"])
    for n, volume in enumerate(spec.get("volumes") or ()):
        if volume["name"] in volumes[:n]:
            yield f".volumes[{n}].name", duplicate(volume["name"])
        if len(volume) > 2:
            yield f".volumes[{n}]", forbidden("may not specify more than 1 volume type")


def _container(container: Obj, volumes: list[str]) -> Problems:
    if not container.get("image"):
        yield ".image", required()
    for n, variable in enumerate(container.get("env") or ()):
        if variable.get("value") and variable.get("valueFrom"):
            yield f".env[{n}].valueFrom", invalid("", "may not be specified when `value` is not empty")
    for n, mount in enumerate(container.get("volumeMounts") or ()):
        if mount["name"] not in volumes:
            yield f".volumeMounts[{n}].name", ("FieldValueNotFound", f'Not found: "{mount["name"]}"')
    limits = lookup(container, "resources.limits") or {}
    for name, amount in (lookup(container, "resources.requests") or {}).items():
        if name in limits and quantity(amount) > quantity(limits[name]):
            detail = f"must be less than or equal to {name} limit of {limits[name]}"
            yield ".resources.requests", invalid(amount, detail)


def _template(spec: Obj) -> Problems:
    if not spec["template"].get("spec"):
        yield ".template.spec", required()


def _job(spec: Obj) -> Problems:
    yield from _template(spec)
    indexed, inside = spec.get("completionMode") == "Indexed", spec["template"].get("spec") or {}
    completions, per_index = spec.get("completions"), spec.get("backoffLimitPerIndex")
    restart, most = inside.get("restartPolicy", "Always"), spec.get("maxFailedIndexes")
    if restart == "Always":
        yield ".template.spec.restartPolicy", required('valid values: "OnFailure", "Never"')
    elif restart != "Never":
        for field in ("backoffLimitPerIndex", "podFailurePolicy"):
            if spec.get(field) is not None:
                detail = f'only "Never" is supported when {field} is specified'
                yield ".template.spec.restartPolicy", invalid(restart, detail)
    if indexed and completions is None:
        yield ".completions", required("when completion mode is Indexed")
    if indexed and spec.get("parallelism", 1) > 100_000:
        detail = "must be less than or equal to 100000 when completion mode is Indexed"
        yield ".parallelism", invalid(spec["parallelism"], detail)
    if per_index is not None and not indexed:
        yield ".backoffLimitPerIndex", invalid(per_index, "requires indexed completion mode")
    if most is not None and per_index is None:
        yield ".backoffLimitPerIndex", required("when maxFailedIndexes is specified")
    if most is not None and completions is not None and most > completions:
        yield ".maxFailedIndexes", invalid(most, "must be less than or equal to completions")
    if "podFailurePolicy" in spec:
        if spec.get("podReplacementPolicy", "Failed") != "Failed":
            yield ".podReplacementPolicy", unsupported(spec["podReplacementPolicy"], ["Failed"])
        for n, rule in enumerate(spec["podFailurePolicy"].get("rules") or ()):
            for part, problem in _failure_rule(rule, per_index, containers_of(inside)):
                yield f".podFailurePolicy.rules[{n}]{part}", problem


def _failure_rule(rule: Obj, per_index: int | None, containers: list[Obj]) -> Problems:
    codes = rule.get("onExitCodes")
    if rule["action"] == "FailIndex" and per_index is None:
        yield ".action", invalid("FailIndex", "requires the backoffLimitPerIndex to be set")
    if bool(codes) == bool(rule.get("onPodConditions")):
        yield "", invalid(rule["action"], "specifying one of OnExitCodes and OnPodConditions is required")
    if codes and codes["operator"] == "In" and 0 in codes["values"]:
        yield ".onExitCodes.values", invalid(codes["values"], "must not be 0 for the In operator")
    if codes and codes.get("containerName") not in (None, *(one["name"] for one in containers)):
        detail = "must be one of the container or initContainer names in the pod template"
        yield ".onExitCodes.containerName", invalid(codes["containerName"], detail)


def _daemonset(spec: Obj) -> Problems:
    yield from _template(spec)
    template: Obj = {"metadata": {}, "spec": {}, **spec["template"]}
    if not spec["selector"]:
        yield ".selector", required()
    if (restart := template["spec"].get("restartPolicy", "Always")) != "Always":
        yield ".template.spec.restartPolicy", unsupported(restart, ["Always"])
    if not selects(spec["selector"], labels_of(template)):
        detail = "`selector` does not match template `labels`"
        yield ".template.metadata.labels", invalid(labels_of(template), detail)


def _data(obj: Any, encoded: bool) -> int:
    sizes = (len(value) * 3 // 4 if encoded else len(value.encode()) for value in (obj or {}).values())
    return sum(sizes)


def data_problems(obj: Obj, old: Obj | None) -> Problems:
    """What is wrong with a ConfigMap or Secret as a whole."""
    is_secret = obj["kind"] == "Secret"
    if _data(obj.get("data"), is_secret) + _data(obj.get("binaryData"), True) > _LARGEST_DATA:
        yield "data", ("FieldValueTooLong", f"Too long: may not be more than {_LARGEST_DATA} bytes")
    for field in ("data", "binaryData", "immutable"):
        if old is not None and old.get("immutable") and obj.get(field) != old.get(field):
            yield field, forbidden("field is immutable when `immutable` is set")


RULES: dict[str, Rule] = FIELD_RULES | {
    "Pod.spec": _pod,
    "PodTemplateSpec.spec": _pod,
    "Job.spec": _job,
    "DaemonSet.spec": _daemonset,
}
