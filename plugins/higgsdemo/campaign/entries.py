"""The parts of a campaign's mapping: the clusters, and the datasets that each runs.

An entry has only its own values; the campaign's `defaults` has those that its entries share.
"""

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from higgsdemo.campaign import fields
from higgsdemo.campaign.providers import EksOptions, GkeOptions
from higgsdemo.campaign.rule import Model

ROOT_FILES = "*.root"


class Resources(Model):
    """The requests and limits of one pod."""

    cpu: fields.CpuQuantity = Field("0.9", title="CPU")
    """Cores per pod, as a Kubernetes quantity."""
    memory: fields.MemoryQuantity = "6Gi"
    """Memory per pod, as a Kubernetes quantity; with the provider `local` 1Gi by default."""


class DatasetEntry(Model):
    """A dataset outside of the catalogue, or in another place, or of other files."""

    url: fields.SourceUrl | None = Field(None, title="URL", examples=["s3://bucket/run2012c/double-mu/"])
    """The prefix of its files, or its one file. Without it, and a record, the catalogue's dataset of that
    name.
    """
    record: fields.Whole | None = Field(None, examples=[30511])
    """Number of a record of the CERN Open Data portal. Its files are read from the input, such as
    `https://opendata.cern.ch` or `root://eospublic.cern.ch`, and checked by its sizes and checksums.
    """
    doi: fields.Doi | None = Field(None, title="DOI", examples=["10.7483/OPENDATA.CMS.4TV2.5QG3"])
    """DOI of such a record."""
    match: fields.Glob = Field(ROOT_FILES, examples=["*.csv", "muons/*.parquet"])
    """The files to take: a pattern of how their URLs end, in which `*` also stands for `/`."""
    name: fields.DatasetName | None = None
    """Names its results; by default the end of the URL, or the record's title."""
    sample: fields.DatasetName | None = None
    """The sample of the catalogue that it belongs to. Without one, and with a URL that is not a catalogue
    dataset's, it is processed and counted as "unassigned": neither normalised nor stacked in the plot.
    """
    certified: fields.CertifiedFile | None = Field(
        None, title="Certified sections", examples=["cms/Cert_2012.json", "https://server/Cert_2012.json"]
    )
    """Of data: the JSON file of the luminosity sections whose events count, as a path below
    `include/datasets` or a URL; by default that of the catalogue for the sample's year, if it has one.
    """


WRITTEN_AS = (
    "a catalogue dataset's name, the path of an index file, a bucket URL prefix, or an object with url "
    "(or record, or doi), match, name, sample and certified"
)
DatasetReference = Annotated[
    Annotated[fields.DatasetText, Tag("<text>")] | Annotated[DatasetEntry, Tag("<object>")],
    Discriminator(lambda value: "<object>" if isinstance(value, dict | DatasetEntry) else "<text>"),
]


class ClusterDefaults(Model):
    """Values shared by the mapping's entries. An entry's own value wins; null is the built-in default."""

    provider: fields.Provider | None = None
    """Where the cluster comes from: `local` (this machine), `existing` (not created), `gke` or `eks`."""
    connection: fields.Connection | None = None
    """Airflow connection of the provider; each provider has a default."""
    location: fields.Location | None = Field(None, examples=["europe-west4", "eu-west-1"])
    """Region or zone."""
    flavor: fields.Flavor | None = Field(None, examples=["n1-highmem-16", "local-1"])
    """Machine type of the nodes. `local-<cores>` nodes have that many cores, with 2 GiB each. An entry with
    another provider than the defaults inherits neither flavor, location nor connection.
    """
    nodes: fields.Nodes | None = Field(None, examples=[22])
    """Number of nodes; 1 by default. On GKE, in each zone: a region has three."""
    dpath: fields.Dpath | None = Field(None, title="Stage-in path")
    """Where a shard is downloaded to: `/dev/shm` (memory, the default), `/mnt/disks/ssd0` (the node's SSD) or
    `/dev/null` (test mode: download, discard, compute nothing).
    """
    parallelism: fields.Whole | None = None
    """Pods of a Job that run at once; by default as many as fit."""
    cores: fields.Whole | None = Field(None, examples=[16])
    """Cores of a node, if the flavor's name does not tell, as for an `existing` cluster. Used to split
    datasets and to predict a run.
    """
    price_per_node_hour: fields.Price | None = Field(None, title="Price", examples=[0.95])
    """Price of a node per hour, in any currency: the plan then predicts the run's cost, and the summary
    reports it.
    """
    price_per_gb_in: fields.Price | None = Field(None, title="Price of input", examples=[0.02])
    """Price of each GB that pods read, such as what the store's cloud takes for what leaves it; none by
    default.
    """
    price_per_gb_out: fields.Price | None = Field(None, title="Price of output", examples=[0.02])
    """The same of each GB that they write."""
    shards_per_pod: fields.WholeOrAuto | None = Field(None, title="Shards a pod", examples=["auto"])
    """Shards per pod; 1 by default, more for small files, or `auto`: the fewest with which the cluster is
    predicted to take no more than 5% above the shortest time.
    """
    max_shards: fields.Whole | None = Field(None, title="Shards a dataset")
    """Take only the first so many shards of each dataset; all by default."""
    resources: Resources | None = None
    """Requests of a pod; 0.9 cores and 6Gi by default."""
    backoff_limit_per_index: fields.Count | None = Field(None, title="Retries", examples=[5])
    """Retries of a failed pod; 5 by default."""
    input: fields.SourceUrl | None = Field(None, examples=["gs://higgs-demo"])
    """The bucket with the catalogue's prefixes for this cluster, such as a copy of the data in its cloud;
    `storage.input` by default.
    """
    input_connection: fields.Connection | None = None
    """Airflow connection that reads this cluster's input; by default `storage.connection`, or `aws_default`
    or `google_cloud_default` if the input is in another kind of store.
    """
    image_pull_policy: fields.PullPolicy | None = None
    """`Never` if the nodes have the pods' images already: the default of `local`, and required for our own
    image, which no registry has. Elsewhere the default is `IfNotPresent`.
    """
    pod_identity: fields.PodIdentity | None = Field(
        None, examples=["higgs-pods@project.iam.gserviceaccount.com", "arn:aws:iam::123456789012:role/pods"]
    )
    """Cloud identity of the pods, instead of keys: a Google service account (workload identity) or an IAM
    role (IRSA). Without it they get the keys of the connection.
    """
    egress: list[fields.AddressRange] | None = Field(None, min_length=1, examples=[["10.20.0.0/16"]])
    """Addresses that pods may reach, those of the stores: a NetworkPolicy forbids all others except name
    servers. No policy by default. It has an effect only where the cluster's network enforces policies.
    """
    gke: GkeOptions | None = Field(None, title="GKE")
    """Options for clusters of the provider gke."""
    eks: EksOptions | None = Field(None, title="EKS")
    """Options for clusters of the provider eks."""


class _ClusterDatasets(Model):
    name: fields.ClusterName | None = None
    """The cluster's name; by default kubecon-demo-<position>."""
    datasets: list[DatasetReference] | None = Field(
        None,
        min_length=1,
        title="Datasets",
        description=f"Its datasets: {WRITTEN_AS}. None if the campaign splits its datasets.",
    )


# In this order of the bases, name and datasets are the first fields, in the schema and in messages.
class ClusterEntry(ClusterDefaults, _ClusterDatasets):
    """One cluster and the datasets it runs."""
