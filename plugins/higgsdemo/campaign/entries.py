"""The parts of a campaign's mapping: the clusters, and the datasets that each runs.

An entry has only its own values; the campaign's `defaults` has those that its entries share.
"""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from higgsdemo.campaign.fields import (
    AddressRange,
    ClusterName,
    Connection,
    Count,
    CpuQuantity,
    DatasetName,
    DatasetText,
    Flavor,
    Location,
    MemoryQuantity,
    Nodes,
    PodIdentity,
    Price,
    ProviderName,
    PullPolicyChoice,
    SourceUrl,
    StageInPath,
    Whole,
    WholeOrAuto,
)
from higgsdemo.campaign.providers import EksOptions, GkeOptions
from higgsdemo.campaign.rule import Model


class Resources(Model):
    """What one pod requests, and is limited to."""

    cpu: CpuQuantity = Field("0.9", title="CPU", description="Cores a pod, as a Kubernetes quantity.")
    memory: MemoryQuantity = Field(
        "6Gi", title="Memory", description="Memory a pod, as a Kubernetes quantity."
    )


class DatasetEntry(Model):
    """A dataset that is in no catalogue, or lies elsewhere: every object below a URL, or one."""

    url: SourceUrl = Field(
        title="URL",
        description="The prefix its files lie below, or its one ROOT file.",
        examples=["s3://bucket/run2012c/double-mu/"],
    )
    name: DatasetName | None = Field(
        None, title="Name", description="Names its results; made from the end of the URL when left out."
    )
    sample: DatasetName | None = Field(
        None,
        title="Sample",
        description="The catalogue's sample it belongs to. Left out, and with a URL that is no catalogue "
        'dataset\'s, it is run and counted as "unassigned": neither normalised nor stacked in the plot.',
    )


def _branch(value: Any) -> str:
    return "<object>" if isinstance(value, dict | DatasetEntry) else "<text>"


WRITTEN_AS = (
    "a catalogue dataset's name, the path of an index file, a bucket URL prefix, or an object with url, name "
    "and sample"
)
DatasetReference = Annotated[
    Annotated[DatasetText, Tag("<text>")] | Annotated[DatasetEntry, Tag("<object>")], Discriminator(_branch)
]


class ClusterDefaults(Model):
    """What the entries of the mapping share. An entry's own value wins; null is the built-in default."""

    provider: ProviderName | None = Field(
        None,
        title="Provider",
        description="Who makes the cluster: `local` (this machine), `existing` (nobody), `gke` or `eks`.",
    )
    connection: Connection | None = Field(
        None,
        title="Connection",
        description="Airflow connection of the provider; each provider has a default.",
    )
    location: Location | None = Field(
        None, title="Location", description="Region or zone.", examples=["europe-west4", "eu-west-1"]
    )
    flavor: Flavor | None = Field(
        None,
        title="Flavor",
        description="Machine type of the nodes. `local-<cores>` nodes have so many cores, and 2 GiB for "
        "each. Entries of another provider than the defaults' take neither flavor, location nor connection "
        "from there.",
        examples=["n1-highmem-16", "local-1"],
    )
    nodes: Nodes | None = Field(
        None,
        title="Nodes",
        description="Number of nodes; 1 by default. On GKE in each zone: a region has three of them.",
        examples=[22],
    )
    dpath: StageInPath | None = Field(
        None,
        title="Stage-in path",
        description="Where a shard is downloaded to: `/dev/shm` (memory, the default), `/mnt/disks/ssd0` "
        "(the node's SSD) or `/dev/null` (test mode: downloaded, thrown away, nothing computed).",
    )
    parallelism: Whole | None = Field(
        None, title="Parallelism", description="Pods of a job that run at once; as many as fit by default."
    )
    cores: Whole | None = Field(
        None,
        title="Cores",
        description="Cores of a node, where the flavor does not tell: as of an `existing` cluster. What the "
        "split of the datasets and the prediction of a run go by.",
        examples=[16],
    )
    price_per_node_hour: Price | None = Field(
        None,
        title="Price",
        description="What a node costs an hour, in any currency: the plan then tells what a run should cost, "
        "and the summary what it did.",
        examples=[0.95],
    )
    shards_per_pod: WholeOrAuto | None = Field(
        None,
        title="Shards a pod",
        description="Shards that one pod handles; 1 by default, more for small files, or `auto`: so many "
        "that the pods are there within a minute and every core has some.",
        examples=["auto"],
    )
    max_shards: Whole | None = Field(
        None,
        title="Shards a dataset",
        description="Take the first so many shards of each dataset; all by default.",
    )
    resources: Resources | None = Field(
        None, title="Resources", description="What a pod requests; 0.9 cores and 6Gi by default."
    )
    backoff_limit_per_index: Count | None = Field(
        None, title="Retries", description="Times a failed pod is tried again; 5 by default.", examples=[5]
    )
    input: SourceUrl | None = Field(
        None,
        title="Input",
        description="The bucket that the catalogue's prefixes are in, for this cluster: the copy of the data "
        "that lies in its cloud; `storage.input` by default.",
        examples=["gs://higgs-demo"],
    )
    input_connection: Connection | None = Field(
        None,
        title="Input connection",
        description="Airflow connection that reads this cluster's input; `storage.connection` by default, "
        "`aws_default` or `google_cloud_default` where the input is in another kind of store.",
    )
    image_pull_policy: PullPolicyChoice | None = Field(
        None,
        title="Image pull policy",
        description="`Never` where the nodes have the pods' images already: the default of `local`, and what "
        "our own image needs, which is in no registry. Elsewhere `IfNotPresent` by default.",
    )
    pod_identity: PodIdentity | None = Field(
        None,
        title="Pod identity",
        description="Who the pods are to the cloud's bucket, without keys: a Google service account "
        "(workload identity) or an IAM role (IRSA). Without it they get the keys of the connection.",
        examples=["higgs-pods@project.iam.gserviceaccount.com", "arn:aws:iam::123456789012:role/pods"],
    )
    egress: list[AddressRange] | None = Field(
        None,
        min_length=1,
        title="Egress",
        description="The addresses that pods may reach, those of the stores: a NetworkPolicy forbids all "
        "else but name servers. No policy when left out. Of use where the cluster's network enforces it.",
        examples=[["10.20.0.0/16"]],
    )
    gke: GkeOptions | None = Field(
        None, title="GKE", description="What only clusters of the provider gke can be told."
    )
    eks: EksOptions | None = Field(
        None, title="EKS", description="What only clusters of the provider eks can be told."
    )


class _ClusterDatasets(Model):
    name: ClusterName | None = Field(
        None, title="Name", description="The cluster's name; kubecon-demo-<position> when left out."
    )
    datasets: list[DatasetReference] | None = Field(
        None,
        min_length=1,
        title="Datasets",
        description=f"What it runs: {WRITTEN_AS}. Left out where the campaign splits its datasets over all "
        "clusters.",
    )


# In this order of the bases, name and datasets are the first fields, in the schema and in messages.
class ClusterEntry(ClusterDefaults, _ClusterDatasets):
    """One cluster and the datasets it runs."""
