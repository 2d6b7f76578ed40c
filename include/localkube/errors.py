"""What the API refuses, as the Status objects a Kubernetes client understands."""

from __future__ import annotations

from typing import Any

from localkube.objects import Obj


class ApiError(Exception):
    """An answer other than success: HTTP code, machine-readable reason, sentence, details."""

    def __init__(self, code: int, reason: str, message: str, details: Obj | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details or {}

    def status(self) -> Obj:
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }


def _about(resource: str, name: str, **more: Any) -> Obj:
    return {"name": name, "kind": resource, **more}


def not_found(resource: str, name: str) -> ApiError:
    """404 for an object."""
    return ApiError(404, "NotFound", f'{resource} "{name}" not found', _about(resource, name))


def no_such_path() -> ApiError:
    """404 for a resource or path that does not exist here."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(resource: str, name: str) -> ApiError:
    """409 on creating what is there."""
    return ApiError(409, "AlreadyExists", f'{resource} "{name}" already exists', _about(resource, name))


def conflict(resource: str, name: str) -> ApiError:
    """409 on a stale write."""
    return ApiError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {resource} "{name}": the object has been '
        "modified; please apply your changes to the latest version and try again",
        _about(resource, name),
    )


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, "BadRequest", message)


def forbidden(resource: str, name: str, why: str, **more: Any) -> ApiError:
    """403 with a reason."""
    return ApiError(
        403, "Forbidden", f'{resource} "{name}" is forbidden: {why}', _about(resource, name, **more)
    )


def not_allowed(method: str) -> ApiError:
    """405 for a verb the resource does not have."""
    return ApiError(405, "MethodNotAllowed", f"the server does not allow {method} on the requested resource")


def not_implemented(what: str) -> ApiError:
    """501 for what Kubernetes has and localkube has not."""
    return ApiError(501, "NotImplemented", f"localkube does not implement {what}")


def gone(message: str) -> ApiError:
    """410: the client must list again."""
    return ApiError(410, "Expired", message)


def unsupported_media_type(given: str) -> ApiError:
    """415; kubectl's own generators send protobuf, which only files given to it avoid."""
    advice = "; pipe `kubectl create ... --dry-run=client -o yaml` to `kubectl create -f -`"
    return ApiError(
        415,
        "UnsupportedMediaType",
        f"the body of the request was in an unknown format: {given}; accepted media types include: "
        f"application/json{advice if 'protobuf' in given else ''}",
    )


def invalid(kind: str, group: str, name: str, causes: list[Obj]) -> ApiError:
    """422 with one cause for each wrong field; a cause is {"reason", "message", "field"}."""
    sentences = [f"{cause['field']}: {cause['message']}" for cause in causes]
    listed = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    qualified = f"{kind}.{group}" if group else kind
    return ApiError(
        422,
        "Invalid",
        f'{qualified} "{name}" is invalid: {listed}',
        {"name": name, "kind": kind, **({"group": group} if group else {}), "causes": causes},
    )
