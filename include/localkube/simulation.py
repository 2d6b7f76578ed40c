"""Pods of simulated nodes: they finish after a set time, without a process, to rehearse large campaigns."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localkube.objects import Obj, labels_of, name_of, now
from localkube.pod_status import ContainerStatus, End, pod_status

if TYPE_CHECKING:
    from localkube.kubelet import Kubelet


@dataclass(frozen=True)
class Simulation:
    """How long pods run and which share of them fails; the same seed fails the same ones."""

    seconds: float
    failure_rate: float
    seed: str

    def fails(self, pod: Obj) -> bool:
        annotations = pod["metadata"].get("annotations") or {}
        index = annotations.get("batch.kubernetes.io/job-completion-index")
        who = (
            name_of(pod)
            if index is None
            else "/".join(
                (
                    labels_of(pod).get("batch.kubernetes.io/job-name", ""),
                    index,
                    annotations.get("batch.kubernetes.io/job-index-failure-count", "0"),
                )
            )
        )
        digest = hashlib.sha256(f"{self.seed}/{who}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64 < self.failure_rate


class SimulatedPod:
    """A pod that only looks as if it ran; one that restarts always runs until it is stopped."""

    def __init__(self, kubelet: Kubelet, pod: Obj, simulation: Simulation) -> None:
        self.pod, self._kubelet, self._simulation = pod, kubelet, simulation
        self._stopped = asyncio.Event()
        self._end: End | None = None
        self._started = now()
        spec = pod["spec"]
        self._init = [ContainerStatus(one, pod, init=True) for one in spec.get("initContainers") or ()]
        self._main = [ContainerStatus(one, pod) for one in spec["containers"]]

    def stop(self, grace: float, end: End | None = None) -> None:
        self._end = end or self._end
        self._stopped.set()

    async def run(self) -> None:
        began = now()
        for one in self._init:
            one.terminated(0, "Completed", "", began)
        for one in self._main:
            one.running("simulated://")
        self._publish("Running")
        forever = self.pod["spec"]["restartPolicy"] == "Always"
        try:
            await asyncio.wait_for(self._stopped.wait(), None if forever else self._simulation.seconds)
            code = 143
        except TimeoutError:
            code = int(self._simulation.fails(self.pod))
        for one in self._main:
            one.terminated(code, "Error" if code else "Completed", "", began)
        self._publish("Failed" if code else "Succeeded")

    def _publish(self, phase: str) -> None:
        self.pod = self._kubelet.publish(
            self.pod,
            pod_status(
                self.pod,
                phase,
                self._started,
                self._init,
                self._main,
                self._end if phase != "Running" else None,
            ),
        )
