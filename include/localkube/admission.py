"""What happens to an object a client sends before it is stored: read, completed, checked."""

from __future__ import annotations

import uuid
from typing import Any

from localkube import errors
from localkube.defaults import with_defaults
from localkube.objects import Obj, with_metadata
from localkube.resources import Resource
from localkube.schema import Decoder
from localkube.store import generated_name
from localkube.validation import validate

_SERVER_SET = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "namespace",
    "generation",
    "generateName",
)
_NEVER_TAKEN = ("managedFields", "selfLink")
_WITH_GENERATION = ("pods", "jobs", "daemonsets")


class Admission:
    """Admits objects of one request; `warnings` is what the client is to be told besides."""

    def __init__(self, resource: Resource, field_validation: str = "") -> None:
        if field_validation not in ("", "Ignore", "Warn", "Strict"):
            raise errors.bad_request(
                f'fieldValidation: Unsupported value: "{field_validation}": supported values: '
                '"Ignore", "Strict", "Warn"'
            )
        self._resource, self._unknown_fields = resource, field_validation or "Warn"
        self.warnings: list[str] = []

    def new(self, sent: Obj, namespace: str) -> Obj:
        """The object to create. Raises ApiError 400 or 422."""
        resource = self._resource
        obj, missing = self._read({key: value for key, value in sent.items() if key != "status"})
        meta: dict[str, Any] = {
            key: value
            for key, value in obj.get("metadata", {}).items()
            if key not in (*_SERVER_SET, *_NEVER_TAKEN, "resourceVersion")
        }
        if resource.namespaced:
            if obj.get("metadata", {}).get("namespace", namespace) != namespace:
                raise errors.bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            meta["namespace"] = namespace
        prefix = obj.get("metadata", {}).get("generateName")
        if prefix:
            meta = {"generateName": prefix, "name": generated_name(prefix)} | meta
        meta["uid"] = str(uuid.uuid4())
        if resource.plural in _WITH_GENERATION:
            meta["generation"] = 1
        obj = with_defaults(resource.plural, {**obj, "metadata": meta})
        validate(resource, obj, None, missing)
        return obj

    def changed(self, sent: Obj, old: Obj) -> Obj:
        """The object to store in place of the old one; its status stays. Raises ApiError 400, 409 or 422."""
        resource = self._resource
        self._same_object(sent, old)
        obj, missing = self._read({key: value for key, value in sent.items() if key != "status"})
        meta = {
            key: value for key, value in obj["metadata"].items() if key not in (*_SERVER_SET, *_NEVER_TAKEN)
        }
        meta |= {key: old["metadata"][key] for key in _SERVER_SET if key in old["metadata"]}
        obj = with_defaults(resource.plural, {**obj, "metadata": meta})
        obj.pop("status", None)
        obj |= {"status": old["status"]} if "status" in old else {}
        validate(resource, obj, old, missing)
        if "generation" in meta and obj.get("spec") != old.get("spec"):
            obj = with_metadata(obj, generation=meta["generation"] + 1)
        return obj

    def changed_status(self, sent: Obj, old: Obj) -> Obj:
        """The old object with the status that was sent. Raises ApiError 400 or 409."""
        given = self._same_object(sent, old)
        obj, _ = self._read({"metadata": given, "status": sent.get("status") or {}})
        return with_metadata(
            {**old, "status": obj["status"]},
            resourceVersion=given.get("resourceVersion") or old["metadata"]["resourceVersion"],
        )

    def _same_object(self, sent: Obj, old: Obj) -> Obj:
        given = sent.get("metadata")
        if not isinstance(given, dict) or given.get("name") != old["metadata"]["name"]:
            raise errors.bad_request("the name of the object does not match the name on the URL")
        if given.get("uid") not in (None, old["metadata"]["uid"]):
            raise errors.conflict(self._resource.plural, old["metadata"]["name"])
        return given

    def _read(self, sent: Obj) -> tuple[Obj, list[str]]:
        """The object in its schema's shape and the required fields it lacks."""
        kind, version = (
            sent.get("kind", self._resource.kind),
            sent.get("apiVersion", self._resource.api_version),
        )
        if (kind, version) != (self._resource.kind, self._resource.api_version):
            raise errors.bad_request(
                f"{kind} in version {version!r} cannot be handled as a {self._resource.kind} of "
                f"{self._resource.api_version}"
            )
        decoder = Decoder(kind)
        obj = decoder.decode({"apiVersion": version, "kind": kind, **sent})
        unknown = [f'unknown field "{path}"' for path in decoder.unknown]
        if unknown and self._unknown_fields == "Strict":
            raise errors.bad_request(
                f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding '
                f"error: {', '.join(unknown)}"
            )
        self.warnings += unknown if self._unknown_fields == "Warn" else []
        return obj, decoder.missing
