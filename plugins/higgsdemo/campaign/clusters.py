"""Fills in the entries of a mapping: what each cluster is and runs, with nothing left to be looked up.

A value is taken from the entry, else from the campaign's defaults, else from the provider's defaults, else
from `Cluster` itself.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from higgsdemo.campaign.datasets import DatasetError, DatasetRef, resolve_dataset
from higgsdemo.campaign.entries import ClusterDefaults, ClusterEntry, Resources
from higgsdemo.campaign.fields import Dpath, Provider
from higgsdemo.campaign.messages import Path, Problem, field
from higgsdemo.campaign.providers import EksOptions, GkeOptions, provider_options, unfit_options
from higgsdemo.campaign.values import quantity
from higgsdemo.catalogue import Catalogue
from higgsdemo.wording import given

PROVIDER_DEFAULTS: dict[Provider, dict[str, str]] = {
    "local": {"connection": "localkube_default", "flavor": "local-1"},
    "existing": {"connection": "kubernetes_default"},
    "gke": {"connection": "google_cloud_default", "location": "europe-west4"},
    "eks": {"connection": "aws_default"},
}
STORE_CONNECTIONS = {"s3": "aws_default", "gs": "google_cloud_default"}
_OF_ONE_PROVIDER = ("connection", "location", "flavor", "pod_identity", "egress")
_MERGED = ("resources", "gke", "eks")  # field by field; any other value of the entry replaces the defaults'
_LOCAL_FLAVOR = re.compile("local-([1-9][0-9]{0,2})")
_GIB_A_LOCAL_CORE = 2


class Cluster(BaseModel):
    """A cluster and what it runs, ready to be made; small enough to travel through XCom.

    :param dpath: what backs a shard's stage-in directory.
    :param parallelism: pods of a job that run at once; None for as many as fit.
    :param input_connection: Airflow connection that reads the datasets.
    :param pod_endpoint: endpoint of the datasets' store as pods see it; None for the connection's.
    :param pod_identity: the cloud identity of the pods; None where they get the connection's keys.
    :param egress: address ranges (CIDR) that pods may reach; None for any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    provider: Provider
    connection: str
    location: str | None = None
    flavor: str | None = None
    nodes: int = 1
    dpath: Dpath = "/dev/shm"
    parallelism: int | None = None
    shards_per_pod: int = 1
    resources: Resources = Resources()
    backoff_limit_per_index: int = 5
    namespace: str = "higgs"
    input_connection: str
    pod_endpoint: str | None = None
    pod_identity: str | None = None
    egress: tuple[str, ...] | None = None
    gke: GkeOptions | None = None
    eks: EksOptions | None = None
    datasets: tuple[DatasetRef, ...]

    @property
    def flavor_cpu(self) -> str | None:
        """Cores of a node, as a Kubernetes quantity; None where only the provider knows."""
        match = _LOCAL_FLAVOR.fullmatch(self.flavor or "")
        return match[1] if match else None

    @property
    def flavor_memory(self) -> str | None:
        """Memory of a node, as a Kubernetes quantity; None where only the provider knows."""
        return f"{_GIB_A_LOCAL_CORE * int(self.flavor_cpu)}Gi" if self.flavor_cpu else None


@dataclass(frozen=True)
class Input:
    """Where the datasets of a campaign lie: the URL its prefixes are below, and how that is reached."""

    url: str
    connection: str
    pod_endpoint: str | None = None


def cluster_name(entry: ClusterEntry, position: int) -> str:
    """Name a cluster; one without a name of its own is named by its position, as the original did."""
    return entry.name or f"kubecon-demo-{position}"


def resolve_clusters(
    mapping: Sequence[ClusterEntry],
    defaults: ClusterDefaults,
    namespace: str,
    storage: Input,
    catalogue: Catalogue,
) -> tuple[list[Cluster], list[Problem]]:
    """Fill in every entry of `mapping`.

    :param storage: where the datasets lie, unless a cluster has an input of its own.

    Returns the clusters, and what is wrong: the clusters may be used only if nothing is.
    """
    clusters: list[Cluster] = []
    problems: list[Problem] = []
    for position, entry in enumerate(mapping):
        path: Path = ("mapping", position)
        values = provider_options(_merged(defaults, entry), position)
        values = _with_input(values, storage)
        datasets: list[DatasetRef] = []
        for number, reference in enumerate(entry.datasets):
            try:
                dataset = resolve_dataset(reference, catalogue, values["input"], values.get("max_shards"))
                datasets.append(dataset)
            except DatasetError as error:
                problems.append(Problem((*path, "datasets", number), str(error)))
        wrong = list(_unfit(values, path))
        if "provider" in values:
            own = {name for name in ("gke", "eks") if getattr(entry, name) is not None}
            wrong.extend(unfit_options(values, own, path))
        problems.extend(wrong)
        if not wrong and len(datasets) == len(entry.datasets):
            kept = {key: value for key, value in values.items() if key in Cluster.model_fields}
            name = cluster_name(entry, position)
            clusters.append(Cluster(**kept | {"name": name, "namespace": namespace, "datasets": datasets}))
    if not problems:
        problems.extend(_repeated(clusters))
    return clusters, problems


