"""The resources a cluster serves, and discovery: how clients learn of them.

What is not in this table does not exist for a client (404), as on a cluster without that API.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from localkube import __version__
from localkube.objects import Obj

VERSION: Obj = {
    "major": "1",
    "minor": "36",
    "gitVersion": f"v1.36.0+localkube.{__version__}",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "python",
    "platform": "linux/amd64",
}
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_EVENT_FIELDS = (
    "involvedObject.apiVersion",
    "involvedObject.fieldPath",
    "involvedObject.kind",
    "involvedObject.name",
    "involvedObject.namespace",
    "involvedObject.resourceVersion",
    "involvedObject.uid",
    "reason",
    "reportingComponent",
    "type",
)
_POD_FIELDS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.phase",
    "status.podIP",
)


@dataclass(frozen=True)
class Resource:
    """One kind of object: its names, its place in the API, and what can be selected by field."""

    plural: str
    kind: str
    short: tuple[str, ...] = ()
    group: str = ""
    namespaced: bool = True
    subresources: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    aliases: dict[str, str] = field(default_factory=dict)

    @property
    def api_version(self) -> str:
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def selectable(self) -> dict[str, str]:
        """Field label -> path, for field selectors."""
        return {name: name for name in ("metadata.name", "metadata.namespace", *self.fields)} | self.aliases


RESOURCES = {
    resource.plural: resource
    for resource in (
        Resource(
            "namespaces",
            "Namespace",
            ("ns",),
            namespaced=False,
            subresources=("status",),
            fields=("status.phase",),
        ),
        Resource(
            "nodes",
            "Node",
            ("no",),
            namespaced=False,
            subresources=("status",),
            fields=("spec.unschedulable",),
        ),
        Resource("pods", "Pod", ("po",), subresources=("status", "log", "eviction"), fields=_POD_FIELDS),
        Resource("configmaps", "ConfigMap", ("cm",)),
        Resource("secrets", "Secret", fields=("type",)),
        Resource("serviceaccounts", "ServiceAccount", ("sa",)),
        Resource("events", "Event", ("ev",), fields=_EVENT_FIELDS, aliases={"source": "source.component"}),
        Resource("daemonsets", "DaemonSet", ("ds",), "apps", subresources=("status",)),
        # Kept and not enforced, as in a cluster whose network plugin knows no policies.
        Resource("networkpolicies", "NetworkPolicy", ("netpol",), "networking.k8s.io"),
        Resource(
            "jobs",
            "Job",
            group="batch",
            subresources=("status",),
            aliases={"status.successful": "status.succeeded"},
        ),
    )
}
_SUBRESOURCE_KINDS = {"eviction": ("Eviction", ["create"]), "log": ("Pod", ["get"])}


def discovery(path: str) -> Obj | None:
    """The discovery document at a path below the cluster's root, or None."""
    groups = sorted({resource.group for resource in RESOURCES.values() if resource.group})
    if path == "/version":
        return VERSION
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(group) for group in groups]}
    if path == "/api/v1":
        return _resource_list("v1", "")
    for group in groups:
        if path == f"/apis/{group}":
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group)}
        if path == f"/apis/{group}/v1":
            return _resource_list(f"{group}/v1", group)
    return None


def _group(group: str) -> Obj:
    version = {"groupVersion": f"{group}/v1", "version": "v1"}
    return {"name": group, "versions": [version], "preferredVersion": version}


def _resource_list(group_version: str, group: str) -> Obj:
    listed: list[Obj] = []
    for resource in RESOURCES.values():
        if resource.group != group:
            continue
        common = {"singularName": resource.kind.lower(), "namespaced": resource.namespaced}
        listed.append(
            {
                **common,
                "name": resource.plural,
                "kind": resource.kind,
                "verbs": _VERBS,
                **({"shortNames": list(resource.short)} if resource.short else {}),
                **({"categories": ["all"]} if resource.plural in ("pods", "jobs", "daemonsets") else {}),
            }
        )
        for subresource in resource.subresources:
            kind, verbs = _SUBRESOURCE_KINDS.get(subresource, (resource.kind, ["get", "patch", "update"]))
            listed.append(
                {
                    **common,
                    "name": f"{resource.plural}/{subresource}",
                    "singularName": "",
                    "kind": kind,
                    "verbs": verbs,
                    **({"group": "policy", "version": "v1"} if kind == "Eviction" else {}),
                }
            )
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}


def openapi(path: str) -> Obj | None:
    """Just enough OpenAPI for kubectl to leave the checking of fields to the server."""
    roots = {"api/v1": ""} | {f"apis/{r.group}/v1": r.group for r in RESOURCES.values() if r.group}
    if path == "/openapi/v3":
        return {"paths": {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in roots}}
    root = path.removeprefix("/openapi/v3/")
    if root not in roots:
        return None
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string"}} for name in ("dryRun", "fieldValidation")
    ]
    return {
        "openapi": "3.0.0",
        "info": {"title": "localkube", "version": "v1"},
        "paths": {
            f"/{root}/{'namespaces/{namespace}/' if r.namespaced else ''}{r.plural}/{{name}}": {
                "patch": {
                    "parameters": parameters,
                    "responses": {},
                    "x-kubernetes-group-version-kind": {"group": r.group, "version": "v1", "kind": r.kind},
                }
            }
            for r in RESOURCES.values()
            if r.group == roots[root]
        },
    }
