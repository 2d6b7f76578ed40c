"""What a request asks for: the resource it is about, the representation, selection, options and body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from localkube import errors
from localkube.objects import Obj
from localkube.resources import RESOURCES, Resource
from localkube.selectors import Match, field_selector, label_selector
from localkube.store import encode

LARGEST_BODY = 3 << 20
_FORMS = ("Table", "PartialObjectMetadataList", "PartialObjectMetadata")


@dataclass(frozen=True)
class Target:
    """The collection, object or subresource a path names; name and subresource may be empty."""

    resource: Resource
    namespace: str
    name: str
    subresource: str

    @property
    def plural(self) -> str:
        """The resource's name in paths."""
        return self.resource.plural


def target_of(path: str) -> Target:
    """What a path below the cluster's root names. Raises ApiError 404."""
    parts = path.strip("/").split("/")
    group_parts = 2 if parts[:2] == ["api", "v1"] else 3 if parts[0] == "apis" and len(parts) > 3 else 0
    group, rest, namespace = parts[1] if group_parts == 3 else "", parts[group_parts:], ""
    if not group_parts or parts[group_parts - 1] != "v1" or not rest:
        raise errors.no_such_path()
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    resource, name = RESOURCES.get(rest[0]), rest[1] if len(rest) > 1 else ""
    if (
        resource is None
        or resource.group != group
        or len(rest) > 3
        or (namespace and not resource.namespaced)
        or (name and resource.namespaced and not namespace)
    ):
        raise errors.no_such_path()
    return Target(resource, namespace, name, rest[2] if len(rest) > 2 else "")


def selection(request: web.Request, resource: Resource) -> Match | None:
    """The test of labelSelector and fieldSelector; None when everything is asked for. Raises ApiError 400."""
    labels = label_selector(request.query.get("labelSelector", ""))
    fields = field_selector(request.query.get("fieldSelector", ""), resource.selectable)
    if labels and fields:
        return lambda obj: labels(obj) and fields(obj)
    return labels or fields


def form_of(request: web.Request) -> tuple[str, str]:
    """The representation asked for (Table, PartialObjectMetadata[List] or "") and includeObject."""
    for accepted in request.headers.get("Accept", "").split(","):
        parts = {part.strip() for part in accepted.split(";")}
        for form in _FORMS:
            if {f"as={form}", "application/json", "v=v1"} <= parts:
                return form, request.query.get("includeObject", "Metadata")
        if parts & {"application/json", "*/*"} and "as=" not in accepted:
            break
    return "", ""


def flag(request: web.Request, name: str) -> bool:
    """Whether a parameter is set, in the spellings Go's strconv.ParseBool accepts for true."""
    return request.query.get(name, "") in ("1", "t", "T", "true", "TRUE", "True")


def number(request: web.Request, name: str) -> int | None:
    """A whole number that is not negative. Raises ApiError 400."""
    text = request.query.get(name)
    if not text:
        return None
    if not text.isdigit():
        raise errors.bad_request(f'{name}: Invalid value: "{text}": must be a whole number')
    return int(text)


def dry_run(request: web.Request, options: Obj | None = None) -> bool:
    """Whether nothing is to be stored. Raises ApiError 400."""
    asked = request.query.getall("dryRun", []) or (options or {}).get("dryRun") or []
    if any(one != "All" for one in asked):
        raise errors.bad_request(f'dryRun: Unsupported value: {asked}: supported values: "All"')
    return bool(asked)


async def json_body(request: web.Request) -> Any:
    """Whatever JSON was sent. Raises ApiError 400, 413 or 415."""
    if "json" not in request.content_type:
        raise errors.unsupported_media_type(request.content_type)
    try:
        return msgspec.json.decode(await request.read())
    except web.HTTPRequestEntityTooLarge:
        raise errors.ApiError(413, "RequestEntityTooLarge", f"limit is {LARGEST_BODY}") from None
    except (ValueError, RecursionError) as error:
        raise errors.bad_request(f"the body is no JSON: {error}") from None


async def object_body(request: web.Request) -> Obj:
    """The JSON object that was sent. Raises ApiError 400, 413 or 415."""
    body = await json_body(request)
    if not isinstance(body, dict):
        raise errors.bad_request("the body must be a JSON object")
    return body


async def delete_options(request: web.Request) -> Obj:
    """DeleteOptions from body and query, where the query wins. Raises ApiError 400, 413 or 415."""
    options = await object_body(request) if request.body_exists and await request.read() else {}
    if "propagationPolicy" in request.query:
        options["propagationPolicy"] = request.query["propagationPolicy"]
    if (grace := number(request, "gracePeriodSeconds")) is not None:
        options["gracePeriodSeconds"] = grace
    if not isinstance(options.get("gracePeriodSeconds") or 0, int):
        raise errors.bad_request("gracePeriodSeconds must be a whole number")
    if options.get("orphanDependents") is not None:
        options.setdefault("propagationPolicy", "Orphan" if options["orphanDependents"] else "Background")
    return options


def json_response(document: Any, code: int = 200) -> web.Response:
    """An answer with a JSON document."""
    return web.Response(body=encode(document), status=code, content_type="application/json")
