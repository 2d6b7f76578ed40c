"""Logs of containers: whole, their end, as they grow, and of the run before."""

from pathlib import Path

import pytest

from localkube.api.logs import _tail


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
