"""Nodes that cannot pull an image: their pods would be pending for ever, and say so only if one looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

HOPELESS = {"InvalidImageName", "ErrImageNeverPull"}
PULL_FAILURES = {"ErrImagePull", "ImagePullBackOff"}
PULL_TRIES = 5  # polls in a row that see a failed pull, before it is given up: registries stumble
LOOKED_AT = 100  # pods


class ImagePull:
    """What the polls of one wait have seen of pods whose image cannot be pulled."""

    def __init__(self, namespace: str, selector: str) -> None:
        self.namespace, self.selector = namespace, selector
        self._refused = 0

    def moves(self) -> None:
        """Note that pods start: whatever was refused before, was pulled."""
        self._refused = 0

    async def refusal(self, api: ApiClient) -> str | None:
        """Look at the pending pods; say which node cannot pull what and why, once there is no more hope."""
        from kubernetes_asyncio.client import CoreV1Api

        pods = await CoreV1Api(api).list_namespaced_pod(
            self.namespace,
            label_selector=self.selector,
            field_selector="status.phase=Pending",
            limit=LOOKED_AT,
        )
        refused = next((found for pod in pods.items if (found := _refused(pod))), None)
        self._refused = self._refused + 1 if refused else 0
        if refused is None or (refused[0] not in HOPELESS and self._refused < PULL_TRIES):
            return None
        return refused[1]


def _refused(pod: Any) -> tuple[str, str] | None:
    """Return reason and words of the first container of a pod whose image cannot be pulled."""
    statuses = (pod.status.init_container_statuses or []) + (pod.status.container_statuses or [])
    for status in statuses:
        waiting = status.state.waiting if status.state else None  # None once the image is there
        if waiting and waiting.reason in HOPELESS | PULL_FAILURES:
            why = f"{waiting.reason} {waiting.message or ''}".strip()
            return waiting.reason, f"node {pod.spec.node_name} cannot pull {status.image}: {why}"
    return None
