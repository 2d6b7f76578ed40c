"""Waits for what other processes do."""

import time
from collections.abc import Callable
from typing import TypeVar

import httpx

Found = TypeVar("Found")


def eventually(
    look: Callable[[], Found | None], what: str = "", patience: float = 240.0, pause: float = 0.05
) -> Found:
    """Return what `look` returns as soon as it is true."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience:g} s: {what or look}; last seen: {found!r}")
        time.sleep(pause)
    return found


def answers(url: str) -> bool:
    """Whether a server answers there, and well."""
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.HTTPError:
        return False
