"""What a request asks for: resource, representation, selection, options and body."""

from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from localkube.api.tables import table
from localkube.objects.errors import ApiError, no_such_path, unsupported_media_type
from localkube.objects.object import Json, Obj, encode
from localkube.objects.resources import RESOURCES, Resource
from localkube.objects.selectors import Match, field_selector, label_selector

LARGEST_BODY = 3 << 20


@dataclass(frozen=True)
class Target:
    """The collection, object or subresource that a path names; name and subresource may be empty."""

    resource: Resource
    namespace: str
    name: str
    subresource: str

    @property
    def plural(self) -> str:
        """The resource's name in paths."""
        return self.resource.plural


def target_of(path: str) -> Target:
    """Return what a path below the cluster's root names; raise ApiError 404."""
    parts, namespace = path.strip("/").split("/"), ""
    depth = 2 if parts[0] == "api" else 3
    root, rest = "/".join(parts[:depth]), parts[depth:]
    if rest[:1] == ["namespaces"] and len(rest) > 2 and rest[2] != "status":
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource, *more = [*rest, "", "", ""]
    resource = RESOURCES.get(plural)
    if resource is None or resource.root != root or any(more):
        raise no_such_path()
    if (namespace and not resource.namespaced) or (name and resource.namespaced and not namespace):
        raise no_such_path()
    return Target(resource, namespace, name, subresource)


class View:
    """The requested representation: objects, or Tables for kubectl."""

    def __init__(self, request: web.Request, resource: Resource) -> None:
        self._resource, self._as_table = resource, "/json;as=Table" in request.headers.get("Accept", "")
        self._include = request.query.get("includeObject", "Metadata")

    def one(self, obj: Obj) -> Json:
        return self._table([obj], {"resourceVersion": str(obj.revision)}) if self._as_table else obj

    def many(self, objects: list[Obj], meta: Json) -> Json:
        if self._as_table:
            return self._table(objects, meta)
        named = {"kind": f"{self._resource.kind}List", "apiVersion": self._resource.api_version}
        return {**named, "metadata": meta, "items": objects}

    def _table(self, objects: list[Obj], meta: Json) -> Json:
        return table(self._resource.plural, objects, self._include, meta)

    def nothing(self, meta: Json) -> Json:
        """Return the object of a bookmark."""
        if self._as_table:
            return self._table([], meta)
        return {"kind": self._resource.kind, "apiVersion": self._resource.api_version, "metadata": meta}


def selection(request: web.Request, resource: Resource) -> Match | None:
    """Return the test for labelSelector and fieldSelector; None without any; raise ApiError 400."""
    labels = label_selector(request.query.get("labelSelector", ""))
    allowed = ("metadata.name", "metadata.namespace", *resource.fields)
    fields = field_selector(request.query.get("fieldSelector", ""), allowed)
    if labels and fields:
        return lambda obj: labels(obj) and fields(obj)
    return labels or fields


def flag(request: web.Request, name: str) -> bool:
    """Return whether a parameter is set, in the spellings Go's strconv.ParseBool accepts for true."""
    return request.query.get(name, "") in ("1", "t", "T", "true", "TRUE", "True")


def number(request: web.Request, name: str) -> int | None:
    """Return a whole number that is not negative; raise ApiError 400."""
    text = request.query.get(name)
    if text and not text.isdecimal():
        raise ApiError(400, f'{name}: Invalid value: "{text}": must be a whole number')
    return int(text) if text else None


def dry_run(request: web.Request, options: Json | None = None) -> bool:
    """Return whether nothing is to be stored; raise ApiError 400."""
    asked = request.query.getall("dryRun", []) or (options or {}).get("dryRun") or []
    if any(one != "All" for one in asked):
        raise ApiError(400, f'dryRun: Unsupported value: {asked}: supported values: "All"')
    return bool(asked)


async def json_body(request: web.Request) -> Any:
    """Return the JSON body; raise ApiError 400, 413 or 415."""
    if "json" not in request.content_type:
        raise unsupported_media_type(request.content_type)
    try:
        return msgspec.json.decode(await request.read())
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, f"limit is {LARGEST_BODY}") from None
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is no JSON: {error}") from None


async def object_body(request: web.Request) -> Json:
    """Return the JSON object in the body; raise ApiError 400, 413 or 415."""
    body = await json_body(request)
    if not isinstance(body, dict):
        raise ApiError(400, "the body must be a JSON object")
    return body


async def delete_options(request: web.Request) -> Json:
    """Return DeleteOptions from body and query, where the query wins; raise ApiError 400, 413 or 415."""
    options = await object_body(request) if request.body_exists and await request.read() else {}
    if "propagationPolicy" in request.query:
        options["propagationPolicy"] = request.query["propagationPolicy"]
    if (grace := number(request, "gracePeriodSeconds")) is not None:
        options["gracePeriodSeconds"] = grace
    if not isinstance(options.get("gracePeriodSeconds") or 0, int):
        raise ApiError(400, "gracePeriodSeconds must be a whole number")
    return options


def json_response(document: Json, code: int = 200) -> web.Response:
    """Return an answer with a JSON document."""
    return web.Response(body=encode(document), status=code, content_type="application/json")
