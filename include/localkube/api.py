"""The verbs of the Kubernetes API on one cluster: get, list, watch, create, update, patch, delete."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from localkube import errors
from localkube.cluster import Cluster
from localkube.defaults import with_defaults
from localkube.garbage import delete
from localkube.logs import stream_log
from localkube.objects import Obj, lookup, name_of, with_metadata
from localkube.patch import apply_patch
from localkube.resources import RESOURCES, Resource, discovery, openapi
from localkube.selectors import Match, field_selector, label_selector
from localkube.store import Record, encode, generated_name
from localkube.tables import metadata_only, table
from localkube.validation import check_namespace, validate

_LARGEST_BODY = 3 << 20
_SNAPSHOTS = 100  # paged lists under way; the oldest expires first
_JOB_WARNING = ("child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove "
                "them or set propagationPolicy=Orphan to suppress this warning")


@dataclass(frozen=True)
class Target:
    """What a request is about."""

    resource: Resource
    namespace: str
    name: str
    subresource: str

    @property
    def plural(self) -> str:
        return self.resource.plural


class Api:
    """Answers the requests below /clusters/<name>/ of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._store = cluster.store
        self._snapshots: OrderedDict[str, tuple[list[Record], int]] = OrderedDict()

    async def handle(self, request: web.Request, path: str) -> web.StreamResponse:
        if path in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        document = discovery(path) or (openapi(path) if path.startswith("/openapi/") else None)
        if document is not None:
            return json_response(document)
        target = _target(path)
        if target.subresource:
            return await self._subresource(request, target)
        match request.method, bool(target.name):
            case "GET", True:
                return self._get(request, target)
            case "GET", False:
                if request.query.get("watch") in ("true", "1"):
                    return await self._watch(request, target)
                return self._list(request, target)
            case "POST", False:
                return await self._create(request, target)
            case "PUT", True:
                return await self._replace(target, await _body(request), _dry_run(request))
            case "PATCH", True:
                return await self._patch(request, target)
            case "DELETE", True:
                return await self._delete(request, target)
            case "DELETE", False:
                return await self._delete_collection(request, target)
        raise errors.not_allowed(request.method)

    # -- reading

    def _get(self, request: web.Request, target: Target) -> web.Response:
        record = self._store.record(target.plural, target.namespace, target.name)
        form, include = _form(request)
        if form == "Table":
            meta = {"resourceVersion": str(record.revision)}
            return json_response(table(target.plural, [record.data], include, meta))
        if form == "PartialObjectMetadata":
            return json_response(metadata_only(record.data))
        return web.Response(body=record.raw, content_type="application/json")

    def _list(self, request: web.Request, target: Target) -> web.Response:
        records, meta = self._page(request, target)
        form, include = _form(request)
        if form == "Table":
            return json_response(table(target.plural, (record.data for record in records), include, meta))
        if form == "PartialObjectMetadataList":
            return json_response({"kind": form, "apiVersion": "meta.k8s.io/v1", "metadata": meta,
                          "items": [metadata_only(record.data) for record in records]})
        head = {"kind": f"{target.resource.kind}List", "apiVersion": target.resource.api_version, "metadata": meta}
        body = encode(head)[:-1] + b',"items":[' + b",".join(record.raw for record in records) + b"]}"
        return web.Response(body=body, content_type="application/json")

    def _page(self, request: web.Request, target: Target) -> tuple[list[Record], Obj]:
        """The records of one page and the list's metadata; later pages are of the same moment as the first."""
        query = request.query
        start = 0
        if query.get("continue"):
            identity, start = _token(query["continue"])
            if identity not in self._snapshots:
                raise errors.gone("The provided continue parameter is too old to display a consistent list result. "
                                  "You must start a new list without the continue parameter.")
            records, revision = self._snapshots[identity]
        else:
            identity, revision = secrets.token_hex(8), self._store.revision
            records = self._store.records(target.plural, target.namespace)
            if selected := _selection(request, target.resource):
                records = [record for record in records if selected(record.data)]
        meta: Obj = {"resourceVersion": str(revision)}
        limit = _number(query.get("limit"), "limit")
        end = start + limit if limit else len(records)
        if end < len(records):
            self._snapshots[identity] = (records, revision)
            while len(self._snapshots) > _SNAPSHOTS:
                self._snapshots.popitem(last=False)
            meta["continue"] = base64.urlsafe_b64encode(json.dumps([identity, end]).encode()).decode()
            meta["remainingItemCount"] = len(records) - end
        return records[start:end], meta

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        query, store = request.query, self._store
        selected = _selection(request, target.resource) or (lambda obj: True)
        since = query.get("resourceVersion", "")
        initial: list[Record] = []
        if since in ("", "0") or query.get("sendInitialEvents") == "true":
            initial = [one for one in store.records(target.plural, target.namespace) if selected(one.data)]
            since = str(store.revision)
        watch = store.watch(target.plural, _number(since, "resourceVersion"))
        until = time.monotonic() + (_number(query.get("timeoutSeconds"), "timeoutSeconds") or 3600)
        bookmarks = query.get("allowWatchBookmarks") in ("true", "1")
        form = _WatchForm(request, target)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if initial:
            await response.write(b"".join(form.line("ADDED", record) for record in initial))
        if query.get("sendInitialEvents") == "true":
            await response.write(form.bookmark(store.revision, initial_end=True))
        while (left := until - time.monotonic()) > 0 and not self._cluster.closing:
            try:
                events = await watch.events(min(left, 60.0))
            except errors.ApiError as error:
                await response.write(encode({"type": "ERROR", "object": error.status()}) + b"\n")
                break
            lines = []
            for event in events:
                if target.namespace and event.new["metadata"].get("namespace") != target.namespace:
                    continue
                after = event.type != "DELETED" and selected(event.new)
                before = selected(event.old) if event.old is not None else False
                if after or before:
                    kind = "MODIFIED" if after and before else "ADDED" if after else "DELETED"
                    lines.append(form.line(kind, event.record))
            if not events and bookmarks:
                lines.append(form.bookmark(store.revision))
            if lines:
                await response.write(b"".join(lines))
        return response

    # -- writing

    async def _create(self, request: web.Request, target: Target) -> web.Response:
        obj = await _body(request)
        resource, store = target.resource, self._store
        _check_type(obj, resource)
        meta = {key: value for key, value in (obj.get("metadata") or {}).items()
                if key not in ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "selfLink",
                               "deletionGracePeriodSeconds", "managedFields", "generation") and value is not None}
        if resource.namespaced:
            if meta.get("namespace", target.namespace) != target.namespace:
                raise errors.bad_request("the namespace of the provided object does not match the namespace sent on the "
                                         "request")
            meta["namespace"] = target.namespace
        meta["uid"] = str(uuid.uuid4())
        if resource.plural in ("pods", "jobs", "daemonsets"):
            meta["generation"] = 1
        obj = {key: value for key, value in obj.items() if key != "status"} | {"metadata": meta}
        obj.setdefault("apiVersion", resource.api_version)
        obj.setdefault("kind", resource.kind)
        if "generateName" in meta and not meta.get("name"):
            meta["name"] = generated_name(meta["generateName"])
        obj = with_defaults(resource.plural, obj)
        validate(resource.plural, obj)
        if resource.namespaced:
            check_namespace(resource.plural, obj, store.get("namespaces", "", target.namespace))
        return await self._answer(store.create(resource.plural, obj, _dry_run(request)), 201)

    async def _replace(self, target: Target, obj: Obj, dry_run: bool, status_only: bool = False) -> web.Response:
        _check_type(obj, target.resource)
        old = self._store.record(target.plural, target.namespace, target.name).data
        given = obj.get("metadata") or {}
        if given.get("name") != target.name:
            raise errors.bad_request("the name of the object does not match the name on the URL")
        if given.get("uid") not in (None, old["metadata"]["uid"]):
            raise errors.conflict(target.plural, target.name)
        if status_only:
            version = given.get("resourceVersion")
            obj = {**old, "status": obj.get("status") or {}}
            obj = with_metadata(obj, resourceVersion=version) if version else obj
            return await self._answer(self._store.update(target.plural, obj, dry_run))
        obj = {**{key: value for key, value in obj.items() if key != "status"}, "metadata": _kept(given, old["metadata"])}
        obj = with_defaults(target.plural, obj)
        obj.pop("status", None)
        if "status" in old:
            obj["status"] = old["status"]
        if "generation" in old["metadata"] and obj.get("spec") != old.get("spec"):
            obj["metadata"]["generation"] = old["metadata"]["generation"] + 1
        validate(target.plural, obj, old)
        return await self._answer(self._store.update(target.plural, obj, dry_run))

    async def _patch(self, request: web.Request, target: Target, status_only: bool = False) -> web.Response:
        patch = await _body(request, any_json=True)
        old = self._store.record(target.plural, target.namespace, target.name).data
        patched = apply_patch(request.content_type, old, patch)
        if patched.get("metadata") is None:
            raise errors.bad_request("metadata cannot be removed")
        return await self._replace(target, patched, _dry_run(request), status_only)

    async def _delete(self, request: web.Request, target: Target) -> web.Response:
        options = await _options(request)
        obj = self._store.record(target.plural, target.namespace, target.name).data
        wanted = options.get("preconditions") or {}
        if wanted.get("uid") not in (None, obj["metadata"]["uid"]) \
                or wanted.get("resourceVersion") not in (None, obj["metadata"]["resourceVersion"]):
            raise errors.conflict(target.plural, target.name)
        if _dry_run(request, options):
            return json_response(obj)
        left = delete(self._store, target.plural, obj, options.get("propagationPolicy"), options.get("gracePeriodSeconds"))
        gone = self._store.get(target.plural, target.namespace, target.name) is None
        await self._cluster.durable()
        response = json_response(_success(target, obj) if gone and target.plural != "pods" else left)
        if target.plural == "jobs" and not options.get("propagationPolicy"):
            response.headers["Warning"] = f'299 - "{_JOB_WARNING}"'
        return response

    async def _delete_collection(self, request: web.Request, target: Target) -> web.Response:
        if target.plural == "namespaces":
            raise errors.not_allowed("deletecollection")
        options = await _options(request)
        records, meta = self._page(request, target)
        if not _dry_run(request, options):
            for n, record in enumerate(records):
                meta_now = record.data["metadata"]
                current = self._store.get(target.plural, meta_now.get("namespace", ""), meta_now["name"])
                if current is not None:
                    delete(self._store, target.plural, current, options.get("propagationPolicy"),
                           options.get("gracePeriodSeconds"))
                if n % 100 == 99:
                    await asyncio.sleep(0)
        await self._cluster.durable()
        return json_response({"kind": f"{target.resource.kind}List", "apiVersion": target.resource.api_version,
                      "metadata": meta, "items": [record.data for record in records]})

    async def _subresource(self, request: web.Request, target: Target) -> web.StreamResponse:
        if target.subresource not in target.resource.subresources:
            raise errors.not_implemented(f"{target.plural}/{target.subresource}")
        match target.subresource, request.method:
            case "status", "GET":
                return self._get(request, target)
            case "status", "PUT":
                return await self._replace(target, await _body(request), _dry_run(request), status_only=True)
            case "status", "PATCH":
                return await self._patch(request, target, status_only=True)
            case "log", "GET":
                return await stream_log(request, self._cluster, target.namespace, target.name)
            case "eviction", "POST":
                options = (await _body(request)).get("deleteOptions") or {}
                pod = self._store.record("pods", target.namespace, target.name).data
                delete(self._store, "pods", pod, None, options.get("gracePeriodSeconds"))
                await self._cluster.durable()
                return json_response({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}, 201)
        raise errors.not_allowed(request.method)

    async def _answer(self, obj: Obj, code: int = 200) -> web.Response:
        await self._cluster.durable()
        return json_response(obj, code)


