"""GKE and EKS behind one face: what the tests of every provider ask of a cloud, or let it do."""

import json
from typing import Any, ClassVar

import grpc
import pytest
from google.cloud import container_v1 as gke

from clouds.amazon import REGION, Amazon, paths
from clouds.google import PROJECT, Google
from clouds.tasks import carry_out
from higgsdemo.operators.cluster_life import CreateClusterOperator, DeleteClusterOperator
from higgsdemo.run import ClusterRun
from planned_runs import EKS, planned

NAME = "kubecon-demo-0"
LINK = f"projects/{PROJECT}/locations/europe-west4/clusters/{NAME}"
CLUSTER, NODES = f"/clusters/{NAME}", f"/clusters/{NAME}/node-groups/campaign"


def run_on(fields: dict[str, Any], campaign: str, airflow: str | None) -> ClusterRun:
    """Return a planned run that removes its clusters."""
    return planned({"campaign": campaign, "cleanup": "clusters", "airflow": airflow}, fields)


def run_on_gke(
    campaign: str = "higgs-full", airflow: str | None = None, gke: dict[str, Any] | None = None, **fields: Any
) -> ClusterRun:
    there = {"provider": "gke", "connection": "google", "location": "europe-west4"}
    options = {"flavor": "n1-highmem-16", "gke": {"subnet_range": "10.110.0.0/21"} | (gke or {})}
    return run_on(there | options | fields, campaign, airflow)


def run_on_eks(
    campaign: str = "higgs-full", airflow: str | None = None, eks: dict[str, Any] | None = None, **fields: Any
) -> ClusterRun:
    there = {"provider": "eks", "connection": "amazon", "location": REGION}
    options = {"flavor": "m5.4xlarge", "eks": EKS | (eks or {})}
    return run_on(there | options | fields, campaign, airflow)


def created(planned: ClusterRun) -> Any:
    """Return what the task that creates the cluster returns in the end."""
    return carry_out(CreateClusterOperator, planned)


def deleted(planned: ClusterRun, waited: dict[str, Any] | None = None) -> Any:
    """Return what the task that deletes the cluster returns in the end.

    :param waited: what the wait for the cluster's Jobs has returned.
    """
    return carry_out(DeleteClusterOperator, planned, waited)


class OnGke:
    """Google, where nodes are a part of their cluster."""

    name = "gke"
    manifests: ClassVar[list[str]] = ["gke-cluster"]
    """The reviewed requests, in the order in which they are sent."""
    made: ClassVar[dict[str, str]] = {"cluster_name": NAME, "provider": "gke"}
    refusal = "the cluster on GKE: PermissionDenied: PERMISSION_DENIED, as the test wants it"
    """What it says of a request that it forbids."""

    def __init__(self, api: Google) -> None:
        self.api, self.gate, self.run = api, api.gate, run_on_gke

    def sent(self) -> list[Any]:
        """Return the bodies of what was to be made."""
        shown = {"use_integers_for_enums": False, "always_print_fields_with_no_presence": False}
        return [json.loads(gke.Cluster.to_json(one, **shown)) for one in self.api.created]

    def deletions(self) -> list[str]:
        """Return the parts that were to be deleted, each once."""
        return list(dict.fromkeys(self.api.deleted))

    def parts(self) -> list[str]:
        """Return the parts of a cluster, in the order in which they are deleted."""
        return [LINK]

    def clusters(self) -> list[str]:
        return [link.rpartition("/")[2] for link in self.api.clusters]

    def fail(self, part: str, why: str) -> None:
        """Let this part fail that is made next."""
        self.api.failures = [why]

    def degrade(self) -> None:
        """Let what runs need somebody's care."""
        self.api.clusters[LINK].status = gke.Cluster.Status.DEGRADED

    def forbid(self) -> None:
        """Refuse the next request."""
        self.api.faults = [grpc.StatusCode.PERMISSION_DENIED]

    def stranger(self) -> None:
        """Let somebody make a cluster of that name."""
        self.api.clusters[LINK] = gke.Cluster(name=NAME, status=gke.Cluster.Status.RUNNING)

    def update(self, part: str) -> None:
        """Begin an upgrade of a part, which is busy for some polls."""
        status = gke.Cluster.Status
        whole = part == "cluster"
        self.api.upgrade(
            LINK, status.RECONCILING if whole else status.RUNNING, "" if whole else "default-pool"
        )

    def tokens_last(self, seconds: float, patch: pytest.MonkeyPatch) -> None:
        """Let tokens end after some seconds, as their holder is told."""
        patch.setattr(self.api.tokens, "seconds", seconds)

    def forget_tokens(self) -> None:
        """Take soon none of those any more that were given so far, of which nobody is told."""
        self.api.tokens.given.clear()


class OnEks:
    """Amazon, where a cluster is a control plane, and its nodes are made and deleted apart."""

    name = "eks"
    manifests: ClassVar[list[str]] = ["eks-cluster", "eks-nodegroup"]
    made: ClassVar[dict[str, str]] = {"cluster_name": NAME, "provider": "eks"}
    refusal = "the cluster on EKS: AccessDeniedException: AccessDeniedException, as the test wants it"

    def __init__(self, api: Amazon) -> None:
        self.api, self.gate, self.run = api, api.gate, run_on_eks

    def sent(self) -> list[Any]:
        """Leave out the token that makes a repeated request one."""
        bodies = [body for _, body in self.api.asked("POST")]
        return [{key: value for key, value in one.items() if key != "clientRequestToken"} for one in bodies]

    def deletions(self) -> list[str]:
        return list(dict.fromkeys(paths(self.api.asked("DELETE"))))

    def parts(self) -> list[str]:
        return [NODES, CLUSTER]

    def clusters(self) -> list[str]:
        found: list[str] = self.api.client("eks").list_clusters()["clusters"]
        return found

    def fail(self, part: str, why: str) -> None:
        self.api.broken[NODES if part == "nodes" else CLUSTER] = why

    def degrade(self) -> None:
        self.api.degrade(NODES)

    def forbid(self) -> None:
        self.api.faults += [(403, "AccessDeniedException")]

    def stranger(self) -> None:
        network = {"subnetIds": EKS["subnets"]}
        self.api.client("eks").create_cluster(
            name=NAME, roleArn=EKS["cluster_role"], resourcesVpcConfig=network
        )

    def update(self, part: str) -> None:
        self.api.update(NODES if part == "nodes" else CLUSTER)

    def tokens_last(self, seconds: float, patch: pytest.MonkeyPatch) -> None:
        patch.setattr("higgsdemo.clusters.eks.TOKEN_SECONDS", seconds)

    def forget_tokens(self) -> None:
        self.api.token_seconds = 2


Cloud = OnGke | OnEks
