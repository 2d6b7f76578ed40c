"""Label and field selectors, as query strings."""

import re
from collections.abc import Callable, Iterable, Mapping

from localkube.objects.errors import ApiError
from localkube.objects.object import Obj

Match = Callable[[Obj], bool]
Labels = Mapping[str, str]

_PART = re.compile(r"[^,(]*(?:\([^)]*\))?[^,(]*")
_SET = re.compile(r"(?P<key>\S+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)")
_EQUAL = re.compile(r"(?P<key>[^=!\s]+)\s*(?P<op>==|=|!=)\s*(?P<values>[^=!\s]*)")
_EXISTS = re.compile(r"(?P<op>!?)\s*(?P<key>[A-Za-z0-9][\w./-]*)")


def _holds(labels: Labels, key: str, operator: str, values: list[str]) -> bool:
    if operator in ("In", "NotIn"):
        return (labels.get(key) in values) is (operator == "In")
    return (key in labels) is (operator == "Exists")


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


def _requirements(text: str) -> list[tuple[str, str, list[str]]]:
    return [_requirement(part.strip()) for part in _PART.findall(text) if part.strip()]


def label_selector(text: str) -> Match | None:
    """Return the test for a labelSelector parameter; None when it is empty."""
    wanted = _requirements(text)
    return (lambda obj: all(_holds(obj.labels, *one) for one in wanted)) if wanted else None


def field_selector(text: str, allowed: Iterable[str]) -> Match | None:
    """Return the test for a fieldSelector parameter; allowed are the paths that can be selected."""
    wanted = _requirements(text)
    for path, operator, _ in wanted:
        if path not in allowed or operator not in ("In", "NotIn"):
            supported = f"supported here: {', '.join(allowed)}, with = and !="
            raise ApiError(400, f"field label not supported: {path}; {supported}")
    return (lambda obj: all(_holds(_field(obj, one[0]), *one) for one in wanted)) if wanted else None


def _field(obj: Obj, path: str) -> Labels:
    value = obj.at(path)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return {path: "" if value is None else text}
