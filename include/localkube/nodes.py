"""Node objects: what a node of a cluster says about itself."""

from __future__ import annotations

import platform
import uuid

from localkube.objects import Obj, name_of, now, set_condition, with_status
from localkube.pod_status import ADDRESS
from localkube.resources import VERSION
from localkube.spec import ClusterSpec
from localkube.store import Store

_PRESSURES = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def node_object(spec: ClusterSpec, number: int) -> Obj:
    """The node of that number in a cluster of this shape."""
    name = f"{spec.name}-node-{number}"
    machine = platform.machine()
    system, architecture = platform.system().lower(), _MACHINES.get(machine, machine)
    room = {"cpu": spec.cpu, "memory": spec.memory, "pods": str(spec.pods)}
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": system,
        "kubernetes.io/arch": architecture,
        **spec.labels,
    }
    conditions: list[Obj] = []
    for kind, (reason, message) in _PRESSURES.items():
        conditions = set_condition(conditions, kind, False, reason, message)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"providerID": f"localkube://{spec.name}/{name}"},
        "status": {
            "capacity": room,
            "allocatable": room,
            "conditions": _readiness(conditions, True),
            "addresses": [{"type": "InternalIP", "address": ADDRESS}, {"type": "Hostname", "address": name}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
            "nodeInfo": {
                "architecture": architecture,
                "operatingSystem": system,
                "bootID": str(uuid.uuid4()),
                "machineID": spec.name,
                "systemUUID": str(uuid.uuid4()),
                "kernelVersion": platform.release(),
                "osImage": f"localkube on {platform.system()}",
                "containerRuntimeVersion": "localkube://1",
                "kubeProxyVersion": "",
                "kubeletVersion": VERSION["gitVersion"],
            },
        },
    }


def set_ready(store: Store, node: Obj, ready: bool) -> None:
    """Say whether the node takes pods, if it is still there."""
    current = store.get("nodes", "", name_of(node))
    if current is not None:
        store.update(
            "nodes", with_status(current, conditions=_readiness(current["status"]["conditions"], ready))
        )


def _readiness(conditions: list[Obj], ready: bool) -> list[Obj]:
    reason, message = (
        ("KubeletReady", "kubelet is posting ready status")
        if ready
        else ("NodeStatusUnknown", "Kubelet stopped posting node status.")
    )
    return set_condition(conditions, "Ready", ready, reason, message, heartbeat=now())
