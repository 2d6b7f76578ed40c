"""Waiting until every node of a cluster holds the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from higgsdemo.triggers.polling import PollingTrigger

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

HOPELESS = {"InvalidImageName", "ErrImageNeverPull"}
PULL_FAILURES = {"ErrImagePull", "ImagePullBackOff"}
PULL_TRIES = 5  # polls in a row that see a failed pull, before it is given up: registries stumble


class PrepullTrigger(PollingTrigger):
    """Poll the prepull DaemonSet until it is ready on every node.

    :param daemon_set: its name.
    """

    def __init__(self, assignment: dict[str, Any], poll_seconds: float, daemon_set: str) -> None:
        super().__init__(assignment, poll_seconds)
        self.daemon_set = daemon_set
        self._ready = -1
        self._refused = 0

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
            self._ready = ready
            self.log.info("image is on %d of %d nodes", ready, wanted)
            return None
        refusal = await self._refusal(api)
        self._refused = self._refused + 1 if refusal else 0
        if refusal and (refusal[1] in HOPELESS or self._refused >= PULL_TRIES):
            node, cause, message = refusal
            return {"error": f"node {node} cannot pull {self.planned.run.image}: {cause} {message}".strip()}
        return None

    async def _refusal(self, api: ApiClient) -> tuple[str, str, str] | None:
        """Return node, reason and message of the first pod whose image cannot be pulled."""
        from kubernetes_asyncio.client import CoreV1Api

        from higgsdemo.labels import selector

        run = self.planned.run
        pods = await CoreV1Api(api).list_namespaced_pod(
            self.planned.cluster.namespace,
            label_selector=f"{selector(run.campaign, run.name)},app.kubernetes.io/component=prepull",
            field_selector="status.phase=Pending",
            limit=100,
        )
        for pod in pods.items:
            for state in pod.status.init_container_statuses or []:
                waiting: Any = state.state.waiting  # None once the image is there
                if waiting and waiting.reason in HOPELESS | PULL_FAILURES:
                    return pod.spec.node_name, waiting.reason, waiting.message or ""
        return None
