"""Wait until the nodes of a cluster hold the image."""

from typing import Any

from kubernetes_asyncio.client import ApiClient, AppsV1Api

from higgsdemo.kubernetes.names import selector
from higgsdemo.triggers.polling import PollingTrigger
from higgsdemo.triggers.standstill import Hope, Standstill

STALLED = 0.25  # hours without another ready node; then the run goes on, since pulling only saves time


class PrepullTrigger(PollingTrigger):
    """Poll the prepull DaemonSet until it is ready on every node, or no further node becomes ready."""

    kept = (*PollingTrigger.kept, "daemon_set")

    def __init__(
        self, assignment: dict[str, Any], poll_seconds: float, deadline: float | None, daemon_set: str
    ) -> None:
        super().__init__(assignment, poll_seconds, deadline)
        self.daemon_set = daemon_set
        self._ready = -1
        run = self.assignment.run
        component = "app.kubernetes.io/component=prepull"
        self._standstill = Standstill(
            self.assignment.cluster.namespace, f"{selector(run.campaign, run.name)},{component}", STALLED
        )

    async def poll(self, api: ApiClient) -> dict[str, Any] | None:
        """Compare the ready nodes with the expected ones; look at the pods when none makes progress."""
        namespace = self.assignment.cluster.namespace
        daemon_set = await AppsV1Api(api).read_namespaced_daemon_set_status(self.daemon_set, namespace)
        metadata, status = daemon_set.metadata, daemon_set.status
        wanted, ready = status.desired_number_scheduled or 0, status.number_ready or 0
        if wanted and ready == wanted and (status.observed_generation or 0) >= metadata.generation:
            return {"nodes": wanted}
        if ready != self._ready:
            self._ready = ready
            self._standstill.end()
            self.log.info("image is on %d of %d nodes", ready, wanted)
            return None
        found = await self._standstill.look(api, [metadata.uid])
        self.warn(self._standstill.told)
        if found is None:
            return None
        if found.hope <= Hope.LITTLE:
            return {"error": f"cluster {self.assignment.cluster.name}: {found.why}"}
        self.log.warning("%d nodes are left out, their pods pull the image: %s", wanted - ready, found.why)
        return {"nodes": ready}

    async def stop(self, api: ApiClient) -> None:
        """Remove the DaemonSet: its pods would occupy the nodes in vain."""
        run = self.assignment.run
        await AppsV1Api(api).delete_collection_namespaced_daemon_set(
            self.assignment.cluster.namespace, label_selector=selector(run.campaign, run.name)
        )
