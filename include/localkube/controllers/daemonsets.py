"""The DaemonSet controller: one pod on every suitable node, replaced when its template changes."""

import hashlib
from collections import defaultdict

from localkube.controllers.controller import Controller
from localkube.controllers.events import Events
from localkube.controllers.garbage import delete
from localkube.controllers.scheduler import chosen, untolerated
from localkube.objects.defaults import admitted
from localkube.objects.object import Json, Key, Obj, encode
from localkube.objects.store import Event, Store

_TOLERATIONS = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
    for effect, keys in (
        ("NoExecute", ("not-ready", "unreachable")),
        ("NoSchedule", ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")),
    )
    for key in keys
]
_HASH = "controller-revision-hash"
Placed = dict[str, list[Obj]]  # the existing pods, by node


class DaemonSetController(Controller):
    """Reconciles DaemonSets."""

    component, period = "daemonset-controller", 0.05

    def __init__(self, store: Store, events: Events) -> None:
        super().__init__(store, events)
        store.subscribe("daemonsets", lambda event: self.enqueue(event.new.key("daemonsets")))
        store.subscribe("pods", self._note_pod)
        store.subscribe("nodes", lambda event: self._all())
        self._all()

    def _all(self) -> None:
        for one in self.store.objects("daemonsets"):
            self.enqueue(one.key("daemonsets"))

    def _note_pod(self, event: Event) -> None:
        owner = event.new.controller
        if owner.get("kind") == "DaemonSet":
            self.enqueue(("daemonsets", event.new.namespace, owner["name"]))

    def sync(self, key: Key) -> None:
        owner = self.store.get(*key)
        if owner is None or owner.deleting:
            return
        spec = admitted(owner["spec"]["template"]["spec"])
        spec["tolerations"] = [*spec["tolerations"], *_TOLERATIONS]
        nodes = [node for node in self.store.objects("nodes") if chosen(spec, node)]
        wanted = {node.name: spec | {"nodeName": node.name} for node in nodes if not untolerated(spec, node)}
        placed: Placed = defaultdict(list)
        for _, pod in self.store.dependents(owner):
            placed[pod["spec"]["nodeName"]].append(pod)
        revision = hashlib.sha256(encode(owner["spec"]["template"])).hexdigest()[:10]
        self._place(owner, wanted, {node.name for node in nodes}, placed, revision)
        kept = [pod for node in wanted for pod in placed[node] if not pod.finished]
        self._roll(owner, kept, revision)
        self._report(owner, wanted, placed, revision)

    def _place(
        self, owner: Obj, wanted: dict[str, Json], kept: set[str], placed: Placed, revision: str
    ) -> None:
        """Create missing pods; delete those that failed or are on nodes that were not chosen."""
        for node, pods in list(placed.items()):
            for pod in pods:
                if pod.finished and not pod.deleting:
                    where = f"{pod.namespace}/{pod.name} on node {node}"
                    told = f"Found failed daemon pod {where}, will try to kill it"
                    self.tell(owner, "FailedDaemonPod", told, warning=True)
                    delete(self.store, "pods", pod)
                elif not pod.deleting and node not in kept:
                    self._delete(owner, pod)
        for node, spec in wanted.items():
            if all(pod.finished and not pod.deleting for pod in placed[node]):
                labels = {_HASH: revision, "pod-template-generation": str(owner["metadata"]["generation"])}
                placed[node] = [self.create_pod(owner, f"{owner.name}-", spec, labels=labels)]

    def _delete(self, owner: Obj, pod: Obj) -> None:
        delete(self.store, "pods", pod)
        self.tell(owner, "SuccessfulDelete", f"Deleted pod: {pod.name}")

    def _roll(self, owner: Obj, pods: list[Obj], revision: str) -> None:
        """Replace pods of an older template, at most maxUnavailable at a time."""
        left = owner["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"]
        left -= sum(pod.deleting or not pod.is_true("Ready") for pod in pods)
        for pod in pods:
            if pod.labels.get(_HASH) != revision and not pod.deleting:
                left -= pod.is_true("Ready")
                if left >= 0 or not pod.is_true("Ready"):
                    self._delete(owner, pod)

    def _report(self, owner: Obj, wanted: dict[str, Json], placed: Placed, revision: str) -> None:
        alive = {node: pod for node, pods in placed.items() for pod in pods if not pod.finished}
        current = [alive[node] for node in wanted if node in alive]
        ready = sum(pod.is_true("Ready") and not pod.deleting for pod in current)
        status = {
            "currentNumberScheduled": len(current),
            "desiredNumberScheduled": len(wanted),
            "numberMisscheduled": len(alive.keys() - wanted.keys()),
            "numberReady": ready,
            "observedGeneration": owner["metadata"]["generation"],
            "updatedNumberScheduled": sum(pod.labels.get(_HASH) == revision for pod in current),
        }
        status |= {"numberAvailable": ready} if ready else {}
        status |= {"numberUnavailable": len(wanted) - ready} if len(wanted) > ready else {}
        self.report("daemonsets", owner, status)
