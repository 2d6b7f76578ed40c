"""The DaemonSet controller: one pod on every node that suits, replaced when its template changes."""

from __future__ import annotations

import hashlib
from collections import defaultdict

from localkube.controller import Controller
from localkube.defaults import admitted, pod_of
from localkube.events import Events
from localkube.garbage import delete
from localkube.objects import (
    Obj,
    controller_of,
    deleting,
    finished,
    is_true,
    labels_of,
    lookup,
    name_of,
    namespace_of,
)
from localkube.scheduler import suits
from localkube.store import Event, Store, encode, generated_name

_TOLERATIONS = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
    for key, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    )
]
_HASH = "controller-revision-hash"


class DaemonSetController(Controller[tuple[str, str]]):
    """Keys are (namespace, name) of DaemonSets."""

    period = 0.05

    def __init__(self, store: Store, events: Events) -> None:
        super().__init__()
        self._store, self._events = store, events
        store.subscribe(
            "daemonsets", lambda event: self.enqueue((namespace_of(event.new), name_of(event.new)))
        )
        store.subscribe("pods", self._note_pod)
        store.subscribe("nodes", lambda event: self._all())
        self._all()

    def _all(self) -> None:
        for one in self._store.objects("daemonsets"):
            self.enqueue((namespace_of(one), name_of(one)))

    def _note_pod(self, event: Event) -> None:
        owner = controller_of(event.new)
        if owner and owner["kind"] == "DaemonSet":
            self.enqueue((namespace_of(event.new), owner["name"]))

    def sync(self, key: tuple[str, str]) -> None:
        owner = self._store.get("daemonsets", *key)
        if owner is None or deleting(owner):
            return
        revision = hashlib.sha256(encode(owner["spec"]["template"])).hexdigest()[:10]
        wanted = {name_of(node): _spec(owner, name_of(node)) for node in self._store.objects("nodes")}
        wanted = {
            node: spec
            for node, spec in wanted.items()
            if suits(spec, self._store.record("nodes", "", node).data)
        }
        placed: dict[str, list[Obj]] = defaultdict(list)
        for resource, namespace, name in sorted(self._store.owned.get(owner["metadata"]["uid"], ())):
            pod = self._store.get(resource, namespace, name)
            if pod is not None:
                placed[_node_of(pod)].append(pod)
        self._place(owner, wanted, placed, revision)
        self._roll(owner, wanted, placed, revision)
        self._report(owner, wanted, placed, revision)

    def _place(self, owner: Obj, wanted: dict[str, Obj], placed: dict[str, list[Obj]], revision: str) -> None:
        for node in wanted:
            alive = [pod for pod in placed[node] if not finished(pod) or deleting(pod)]
            for pod in placed[node]:
                if finished(pod) and not deleting(pod):
                    self._events.record(
                        owner,
                        "FailedDaemonPod",
                        f"Found failed daemon pod {namespace_of(pod)}/"
                        f"{name_of(pod)} on node {node}, will try to kill it",
                        "daemonset-controller",
                        True,
                    )
                    delete(self._store, "pods", pod)
            if not alive:
                name = generated_name(f"{name_of(owner)}-")
                labels = {_HASH: revision, "pod-template-generation": str(owner["metadata"]["generation"])}
                prefix = f"{name_of(owner)}-"
                pod = pod_of(owner["spec"]["template"], owner, prefix, name, wanted[node], labels=labels)
                placed[node] = [self._store.create("pods", pod)]
                self._events.record(owner, "SuccessfulCreate", f"Created pod: {name}", "daemonset-controller")
        for node, pods in placed.items():
            for pod in pods if node not in wanted else ():
                if not deleting(pod):
                    delete(self._store, "pods", pod)
                    self._events.record(
                        owner, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", "daemonset-controller"
                    )

    def _roll(self, owner: Obj, wanted: dict[str, Obj], placed: dict[str, list[Obj]], revision: str) -> None:
        """Replace pods of an older template, at most maxUnavailable at a time."""
        strategy = owner["spec"]["updateStrategy"]
        if strategy["type"] != "RollingUpdate":
            return
        most = strategy["rollingUpdate"].get("maxUnavailable", 1)
        if isinstance(most, str):
            most = max(1, -(-int(most.rstrip("%")) * len(wanted) // 100))
        pods = [pod for node in wanted for pod in placed[node]]
        unavailable = sum(not is_true(pod, "Ready") or deleting(pod) for pod in pods)
        old = [pod for pod in pods if labels_of(pod).get(_HASH) != revision and not deleting(pod)]
        for pod in sorted(old, key=lambda pod: is_true(pod, "Ready")):
            if is_true(pod, "Ready"):
                if unavailable >= most:
                    break
                unavailable += 1
            delete(self._store, "pods", pod)

    def _report(
        self, owner: Obj, wanted: dict[str, Obj], placed: dict[str, list[Obj]], revision: str
    ) -> None:
        alive = {node: [pod for pod in pods if not finished(pod)] for node, pods in placed.items()}
        on_wanted = [pods[0] for node, pods in alive.items() if node in wanted and pods]
        ready = sum(is_true(pod, "Ready") and not deleting(pod) for pod in on_wanted)
        status = {
            "currentNumberScheduled": len(on_wanted),
            "desiredNumberScheduled": len(wanted),
            "numberMisscheduled": sum(bool(pods) and node not in wanted for node, pods in alive.items()),
            "numberReady": ready,
            "observedGeneration": owner["metadata"]["generation"],
            "updatedNumberScheduled": sum(labels_of(pod).get(_HASH) == revision for pod in on_wanted),
        }
        status |= {"numberAvailable": ready} if ready else {}
        status |= {"numberUnavailable": len(wanted) - ready} if len(wanted) > ready else {}
        self._store.update("daemonsets", {**owner, "status": status})


def _spec(owner: Obj, node: str) -> Obj:
    """The template's pod spec, tied to one node and tolerating what daemons tolerate."""
    spec = admitted(owner["spec"]["template"]["spec"])
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity = spec.get("affinity") or {}
    terms = lookup(affinity, "nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms")
    terms = [{**one, **term} for one in terms] if terms else [term]
    return {
        **spec,
        "tolerations": [*spec["tolerations"], *_TOLERATIONS],
        "affinity": {
            **affinity,
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}},
        },
    }


def _node_of(pod: Obj) -> str:
    terms = lookup(
        pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
    )
    return str(pod["spec"].get("nodeName") or terms[0]["matchFields"][0]["values"][0])
