"""Where clusters come from: a provider creates, waits for, connects to and deletes them.

Nothing outside this package tells one provider from another. A provider's module is imported when it is used:
the clouds' libraries are heavy, and a campaign rarely needs them all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from higgsdemo.clusters.base import BUSY, ClusterError, Phase, Provider, State, Unreachable
from higgsdemo.run import ClusterRun

if TYPE_CHECKING:
    from higgsdemo.kubernetes.api import KubeCluster

__all__ = ["BUSY", "ClusterError", "Phase", "Provider", "State", "Unreachable", "connect", "provider_of"]

PROVIDERS = {
    "local": "higgsdemo.clusters.local:LocalProvider",
    "existing": "higgsdemo.clusters.existing:ExistingProvider",
    "gke": "higgsdemo.clusters.gke:GkeProvider",
    "eks": "higgsdemo.clusters.eks:EksProvider",
}


def provider_of(assignment: ClusterRun) -> Provider:
    """Return the provider of a planned run's cluster, bound to it."""
    module, _, name = PROVIDERS[assignment.cluster.provider].partition(":")
    provider: Provider = getattr(import_module(module), name)(assignment)
    return provider


def connect(assignment: ClusterRun, *, once: bool = False) -> KubeCluster:
    """Return a planned run's cluster, connected; `once` for who will come again, and repeats no request."""
    from higgsdemo.kubernetes.api import KubeCluster

    cluster = assignment.cluster
    return KubeCluster(cluster.name, cluster.namespace, provider_of(assignment).connect(), once=once)
