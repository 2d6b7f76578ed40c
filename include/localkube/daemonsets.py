"""The DaemonSet controller: one pod on every node that suits, replaced when its template changes."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass

from localkube.controller import Controller, Events
from localkube.defaults import admitted, pod_of
from localkube.garbage import delete
from localkube.objects import (
    Key,
    Obj,
    controller_of,
    deleting,
    finished,
    is_true,
    key_of,
    labels_of,
    name_of,
    namespace_of,
)
from localkube.scheduler import node_of, suits, tied_to
from localkube.store import Event, Store, encode, generated_name

_TOLERATIONS = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
    for effect, keys in (
        ("NoExecute", ("not-ready", "unreachable")),
        ("NoSchedule", ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")),
    )
    for key in keys
]
_HASH = "controller-revision-hash"


@dataclass
class _Daemons:
    """A DaemonSet, the spec of its pod on each node that suits, and the pods there are on each node."""

    owner: Obj
    wanted: dict[str, Obj]
    placed: dict[str, list[Obj]]
    revision: str


class DaemonSetController(Controller):
    """Works off DaemonSets."""

    component, period = "daemonset-controller", 0.05

    def __init__(self, store: Store, events: Events) -> None:
        super().__init__(store, events)
        store.subscribe("daemonsets", lambda event: self.enqueue(key_of("daemonsets", event.new)))
        store.subscribe("pods", self._note_pod)
        store.subscribe("nodes", lambda event: self._all())
        self._all()

    def _all(self) -> None:
        for one in self._store.objects("daemonsets"):
            self.enqueue(key_of("daemonsets", one))

    def _note_pod(self, event: Event) -> None:
        owner = controller_of(event.new)
        if owner.get("kind") == "DaemonSet":
            self.enqueue(("daemonsets", namespace_of(event.new), owner["name"]))

    def sync(self, key: Key) -> None:
        owner = self._store.get(*key)
        if owner is None or deleting(owner):
            return
        spec = admitted(owner["spec"]["template"]["spec"])
        spec["tolerations"] = [*spec["tolerations"], *_TOLERATIONS]
        nodes = [name_of(node) for node in self._store.objects("nodes") if suits(spec, node)]
        wanted = {node: tied_to(spec, node) for node in nodes}
        placed: dict[str, list[Obj]] = defaultdict(list)
        for _, pod in self._store.dependents(owner):
            placed[node_of(pod["spec"])].append(pod)
        revision = hashlib.sha256(encode(owner["spec"]["template"])).hexdigest()[:10]
        daemons = _Daemons(owner, wanted, placed, revision)
        self._place(daemons)
        self._roll(daemons)
        self._report(daemons)

    def _place(self, daemons: _Daemons) -> None:
        """Make the pods that are missing, delete those that failed or are on nodes that do not suit."""
        owner, placed = daemons.owner, daemons.placed
        for node in list(placed):
            for pod in placed[node]:
                if not deleting(pod) and finished(pod):
                    message = (
                        f"Found failed daemon pod {namespace_of(pod)}/{name_of(pod)} on node {node}, "
                        "will try to kill it"
                    )
                    self.tell(owner, "FailedDaemonPod", message, warning=True)
                    delete(self._store, "pods", pod)
                elif not deleting(pod) and node not in daemons.wanted:
                    delete(self._store, "pods", pod)
                    self.tell(owner, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")
        for node, spec in daemons.wanted.items():
            if all(finished(pod) and not deleting(pod) for pod in placed[node]):
                prefix = f"{name_of(owner)}-"
                name = generated_name(prefix)
                generation = str(owner["metadata"]["generation"])
                labels = {_HASH: daemons.revision, "pod-template-generation": generation}
                pod = pod_of(owner["spec"]["template"], owner, prefix, name, spec, labels=labels)
                placed[node] = [self._store.create("pods", pod)]
                self.tell(owner, "SuccessfulCreate", f"Created pod: {name}")

    def _roll(self, daemons: _Daemons) -> None:
        """Replace pods of an older template, at most maxUnavailable at a time."""
        strategy = daemons.owner["spec"]["updateStrategy"]
        if strategy["type"] != "RollingUpdate":
            return
        most = strategy["rollingUpdate"]["maxUnavailable"]
        if isinstance(most, str):
            most = max(1, -(-int(most.rstrip("%")) * len(daemons.wanted) // 100))
        pods = [pod for node in daemons.wanted for pod in daemons.placed[node]]
        unavailable = sum(not is_true(pod, "Ready") or deleting(pod) for pod in pods)
        old = [pod for pod in pods if labels_of(pod).get(_HASH) != daemons.revision and not deleting(pod)]
        for pod in sorted(old, key=lambda pod: is_true(pod, "Ready")):
            unavailable += is_true(pod, "Ready")
            if is_true(pod, "Ready") and unavailable > most:
                break
            delete(self._store, "pods", pod)

    def _report(self, daemons: _Daemons) -> None:
        owner, wanted = daemons.owner, daemons.wanted
        alive = {node: [pod for pod in pods if not finished(pod)] for node, pods in daemons.placed.items()}
        current = [alive[node][0] for node in wanted if alive.get(node)]
        ready = sum(is_true(pod, "Ready") and not deleting(pod) for pod in current)
        status = {
            "currentNumberScheduled": len(current),
            "desiredNumberScheduled": len(wanted),
            "numberMisscheduled": sum(bool(pods) and node not in wanted for node, pods in alive.items()),
            "numberReady": ready,
            "observedGeneration": owner["metadata"]["generation"],
            "updatedNumberScheduled": sum(labels_of(pod).get(_HASH) == daemons.revision for pod in current),
        }
        status |= {"numberAvailable": ready} if ready else {}
        status |= {"numberUnavailable": len(wanted) - ready} if len(wanted) > ready else {}
        self._store.update("daemonsets", {**owner, "status": status})
