"""The container that keeps the pod contract, and what all containers of a campaign have in common."""

from collections.abc import Mapping
from typing import Any

from higgsdemo.campaign import Cluster, DatasetRef

Manifest = dict[str, Any]

MANIFEST_FILE = "shards.jsonl"
MANIFEST_DIR = "/manifest"
CERTIFIED_FILE = "certified.json"  # beside the manifest, of datasets that count certified sections alone
INPUT_DIR = "/input"
USER = 65532  # the "nonroot" of distroless images; any other than 0 will do
NOBODY = {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER}
UNPRIVILEGED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
READ_ONLY = UNPRIVILEGED | {"readOnlyRootFilesystem": True}
"""The security context of a container that writes only to its volumes."""
MANIFEST = {"name": "manifest", "mountPath": MANIFEST_DIR, "readOnly": True}


def container(
    name: str, image: str, cluster: Cluster, environment: Mapping[str, str], *mounts: Manifest
) -> Manifest:
    """Return a container that writes only to its volumes, with the resources that the campaign asks for."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": cluster.image_pull_policy,
        "env": variables(environment),
        "resources": resources(cluster),
        "securityContext": READ_ONLY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [*mounts],
    }


def contract_container(
    name: str, image: str, cluster: Cluster, environment: Mapping[str, str], secret_name: str | None
) -> Manifest:
    """Return a container that keeps the pod contract."""
    own = {"name": "input", "mountPath": INPUT_DIR}, {"name": "tmp", "mountPath": "/tmp"}
    made = container(name, image, cluster, environment, MANIFEST, *own)
    return made | ({"envFrom": [{"secretRef": {"name": secret_name}}]} if secret_name else {})


def certified_variable(dataset: DatasetRef) -> dict[str, str]:
    """Return the variable that tells where the certified sections of a dataset are, if it has such."""
    return {"CERTIFIED_JSON": f"{MANIFEST_DIR}/{CERTIFIED_FILE}"} if dataset.certified else {}


def variables(environment: Mapping[str, str]) -> list[dict[str, str]]:
    """Return an environment as a container has it."""
    return [{"name": name, "value": value} for name, value in environment.items()]


def resources(cluster: Cluster) -> Manifest:
    """Return what the campaign asks for, as requests and limits."""
    asked = {"cpu": cluster.resources.cpu, "memory": cluster.resources.memory}
    return {"requests": asked, "limits": asked}
