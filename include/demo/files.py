"""Small files of the local services: written whole, for their owner alone, and read with clear errors."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from higgsdemo.wording import first_fault

Content = TypeVar("Content")


@contextmanager
def locked(path: Path, wait: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Keep others from what the lock file stands for; call `wait` when somebody else has it."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, completely or not at all."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def read_content(kind: type[Content], path: Path, advice: str) -> Content:
    """Return the content of a JSON file; raise ValueError naming file and field, with advice."""
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); {advice}") from None
    except ValidationError as error:
        raise ValueError(f"{path} cannot be read ({first_fault(error)}); {advice}") from None