def _with_input(values: dict[str, Any], storage: Input) -> dict[str, Any]:
    """Say where a cluster's datasets lie; an input in another kind of store has that one's connection."""
    url = values.get("input", storage.url)
    scheme = url.partition("://")[0]
    usual = storage.connection if storage.url.startswith(f"{scheme}://") else STORE_CONNECTIONS[scheme]
    connection = values.get("input_connection", usual)
    endpoint = storage.pod_endpoint if connection == storage.connection else None
    return values | {"input": url, "input_connection": connection, "pod_endpoint": endpoint}


def _merged(defaults: ClusterDefaults, entry: ClusterEntry) -> dict[str, Any]:
    """Lay the entry over the defaults; a null stands for the built-in default and so leaves nothing."""
    shared = defaults.model_dump(exclude_unset=True)
    own = entry.model_dump(exclude_unset=True, exclude={"name", "datasets"})
    provider: Provider | None = own.get("provider") or shared.get("provider")
    if shared.get("provider") not in (None, provider):
        shared = {key: value for key, value in shared.items() if key not in _OF_ONE_PROVIDER}
    for name in _MERGED:
        if own.get(name) and shared.get(name):
            own[name] = shared[name] | own[name]
    if own.get("input"):
        shared.pop("input_connection", None)  # it may not reach the entry's own
    merged = {key: value for key, value in (shared | own).items() if value is not None}
    return (PROVIDER_DEFAULTS[provider] | merged | {"provider": provider}) if provider else merged


def _unfit(values: dict[str, Any], path: Path) -> Iterator[Problem]:
    """Say what makes a cluster impossible, however well each field is written."""
    provider, flavor = values.get("provider"), values.get("flavor")
    if provider is None:
        yield Problem(
            path, 'needs the field "provider", here or in defaults: "local", "existing", "gke" or "eks"'
        )
    elif provider in ("gke", "eks") and flavor is None:
        yield Problem(path, f'needs the field "flavor", here or in defaults: a machine type of {provider}')
    elif provider == "local":
        if values.get("egress"):
            yield Problem((*path, "egress"), "is of no use: pods of this machine are processes of its user")
        match = _LOCAL_FLAVOR.fullmatch(str(flavor))
        if match is None:
            yield Problem(
                (*path, "flavor"), f'is {given(flavor)}; with provider local it must be "local-<cores>"'
            )
            return
        resources = Resources(**values.get("resources", {}))
        room = {"cpu": match[1], "memory": f"{_GIB_A_LOCAL_CORE * int(match[1])}Gi"}
        for resource, size in room.items():
            asked = getattr(resources, resource)
            if quantity(asked) > quantity(size):
                yield Problem(
                    (*path, "resources", resource),
                    f"is {given(asked)}, which no node of flavor {flavor} has: it has {size}",
                )


def _repeated(clusters: Sequence[Cluster]) -> Iterator[Problem]:
    """Say which names and datasets are there twice: events of a dataset run twice would be counted twice."""
    names: dict[str, int] = {}
    seen: dict[str, Path] = {}
    for position, cluster in enumerate(clusters):
        if cluster.name in names:
            yield Problem(
                ("mapping", position, "name"),
                f"is {given(cluster.name)}, which is also the name of mapping[{names[cluster.name]}]",
            )
        names.setdefault(cluster.name, position)
        for number, dataset in enumerate(cluster.datasets):
            path: Path = ("mapping", position, "datasets", number)
            if dataset.name in seen:
                yield Problem(
                    path,
                    f"is the dataset {given(dataset.name)}, which is also {field(seen[dataset.name])}: its "
                    "events would be counted twice (two datasets of different URLs need names of their own)",
                )
            seen.setdefault(dataset.name, path)
    yield from _nested(clusters, seen)


def _nested(clusters: Sequence[Cluster], paths: dict[str, Path]) -> Iterator[Problem]:
    """Say which datasets lie inside another one."""
    whole = {ref.url: ref for cluster in clusters for ref in cluster.datasets if ref.index is None}
    for cluster in clusters:
        for ref in cluster.datasets:
            parts = ref.url.rstrip("/").split("/")
            for depth in range(3, len(parts) + 1):
                outer = whole.get("/".join(parts[:depth]) + "/")
                if outer is not None and outer.name != ref.name:
                    yield Problem(
                        paths[ref.name],
                        f"is {given(ref.url)}, which lies inside {given(outer.url)} of "
                        f"{field(paths[outer.name])}: its events would be counted twice",
                    )
