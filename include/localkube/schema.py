"""The shape of the objects: what fields there are and of what type, taken over from Kubernetes (schema.json).

The real server drops what it does not know and says so, and refuses what has the wrong type before it looks
at anything else. With that done here, the rest of the code may rely on types and on required fields.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localkube.errors import bad_request
from localkube.objects import Obj, quantity, seconds

_TYPES: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("schema.json").read_bytes())
_JSON_NAMES = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
_ACCEPTED: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "number": (int, float),
    "quantity": (str, int, float),
    "base64": (str,),
    "time": (str,),
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
    """Reads one object of a kind; `unknown` and `missing` are the paths of dropped and of required fields."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.unknown: list[str] = []
        self.missing: list[str] = []

    def decode(self, obj: Obj) -> Obj:
        """The object without unknown fields and nulls. Raises ApiError 400 for a value of the wrong type."""
        return dict(self._object(self._kind, obj, ""))

    def _object(self, kind: str, value: Any, path: str) -> Obj:
        if not isinstance(value, dict):
            raise self._mismatch(value, path, kind)
        fields, result = _TYPES[kind], {}
        for name, given in value.items():
            where = f"{path}.{name}" if path else name
            if name not in fields:
                self.unknown.append(where)
            elif given is not None:
                result[name] = self._value(fields[name].rstrip("!"), given, where)
        self.missing += [
            f"{path}.{name}" if path else name
            for name, declared in fields.items()
            if declared.endswith("!") and name not in result
        ]
        return result

    def _value(self, declared: str, value: Any, path: str) -> Any:
        if declared == "any":
            return value
        if declared.startswith("[]"):
            if not isinstance(value, list):
                raise self._mismatch(value, path, declared)
            return [self._value(declared[2:], one, f"{path}[{n}]") for n, one in enumerate(value)]
        if declared.startswith("{}"):
            if not isinstance(value, dict):
                raise self._mismatch(value, path, declared)
            return {key: self._value(declared[2:], one, path) for key, one in value.items()}
        if declared in _TYPES:
            return self._object(declared, value, path)
        if declared in _PARSERS and isinstance(value, str):
            self._check(declared, value, path)
        elif not isinstance(value, _ACCEPTED[declared]) or (
            isinstance(value, bool) and declared != "boolean"
        ):
            raise self._mismatch(value, path, declared)
        return str(value) if declared == "quantity" else value

    def _check(self, declared: str, value: str, path: str) -> None:
        parse, rule = _PARSERS[declared]
        try:
            parse(value)
        except ValueError:
            where = f'{self._kind} in version "v1" cannot be handled as a {self._kind}'
            raise bad_request(f"{where}: {path}: {value!r}: {rule}") from None

    def _mismatch(self, value: Any, path: str, declared: str) -> Exception:
        found = _JSON_NAMES.get(type(value), "null")
        return bad_request(
            f'{self._kind} in version "v1" cannot be handled as a {self._kind}: json: cannot unmarshal '
            f"{found} into Go struct field {self._kind}.{path} of type {declared}"
        )
