"""Text from outside, on its way to a terminal, a log or a page."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from higgsdemo import wording
from higgsdemo.wording import printable, printable_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tab\there é", "tab\\u0009here é"),
        ("\x1b]0;title\x07", "\\u001b]0;title\\u0007"),
        ("C1 \x9b2J", "C1 \\u009b2J"),
        ("a\u202etoor.b", "a\\u202etoor.b"),
        ("\ud800", "\\ud800"),
        ("x" * 501, "x" * 499 + "…"),
    ],
)
def test_text_from_outside_is_cut_and_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_log_loses_its_colours_and_keeps_its_lines() -> None:
    assert printable_lines("10 %\r20 %\n\x1b[1;31mbad\x1b[0m\x1b[2J\n") == ["10 %", "20 %", "bad\\u001b[2J"]


@given(st.text())
def test_a_terminal_obeys_nothing_of_what_is_shown(text: str) -> None:
    for shown in (printable(text), wording.quote(text), *printable_lines(text)):
        assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
