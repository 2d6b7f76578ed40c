"""Binds pods to nodes that have room, and says why where none has.

Waiting pods are kept by shape (what they ask for), oldest first: when the first of a shape fits nowhere, none
of them does, so freed capacity costs a look at each shape and not at each pod.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice

from localkube.controller import Controller
from localkube.events import Events
from localkube.objects import (
    Obj,
    deleting,
    finished,
    is_true,
    labels_of,
    lookup,
    name_of,
    namespace_of,
    quantity,
    set_condition,
    with_status,
)
from localkube.selectors import expressions_hold
from localkube.store import Event, Store

_RESOURCES = ("cpu", "memory", "ephemeral-storage")
_ROUND = "schedule"
_BATCH = 200  # pods bound or told in one round, so that a large Job does not hold up the API
_UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


@dataclass
class Load:
    """What the pods on a node have asked for."""

    pods: dict[str, dict[str, float]] = field(default_factory=dict)  # uid -> requests
    used: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_RESOURCES, 0.0))

    def add(self, uid: str, requests: dict[str, float]) -> None:
        if uid not in self.pods:
            self.pods[uid] = requests
            for name in _RESOURCES:
                self.used[name] += requests[name]

    def drop(self, uid: str) -> None:
        requests = self.pods.pop(uid, None)
        for name in _RESOURCES if requests else ():
            self.used[name] -= (requests or {})[name]
        if not self.pods:
            self.used = dict.fromkeys(_RESOURCES, 0.0)


class Scheduler(Controller[str]):
    """One round looks at every shape of waiting pods; a pod or node that changes asks for a round."""

    def __init__(self, store: Store, events: Events) -> None:
        super().__init__()
        self._store, self._events = store, events
        self._waiting: dict[str, dict[str, tuple[str, str]]] = {}  # shape -> uid -> namespace, name
        self._untold: dict[
            str, dict[str, tuple[str, str]]
        ] = {}  # as above: who does not know yet that it must wait
        self._shapes: dict[str, str] = {}  # uid -> shape
        self._loads: dict[str, Load] = {}
        for pod in store.objects("pods"):
            self._take(pod)
        store.subscribe("pods", lambda event: self._take(event.new, gone=event.type == "DELETED"))
        store.subscribe("nodes", self._note_node)

    def _take(self, pod: Obj, gone: bool = False) -> None:
        uid, node = pod["metadata"]["uid"], pod["spec"].get("nodeName")
        if node:
            if gone or finished(pod):
                self._loads.setdefault(node, Load()).drop(uid)
                self.enqueue(_ROUND)
            else:
                self._loads.setdefault(node, Load()).add(uid, requests_of(pod["spec"]))
        elif gone or deleting(pod) or finished(pod):
            shape = self._shapes.pop(uid, None)
            if shape is not None:
                self._forget(shape, uid)
        elif uid not in self._shapes:
            shape = self._shapes[uid] = _shape(pod)
            for queue in (self._waiting, self._untold):
                queue.setdefault(shape, {})[uid] = (namespace_of(pod), name_of(pod))
            self.enqueue(_ROUND)

    def _forget(self, shape: str, uid: str) -> None:
        self._shapes.pop(uid, None)
        for queue in (self._waiting, self._untold):
            queue.get(shape, {}).pop(uid, None)

    def _note_node(self, event: Event) -> None:
        if event.type == "DELETED":
            self._loads.pop(name_of(event.new), None)
        self.enqueue(_ROUND)

    def sync(self, key: str) -> None:
        nodes, left = self._store.objects("nodes"), _BATCH
        for shape in list(self._waiting):
            left -= self._place(shape, nodes, left)
            if not self._waiting[shape]:
                del self._waiting[shape], self._untold[shape]
            if left <= 0:
                return self.enqueue(_ROUND)

    def _place(self, shape: str, nodes: list[Obj], most: int) -> int:
        """Bind pods of this shape while there is room, then tell the others; how many were bound or told."""
        suitable: list[Obj] | None = None
        reasons: Counter[str] = Counter()
        waiting = list(islice(self._waiting[shape].items(), most))
        for done, (uid, where) in enumerate(waiting):
            pod = self._store.get("pods", *where)
            if pod is None or pod["metadata"]["uid"] != uid:
                self._forget(shape, uid)
                continue
            if suitable is None:
                problems = [(node, _unsuitable(pod["spec"], node) or _not_ready(node)) for node in nodes]
                suitable = [node for node, problem in problems if problem is None]
                reasons.update(problem for _, problem in problems if problem is not None)
            node, full = self._emptiest(requests_of(pod["spec"]), suitable)
            if node is None:
                listed = ", ".join(f"{count} {reason}" for reason, count in sorted((reasons + full).items()))
                why = f"0/{len(nodes)} nodes are available" + (f": {listed}." if listed else ".")
                return done + self._tell(shape, why, most - done)
            self._forget(shape, uid)
            self._bind(pod, node)
        return len(waiting)

    def _emptiest(self, wanted: dict[str, float], nodes: list[Obj]) -> tuple[Obj | None, Counter[str]]:
        """The node with the most room left, or why there is none."""
        full: Counter[str] = Counter()
        best: tuple[tuple[float, int, str], Obj] | None = None
        for node in nodes:
            name, room = name_of(node), node["status"]["allocatable"]
            load = self._loads.setdefault(name, Load())
            problem = _full(wanted, room, load)
            if problem:
                full[problem] += 1
                continue
            share = max(
                load.used[kind] / max(quantity(room.get(kind, 0)), 1e-9) for kind in ("cpu", "memory")
            )
            rank = (share, len(load.pods), name)
            if best is None or rank < best[0]:
                best = rank, node
        return best[1] if best else None, full

    def _bind(self, pod: Obj, node: Obj) -> None:
        pod = {**pod, "spec": {**pod["spec"], "nodeName": name_of(node)}}
        conditions = set_condition(pod["status"].get("conditions") or (), "PodScheduled", True)
        pod = self._store.update("pods", with_status(pod, conditions=conditions))
        self._events.record(
            pod,
            "Scheduled",
            f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {name_of(node)}",
            "default-scheduler",
        )

    def _tell(self, shape: str, why: str, most: int) -> int:
        """Tell pods of this shape why they wait, each of them once; returns how many were told."""
        told = list(islice(self._untold[shape].items(), most))
        for uid, where in told:
            del self._untold[shape][uid]
            pod = self._store.get("pods", *where)
            if pod is not None:
                conditions = set_condition(
                    pod["status"].get("conditions") or (), "PodScheduled", False, "Unschedulable", why
                )
                self._events.record(pod, "FailedScheduling", why, "default-scheduler", warning=True)
                self._store.update("pods", with_status(pod, conditions=conditions))
        return len(told)


def requests_of(spec: Obj) -> dict[str, float]:
    """What a pod asks for: the sum of its containers, or one init container if that asks for more."""

    def asked(container: Obj, name: str) -> float:
        return quantity(((container.get("resources") or {}).get("requests") or {}).get(name) or 0)

    return {
        name: max(
            [
                sum(asked(one, name) for one in spec["containers"]),
                *(asked(one, name) for one in spec.get("initContainers") or ()),
            ]
        )
        for name in _RESOURCES
    }


def suits(spec: Obj, node: Obj) -> bool:
    """Whether a pod may run on a node, room and readiness aside."""
    return spec.get("nodeName") in (None, "", name_of(node)) and _unsuitable(spec, node) is None


def _shape(pod: Obj) -> str:
    spec = pod["spec"]
    return json.dumps(
        [requests_of(spec), spec.get("nodeSelector"), spec.get("affinity"), spec.get("tolerations")]
    )


def _unsuitable(spec: Obj, node: Obj) -> str | None:
    labels = labels_of(node)
    terms = lookup(
        spec, "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
    )
    matches = all(labels.get(key) == value for key, value in (spec.get("nodeSelector") or {}).items())
    if not matches or (terms is not None and not any(_term_holds(term, node) for term in terms)):
        return "node(s) didn't match Pod's node affinity/selector"
    taints = list(lookup(node, "spec.taints") or ())
    if lookup(node, "spec.unschedulable") and not _tolerated(_UNSCHEDULABLE, spec):
        return "node(s) were unschedulable"
    for taint in taints:
        if taint["effect"] != "PreferNoSchedule" and not _tolerated(taint, spec):
            return f"node(s) had untolerated taint(s) {{{taint['key']}: {taint.get('value', '')}}}"
    return None


def _not_ready(node: Obj) -> str | None:
    return (
        None
        if is_true(node, "Ready")
        else "node(s) had untolerated taint(s) {node.kubernetes.io/not-ready: }"
    )


def _term_holds(term: Obj, node: Obj) -> bool:
    return expressions_hold(term.get("matchExpressions") or (), labels_of(node)) and expressions_hold(
        term.get("matchFields") or (), {"metadata.name": name_of(node)}
    )


def _tolerated(taint: Obj, spec: Obj) -> bool:
    for one in spec.get("tolerations") or ():
        if (
            one.get("effect") in (None, "", taint["effect"])
            and one.get("key") in (None, "", taint["key"])
            and (one.get("operator") == "Exists" or one.get("value", "") == taint.get("value", ""))
        ):
            return True
    return False


def _full(wanted: dict[str, float], room: dict[str, str], load: Load) -> str | None:
    if len(load.pods) + 1 > quantity(room.get("pods", 0)):
        return "Too many pods"
    for name in _RESOURCES:
        if wanted[name] and load.used[name] + wanted[name] > quantity(room.get(name, 0)) + 1e-6:
            return f"Insufficient {name}"
    return None