class _WatchForm:
    """How a watch writes its events: whole objects, metadata only, or Tables."""

    def __init__(self, request: web.Request, target: Target) -> None:
        self._target = target
        self._form, self._include = _form(request)

    def line(self, kind: str, record: Record) -> bytes:
        if self._form == "Table":
            raw = encode(table(self._target.plural, [record.data], self._include, {"resourceVersion": str(record.revision)}))
        elif self._form == "PartialObjectMetadata":
            raw = encode(metadata_only(record.data))
        else:
            raw = record.raw
        return b'{"type":"%s","object":%s}\n' % (kind.encode(), raw)

    def bookmark(self, revision: int, initial_end: bool = False) -> bytes:
        meta: Obj = {"resourceVersion": str(revision), "creationTimestamp": None}
        if initial_end:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        resource = self._target.resource
        obj = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
        if self._form == "Table":
            obj = table(resource.plural, [], "None", meta)
        return encode({"type": "BOOKMARK", "object": obj}) + b"\n"


def _target(path: str) -> Target:
    parts = path.strip("/").split("/")
    group_parts = 2 if parts[:2] == ["api", "v1"] else 3 if parts[0] == "apis" and len(parts) > 3 else 0
    group = parts[1] if group_parts == 3 else ""
    if not group_parts or parts[group_parts - 1] != "v1":
        raise errors.no_such_path()
    rest, namespace = parts[group_parts:], ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    resource = RESOURCES.get(rest[0])
    if resource is None or resource.group != group or len(rest) > 3 or (namespace and not resource.namespaced):
        raise errors.no_such_path()
    name = rest[1] if len(rest) > 1 else ""
    if name and resource.namespaced and not namespace:
        raise errors.no_such_path()
    return Target(resource, namespace, name, rest[2] if len(rest) > 2 else "")


