"""Binds pods to nodes that have room, and says why where none has.

Waiting pods are grouped by shape (their requests), oldest first: when the first of a shape fits nowhere, none
does, so freed capacity costs a look at each shape, not at each pod.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import islice

from localkube.controllers.controller import Controller
from localkube.controllers.events import Events
from localkube.objects.object import Amounts, Json, Key, Obj, amounts_of, quantity
from localkube.objects.store import Event, Store

_ROUND: Key = ("nodes", "", "")  # the one key of this controller: look at every shape
_BATCH = 200  # pods bound or notified in one round, so that a large Job does not hold up the API
_UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
Rank = tuple[tuple[float, int], str]  # how full a node is, and its name


@dataclass
class Load:
    """The requests of the pods on a node."""

    pods: dict[str, Amounts] = field(default_factory=dict)  # by uid
    used: Counter[str] = field(default_factory=Counter)

    def add(self, pod: Obj) -> None:
        if pod.uid not in self.pods:
            requests = self.pods[pod.uid] = amounts_of(pod["spec"], "requests")
            self.used.update(requests)

    def drop(self, uid: str) -> None:
        self.used.subtract(self.pods.pop(uid, {}))
        if not self.pods:
            self.used.clear()  # removes what rounding left

    def lacks(self, wanted: Amounts, room: dict[str, str]) -> str | None:
        """Return why a node with so much room cannot take such a pod as well."""
        if len(self.pods) + 1 > quantity(room.get("pods", 0)):
            return "Too many pods"
        for name, amount in wanted.items():
            if amount and self.used[name] + amount > quantity(room.get(name, 0)) + 1e-6:
                return f"Insufficient {name}"
        return None

    def fullness(self, room: dict[str, str]) -> tuple[float, int]:
        """Return the larger share of CPU and memory that is requested, and the number of pods."""
        shares = (self.used[kind] / max(quantity(room.get(kind, 0)), 1e-9) for kind in ("cpu", "memory"))
        return max(shares), len(self.pods)


class Scheduler(Controller):
    """Looks at every shape of waiting pods when a pod or node has changed."""

    component, period = "default-scheduler", 0.02  # since a round looks at every node

    def __init__(self, store: Store, events: Events) -> None:
        super().__init__(store, events)
        self._waiting: dict[str, dict[str, Key]] = defaultdict(dict)  # shape -> uid -> key
        self._untold: dict[str, dict[str, Key]] = defaultdict(dict)  # of those, who have not been told why
        self._shapes: dict[str, str] = {}  # uid -> shape
        self._loads: dict[str, Load] = defaultdict(Load)
        for pod in store.objects("pods"):
            self._take(pod)
        store.subscribe("pods", lambda event: self._take(event.new, gone=event.type == "DELETED"))
        store.subscribe("nodes", self._note_node)

    def _take(self, pod: Obj, gone: bool = False) -> None:
        uid, node, over = pod.uid, pod["spec"].get("nodeName"), gone or pod.finished
        if node and not over:
            self._loads[node].add(pod)
        elif node:
            self._loads[node].drop(uid)
            self.enqueue(_ROUND)
        elif over or pod.deleting:
            self._forget(uid)
        elif uid not in self._shapes:
            shape = self._shapes[uid] = _shape(pod["spec"])
            self._waiting[shape][uid] = self._untold[shape][uid] = pod.key("pods")
            self.enqueue(_ROUND)

    def _forget(self, uid: str) -> None:
        shape = self._shapes.pop(uid, "")
        for queue in (self._waiting, self._untold):
            queue[shape].pop(uid, None)

    def _note_node(self, event: Event) -> None:
        if event.type == "DELETED":
            self._loads.pop(event.new.name, None)
        self.enqueue(_ROUND)

    def sync(self, key: Key) -> None:
        nodes, left = self.store.objects("nodes"), _BATCH
        for shape in list(self._waiting):
            if self._waiting[shape]:
                left -= self._place(shape, nodes, left)
            else:
                del self._waiting[shape], self._untold[shape]
            if left <= 0:
                return self.enqueue(_ROUND)

    def _place(self, shape: str, nodes: list[Obj], most: int) -> int:
        """Bind pods of this shape while there is room, then notify the others; return how many of both."""
        waiting = list(islice(self._waiting[shape].items(), most))
        spec = self.store.existing(*waiting[0][1])["spec"]
        requests = amounts_of(spec, "requests")
        problems = {node.name: _unsuitable(spec, node) for node in nodes}
        fit = [node for node in nodes if problems[node.name] is None]
        rooms = {node.name: node.at("status.allocatable") or {} for node in fit}
        free = [found for name, room in rooms.items() if (found := self._rank(name, requests, room))]
        heapify(free)
        for done, (uid, key) in enumerate(waiting):
            if not free:
                problems |= {name: self._loads[name].lacks(requests, room) for name, room in rooms.items()}
                reasons = sorted(Counter(filter(None, problems.values())).items())
                listed = ", ".join(f"{count} {reason}" for reason, count in reasons)
                why = f"0/{len(nodes)} nodes are available" + (f": {listed}." if listed else ".")
                return done + self._tell(shape, why, most - done)
            _, node = heappop(free)
            self._forget(uid)
            self._bind(self.store.existing(*key), node)
            if found := self._rank(node, requests, rooms[node]):
                heappush(free, found)
        return len(waiting)

    def _rank(self, node: str, requests: Amounts, room: dict[str, str]) -> Rank | None:
        """Rank a node, emptier ones first; return None for one without room for such a pod."""
        load = self._loads[node]
        return None if load.lacks(requests, room) else (load.fullness(room), node)

    def _bind(self, pod: Obj, node: str) -> None:
        bound = pod.replaced(spec={**pod["spec"], "nodeName": node}).with_condition("PodScheduled", True)
        bound = self.store.update("pods", bound)
        self.tell(bound, "Scheduled", f"Successfully assigned {pod.namespace}/{pod.name} to {node}")

    def _tell(self, shape: str, why: str, most: int) -> int:
        """Tell pods of this shape why they wait, each of them once; return how many."""
        told = list(islice(self._untold[shape].items(), most))
        for uid, key in told:
            del self._untold[shape][uid]
            pod = self.store.existing(*key)
            self.tell(pod, "FailedScheduling", why, warning=True)
            self.store.update("pods", pod.with_condition("PodScheduled", False, "Unschedulable", why))
        return len(told)


def chosen(spec: Json, node: Obj) -> bool:
    """Return whether a pod asks for this node, or for none in particular."""
    selected = (spec.get("nodeSelector") or {}).items() <= node.labels.items()
    return selected and spec.get("nodeName") in (None, "", node.name)


def untolerated(spec: Json, node: Obj) -> str | None:
    """Return why a node's taints keep such a pod away, if they do."""
    if node.at("spec.unschedulable") and not _tolerated(_UNSCHEDULABLE, spec):
        return "node(s) were unschedulable"
    for taint in node.at("spec.taints") or ():
        if taint["effect"] != "PreferNoSchedule" and not _tolerated(taint, spec):
            return f"node(s) had untolerated taint(s) {{{taint['key']}: {taint.get('value', '')}}}"
    return None


def _shape(spec: Json) -> str:
    parts = [spec.get(part) for part in ("nodeSelector", "tolerations")]
    return json.dumps([amounts_of(spec, "requests"), *parts])


def _unsuitable(spec: Json, node: Obj) -> str | None:
    """Return why a pod may not be bound to a node, room aside."""
    if not chosen(spec, node):
        return "node(s) didn't match Pod's node affinity/selector"
    not_ready = "node(s) had untolerated taint(s) {node.kubernetes.io/not-ready: }"
    return untolerated(spec, node) or (None if node.is_true("Ready") else not_ready)


def _tolerated(taint: Json, spec: Json) -> bool:
    return any(
        one.get("effect") in (None, "", taint["effect"])
        and one.get("key") in (None, "", taint["key"])
        and (one.get("operator") == "Exists" or one.get("value", "") == taint.get("value", ""))
        for one in spec.get("tolerations") or ()
    )
