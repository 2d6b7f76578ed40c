"""Options that only clusters in the clouds have: the fields `gke` and `eks` of the defaults and of an entry.

They are separate from the entry's other fields, so that the defaults of a campaign over two clouds can have
both, and a cluster takes those of its own provider.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from higgsdemo.campaign.fields import CLOUDS, Location, Provider, Whole
from higgsdemo.campaign.problems import HERE_OR_IN_DEFAULTS, Path, Problem
from higgsdemo.campaign.rule import Model, text
from higgsdemo.wording import one_of, quote

DiskType = Literal["pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced"]
ReleaseChannel = Literal["rapid", "regular", "stable", "extended"]

_OCTET = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
SubnetRange = Annotated[
    str,
    text("an IPv4 range such as 10.110.0.0/21", rf"{_OCTET}(\.{_OCTET}){{3}}/([89]|1[0-9]|2[0-9])", 18),
]
Project = Annotated[str, text("the id of a Google Cloud project", "[a-z][a-z0-9-]{4,28}[a-z0-9]", 30)]
Network = Annotated[str, text("the name of a VPC network", "[a-z]([a-z0-9-]{0,61}[a-z0-9])?", 63)]
ServiceAccount = Annotated[
    str,
    text("a Google service account's e-mail address", r"[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com", 200),
]
DiskImage = Annotated[
    str,
    text(
        "a disk image such as projects/my-project/global/images/name",
        "projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/global/images/[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
        130,
    ),
]
Role = Annotated[
    str, text("the ARN of an IAM role", r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+", 2048)
]
Subnet = Annotated[str, text("the id of a subnet such as subnet-0a1b2c3d", "subnet-[0-9a-f]+", 40)]
SecurityGroup = Annotated[str, text("the id of a security group such as sg-0a1b2c3d", "sg-[0-9a-f]+", 40)]
KubernetesVersion = Annotated[str, text("a Kubernetes version such as 1.36", r"1\.[0-9]{1,2}", 4)]


class CloudOptions(Model):
    """Options of both clouds."""

    disk_gb: Whole = Field(90, title="Disk")
    """Boot disk of a node in GB, for images and logs."""
    spot: bool = False
    """Use cheaper nodes that the cloud may take away."""
    min_nodes: Whole | None = Field(None, title="Fewest nodes")
    """With max_nodes: the pool's lower bound; `nodes` by default."""
    max_nodes: Whole | None = Field(None, title="Most nodes")
    """Upper bound for a number of nodes that follows the waiting pods; fixed by default. On EKS this needs a
    cluster autoscaler in the cluster.
    """


class GkeOptions(CloudOptions):
    """A cluster of the Google Kubernetes Engine."""

    project: Project | None = None
    """Google Cloud project; by default the connection's."""
    zones: list[Location] | None = Field(None, min_length=1, examples=[["europe-west4-a"]])
    """Zones of the region, with `nodes` in each; by default three that GKE chooses."""
    network: Network | None = None
    """VPC network; by default the project's `default`."""
    subnet_range: SubnetRange | None = Field(None, examples=["10.110.0.0/21"])
    """Addresses of the nodes, for which the cluster gets a subnetwork; by default 10.<110+i>.0.0/21 for entry
    i.
    """
    disk_type: DiskType = "pd-ssd"
    """Kind of the boot disk."""
    local_ssds: Whole = Field(1, title="Local SSDs")
    """Local SSDs of a node; only with the stage-in path `/mnt/disks/ssd0`, which uses them."""
    release_channel: ReleaseChannel = "regular"
    """Release channel, from which GKE chooses the Kubernetes version."""
    service_account: ServiceAccount | None = None
    """Google service account of the nodes; by default Compute Engine's."""
    image_streaming: bool = False
    """Let containers start before their image is there, and fetch what they read of it: for images of many GB
    in Artifact Registry of which a pod reads a part.
    """
    image_disk: DiskImage | None = Field(
        None, title="Disk of images", examples=["projects/my-project/global/images/cmssw"]
    )
    """A disk image with container images, a second boot disk of each node; implies image streaming."""


class EksOptions(CloudOptions):
    """A cluster of the Amazon Elastic Kubernetes Service."""

    cluster_role: Role | None = None
    """IAM role of the control plane."""
    node_role: Role | None = None
    """IAM role of the nodes."""
    subnets: list[Subnet] | None = Field(None, min_length=2)
    """Subnets of at least two availability zones."""
    security_groups: list[SecurityGroup] | None = None
    """Security groups of the control plane besides EKS' own."""
    version: KubernetesVersion | None = None
    """Kubernetes version; by default EKS' own choice."""


EKS_NEEDS = ("cluster_role", "node_role", "subnets")


def default_subnet_range(position: int) -> str:
    """Return the node addresses of the cluster of entry `position`: 10.<110+i>.0.0/21, as in the original.

    From the 18th cluster on it continues at 10.110.8.0/21, since Google's auto mode networks have their
    subnetworks from 10.128.0.0 on.
    """
    return f"10.{110 + position % 18}.{8 * (position // 18)}.0/21"


def provider_options(values: dict[str, Any], position: int) -> dict[str, Any]:
    """Return a cluster's values with only its own provider's options, defaults filled in."""
    kept = {key: value for key, value in values.items() if key not in CLOUDS}
    if values.get("provider") == "gke":
        return kept | {"gke": {"subnet_range": default_subnet_range(position)} | values.get("gke", {})}
    return kept | ({"eks": values.get("eks", {})} if values.get("provider") == "eks" else {})


def unfit_options(values: dict[str, Any], own: set[str], path: Path) -> Iterator[Problem]:
    """Return the problems of a cluster's options, of which the entry itself has its `own`."""
    provider: Provider = values["provider"]
    for other in sorted(own - {provider}):
        yield Problem((*path, other), f"has no effect: the cluster's provider is {quote(provider)}")
    if provider not in CLOUDS:
        return
    options = values[provider]
    if provider == "eks" and (missing := [name for name in EKS_NEEDS if options.get(name) is None]):
        yield Problem(
            (*path, "eks"), f"needs {one_of(missing).replace(' or ', ' and ')}{HERE_OR_IN_DEFAULTS}"
        )
    fewest, most, nodes = options.get("min_nodes"), options.get("max_nodes"), values.get("nodes", 1)
    if fewest is not None and most is None:
        yield Problem((*path, provider, "min_nodes"), "needs max_nodes beside it")
    elif most is not None:
        fewest = nodes if fewest is None else fewest
        if not fewest <= nodes <= most:
            yield Problem((*path, provider), f"has {fewest} to {most} nodes, and the cluster {nodes}")
