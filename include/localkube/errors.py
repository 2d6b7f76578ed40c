"""What the API refuses, as the Status objects a Kubernetes client understands."""

import json
from collections.abc import Iterable
from typing import Any

Problem = tuple[str, str]  # reason and message of a cause: what is wrong with one field
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",  # the client must list again
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    500: "InternalError",
    501: "NotImplemented",  # what Kubernetes has and localkube has not
}


class ApiError(Exception):
    """An answer other than success: HTTP code, sentence, machine-readable reason, details."""

    def __init__(self, code: int, message: str, reason: str = "", **details: Any) -> None:
        super().__init__(message)
        self.code, self.message = code, message
        self.reason, self.details = reason or _REASONS[code], details

    def status(self) -> dict[str, Any]:
        told = {"message": self.message, "reason": self.reason, "details": self.details, "code": self.code}
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", **told}


def not_found(kind: str, name: str) -> ApiError:
    """404 for an object."""
    return ApiError(404, f'{kind} "{name}" not found', name=name, kind=kind)


def no_such_path() -> ApiError:
    """404 for a resource or path that does not exist here."""
    return ApiError(404, "the server could not find the requested resource")


def not_allowed(method: str) -> ApiError:
    """405 for a verb the resource does not have."""
    return ApiError(405, f"the server does not allow {method} on the requested resource")


def conflict(kind: str, name: str) -> ApiError:
    """409 on a stale write."""
    message = (
        f'Operation cannot be fulfilled on {kind} "{name}": the object has been '
        "modified; please apply your changes to the latest version and try again"
    )
    return ApiError(409, message, name=name, kind=kind)


def refused(kind: str, name: str, why: str, **more: Any) -> ApiError:
    """403 with a reason."""
    return ApiError(403, f'{kind} "{name}" is forbidden: {why}', name=name, kind=kind, **more)


def unsupported_media_type(given: str) -> ApiError:
    """415; kubectl's own generators send protobuf, which only files given to it avoid."""
    advice = "; pipe `kubectl create ... --dry-run=client -o yaml` to `kubectl create -f -`"
    message = (
        f"the body of the request was in an unknown format: {given}; accepted media types include: "
        f"application/json{advice if 'protobuf' in given else ''}"
    )
    return ApiError(415, message)


def unprocessable(kind: str, name: str, problems: Iterable[tuple[str, Problem]], group: str = "") -> ApiError:
    """422 with one cause for each field that has a problem."""
    causes = [{"reason": why, "message": text, "field": field} for field, (why, text) in problems]
    sentences = [f"{cause['field']}: {cause['message']}" for cause in causes]
    listed = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    about = {"name": name, "kind": kind, **({"group": group} if group else {})}
    qualified = f"{kind}.{group}" if group else kind
    return ApiError(422, f'{qualified} "{name}" is invalid: {listed}', **about, causes=causes)


def required(detail: str = "") -> Problem:
    """A field that is missing or empty."""
    return "FieldValueRequired", "Required value" + (f": {detail}" if detail else "")


def invalid(value: Any, detail: str) -> Problem:
    """A value that is not right; the detail says what is."""
    return "FieldValueInvalid", f"Invalid value: {json.dumps(value)}: {detail}"


def unsupported(value: Any, allowed: Iterable[str]) -> Problem:
    """A value that is none of those there are."""
    listed = ", ".join(json.dumps(one) for one in allowed)
    return "FieldValueNotSupported", f"Unsupported value: {json.dumps(value)}: supported values: {listed}"


def forbidden(detail: str) -> Problem:
    """A field that may not be set."""
    return "FieldValueForbidden", f"Forbidden: {detail}"


def duplicate(value: Any) -> Problem:
    """A name that is there twice."""
    return "FieldValueDuplicate", f"Duplicate value: {json.dumps(value)}"
