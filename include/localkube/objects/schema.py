"""The fields and types of the objects, taken from Kubernetes (schema.json).

The real server drops unknown fields with a warning, and refuses wrong types before anything else. With that
done here, the rest of the code may rely on types and on required fields.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localkube.objects.defaults import DEFAULTS
from localkube.objects.errors import ApiError
from localkube.objects.object import Json, quantity, seconds
from localkube.objects.rules import RULES, Problem, required

_TYPES: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("schema.json").read_bytes())
_JSON_NAMES = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
_ACCEPTED: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "number": (int, float),
    "quantity": (int, float),
}
_PARSERS: dict[str, tuple[Callable[[str], object], str]] = {
    "base64": (lambda text: base64.b64decode(text, validate=True), "illegal base64 data"),
    "time": (seconds, "not a time such as 2006-01-02T15:04:05Z"),
    "quantity": (quantity, "quantities must be such as 500m, 2 or 6Gi"),
}


class Decoder:
    """Reads one object of a kind: `unknown` are the fields dropped, `problems` what is wrong."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.unknown: list[str] = []
        self.problems: list[Problem] = []

    def decode(self, obj: Json) -> Json:
        """Return the object with defaults and without unknown fields; raise ApiError 400 for a wrong type."""
        return self._object(self._kind, obj, "")

    def _object(self, kind: str, value: Json, path: str) -> Json:
        fields, prefix = _TYPES[kind], f"{path}." if path else ""
        result: Json = {}
        for name, given in value.items():
            if name not in fields:
                self.unknown.append(f"{prefix}{name}")
            elif given is not None:
                before, declared = len(self.problems), fields[name].rstrip("!")
                result[name] = self._value(declared, given, f"{prefix}{name}")
                rule = RULES.get(f"{kind}.{name}") or RULES.get(f"{kind}:{declared}")
                if rule is not None and len(self.problems) == before:  # a rule may rely on what is inside
                    found = rule(result[name])
                    self.problems += [one._replace(field=f"{prefix}{name}{one.field}") for one in found]
        for name, default in DEFAULTS.get(kind, {}).items():
            filled = default(result) if callable(default) else default
            if isinstance(filled, dict):
                result[name] = filled | result.get(name, {})
            elif filled is not None:
                result.setdefault(name, filled)
        missing = [name for name in fields if fields[name].endswith("!") and name not in result]
        self.problems += [required(f"{prefix}{name}") for name in missing]
        return result

    def _value(self, declared: str, value: Any, path: str) -> Any:
        if declared == "any":
            return value
        if declared.startswith("[]") and isinstance(value, list):
            return [self._value(declared[2:], one, f"{path}[{n}]") for n, one in enumerate(value)]
        if declared.startswith("{}") and isinstance(value, dict):
            return {key: self._value(declared[2:], one, path) for key, one in value.items()}
        if declared in _TYPES and isinstance(value, dict):
            return self._object(declared, value, path)
        if declared in _PARSERS and isinstance(value, str):
            parse, expected = _PARSERS[declared]
            try:
                parse(value)
            except ValueError:
                raise self._refusal(f"{path}: {value!r}: {expected}") from None
        elif type(value) not in _ACCEPTED.get(declared, ()):
            found, field = _JSON_NAMES.get(type(value), "null"), f"{self._kind}.{path} of type {declared}"
            raise self._refusal(f"json: cannot unmarshal {found} into Go struct field {field}")
        return str(value) if declared == "quantity" else value

    def _refusal(self, why: str) -> ApiError:
        return ApiError(400, f'{self._kind} in version "v1" cannot be handled as a {self._kind}: {why}')
