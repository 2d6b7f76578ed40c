"""Logs of containers: whole, their end, as they grow, and of the run before."""

from pathlib import Path

import pytest

from localkube.api.logs import _tail
from localkube_server import Kube, pod, pod_ended


@pytest.mark.parametrize("parameter", ["timestamps=true", "sinceSeconds=3", "sinceTime=2026-01-01T00:00:00Z"])
def test_times_of_lines_are_refused(kube: Kube, namespace: str, parameter: str) -> None:
    kube.core.create_namespaced_pod(namespace, pod("p", "true"))
    pod_ended(kube, namespace, "p")
    assert kube.http.get(f"api/v1/namespaces/{namespace}/pods/p/log?{parameter}").json()["code"] == 501


@pytest.mark.parametrize(
    ("content", "lines", "end"),
    [
        (b"a\nb\nc\n", 1, b"c\n"),
        (b"a\nb\nc", 1, b"c"),
        (b"a\nb\n", 5, b"a\nb\n"),
        (b"a\n\n", 1, b"\n"),
        (b"a\n", 0, b""),
        (b"", 3, b""),
        (b"x" * 200_000 + b"\ny" * 3, 4, b"x" * 200_000 + b"\ny" * 3),
        (b"x\n" + b"y" * 200_000 + b"\n", 1, b"y" * 200_000 + b"\n"),
    ],
)
def test_the_end_of_a_log_has_so_many_lines(tmp_path: Path, content: bytes, lines: int, end: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    assert content[_tail(path, lines) :] == end
