"""Check single values of a campaign: URLs, Kubernetes quantities, schedules.

Each check returns the value to keep, or raises ValueError, with a hint where one helps. `fields.py` says what
the value must be.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from higgsdemo.wording import did_you_mean, quote


def bucket_url(value: Any) -> str:
    """Check the URL of a bucket, or of a prefix in one; return it without a slash at the end.

    :raises ValueError: saying what is wrong, without repeating credentials.
    """
    match = re.fullmatch(r"(s3|gs)://([^/]*)(/.*)?", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError
    scheme, bucket, path = match.groups(default="")
    if "@" in bucket:
        raise ValueError("credentials belong in an Airflow connection")
    characters = "[a-z0-9.-]" if scheme == "s3" else "[a-z0-9._-]"
    if not re.fullmatch(f"[a-z0-9]{characters}{{1,61}}[a-z0-9]", bucket) or ".." in bucket:
        raise ValueError(f"{quote(bucket)} is no bucket's name")
    return f"{scheme}://{bucket}/{_key(path[1:].removesuffix('/'))}".rstrip("/")


def _key(path: str) -> str:
    if path and not re.fullmatch(r"[A-Za-z0-9!_.*'()=+,:~-]+(/[A-Za-z0-9!_.*'()=+,:~-]+)*", path):
        raise ValueError("its path has an empty part or a character that is not safe in a key")
    if {".", ".."} & set(path.split("/")):
        raise ValueError('"." and ".." cannot be parts of a key')
    return path


def source_url(value: Any) -> str:
    """Check the URL of a place to read data from: a bucket, a web server or an XRootD server.

    :returns: it without a slash at the end; for an XRootD server with the two slashes before its path.
    :raises ValueError: saying what is wrong, without repeating credentials.
    """
    match = re.fullmatch(r"(https|root)://([^/]*)(/.*)?", value) if isinstance(value, str) else None
    if match is None:
        return bucket_url(value)
    scheme, server, path = match.groups(default="")
    if "@" in server:
        raise ValueError("credentials belong in an Airflow connection")
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", server):
        raise ValueError(f"{quote(server)} is no server's name")
    server = server.removesuffix(":443" if scheme == "https" else ":1094")  # their defaults
    path = _key(path.strip("/"))
    if scheme == "root":
        return f"root://{server}//{path}"
    return f"https://{server}/{path}".rstrip("/")


def path_or_url(value: Any) -> str:
    """Check a path of safe characters without dots as parts, or the URL of a file on a web server."""
    if not isinstance(value, str) or value.startswith("/"):
        raise ValueError
    if "://" not in value:
        return _key(value)
    if not value.startswith("https://") or not _key(value.partition("://")[2]).count("/"):
        raise ValueError
    return source_url(value)


def http_url(value: Any) -> str:
    """Check the URL of a server; return it without a slash at the end."""
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s?#]+", value):
        raise ValueError
    if "@" in value:
        raise ValueError("credentials belong in an Airflow connection")
    parts = urlsplit(value)
    if not parts.hostname or parts.port == 0:
        raise ValueError
    return value.rstrip("/")


def address_range(value: Any) -> str:
    """Check a range of IP addresses in CIDR notation."""
    if not isinstance(value, str) or "/" not in value:
        raise ValueError
    try:
        return str(ip_network(value))
    except ValueError as error:
        raise ValueError("the bits after its prefix are not 0" if "host bits" in str(error) else "") from None


_NUMBER = r"[0-9]+(\.[0-9]+)?"
CPU = f"{_NUMBER}m?"
MEMORY = f"{_NUMBER}([kMGTPE]|[KMGTPE]i)?"
_FACTORS = {
    "": Decimal(1), "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12),
    "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
    "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip


def quantity(text: str) -> Decimal:
    """Return a Kubernetes quantity in cores or bytes: `"900m"` is 0.9; raise ValueError, also for `1e3`."""
    match = re.fullmatch(rf"({_NUMBER})([numkMGTPE]|[KMGTPE]i)?", text, re.ASCII)
    if match is None:
        raise ValueError(f"{quote(text)} is not a Kubernetes quantity")
    return Decimal(match[1]) * _FACTORS[match[3] or ""]


def at_least(least: str, pattern: str) -> Callable[[Any], str]:
    """Return the check of a Kubernetes quantity that `pattern` matches and that is not below `least`."""

    def check(value: Any) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise ValueError("quantities are written in quotes")
        if not isinstance(value, str) or len(value) > 20 or not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError
        if quantity(value) < quantity(least):
            raise ValueError(f"{value} is less than {least}")
        return value

    return check


NODES = "0*[1-9][0-9]{0,5}"


def nodes_in_text(value: Any) -> int:
    """Check a number of nodes as the original wrote it: a text."""
    if not isinstance(value, str) or len(value) > 20 or not re.fullmatch(NODES, value, re.ASCII):
        raise ValueError
    return int(value)


PRESETS = ("@once", "@continuous", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")


def schedule(value: Any) -> str:
    """Check a schedule that Airflow accepts."""
    if not isinstance(value, str):
        raise ValueError
    if value.startswith("@"):
        if value not in PRESETS:
            raise ValueError(did_you_mean(value, PRESETS).removeprefix("; "))
        return value
    from croniter import CroniterBadCronError, croniter  # Airflow's own reader; few campaigns need it

    if len(value.split()) != 5:
        raise ValueError("a cron expression has five parts: minute, hour, day, month, weekday")
    try:
        croniter(value).get_next()
    except (CroniterBadCronError, ValueError, KeyError, IndexError) as error:
        raise ValueError(str(error)) from None
    return value


def dataset(value: Any) -> str:
    """Check the form of a dataset; whether it exists is checked with the catalogue."""
    if not isinstance(value, str) or len(value) > 1000 or not re.fullmatch(r"[!-~]+", value):
        raise ValueError
    return source_url(value) if "://" in value else value
