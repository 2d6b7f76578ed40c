"""Node objects: what a node of a cluster says about itself."""

import platform
import uuid

from localkube.objects import Obj, now, set_condition, with_status
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
    """The node of that number in a cluster of this shape; it is not ready yet."""
    name = f"{spec.name}-node-{number}"
    system = platform.system().lower()
    architecture = _MACHINES.get(platform.machine(), platform.machine())
    room = {"cpu": spec.cpu, "memory": spec.memory, "pods": str(spec.pods)}
    own = {"hostname": name, "os": system, "arch": architecture}
    labels = {f"kubernetes.io/{key}": value for key, value in own.items()} | spec.labels
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
            "conditions": conditions,
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


def set_ready(store: Store, name: str, ready: bool) -> None:
    """Say whether the node takes pods, if it is still there."""
    node = store.get("nodes", "", name)
    if node is not None:
        why = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
        if ready:
            why = ("KubeletReady", "kubelet is posting ready status")
        conditions = set_condition(node["status"].get("conditions"), "Ready", ready, *why)
        told = [{key: value for key, value in one.items() if key != "lastProbeTime"} for one in conditions]
        told = [one | {"lastHeartbeatTime": now()} for one in told]
        store.update("nodes", with_status(node, conditions=told))
