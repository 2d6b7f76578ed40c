"""Where a campaign's shards and results are, and which Airflow connections lead there."""

from typing import NamedTuple

from pydantic import Field

from higgsdemo.campaign.datasets import PORTAL
from higgsdemo.campaign.fields import BucketUrl, Connection, Endpoint, FilePath, SourceUrl
from higgsdemo.campaign.rule import Model

STORE_CONNECTIONS = {"s3": "aws_default", "gs": "google_cloud_default", "https": "", "root": ""}
"""The usual connections for reading data; web and XRootD servers are public."""


class Store(NamedTuple):
    """Where shards are read or results are written, its Airflow connection, and its endpoint in pods."""

    url: str
    connection: str
    endpoint: str | None = None


def _store_connection(url: object) -> str:
    return STORE_CONNECTIONS.get(str(url).partition("://")[0], "")


class Storage(Model):
    """Where shards are read and results are written."""

    input: SourceUrl = Field(examples=["s3://higgs-demo", "gs://higgs-demo", "https://opendata.cern.ch"])
    """Where the catalogue's prefixes are: a bucket, or a public web or XRootD server."""
    output: BucketUrl = Field(examples=["s3://higgs-results"])
    """The bucket, or prefix, that results are written to."""
    connection: Connection = Field(default_factory=lambda values: _store_connection(values.get("input")))
    """Airflow connection that reads the input; by default `aws_default` or `google_cloud_default`."""
    output_connection: Connection | None = None
    """Airflow connection that writes the output; by default the input's, or that of the other kind of store.
    """
    pod_endpoint: Endpoint | None = Field(None, title="Endpoint in pods")
    """Endpoint of the store for pods, if it differs from the connection's."""
    output_pod_endpoint: Endpoint | None = Field(None, title="Output endpoint in pods")
    """The same for the output's store, if it has another connection than the input."""

    pod_ca: FilePath | None = Field(
        None, title="Certificates for pods", examples=["/etc/ssl/certs/our-site.pem"]
    )
    """A PEM file on Airflow's workers with certificate authorities that pods trust besides the public ones,
    for a site's own stores. Airflow itself trusts its SSL_CERT_FILE.
    """

    portal: Endpoint = PORTAL
    """The CERN Open Data portal, or a mirror of it, that describes records."""

    live: Connection | None = Field(None, title="Live copy", examples=["redis_default"])
    """Airflow connection of a Redis server that gets a copy of each result at once, in the hash `<dag
    id>/<run>`, as in 2019. Pods go on without it.
    """

    @property
    def writes_with(self) -> str:
        same_store = self.output.partition("://")[0] == self.input.partition("://")[0]
        usual = self.connection if same_store else _store_connection(self.output)
        return self.output_connection or usual

    @property
    def writes_at(self) -> str | None:
        """Endpoint of the output's store as pods see it; None for the connection's."""
        same_store = self.writes_with == self.connection
        return self.output_pod_endpoint or (self.pod_endpoint if same_store else None)
