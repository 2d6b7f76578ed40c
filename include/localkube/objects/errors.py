"""The API's refusals, as the Status objects that Kubernetes clients understand."""

from typing import Any

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
    501: "NotImplemented",  # what Kubernetes has and localkube does not
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
    """Return 404 for an object."""
    return ApiError(404, f'{kind} "{name}" not found', name=name, kind=kind)


def no_such_path() -> ApiError:
    """Return 404 for a resource or path that does not exist here."""
    return ApiError(404, "the server could not find the requested resource")


def not_allowed(method: str) -> ApiError:
    """Return 405 for a verb that the resource does not have."""
    return ApiError(405, f"the server does not allow {method} on the requested resource")


def conflict(kind: str, name: str) -> ApiError:
    """Return 409 for a stale write."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return ApiError(409, f'Operation cannot be fulfilled on {kind} "{name}": {why}', name=name, kind=kind)


def refused(kind: str, name: str, why: str, **more: Any) -> ApiError:
    """Return 403 with a reason."""
    return ApiError(403, f'{kind} "{name}" is forbidden: {why}', name=name, kind=kind, **more)


def unsupported_media_type(given: str) -> ApiError:
    """Return 415; kubectl's own generators send protobuf, which only files given to it avoid."""
    advice = "; pipe `kubectl create ... --dry-run=client -o yaml` to `kubectl create -f -`"
    message = f"the body of the request was in an unknown format: {given}; accepted media types include: "
    return ApiError(415, f"{message}application/json{advice if 'protobuf' in given else ''}")