def _selection(request: web.Request, resource: Resource) -> Match | None:
    labels = label_selector(request.query.get("labelSelector", ""))
    fields = field_selector(request.query.get("fieldSelector", ""), resource.selectable)
    if labels and fields:
        return lambda obj: labels(obj) and fields(obj)
    return labels or fields


def _form(request: web.Request) -> tuple[str, str]:
    """The representation asked for (Table, PartialObjectMetadata[List] or "") and includeObject."""
    for accepted in request.headers.get("Accept", "").split(","):
        parts = {part.strip() for part in accepted.split(";")}
        for form in ("Table", "PartialObjectMetadataList", "PartialObjectMetadata"):
            if f"as={form}" in parts and "application/json" in parts and "v=v1" in parts:
                return form, request.query.get("includeObject", "Metadata")
        if accepted.strip().startswith(("application/json", "*/*")) and "as=" not in accepted:
            break
    return "", ""


def _number(text: str | None, name: str) -> int:
    if not text:
        return 0
    if not text.isdigit():
        raise errors.bad_request(f'{name}: Invalid value: "{text}": must be a whole number')
    return int(text)


def _token(text: str) -> tuple[str, int]:
    try:
        identity, start = json.loads(base64.urlsafe_b64decode(text))
        return str(identity), int(start)
    except ValueError:
        raise errors.bad_request("continue key is not valid") from None


