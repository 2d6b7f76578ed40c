"""What a campaign's file allows a trigger to choose beyond the file's own values: the field `at_trigger`.

The right to trigger a DAG is weaker than the right to write one, or to read connections. So only the file
decides where credentials go and what costs money, and this field is where it leaves a choice.
"""

from typing import Annotated

from pydantic import Field

from higgsdemo.campaign.fields import Connection, Whole
from higgsdemo.campaign.rule import Model, text

_IMAGE = "[A-Za-z0-9._:@/-]"
_KEY = "[A-Za-z0-9!_.'()=+,:~/-]"
ImagePattern = Annotated[
    str,
    text(
        "an image, or how its name begins, its registry whole, and a *: registry.example.org/*",
        rf"\*|{_IMAGE}+|{_IMAGE}+/{_IMAGE}*\*",
        255,
    ),
]
StoragePattern = Annotated[
    str,
    text(
        "a URL, or how it begins and a *, such as s3://my-*",
        rf"(s3|gs)://{_KEY}*\*?|(https|root)://[a-z0-9.:-]+(/{_KEY}*\*?)?",
        1000,
    ),
]
FlavorPattern = Annotated[
    str, text("a machine type, or how its name begins and a *, such as n1-*", r"[a-z0-9.-]+\*?|\*", 60)
]


class AtTrigger(Model):
    """What a trigger may choose beyond the file's own values; nothing by default."""

    images: list[ImagePattern] = Field([], examples=[["registry.example.org/team/*"]])
    """Images, which get the stores' keys; a `*` at the end matches any ending."""
    connections: list[Connection] = Field([], examples=[["team_s3"]])
    """Airflow connections, for stores and for any cluster that they reach."""
    storage: list[StoragePattern] = Field([], examples=[["s3://my-*"]])
    """URLs to read and write, with everything below them; a `*` at the end matches any ending."""
    flavors: list[FlavorPattern] = Field([], examples=[["n1-*"]])
    """Machine types; a `*` at the end matches any ending."""
    max_nodes: Whole | None = Field(None, title="Most nodes", examples=[50])
    """Total number of `gke` and `eks` nodes in all clusters and zones; by default as many of each machine
    type as in the file.
    """

    def __str__(self) -> str:
        """Summarise it in a few words."""
        said = self.model_dump(exclude_defaults=True)
        lists = {key: " ".join(value) if isinstance(value, list) else value for key, value in said.items()}
        return "; ".join(f"{key} {value}" for key, value in lists.items()) or "nothing"


def matches(patterns: list[str], value: str | None) -> bool:
    """Return whether a value is one of these, or begins like one that ends in `*`.

    >>> matches(["s3://my-*"], "s3://my-data/a"), matches(["s3://my"], "s3://my-data") (True, False)
    """
    return value is not None and any(
        value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern for pattern in patterns
    )


def inside(urls: list[str], url: str) -> bool:
    """Return whether a URL is one of these, matches it, or is below it."""
    return matches(urls, url) or any(f"{url}/".startswith(f"{one.rstrip('/')}/") for one in urls)
