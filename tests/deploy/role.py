"""The requests that a Role allows, told from the requests alone, as Kubernetes' authorizer tells them.

The rules are those of the documentation: "Authorization", sections "Request attributes" and "Determine the
request verb".
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}
PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/v[0-9]\w*"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<resource>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<part>.+))?)?"
)


class Right(NamedTuple):
    """What a request is about: a verb, on a resource or a part of one, in a namespace or in none."""

    verb: str
    group: str
    resource: str
    namespace: str | None


def right_for(method: str, path: str, query: Mapping[str, str]) -> Right | None:
    """Return the right that a request needs; None for what all may read: the version and the discovery."""
    found = PATH.fullmatch(path)
    if found is None:
        return None
    resource = found["resource"] + (f"/{found['part']}" if found["part"] else "")
    return Right(
        _verb(method, found["name"] is not None, query), found["group"] or "", resource, found["namespace"]
    )


def rights(role: Mapping[str, Any]) -> set[Right]:
    """Everything that a Role allows, one right at a time."""
    return {
        Right(verb, group, resource, role["metadata"]["namespace"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def without(role: Mapping[str, Any], rules: Iterable[int]) -> dict[str, Any]:
    """Return the Role without the rules at these positions."""
    left = [rule for position, rule in enumerate(role["rules"]) if position not in set(rules)]
    return {**role, "rules": left}


def _verb(method: str, named: bool, query: Mapping[str, str]) -> str:
    if method == "GET":
        return "get" if named else "watch" if query.get("watch") in ("1", "true", "True") else "list"
    if method == "DELETE":
        return "delete" if named else "deletecollection"
    return VERBS[method]
