"""What a command has printed, and what its shell tells of its use."""

import pytest

from higgsdemo.kubernetes.last_words import line_of
from tables import cases
from workload.last_words import useful_line
from workload.used import read_used


@cases
def test_the_useful_line_is_told_of_what_a_command_has_printed(log: str, line: str) -> None:
    assert useful_line(84, log) == f"the command ended with exit code 84: {line}"
    assert line_of(log) == line


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("0m1,00s 0m0,0s\n1m2,50s 0m0,50s\n4096\n", {"cpu_seconds": 63.0, "memory": 4096}),
        ("0m0.000000s 0m0.000000s\n0m0.25s 0m0.00s\n50", {"cpu_seconds": 0.25, "memory": 100}),
        ("0m0.00s 0m0.00s\n0m0.25s 0m0.00s\nmax\n", {"cpu_seconds": 0.25}),
        ("\n999999999999999999999999999999m0.1s\n999999999999999999999999999999\n", {}),
        ("", {}),
    ],
)
def test_of_what_a_shell_tells_only_numbers_are_believed(told: str, found: dict[str, float]) -> None:
    assert read_used(told, 100) == found
