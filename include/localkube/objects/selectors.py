"""Label and field selectors, as query strings and as the objects found in specs."""

import re
from collections.abc import Callable, Iterable, Mapping

from localkube.objects.errors import ApiError
from localkube.objects.object import Json, Obj

Match = Callable[[Obj], bool]
Labels = Mapping[str, str]

_PART = re.compile(r"[^,(]*(?:\([^)]*\))?[^,(]*")
_SET = re.compile(r"(?P<key>\S+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)")
_EQUAL = re.compile(r"(?P<key>[^=!\s]+)\s*(?P<op>==|=|!=)\s*(?P<values>[^=!\s]*)")
_EXISTS = re.compile(r"(?P<op>!?)\s*(?P<key>[A-Za-z0-9][\w./-]*)")


def _holds(labels: Labels, key: str, operator: str, values: list[str]) -> bool:
    value = labels.get(key)
    match operator:
        case "In" | "NotIn":
            return (value in values) is (operator == "In")
        case "Exists" | "DoesNotExist":
            return (value is not None) is (operator == "Exists")
    try:
        mine, limit = int(value or ""), int(values[0])
    except ValueError:
        return False
    return mine > limit if operator == "Gt" else mine < limit


def _requirement(text: str) -> tuple[str, str, list[str]]:
    if found := _SET.fullmatch(text):
        values = [value.strip() for value in found["values"].split(",")]
        return found["key"], "In" if found["op"] == "in" else "NotIn", values
    if found := _EQUAL.fullmatch(text):
        return found["key"], "NotIn" if found["op"] == "!=" else "In", [found["values"]]
    if found := _EXISTS.fullmatch(text):
        return found["key"], "DoesNotExist" if found["op"] else "Exists", []
    advice = "is no label selector such as app=x, app in (x, y) or !app"
    raise ApiError(400, f'unable to parse requirement: "{text}" {advice}')


def label_selector(text: str) -> Match | None:
    """The test a labelSelector parameter stands for; None when it is empty."""
    wanted = [_requirement(part.strip()) for part in _PART.findall(text) if part.strip()]
    return (lambda obj: all(_holds(obj.labels, *one) for one in wanted)) if wanted else None


def field_selector(text: str, allowed: Iterable[str]) -> Match | None:
    """The test a fieldSelector parameter stands for; allowed are the paths that can be selected."""
    wanted: list[tuple[str, bool, str]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _EQUAL.fullmatch(part)
        if found is None:
            raise ApiError(400, f'invalid selector: "{part}"; can\'t understand it')
        if found["key"] not in allowed:
            supported = f"supported here: {', '.join(allowed)}"
            raise ApiError(400, f"field label not supported: {found['key']}; {supported}")
        wanted.append((found["key"], found["op"] != "!=", found["values"]))
    if not wanted:
        return None
    return lambda obj: all((_field(obj, path) == value) is same for path, same, value in wanted)


def _field(obj: Obj, path: str) -> str:
    """The field as text; `status.successful` is what selectors call the number of a Job's succeeded pods."""
    if path == "status.successful":
        return str(obj.at("status.succeeded") or 0)
    value = obj.at(path)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def selects(selector: Json | None, labels: Labels) -> bool:
    """Whether a LabelSelector (matchLabels, matchExpressions) selects these labels; None selects nothing."""
    if selector is None:
        return False
    same = (selector.get("matchLabels") or {}).items() <= labels.items()
    return same and expressions_hold(selector.get("matchExpressions") or (), labels)


def expressions_hold(expressions: Iterable[Json], labels: Labels) -> bool:
    """Whether all matchExpressions hold for these labels."""
    return all(_holds(labels, one["key"], one["operator"], one.get("values") or []) for one in expressions)
