"""Waiting until the nodes of a cluster hold the image."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from higgsdemo.kubernetes.labels import selector
from higgsdemo.triggers.image_pull import ImagePull
from higgsdemo.triggers.polling import PollingTrigger

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient


STALLED = 900.0  # s without another node; then those that hold the image are enough: it only saves time


class PrepullTrigger(PollingTrigger):
    """Poll the prepull DaemonSet until it is ready on every node, or on no more for long.

    :param daemon_set: its name.
    """

    def __init__(
        self, assignment: dict[str, Any], poll_seconds: float, deadline: float | None, daemon_set: str
    ) -> None:
        super().__init__(assignment, poll_seconds, deadline)
        self.daemon_set = daemon_set
        self._ready, self._since = -1, 0.0
        run = self.planned.run
        component = "app.kubernetes.io/component=prepull"
        self._pull = ImagePull(
            self.planned.cluster.namespace, f"{selector(run.campaign, run.name)},{component}"
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger's class and arguments, which the triggerer makes it from."""
        path, arguments = super().serialize()
        return path, arguments | {"daemon_set": self.daemon_set}

    async def poll(self, api: ApiClient) -> dict[str, Any] | None:
        """Compare the nodes that are ready with those that should be; look at the pods when none moves."""
        from kubernetes_asyncio.client import AppsV1Api

        namespace = self.planned.cluster.namespace
        found = await AppsV1Api(api).read_namespaced_daemon_set_status(self.daemon_set, namespace)
        status = found.status
        wanted, ready = status.desired_number_scheduled or 0, status.number_ready or 0
        if wanted and ready == wanted and (status.observed_generation or 0) >= found.metadata.generation:
            return {"nodes": wanted}
        if ready != self._ready:
            self._ready, self._since = ready, time.monotonic()
            self._pull.moves()
            self.log.info("image is on %d of %d nodes", ready, wanted)
            return None
        if refusal := await self._pull.refusal(api):
            return {"error": refusal}
        if ready and time.monotonic() - self._since > STALLED:
            self.log.warning("%d nodes are full, or not ready: their pods pull the image", wanted - ready)
            return {"nodes": ready}
        return None

    async def stop(self, api: ApiClient) -> None:
        """Remove the DaemonSet: its pods would hold the nodes for nothing."""
        from kubernetes_asyncio.client import AppsV1Api

        run = self.planned.run
        await AppsV1Api(api).delete_collection_namespaced_daemon_set(
            self.planned.cluster.namespace, label_selector=selector(run.campaign, run.name)
        )