def _dry_run(request: web.Request, options: Obj | None = None) -> bool:
    asked = request.query.getall("dryRun", []) or (options or {}).get("dryRun") or []
    if any(one != "All" for one in asked):
        raise errors.bad_request(f'dryRun: Unsupported value: {asked}: supported values: "All"')
    return bool(asked)


async def _body(request: web.Request, any_json: bool = False) -> Any:
    if "json" not in request.content_type and request.content_type != "application/octet-stream":
        raise errors.ApiError(415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted "
                              f"media types include: application/json; this is {request.content_type}")
    try:
        body = json.loads(await request.read())
    except web.HTTPRequestEntityTooLarge:
        raise errors.ApiError(413, "RequestEntityTooLarge", f"limit is {_LARGEST_BODY}") from None
    except ValueError as error:
        raise errors.bad_request(f"the body is no JSON: {error}") from None
    if not any_json and not isinstance(body, dict):
        raise errors.bad_request("the body must be a JSON object")
    return body


async def _options(request: web.Request) -> Obj:
    """DeleteOptions from the body and the query."""
    options: Obj = await _body(request) if request.body_exists and await request.read() else {}
    if "propagationPolicy" in request.query:
        options["propagationPolicy"] = request.query["propagationPolicy"]
    if "gracePeriodSeconds" in request.query:
        options["gracePeriodSeconds"] = _number(request.query["gracePeriodSeconds"], "gracePeriodSeconds")
    if options.get("orphanDependents") is not None:
        options.setdefault("propagationPolicy", "Orphan" if options["orphanDependents"] else "Background")
    return options


def _check_type(obj: Obj, resource: Resource) -> None:
    kind, version = obj.get("kind", resource.kind), obj.get("apiVersion", resource.api_version)
    if (kind, version) != (resource.kind, resource.api_version):
        raise errors.bad_request(f"{kind} in version {version!r} cannot be handled as a {resource.kind} of "
                                 f"{resource.api_version}")


def _kept(given: Obj, old: Obj) -> Obj:
    """The metadata of an update: what only the server sets stays as it is."""
    server = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "namespace", "generation",
              "generateName")
    meta = {key: value for key, value in given.items() if key not in (*server, "managedFields", "selfLink")
            and value is not None}
    return meta | {key: old[key] for key in server if key in old}


def _success(target: Target, obj: Obj) -> Obj:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": name_of(obj), "kind": target.plural, "uid": lookup(obj, "metadata.uid"),
                        **({"group": target.resource.group} if target.resource.group else {})}}


def json_response(document: Any, code: int = 200) -> web.Response:
    return web.Response(body=encode(document), status=code, content_type="application/json")
