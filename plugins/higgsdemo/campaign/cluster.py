"""A cluster of a campaign with everything filled in, as tasks get it, and how much fits on it."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict

from higgsdemo.campaign.datasets import DatasetRef
from higgsdemo.campaign.entries import Resources
from higgsdemo.campaign.fields import Dpath, Provider, PullPolicy
from higgsdemo.campaign.flavors import GIB_A_LOCAL_CORE, cores_of
from higgsdemo.campaign.providers import EksOptions, GkeOptions
from higgsdemo.campaign.values import quantity

_ZONES_OF_A_REGION = 3  # that GKE chooses without `zones`


class Cluster(BaseModel):
    """A cluster and what it runs, ready to be created; small enough to travel through XCom.

    Its fields are those of `ClusterEntry`, filled in; None stays where a value is unknown, or not limited.

    :param input_connection: Airflow connection that reads the datasets; empty for servers that need none.
    :param pod_endpoint: endpoint of the datasets' store as pods see it; None for the connection's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    provider: Provider
    connection: str
    location: str | None = None
    flavor: str | None = None
    nodes: int = 1
    cores: int | None = None
    price_per_node_hour: int | float | None = None
    price_per_gb_in: int | float | None = None
    price_per_gb_out: int | float | None = None
    dpath: Dpath = "/dev/shm"
    parallelism: int | None = None
    shards_per_pod: int | Literal["auto"] = 1
    resources: Resources = Resources()
    backoff_limit_per_index: int = 5
    namespace: str = "higgs"
    input: str = ""
    input_connection: str
    pod_endpoint: str | None = None
    image_pull_policy: PullPolicy = "IfNotPresent"
    pod_identity: str | None = None
    egress: tuple[str, ...] | None = None
    gke: GkeOptions | None = None
    eks: EksOptions | None = None
    datasets: tuple[DatasetRef, ...]

    @property
    def flavor_cpu(self) -> str | None:
        """Cores of a node, as a Kubernetes quantity; None where only the provider knows."""
        cores = cores_of("local", self.flavor)
        return str(cores) if cores else None

    @property
    def flavor_memory(self) -> str | None:
        """Memory of a node, as a Kubernetes quantity; None where only the provider knows."""
        return f"{GIB_A_LOCAL_CORE * int(self.flavor_cpu)}Gi" if self.flavor_cpu else None

    @property
    def project(self) -> str | None:
        """The Google Cloud project that the campaign names; None for the connection's."""
        return self.gke.project if self.gke else None

    @property
    def all_nodes(self) -> int:
        """Nodes in all zones."""
        if self.gke is None or re.search("-[a-z]$", self.location or ""):
            return self.nodes
        return self.nodes * len(self.gke.zones or range(_ZONES_OF_A_REGION))

    @property
    def most_nodes(self) -> int:
        """Nodes in all zones, where their number follows the pods that wait."""
        options = self.gke or self.eks
        most = options.max_nodes if options else None
        return self.model_copy(update={"nodes": max(self.nodes, most or 0)}).all_nodes

    @property
    def capacity(self) -> int | None:
        """Cores of all nodes; None where unknown."""
        return self.all_nodes * self.cores if self.cores else None

    @property
    def slots(self) -> int | None:
        """Pods that fit at once; None where unknown.

        By cores, and by memory where the flavor tells it: floor(cores of a node / cores of a pod) per node,
        ignoring the few per cent of a node that its system takes.
        """
        if not self.cores:
            return None
        fit = int(self.cores / quantity(self.resources.cpu))
        if self.flavor_memory:
            fit = min(fit, int(quantity(self.flavor_memory) / quantity(self.resources.memory)))
        return self.all_nodes * max(fit, 1)
