"""The three ways in which a pod can fail; each asks Kubernetes for something else.

The Job's pod failure policy gives an index up at once on exit code 65 and retries it on any other, so the
pod, which knows, must tell "this file is broken" from "the network is".
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar


class WorkloadError(Exception):
    """A failure with a reason that a person can act on; the process ends with `exit_code`."""

    exit_code: ClassVar[int] = 1


class BadInput(WorkloadError):
    """The shard itself is bad, so running it again cannot help (EX_DATAERR)."""

    exit_code = 65


class TryAgain(WorkloadError):
    """Storage, network or disk failed this time; another attempt may succeed (EX_TEMPFAIL)."""

    exit_code = 75


class Misconfigured(WorkloadError):
    """The environment breaks the pod contract (EX_CONFIG)."""

    exit_code = 78


@contextmanager
def system_errors_in_words() -> Iterator[None]:
    """Turn what the system refuses, such as to write to a full disk, into `TryAgain`."""
    try:
        yield
    except OSError as error:
        raise TryAgain(f"the pod cannot go on: {error}") from error


def all_in_one(failures: Mapping[str, BadInput | TryAgain], shards: int) -> BadInput | TryAgain:
    """Combine errors into one, which is worth another attempt if any of them is.

    With several shards it has a line for each failed one, which begins with its name, and one for all.
    """
    again = any(isinstance(failure, TryAgain) for failure in failures.values())
    lines = [f"{name}: {' '.join(str(failure).split())}" for name, failure in failures.items()]
    lines.append(f"{len(failures)} of {shards} shards {'failed' if again else 'are bad'}")
    text = "\n".join(lines) if shards > 1 else str(*failures.values())
    return (TryAgain if again else BadInput)(text)
