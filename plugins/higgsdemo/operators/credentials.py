"""The credentials of a run: checked by ``plan`` before anything is created, and given to pods."""

from collections.abc import Iterator, Sequence

from higgsdemo.campaign import Campaign, Cluster
from higgsdemo.operators.base import TaskFailedForGood
from higgsdemo.run import Run

NOBODY = (
    "it has no keys of its own, and would be whoever Airflow's workers are: give it some, or name it in the "
    "campaign's worker_identity"
)


def check_credentials(campaign: Campaign, run: Run, clusters: Sequence[Cluster]) -> None:
    """Check that every connection exists, has the type that its use needs, and an identity of its own.

    :raises TaskFailedForGood: for the first that does not, or that has no keys for pods.
    """
    from higgsdemo.storage.connections import StorageError
    from higgsdemo.storage.named_connection import KUBERNETES, UnfitConnection, find_connection, is_somebody

    for field, name, kind in dict.fromkeys(_needed(campaign, run, clusters)):
        try:
            found = find_connection(name, kind)
            if not is_somebody(found) and (kind == KUBERNETES or name not in campaign.worker_identity):
                raise UnfitConnection(NOBODY if kind != KUBERNETES else "it leads to no cluster")
        except UnfitConnection as error:
            raise TaskFailedForGood(
                f"campaign: {field}: the Airflow connection {name!r} cannot be used: {error}"
            ) from None
    if "submit" in run.stages:
        alike = {(one.input_connection, one.pod_endpoint, one.pod_identity): one for one in clusters}
        for cluster in alike.values():
            try:
                pod_credentials(run, cluster)
            except StorageError as error:
                raise TaskFailedForGood(f"campaign: {error}") from None


def pod_credentials(run: Run, cluster: Cluster) -> dict[str, str]:
    """Return the variables with which the pods of a cluster reach what they read and write.

    :raises StorageError: when a connection has none that pods may get.
    """
    from higgsdemo.storage.connections import PodStore, ca_environment, live_environment, pod_environment

    source = cluster.datasets[0].url if cluster.datasets else cluster.input
    environment = pod_environment(
        PodStore(source, cluster.input_connection, cluster.pod_endpoint, cluster.pod_identity),
        PodStore(run.output, run.output_connection, run.pod_endpoint, cluster.pod_identity),
    )
    return environment | live_environment(run) | ca_environment(run.pod_ca)


def _needed(campaign: Campaign, run: Run, clusters: Sequence[Cluster]) -> Iterator[tuple[str, str, str]]:
    """Yield the field, the name and the type of every connection."""
    from higgsdemo.storage.connections import OPEN, scheme_of
    from higgsdemo.storage.named_connection import OF_PROVIDER, OF_STORE, REDIS

    for cluster in clusters:
        yield f"connection of {cluster.name}", cluster.connection, OF_PROVIDER[cluster.provider]
    if "submit" not in run.stages:
        return
    yield "the connection of storage.output", run.output_connection, OF_STORE[scheme_of(run.output)]
    if run.live:
        yield "storage.live", run.live, REDIS
    for cluster in clusters:
        scheme = scheme_of(cluster.input)
        if scheme not in OPEN:
            yield f"input_connection of {cluster.name}", cluster.input_connection, OF_STORE[scheme]
