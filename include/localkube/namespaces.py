"""What every namespace has from the start: its default service account and the cluster's CA."""

from __future__ import annotations

from localkube.controller import Controller
from localkube.defaults import with_defaults
from localkube.objects import Obj, deleting, name_of, namespace_of
from localkube.store import Event, Store

_FIRST = ("default", "kube-node-lease", "kube-public", "kube-system")


class NamespaceController(Controller[str]):
    """Keeps the default service account and kube-root-ca.crt in every namespace; keys are their names."""

    def __init__(self, store: Store, authority: str) -> None:
        super().__init__()
        self._store, self._authority = store, authority
        store.subscribe("namespaces", lambda event: self.enqueue(name_of(event.new)))
        for resource in ("serviceaccounts", "configmaps"):
            store.subscribe(resource, self._note)

    def found(self) -> None:
        """Make the namespaces of a new cluster."""
        for name in _FIRST:
            self._store.create(
                "namespaces",
                with_defaults(
                    "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
                ),
            )

    def _note(self, event: Event) -> None:
        if event.type == "DELETED":
            self.enqueue(namespace_of(event.new))

    def sync(self, key: str) -> None:
        namespace = self._store.get("namespaces", "", key)
        if namespace is None or deleting(namespace):
            return
        self._keep(
            "serviceaccounts",
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": key}},
        )
        self._keep(
            "configmaps",
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "data": {"ca.crt": self._authority},
                "metadata": {"name": "kube-root-ca.crt", "namespace": key},
            },
        )

    def _keep(self, resource: str, obj: Obj) -> None:
        if self._store.get(resource, namespace_of(obj), name_of(obj)) is None:
            self._store.create(resource, obj)
