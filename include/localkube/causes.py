"""The list of what is wrong with an object, in the words of the API server."""

from __future__ import annotations

import json
from typing import Any

from localkube.objects import Obj


class Causes:
    """Collects the causes of a 422; an empty list means the object is valid."""

    def __init__(self) -> None:
        self.found: list[Obj] = []

    def _add(self, reason: str, field: str, message: str) -> None:
        self.found.append({"reason": reason, "message": message, "field": field})

    def required(self, field: str, detail: str = "") -> None:
        self._add("FieldValueRequired", field, "Required value" + (f": {detail}" if detail else ""))

    def invalid(self, field: str, value: Any, detail: str) -> None:
        self._add("FieldValueInvalid", field, f"Invalid value: {json.dumps(value)}: {detail}")

    def unsupported(self, field: str, value: Any, allowed: list[str]) -> None:
        listed = ", ".join(json.dumps(one) for one in allowed)
        self._add(
            "FieldValueNotSupported",
            field,
            f"Unsupported value: {json.dumps(value)}: supported values: {listed}",
        )

    def forbidden(self, field: str, detail: str) -> None:
        self._add("FieldValueForbidden", field, f"Forbidden: {detail}")

    def duplicate(self, field: str, value: Any) -> None:
        self._add("FieldValueDuplicate", field, f"Duplicate value: {json.dumps(value)}")

    def not_found(self, field: str, value: Any) -> None:
        self._add("FieldValueNotFound", field, f"Not found: {json.dumps(value)}")

    def too_long(self, field: str, most: int) -> None:
        self._add("FieldValueTooLong", field, f"Too long: may not be more than {most} bytes")
