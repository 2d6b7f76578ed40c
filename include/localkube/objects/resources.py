"""The resources that a cluster serves, and discovery, by which clients learn of them.

Anything else does not exist for a client (404), as on a cluster without that API.
"""

from dataclasses import dataclass

from localkube import __version__
from localkube.objects.object import Json

# fmt: off
VERSION: Json = {
    "major": "1", "minor": "36", "gitVersion": f"v1.36.0+localkube.{__version__}", "gitCommit": "",
    "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "none", "compiler": "python",
    "platform": "linux/amd64",
}
# fmt: on
_BELOW: dict[str, Json] = {
    "status": {"verbs": ["get", "patch", "update"]},
    "log": {"verbs": ["get"]},
    "eviction": {"verbs": ["create"], "kind": "Eviction", "group": "policy", "version": "v1"},
}
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True)
class Resource:
    """One kind of object: its names, its place in the API, and the fields that can be selected."""

    plural: str
    kind: str
    short: str = ""
    group: str = ""
    namespaced: bool = True
    subresources: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def root(self) -> str:
        """The path of its API."""
        return f"apis/{self.group}/v1" if self.group else "api/v1"

    @property
    def api_version(self) -> str:
        return f"{self.group}/v1" if self.group else "v1"


_POD_FIELDS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "status.phase",
    "status.podIP",
)
_INVOLVED = ("kind", "name", "namespace", "uid", "apiVersion", "resourceVersion", "fieldPath")
_EVENT_FIELDS = (*(f"involvedObject.{one}" for one in _INVOLVED), "reason", "reportingComponent", "type")
_STATUS = ("status",)
_ALL = (
    Resource("namespaces", "Namespace", "ns", "", False, _STATUS, ("status.phase",)),
    Resource("nodes", "Node", "no", "", False, _STATUS, ("spec.unschedulable",)),
    Resource("pods", "Pod", "po", subresources=("status", "log", "eviction"), fields=_POD_FIELDS),
    Resource("configmaps", "ConfigMap", "cm"),
    Resource("secrets", "Secret", fields=("type",)),
    Resource("serviceaccounts", "ServiceAccount", "sa"),
    Resource("resourcequotas", "ResourceQuota", "quota", subresources=_STATUS),
    Resource("events", "Event", "ev", fields=_EVENT_FIELDS),
    Resource("daemonsets", "DaemonSet", "ds", "apps", subresources=_STATUS),
    # Stored but not enforced, as in a cluster whose network plugin knows no policies.
    Resource("networkpolicies", "NetworkPolicy", "netpol", "networking.k8s.io"),
    Resource("jobs", "Job", "", "batch", subresources=_STATUS),
)
RESOURCES = {resource.plural: resource for resource in _ALL}


def _entries(one: Resource) -> list[Json]:
    common: Json = {"namespaced": one.namespaced, "kind": one.kind}
    entry = common | {"name": one.plural, "singularName": one.kind.lower(), "verbs": _VERBS}
    entry |= {"shortNames": [one.short]} if one.short else {}
    entry |= {"categories": ["all"]} if one.plural in ("pods", "jobs", "daemonsets") else {}
    below: Json = {"singularName": "", **common}
    return [entry, *(below | _BELOW[sub] | {"name": f"{one.plural}/{sub}"} for sub in one.subresources)]


def _discovery() -> dict[str, Json]:
    documents: dict[str, Json] = {"version": VERSION}
    documents["api"] = {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    groups: list[Json] = []
    for root, of_root in {one.root: one for one in _ALL}.items():
        version = of_root.api_version
        listed = [entry for one in _ALL if one.root == root for entry in _entries(one)]
        document = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version}
        documents[root] = document | {"resources": listed}
        if group := of_root.group:
            served = {"groupVersion": version, "version": "v1"}
            groups.append({"name": group, "versions": [served], "preferredVersion": served})
            documents[f"apis/{group}"] = {"kind": "APIGroup", "apiVersion": "v1", **groups[-1]}
    return documents | {"apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}}


DISCOVERY = _discovery()  # document by path below the cluster's root
