"""Protobuf is read where all of it is understood, and refused where not."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localkube.api.protobuf import CONTENT_TYPE, decode
from localkube.objects.errors import ApiError
from localkube_server import Kube


def field(number: int, content: bytes | int) -> bytes:
    """A field as it is sent; all numbers and lengths here fit one byte."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    return bytes([number << 3 | 2, len(content)]) + content


def sent(kind: bytes, message: bytes) -> bytes:
    """A whole body."""
    return b"k8s\0" + field(1, field(1, b"v1") + field(2, kind)) + field(2, message)


NAMED = field(1, field(1, b"a") + field(2, b"") + field(7, 0) + field(8, b""))


def test_what_is_said_is_read_and_what_nobody_set_is_left_out() -> None:
    data = field(2, field(1, b"x") + field(2, b"1")) + field(2, field(1, b"empty"))
    assert decode(sent(b"ConfigMap", NAMED + data + field(4, 1))) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        "data": {"x": "1", "empty": ""},
        "immutable": True,
    }
    status = field(3, field(1, b"") + field(2, 0))
    assert decode(sent(b"Namespace", NAMED + field(2, b"") + status))["metadata"] == {"name": "a"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"kind": "ConfigMap"}',
        sent(b"Pod", NAMED),
        sent(b"ConfigMap", NAMED + field(9, b"new")),
        sent(b"Namespace", NAMED + field(3, field(1, b"Active"))),
        sent(b"ConfigMap", NAMED)[:-3],
        sent(b"ConfigMap", field(1, 7)),
    ],
    ids=["nothing", "json", "kind", "field", "status", "cut", "type"],
)
def test_what_is_not_understood_is_refused(kube: Kube, body: bytes) -> None:
    path, headers = "api/v1/namespaces/default/configmaps", {"Content-Type": CONTENT_TYPE}
    refused = kube.http.post(path, content=body, headers=headers)
    assert (refused.status_code, refused.json()["reason"]) == (415, "UnsupportedMediaType")


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(garbage: bytes) -> None:
    for body in (garbage, b"k8s\0" + garbage, sent(b"Job", garbage[:100])):
        with suppress(ApiError):
            decode(body)
