"""What a command has printed, and what its shell tells of its use."""

from higgsdemo.kubernetes.last_words import line_of
from workload.last_words import useful_line
from workload.used import read_used


def test_the_useful_line_is_told_of_what_a_command_has_printed(log: str, line: str) -> None:
    assert useful_line(84, log) == f"the command ended with exit code 84: {line}"
    assert line_of(log) == line


def test_of_what_a_shell_tells_only_numbers_are_believed(told: str, found: dict[str, float]) -> None:
    assert read_used(told, 100) == found
