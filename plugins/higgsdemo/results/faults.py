"""What is wrong with a result document, in words."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError


def first_fault(error: ValidationError, channels: Sequence[str]) -> str:
    """Return the first fault of a document, with its field.

    :param channels: that each of its histograms must have.
    """
    fault = error.errors(include_url=False)[0]
    told = [part for part in fault["loc"] if part not in ("<counts>", "<weights>")]
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in told)
    field = "".join(parts).lstrip(".")
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "json_invalid":
        return f"not JSON ({context['error']})"
    if not field:
        return "not a JSON object"
    if context.get("field_type") == "Dictionary":
        return f"{field} does not have the channels {', '.join(channels)}"
    return f"{field} {_complaint(kind, context, fault['input'])}"


def _complaint(kind: str, context: dict[str, Any], value: object) -> str:
    match kind:
        case "missing":
            return "is missing"
        case "value_error":
            return str(context["error"])
        case "greater_than_equal":
            return f"is {value}, below {context['ge']}"
        case "less_than_equal":
            return f"is {value}, above {context['le']}"
        case "too_short" | "too_long":
            wanted = context.get("min_length", context.get("max_length"))
            return f"has {context['actual_length']} bins, not {wanted}"
        case "finite_number":
            return f"is {value}, not a finite number"
        case "float_type":
            return "is not a number"
        case "string_type" | "string_too_short" | "string_too_long":
            return "is not a name of 1 to 1024 characters"
        case "tuple_type":
            return "is not a list of numbers"
        case "bool_type":
            return "is not true or false"
        case "timezone_aware" | "datetime_type" | "datetime_parsing" | "datetime_from_date_parsing":
            return "is not a time with its zone"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "is not a JSON object"
        case _:
            return f"is not valid ({kind})"
