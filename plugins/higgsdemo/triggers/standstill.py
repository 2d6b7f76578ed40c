"""Find out why no pod of ours runs, and when there is no hope that one will.

A node that is too small, a missing Secret, an exhausted quota, an admission that refuses, an image that
cannot be pulled: Kubernetes retries all of them forever, and gives the reason only in the pending pods, or in
the events of a pod and of the objects that create pods.
"""

import re
import time
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from kubernetes_asyncio.client import ApiClient, CoreV1Api

from higgsdemo.triggers.polling import passing_over
from higgsdemo.wording import printable

NEVER_PULLED = {"InvalidImageName", "ErrImageNeverPull"}
PULL_FAILURES = {"ErrImagePull", "ImagePullBackOff"}
PULL_TRIES = 5  # polls in a row with a failed pull before it is given up: registries stumble
BEGINS = {"ContainerCreating", "PodInitializing"}
NODES_COME = {"TriggeredScaleUp", "Nominated"}  # events of the cluster autoscaler, of Karpenter
LONGER = 4  # times the patience where nodes are added or a queue holds the Jobs
TOLD_AFTER = 15.0  # s: every pod waits a moment, which nobody needs to know
LOOKED_AT = 100  # pods, and events of one object
MAKERS = 3  # Jobs that are asked why they have no pods: enough to see why
UNKNOWN = "the cluster does not say why"
NO_RIGHT = "why is in its events, which this account may not list (deploy/kubernetes/access.yaml)"


class Hope(IntEnum):
    """How long it is worth waiting."""

    NONE = 0
    LITTLE = 1
    SOME = 2
    MUCH = 3


class Obstacle(NamedTuple):
    """What keeps pods from running, and the hope that it passes."""

    why: str
    hope: Hope = Hope.SOME


class Standstill:
    """What one wait has seen while no pod ran, until it is given up after so many hours."""

    def __init__(self, namespace: str, selector: str, hours: float) -> None:
        self.namespace, self.selector, self.hours = namespace, selector, hours
        self._since: float | None = None
        self._refused = 0
        self._why = ""

    def begin(self, seconds: float) -> None:
        """Note that no pod has run for so long already."""
        self._since = time.monotonic() - seconds

    def end(self) -> None:
        """Note that pods run, or the nodes pull: the obstacle has passed."""
        self._since, self._refused, self._why = None, 0, ""

    @property
    def told(self) -> str | None:
        """Why no pod runs, once that has lasted a moment."""
        return self._why if self._since is not None and self.seconds >= TOLD_AFTER else None

    @property
    def seconds(self) -> float:
        return 0.0 if self._since is None else time.monotonic() - self._since

    async def look(
        self, api: ApiClient, makers: Sequence[str], known: Obstacle | None = None
    ) -> Obstacle | None:
        """Find the obstacle, if unknown, by the uids of what makes pods; return it once it lasts too long."""
        if self._since is None:
            self.begin(0.0)
        found = known or await self._obstacle(api, makers)
        self._why = found.why
        self._refused = self._refused + 1 if found.hope == Hope.LITTLE else 0
        if found.hope == Hope.NONE or self._refused >= PULL_TRIES:
            return found
        patience = self.hours * (LONGER if found.hope == Hope.MUCH else 1)
        return found if self.seconds >= patience * 3600 else None

    async def _obstacle(self, api: ApiClient, makers: Sequence[str]) -> Obstacle:
        pods = await CoreV1Api(api).list_namespaced_pod(
            self.namespace,
            label_selector=self.selector,
            field_selector="status.phase=Pending",
            limit=LOOKED_AT,
        )
        waiting = [found for pod in pods.items for found in _waiting_containers(pod)]
        if waiting:
            return min(waiting, key=lambda one: one.hope)
        if not pods.items:
            return await self._said(api, makers[:MAKERS]) or Obstacle(UNKNOWN)
        pod = pods.items[0]
        said = await self._said(api, [pod.metadata.uid])
        unplaced = next((one.message for one in pod.status.conditions or [] if _is_unplaced(one)), None)
        if unplaced and (said is None or said.hope != Hope.MUCH):
            return Obstacle(f"no node takes pod {pod.metadata.name}: {printable(unplaced)}")
        return said or Obstacle(f"pod {pod.metadata.name} waits: {UNKNOWN}")

    async def _said(self, api: ApiClient, uids: Sequence[str]) -> Obstacle | None:
        """Return the latest event of these objects that reports trouble, or nodes being added."""
        for uid in uids:
            events = None
            with passing_over(403):
                listed = await CoreV1Api(api).list_namespaced_event(
                    self.namespace, field_selector=f"involvedObject.uid={uid}", limit=LOOKED_AT
                )
                events = [one for one in listed.items if one.type == "Warning" or one.reason in NODES_COME]
            if events is None:
                return Obstacle(NO_RIGHT)
            if events:
                return _of_event(max(events, key=_time))
        return None


def _waiting_containers(pod: Any) -> list[Obstacle]:
    """Return why containers of a pod do not start, except those that are just starting."""
    found = []
    for status in (pod.status.init_container_statuses or []) + (pod.status.container_statuses or []):
        waiting = status.state.waiting if status.state else None
        if waiting is None or waiting.reason is None or waiting.reason in BEGINS:
            continue
        why = printable(f"{waiting.reason} {waiting.message or ''}".strip())
        if waiting.reason in NEVER_PULLED | PULL_FAILURES:
            hope = Hope.NONE if waiting.reason in NEVER_PULLED else Hope.LITTLE
            found.append(Obstacle(f"node {pod.spec.node_name} cannot pull {status.image}: {why}", hope))
        else:
            found.append(Obstacle(f"container {status.name} of pod {pod.metadata.name} waits: {why}"))
    return found


def _is_unplaced(condition: Any) -> bool:
    return bool(condition.type == "PodScheduled" and condition.status == "False" and condition.message)


def _of_event(event: Any) -> Obstacle:
    about, hope = event.involved_object, Hope.MUCH if event.reason in NODES_COME else Hope.SOME
    # Each retry names another pod, which would turn the same reason into a new one.
    message = re.sub(r'pods? "[^"]*" is', "a pod is", event.message or "")
    return Obstacle(printable(f"{about.kind} {about.name}: {event.reason} {message}"), hope)


def _time(event: Any) -> float:
    when = event.last_timestamp or event.event_time or event.metadata.creation_timestamp
    return float(when.timestamp()) if when else 0.0
