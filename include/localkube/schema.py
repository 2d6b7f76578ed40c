"""The shape of the objects: what fields there are and of what type, taken over from Kubernetes (schema.json).

The real server drops what it does not know and says so, and refuses what has the wrong type before it looks
at anything else. With that done here, the rest of the code may rely on types and on required fields.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localkube.errors import ApiError, Problem, required
from localkube.field_rules import Rule
from localkube.objects import Obj, quantity, seconds
from localkube.spec_rules import RULES


def _field(kind: str, name: str, declared: str) -> tuple[str, bool, Rule | None]:
    rule = RULES.get(f"{kind}.{name}") or RULES.get(f"{kind}:{declared}")
    return declared.rstrip("!"), declared.endswith("!"), rule


_TYPES = {
    kind: {name: _field(kind, name, declared) for name, declared in fields.items()}
    for kind, fields in json.loads(Path(__file__).with_name("schema.json").read_bytes()).items()
}
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
    "quantity": (
        quantity,
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ),
}


class Decoder:
    """Reads one object of a kind: `unknown` are the fields dropped, `problems` what is wrong."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.unknown: list[str] = []
        self.problems: list[tuple[str, Problem]] = []

    def decode(self, obj: Obj) -> Obj:
        """The object without unknown fields and nulls. Raises ApiError 400 for a value of the wrong type."""
        return dict(self._object(self._kind, obj, ""))

    def _object(self, kind: str, value: Any, path: str) -> Obj:
        if not isinstance(value, dict):
            raise self._mismatch(value, path, kind)
        fields, result, prefix = _TYPES[kind], {}, f"{path}." if path else ""
        for name, given in value.items():
            if name not in fields:
                self.unknown.append(f"{prefix}{name}")
            elif given is not None:
                declared, _, rule = fields[name]
                before = len(self.problems)
                result[name] = self._value(declared, given, f"{prefix}{name}")
                if rule is not None and len(self.problems) == before:  # a rule may rely on what is inside
                    self.problems += [(f"{prefix}{name}{part}", why) for part, why in rule(result[name])]
        for name, (_, is_required, _) in fields.items():
            if is_required and name not in result:
                self.problems.append((f"{prefix}{name}", required()))
        return result

    def _value(self, declared: str, value: Any, path: str) -> Any:
        if declared == "any":
            return value
        if declared.startswith("[]") and isinstance(value, list):
            return [self._value(declared[2:], one, f"{path}[{n}]") for n, one in enumerate(value)]
        if declared.startswith("{}") and isinstance(value, dict):
            return {key: self._value(declared[2:], one, path) for key, one in value.items()}
        if declared in _TYPES:
            return self._object(declared, value, path)
        if declared in _PARSERS and isinstance(value, str):
            self._parse(declared, value, path)
        elif type(value) not in _ACCEPTED.get(declared, ()):
            raise self._mismatch(value, path, declared)
        return str(value) if declared == "quantity" else value

    def _parse(self, declared: str, value: str, path: str) -> None:
        parse, expected = _PARSERS[declared]
        try:
            parse(value)
        except ValueError:
            raise self._refusal(f"{path}: {value!r}: {expected}") from None

    def _mismatch(self, value: Any, path: str, declared: str) -> ApiError:
        found = _JSON_NAMES.get(type(value), "null")
        into = f"Go struct field {self._kind}.{path} of type {declared}"
        return self._refusal(f"json: cannot unmarshal {found} into {into}")

    def _refusal(self, why: str) -> ApiError:
        return ApiError(400, f'{self._kind} in version "v1" cannot be handled as a {self._kind}: {why}')
