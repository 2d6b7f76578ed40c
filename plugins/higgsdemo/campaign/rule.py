"""How a field of a campaign says what it must be, in words for people and in JSON Schema for machines.

JSON is read strictly: no number is taken for a text and no text for a number, except where the original's
lists did so (`"nodes": "22"`).
"""

import ast
import inspect
import operator
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from higgsdemo.wording import did_you_mean, quote

_CREDENTIAL = re.compile(r"access|secret|token|passw|credential|[^a-z]key$|^key$", re.IGNORECASE)
_KEY = re.compile(
    r"(AKIA|ASIA)[A-Z0-9]{16}|-----BEGIN|\bgh[a-z]_\w{20}|\bxox[a-z]-|\beyJ[\w-]{10,}\.|://[^/\s]*:[^/\s]*@"
    r"|^(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9/+=]{40}$"  # the last: a secret key of Amazon or Google
)

PLANNED = "planned"  # validation context of what `plan` has returned and Airflow has stored


@dataclass(frozen=True, eq=False)
class Rule:
    """What a value must be.

    :param must_be: completes "it must be ...".
    :param check: returns the value to keep; raises ValueError, with a hint or without, if it is not allowed.
    :param schema: its JSON Schema.
    """

    must_be: str
    check: Callable[[Any], Any]
    schema: dict[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check before pydantic does, so that every error of the field is in these words."""
        return core_schema.no_info_before_validator_function(self._validate, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the schema of what may be written, which may differ from what is kept."""
        return dict(self.schema)

    def _validate(self, value: Any) -> Any:
        try:
            return self.check(value)
        except ValueError as error:
            hint = f": {error}" if str(error) else ""
            message = f"is {quote(value)}; it must be {self.must_be}{hint}"
            raise PydanticCustomError("rule", "{text}", {"text": message}) from None


def _in_brackets(description: str | None) -> str:
    text = (description or "").partition(".")[0]
    return text[:1].lower() + text[1:]


def is_credential(key: str) -> bool:
    """Return whether a field of this name would hold a secret, and not the id of a connection."""
    return _CREDENTIAL.search(key) is not None and not key.endswith("conn_id")


def credentials(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield where, in whatever a field holds, a name or a text is that of a secret."""
    if isinstance(value, str) and _KEY.search(value):
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    for name, part in inside:
        if isinstance(name, str) and is_credential(name):
            yield (*path, name)
        else:
            yield from credentials(part, (*path, name))


@cache
def _field_docstrings(module: str) -> dict[tuple[str, str], str]:
    """Return the docstrings below the fields of a module's classes, by class and field, each in one line.

    pydantic's own `use_attribute_docstrings` takes 150 ms of each parse of a DAG file to find them, this 20.
    """
    return {
        (part.name, ast.unparse(field.target)): " ".join(str(below.value.value).split())
        for part in ast.parse(inspect.getsource(sys.modules[module])).body
        if isinstance(part, ast.ClassDef)
        for field, below in pairwise(part.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
    }


class Model(BaseModel):
    """A part of a campaign, which refuses unknown fields and lists the known ones.

    It accepts them in a stored plan, which another version of the project may have made. A field's title in
    the JSON Schema is its name unless it says otherwise.
    """

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        field_title_generator=lambda name, info: name.replace("_", " ").capitalize(),
    )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Describe each field by the docstring below it."""
        said = _field_docstrings(cls.__module__)
        for name, info in cls.__pydantic_fields__.items():
            info.description = info.description or said.get((cls.__name__, name))
        return handler(source)

    @model_validator(mode="wrap")
    @classmethod
    def _know_every_field(
        cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        if not isinstance(data, dict) or info.context == PLANNED:
            return handler(data)
        fields = {info.alias or name: info for name, info in cls.model_fields.items()}
        said = {}
        if unknown := {str(key): did_you_mean(key, fields) for key in data if key not in fields}:
            said["unknown_field"] = " and ".join(
                f"has no field {quote(key)}"
                + (": credentials belong in an Airflow connection" if is_credential(key) else "")
                + meant
                for key, meant in unknown.items()
            )
            if not all(unknown.values()):
                said["unknown_field"] += f" (the fields are {', '.join(fields)})"
        if missing := [key for key, info in fields.items() if info.is_required() and key not in data]:
            said["missing_field"] = " and ".join(
                f"needs the field {quote(key)} ({_in_brackets(fields[key].description)})" for key in missing
            )
        try:
            return handler(data)
        except ValidationError as error:
            told = [_line(kind, text, (), data) for kind, text in said.items()] + [
                _line(one["type"], one["msg"], one["loc"], one["input"])
                for one in error.errors(include_url=False, include_context=False)
                if one["type"] not in ("extra_forbidden", "missing")  # of this object; others have our words
            ]
            raise ValidationError.from_exception_data(cls.__name__, told) from None


def _line(kind: str, text: str, path: tuple[int | str, ...], value: Any) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError(kind, "{text}", {"text": text}), loc=path, input=value)


def text(must_be: str, pattern: str, longest: int) -> Rule:
    """Return the rule for a text that `pattern` matches whole, of at most `longest` characters."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > longest or not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError
        return value

    return Rule(must_be, check, {"type": "string", "pattern": f"^{pattern}$", "maxLength": longest})


def checked(must_be: str, check: Callable[[Any], Any], pattern: str) -> Rule:
    """Return the rule for a text that `check` judges; its JSON Schema has only a pattern."""
    return Rule(must_be, check, {"type": "string", "pattern": pattern})


def number(must_be: str, *, whole: bool = False, **bounds: float) -> Rule:
    """Return the rule for a number between bounds, which have JSON Schema's names: `minimum=0`."""

    def check(value: Any) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        if not all(_BOUNDS[name](value, bound) for name, bound in bounds.items()):
            raise ValueError
        if whole and isinstance(value, float):
            raise ValueError("a whole number is written without a point" if value.is_integer() else "")
        return value

    return Rule(must_be, check, {"type": "integer" if whole else "number", **bounds})


_BOUNDS = {
    "minimum": operator.ge,
    "exclusiveMinimum": operator.gt,
    "maximum": operator.le,
    "exclusiveMaximum": operator.lt,
}


def either(must_be: str, *rules: Rule) -> Rule:
    """Return the rule that allows what one of several rules allows."""

    def check(value: Any) -> Any:
        hint = ""
        for rule in rules:
            try:
                return rule.check(value)
            except ValueError as error:
                hint = hint or str(error)
        raise ValueError(hint)

    return Rule(must_be, check, {"anyOf": [rule.schema for rule in rules]})
