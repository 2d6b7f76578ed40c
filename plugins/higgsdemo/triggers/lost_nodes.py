"""Nodes that have died but are still registered, and hold the completion indexes of their pods.

The node's pods are told to end, but nobody is left to end them. A Job with a pod failure policy replaces a
pod only once it has ended, so these indexes wait until the node object is deleted. A cloud that repairs its
nodes deletes it sooner or later; elsewhere somebody has to.
"""

import time
from collections import Counter

from kubernetes_asyncio.client import ApiClient, CoreV1Api, V1DeleteOptions, V1Preconditions

from higgsdemo.triggers.polling import passing_over

LOOK_EVERY = 60.0  # s
STUCK_AFTER = 120.0  # s; a pod has 5 s to end, and a busy node takes longer
LOST_AFTER = 300.0  # s that a node is not ready until it is removed; Kubernetes itself waits as long
LOOKED_AT = 500  # pods


class LostNodes:
    """What one wait has seen of pods that do not end; nodes are removed where a campaign made the cluster."""

    def __init__(self, namespace: str, selector: str, *, ours: bool) -> None:
        self.namespace, self.selector, self.ours = namespace, selector, ours
        self.told: str | None = None
        self._looked = -LOOK_EVERY
        self._since = time.monotonic()
        self._ending: dict[str, float] = {}
        self._away: dict[str, float] = {}

    async def look(self, api: ApiClient, terminating: int) -> None:
        """Find nodes that hold pods which do not end; remove those that are ours.

        A removed node may still run unseen: a result is one PUT under the shard's name, so its replacement
        changes nothing.
        """
        now = time.monotonic()
        if not terminating:
            self.told, self._since, self._ending, self._away = None, now, {}, {}
            return
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        pods = await CoreV1Api(api).list_namespaced_pod(
            self.namespace,
            label_selector=self.selector,
            field_selector="status.phase=Running",
            limit=LOOKED_AT,
        )
        plain = api.sanitize_for_serialization(pods)["items"]
        ending = {
            pod["metadata"]["uid"]: pod["spec"].get("nodeName")
            for pod in plain
            if "deletionTimestamp" in pod["metadata"]
        }
        self._ending = {uid: self._ending.get(uid, now) for uid in ending}
        stuck = [uid for uid, since in self._ending.items() if now - since >= STUCK_AFTER]
        held = Counter[str](ending[uid] for uid in stuck)
        self._away = {node: self._away[node] for node in held if node in self._away}
        told = [await self._tell(api, node, count) for node, count in held.items()]
        if not held and pods.metadata._continue and now - self._since >= LOST_AFTER:
            told = [f"{terminating} pods do not end, whose shards wait: has a node died (kubectl get nodes)?"]
        self.told = "; ".join(told) or None

    async def _tell(self, api: ApiClient, node: str, pods: int) -> str:
        what = f"node {node} does not end {pods} pods, whose shards wait for it"
        if self.ours and await self._removed(api, node):
            return f"{what}: it has not answered for {LOST_AFTER / 60:.0f} minutes, and was removed"
        return f"{what}: if it has died, delete it (kubectl delete node {node})"

    async def _removed(self, api: ApiClient, name: str) -> bool:
        """Remove a node that no poll has seen ready for long."""
        core, now = CoreV1Api(api), time.monotonic()
        with passing_over(403, 404, 409):
            node = await core.read_node(name)
            if any(one.type == "Ready" and one.status == "True" for one in node.status.conditions or ()):
                self._away.pop(name, None)
            elif now - self._away.setdefault(name, now) >= LOST_AFTER:
                this_one = V1DeleteOptions(preconditions=V1Preconditions(uid=node.metadata.uid))
                await core.delete_node(name, body=this_one)
                return True
        return False
