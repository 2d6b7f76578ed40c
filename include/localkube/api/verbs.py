"""The verbs of the Kubernetes API on one cluster: get, list, create, update, patch, delete."""

import asyncio
import secrets
from collections.abc import Iterable

from aiohttp import web

from localkube.api import requests, watching
from localkube.api.logs import stream_log
from localkube.api.patch import apply_patch
from localkube.api.requests import Target, View, dry_run, flag, json_response
from localkube.cluster import Cluster
from localkube.controllers.garbage import FIRST_NAMESPACES, delete
from localkube.objects.admission import Admission, check_namespace, check_references
from localkube.objects.errors import ApiError, conflict, not_allowed, refused
from localkube.objects.object import Json, Obj
from localkube.objects.quotas import check_quotas
from localkube.objects.resources import DISCOVERY

_PAGED = 100  # lists in progress; the oldest expires first
_JOB_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to "
    "remove them or set propagationPolicy=Orphan to suppress this warning"
)


class Api:
    """Answers the requests below /clusters/<name>/ of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._store, self._pages = cluster, cluster.store, cluster.pages

    async def handle(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answer a request for a path below the cluster's root; raise ApiError."""
        if path in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        if path == "/openapi/v2":  # an empty document (in protobuf): kubectl leaves the checks to the server
            return web.Response(content_type="application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
        if document := DISCOVERY.get(path.strip("/")):
            return json_response(document)
        target = requests.target_of(path)
        if target.subresource not in ("", *target.resource.subresources):
            raise ApiError(501, f"localkube does not implement {target.plural}/{target.subresource}")
        view = View(request, target.resource)
        match request.method, target.subresource or ("object" if target.name else "collection"):
            case "GET", "object" | "status":
                return await self._answer(view.one(self._existing(target)))
            case "GET", "collection" if flag(request, "watch"):
                return await watching.stream(request, target, self._store, lambda: self._cluster.closing)
            case "GET", "collection":
                return await self._answer(view.many(*self._page(request, target)))
            case "GET", "log":
                return await stream_log(request, self._cluster, self._existing(target))
            case "POST", "eviction":
                return await self._evict(request, target)
            case "POST", "collection":
                return await self._create(request, target)
            case "PUT", "object" | "status":
                return await self._replace(request, target, await requests.object_body(request))
            case "PATCH", "object" | "status":
                patch, old = await requests.json_body(request), self._existing(target)
                return await self._replace(request, target, apply_patch(request.content_type, old, patch))
            case "DELETE", "object":
                return await self._delete(request, target)
            case "DELETE", "collection" if target.plural != "namespaces":
                return await self._delete_collection(request, target)
        raise not_allowed(request.method)

    def _existing(self, target: Target) -> Obj:
        return self._store.existing(target.plural, target.namespace, target.name)

    def _page(self, request: web.Request, target: Target) -> tuple[list[Obj], Json]:
        """Return one page and the list's metadata; later pages show the same moment as the first."""
        start, selected = 0, requests.selection(request, target.resource)
        if token := request.query.get("continue"):
            identity, _, offset = token.rpartition(".")
            if not offset.isdecimal():
                raise ApiError(400, "continue key is not valid")
            start = int(offset)
            if (target, identity) not in self._pages:
                why = "too old to display a consistent list result; start a new list without it"
                raise ApiError(410, f"The provided continue parameter is {why}.")
            objects, revision = self._pages[target, identity]
        else:
            identity, revision = secrets.token_hex(8), self._store.revision
            exactly = request.query.get("resourceVersionMatch") == "Exact"
            if requests.number(request, "resourceVersion") != revision and exactly:
                raise ApiError(410, "The resourceVersion for the provided list is too old.")
            objects = self._store.objects(target.plural, target.namespace)
            objects = [obj for obj in objects if selected(obj)] if selected else objects
        meta: Json = {"resourceVersion": str(revision)}
        end = start + (requests.number(request, "limit") or len(objects))
        if end < len(objects):
            self._pages[target, identity] = (objects, revision)
            while len(self._pages) > _PAGED:
                del self._pages[next(iter(self._pages))]
            meta["continue"] = f"{identity}.{end}"
            if not selected:  # Kubernetes counts the rest of whole lists only
                meta["remainingItemCount"] = len(objects) - end
        return objects[start:end], meta

    async def _create(self, request: web.Request, target: Target) -> web.Response:
        admission = Admission(target.resource, request.query.get("fieldValidation", ""))
        obj = admission.new(await requests.object_body(request), target.namespace)
        if target.resource.namespaced:
            check_namespace(target.plural, obj, self._store.get("namespaces", "", target.namespace))
        if target.plural == "pods":
            check_references(self._store, obj.namespace, obj.name, obj["spec"])
        check_quotas(self._store, target.resource, obj)
        made = self._store.create(target.plural, obj, dry_run(request))
        return await self._answer(made, admission.warnings, 201)

    async def _replace(self, request: web.Request, target: Target, sent: Json) -> web.Response:
        old = self._existing(target)
        admission = Admission(target.resource, request.query.get("fieldValidation", ""))
        obj = admission.changed_status(sent, old) if target.subresource else admission.changed(sent, old)
        changed = self._store.update(target.plural, obj, dry_run(request))
        return await self._answer(changed, admission.warnings)

    async def _delete(self, request: web.Request, target: Target) -> web.Response:
        options, obj = await requests.delete_options(request), self._existing(target)
        wanted = options.get("preconditions") or {}
        if any(wanted.get(key) not in (None, obj["metadata"][key]) for key in ("uid", "resourceVersion")):
            raise conflict(target.plural, target.name)
        if target.plural == "namespaces" and obj.name in FIRST_NAMESPACES:
            raise refused(target.plural, obj.name, "this namespace may not be deleted")
        if dry_run(request, options):
            return json_response(obj)
        left: Json = self._delete_one(target, obj, options)
        if target.plural != "pods" and self._store.current(target.plural, obj) is None:
            left = _success(target, obj)
        warn = target.plural == "jobs" and not options.get("propagationPolicy")
        return await self._answer(left, [_JOB_WARNING] if warn else [])

    async def _delete_collection(self, request: web.Request, target: Target) -> web.Response:
        options = await requests.delete_options(request)
        objects, meta = self._page(request, target)
        for n, obj in enumerate([] if dry_run(request, options) else objects):
            if current := self._store.current(target.plural, obj):
                self._delete_one(target, current, options)
            if n % 100 == 99:
                await asyncio.sleep(0)  # let others have a turn
        return await self._answer(View(request, target.resource).many(objects, meta))

    async def _evict(self, request: web.Request, target: Target) -> web.Response:
        """Delete a pod; if it still runs, with the condition that says why."""
        options = (await requests.object_body(request)).get("deleteOptions") or {}
        pod = self._existing(target)
        if not pod.finished:
            why = ("EvictionByEvictionAPI", "Eviction API: evicting")
            pod = self._store.update("pods", pod.with_condition("DisruptionTarget", True, *why))
        self._delete_one(target, pod, options)
        return await self._answer(_success(target, pod), code=201)

    def _delete_one(self, target: Target, obj: Obj, options: Json) -> Obj:
        policy, grace = options.get("propagationPolicy"), options.get("gracePeriodSeconds")
        return delete(self._store, target.plural, obj, policy, grace)

    async def _answer(self, document: Json, warnings: Iterable[str] = (), code: int = 200) -> web.Response:
        """Return the answer once all that it reports is committed."""
        await self._cluster.durable()
        response = json_response(document, code)
        for text in warnings:
            quoted = text.replace("\\", "\\\\").replace('"', '\\"')
            response.headers.add("Warning", f'299 - "{quoted}"')
        return response


def _success(target: Target, obj: Obj) -> Json:
    about = {"name": obj.name, "kind": target.plural, "uid": obj.uid}
    about |= {"group": target.resource.group} if target.resource.group else {}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": about}
