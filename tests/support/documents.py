"""The code blocks of the documentation, so that tests can run what people are told to run."""

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^( *)```([a-z]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced code block: its document, the heading it is below, its language, and what is in it."""

    document: str
    heading: str
    language: str
    text: str


def documents() -> list[Path]:
    """Return the pages at the root, and everything in docs/."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(path: Path) -> list[Block]:
    """Return the code blocks of a document, in their order."""
    text = path.read_text()
    headings = [(match.start(), match[1]) for match in re.finditer(r"^#+ (.*)$", text, re.MULTILINE)]
    return [
        Block(
            path.relative_to(ROOT).as_posix(),
            next((title for start, title in reversed(headings) if start < match.start()), ""),
            match[2],
            textwrap.dedent(match[3]),
        )
        for match in _BLOCK.finditer(text)
    ]


def below(path: Path, heading: str, language: str) -> list[str]:
    """Return the blocks of one language below one heading."""
    return [b.text for b in blocks(path) if (b.heading, b.language) == (heading, language)]
