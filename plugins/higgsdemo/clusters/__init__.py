"""Where clusters come from: a provider creates, waits for, connects to and deletes them.

Nothing outside this package knows one provider from another. A provider's module is imported when it is used:
the clouds' libraries are heavy, and a campaign rarely needs them all.
"""

from __future__ import annotations

from importlib import import_module

from higgsdemo.campaign.model import Cluster
from higgsdemo.clusters.base import ClusterError, Phase, Provider

__all__ = ["ClusterError", "Phase", "Provider", "provider_of"]

PROVIDERS = {
    "local": "higgsdemo.clusters.local:LocalProvider",
    "existing": "higgsdemo.clusters.existing:ExistingProvider",
}


def provider_of(cluster: Cluster) -> Provider:
    """Return the provider of a cluster, bound to it.

    :raises ClusterError: when this project has no such provider.
    """
    if cluster.provider not in PROVIDERS:
        raise ClusterError(
            f"cluster {cluster.name}: provider {cluster.provider!r} cannot be used yet; "
            f"there are {', '.join(sorted(PROVIDERS))}"
        )
    module, _, name = PROVIDERS[cluster.provider].partition(":")
    provider: Provider = getattr(import_module(module), name)(cluster)
    return provider
