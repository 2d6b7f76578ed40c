"""Bodies in protobuf, which `kubectl create configmap` and its like send in place of JSON.

Only the kinds and fields that they set are known, numbered as in the generated.proto files of k8s.io/api.
Any other that says something is refused, never dropped.
"""

import base64
from collections.abc import Iterator
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from localkube.objects.errors import unsupported_media_type
from localkube.objects.object import Json

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"

# Number, name and type of the fields of a message; a type in brackets is of each element or value.
# fmt: off
_MESSAGES: dict[str, dict[int, tuple[str, str]]] = {
    "Unknown": {1: ("type", "TypeMeta"), 2: ("raw", "raw")},
    "TypeMeta": {1: ("apiVersion", "text"), 2: ("kind", "text")},
    "ObjectMeta": {
        1: ("name", "text"), 2: ("generateName", "text"), 3: ("namespace", "text"),
        11: ("labels", "{text}"), 12: ("annotations", "{text}"),
    },
    "Namespace": {1: ("metadata", "ObjectMeta")},
    "ServiceAccount": {1: ("metadata", "ObjectMeta")},
    "ConfigMap": {
        1: ("metadata", "ObjectMeta"), 2: ("data", "{text}"), 3: ("binaryData", "{base64}"),
        4: ("immutable", "flag"),
    },
    "Secret": {
        1: ("metadata", "ObjectMeta"), 2: ("data", "{base64}"), 3: ("type", "text"),
        4: ("stringData", "{text}"), 5: ("immutable", "flag"),
    },
    "Job": {1: ("metadata", "ObjectMeta"), 2: ("spec", "JobSpec")},
    "JobSpec": {6: ("template", "PodTemplateSpec")},
    "PodTemplateSpec": {1: ("metadata", "ObjectMeta"), 2: ("spec", "PodSpec")},
    "PodSpec": {2: ("containers", "[Container]"), 3: ("restartPolicy", "text")},
    "Container": {1: ("name", "text"), 2: ("image", "text"), 3: ("command", "[text]"), 4: ("args", "[text]")},
}
# fmt: on


def decode(body: bytes) -> Json:
    """The object that was sent. Raises ApiError 415 for what is not known here, or is no protobuf."""
    try:
        if not body.startswith(_MAGIC):
            raise ValueError("no Kubernetes protobuf")
        sent = _message("Unknown", body[len(_MAGIC) :])
        return {**sent["type"], **_message(sent["type"]["kind"], sent["raw"])}
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, DecodeError):
        raise unsupported_media_type(CONTENT_TYPE) from None


def _message(kind: str, data: bytes) -> Json:
    found: Json = {}
    for number, value in _fields(data):
        name, declared = _MESSAGES[kind].get(number, ("", ""))
        if not name:
            if not _says_nothing(value):
                raise ValueError(f"{kind}.{number}")
        elif declared.startswith("["):
            found.setdefault(name, []).append(_value(declared[1:-1], value))
        elif declared.startswith("{"):
            entry = dict(_fields(value))
            found.setdefault(name, {})[entry[1].decode()] = _value(declared[1:-1], entry.get(2, b""))
        elif value != b"":
            found[name] = _value(declared, value)
    return found


def _says_nothing(value: int | bytes) -> bool:
    """Whether this is what a field has that nobody set: zero, an empty text, or a message of such fields."""
    return not value or (isinstance(value, bytes) and all(_says_nothing(part) for _, part in _fields(value)))


def _value(declared: str, value: Any) -> Any:
    match declared:
        case "text":
            return value.decode()
        case "base64":
            return base64.b64encode(value).decode()
        case "flag":
            return bool(value)
        case "raw":
            return value
    return _message(declared, value)


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field: a whole number or bytes. Raises DecodeError."""
    fields: Any = UnknownFieldSet(Empty.FromString(data))  # to Empty every field is an unknown one
    return ((one.field_number, one.data) for one in fields)
