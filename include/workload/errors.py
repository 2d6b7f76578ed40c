"""The three ways in which a pod can fail, because each asks Kubernetes for something else.

The Job's pod failure policy gives an index up at once on exit code 65 and retries it on any other, so
the distinction between "this file is broken" and "the network is" has to be made here, where it is known.
"""

from typing import ClassVar


class WorkloadError(Exception):
    """A failure with a reason a person can act upon; `exit_code` is what the process ends with."""

    exit_code: ClassVar[int] = 1


class BadInput(WorkloadError):
    """The shard itself is at fault, so running it again cannot help (EX_DATAERR)."""

    exit_code = 65


class TryAgain(WorkloadError):
    """Storage, network or disk failed for now; another attempt may succeed (EX_TEMPFAIL)."""

    exit_code = 75


class Misconfigured(WorkloadError):
    """The environment does not keep the pod contract (EX_CONFIG)."""

    exit_code = 78
