"""Resolve the entries of a mapping: what each cluster is and runs, with nothing left to look up.

A value is taken from the entry, else from the campaign's defaults, else from the provider's defaults, else
from `Cluster` itself.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from higgsdemo.campaign.cluster import Cluster
from higgsdemo.campaign.datasets import DatasetRef, resolve_dataset
from higgsdemo.campaign.entries import (
    WRITTEN_AS,
    ClusterDefaults,
    ClusterEntry,
    DatasetReference,
    Resources,
)
from higgsdemo.campaign.fields import CLOUDS, Provider
from higgsdemo.campaign.flavors import GIB_A_LOCAL_CORE, cores_of
from higgsdemo.campaign.index_files import DatasetError
from higgsdemo.campaign.overlap import find_repeats
from higgsdemo.campaign.problems import HERE_OR_IN_DEFAULTS, Path, Problem
from higgsdemo.campaign.providers import provider_options, unfit_options
from higgsdemo.campaign.storage import STORE_CONNECTIONS, Storage
from higgsdemo.campaign.values import quantity
from higgsdemo.catalogue import Catalogue
from higgsdemo.wording import quote

PROVIDER_DEFAULTS: dict[Provider, dict[str, Any]] = {
    "local": {
        "connection": "localkube_default",
        "flavor": "local-1",
        "image_pull_policy": "Never",
        "resources": {"memory": "1Gi"},
    },
    "existing": {"connection": "kubernetes_default"},
    "gke": {"connection": "google_cloud_default", "location": "europe-west4"},
    "eks": {"connection": "aws_default"},
}

_OF_ONE_PROVIDER = (
    "connection",
    "location",
    "flavor",
    "cores",
    "price_per_node_hour",
    "price_per_gb_in",
    "price_per_gb_out",
    "image_pull_policy",
    "pod_identity",
    "egress",
)
_MERGED = ("resources", *CLOUDS)  # field by field; any other value of the entry replaces the defaults'
_OF_THE_SPLIT = ("datasets", "input", "max_shards")  # one for all clusters when the datasets are split


def cluster_name(entry: ClusterEntry, position: int) -> str:
    """Return a cluster's name; by default it follows from its position, as in the original."""
    return entry.name or f"kubecon-demo-{position}"


def resolve_clusters(
    mapping: Sequence[ClusterEntry],
    defaults: ClusterDefaults,
    namespace: str,
    storage: Storage,
    catalogue: Catalogue,
    split: Sequence[DatasetReference] | None,
) -> tuple[list[Cluster], tuple[DatasetRef, ...], list[Problem]]:
    """Resolve every entry of `mapping`.

    :param storage: where the datasets are, unless a cluster has its own input.
    :param split: the datasets that are split over all clusters, which then have none of their own.
    :returns: the clusters, the datasets to split over them, and the problems: without any, the others are
        valid.
    """
    clusters: list[Cluster] = []
    problems: list[Problem] = []
    values = _with_input(_merge(defaults, ClusterEntry()), storage)
    shared, wrong = _find(split or (), ("datasets",), catalogue, values)
    problems.extend(wrong)
    for position, entry in enumerate(mapping):
        path: Path = ("mapping", position)
        values = _with_input(provider_options(_merge(defaults, entry), position), storage)
        values["cores"] = values.get("cores") or cores_of(
            values.get("provider", "local"), values.get("flavor")
        )
        datasets, lost = _find(entry.datasets or (), (*path, "datasets"), catalogue, values)
        wrong = list(_unfit(values, path))
        if split:
            wrong.extend(_unfit_to_share(entry, values, path))
        elif entry.datasets is None:
            wrong.append(Problem(path, f'needs the field "datasets" (what it runs: {WRITTEN_AS})'))
        if "provider" in values:
            own = {name for name in CLOUDS if getattr(entry, name) is not None}
            wrong.extend(unfit_options(values, own, path))
        problems.extend(lost + wrong)
        if not lost + wrong:
            kept = {key: value for key, value in values.items() if key in Cluster.model_fields}
            name = cluster_name(entry, position)
            clusters.append(Cluster(**kept | {"name": name, "namespace": namespace, "datasets": datasets}))
    if not problems:
        problems.extend(find_repeats(clusters, shared))
    return clusters, tuple(shared), problems


def _find(
    references: Sequence[DatasetReference], path: Path, catalogue: Catalogue, values: dict[str, Any]
) -> tuple[list[DatasetRef], list[Problem]]:
    datasets: list[DatasetRef] = []
    problems: list[Problem] = []
    for number, reference in enumerate(references):
        try:
            found = resolve_dataset(
                reference, catalogue, values["input"], values.get("max_shards"), portal=values["portal"]
            )
            datasets.append(found)
        except DatasetError as error:
            problems.append(Problem((*path, number), str(error)))
    return datasets, problems


def _unfit_to_share(entry: ClusterEntry, values: dict[str, Any], path: Path) -> Iterator[Problem]:
    """Return why a cluster cannot take its share of the campaign's datasets."""
    for name in _OF_THE_SPLIT:
        if getattr(entry, name) is not None:
            yield Problem(
                (*path, name),
                "has no effect: the campaign's datasets are split over all clusters (give datasets here or "
                "there, not in both)"
                if name == "datasets"
                else "cannot be the cluster's own: the datasets are listed once for all clusters; give it in "
                "defaults",
            )
    if values["cores"] is None and "provider" in values:
        why = f"the flavor {quote(values['flavor'])} does not tell" if "flavor" in values else "nobody knows"
        yield Problem(path, f'needs the field "cores" (of a node), by which the datasets are split: {why}')


def _with_input(values: dict[str, Any], storage: Storage) -> dict[str, Any]:
    """Add where a cluster's datasets are; an input in another kind of store gets that one's connection."""
    url = values.get("input", storage.input)
    scheme = url.partition("://")[0]
    usual = storage.connection if storage.input.startswith(f"{scheme}://") else STORE_CONNECTIONS[scheme]
    connection = values.get("input_connection", usual) if STORE_CONNECTIONS[scheme] else ""
    endpoint = storage.pod_endpoint if connection == storage.connection else None
    found = {"input": url, "input_connection": connection, "pod_endpoint": endpoint}
    return values | found | {"portal": storage.portal}


def with_defaults(defaults: ClusterDefaults, entry: ClusterEntry) -> dict[str, Any]:
    """Return the values of an entry, and those that it takes from the defaults."""
    shared = defaults.model_dump(exclude_unset=True)
    own = entry.model_dump(exclude_unset=True)
    if entry.provider and defaults.provider not in (None, entry.provider):
        shared = {key: value for key, value in shared.items() if key not in _OF_ONE_PROVIDER}
    for name in _MERGED:
        if own.get(name) and shared.get(name):
            own[name] = shared[name] | own[name]
    if own.get("input"):
        shared.pop("input_connection", None)  # it may not reach the entry's own
    return shared | own


def _merge(defaults: ClusterDefaults, entry: ClusterEntry) -> dict[str, Any]:
    """Return the values of an entry with all defaults; a null restores the built-in one."""
    merged = {key: value for key, value in with_defaults(defaults, entry).items() if value is not None}
    provider = entry.provider or defaults.provider
    if provider is None:
        return merged
    usual = PROVIDER_DEFAULTS[provider]
    if resources := usual.get("resources", {}) | merged.get("resources", {}):
        merged["resources"] = resources
    return usual | merged | {"provider": provider}


def _unfit(values: dict[str, Any], path: Path) -> Iterator[Problem]:
    """Return what makes a cluster impossible although each field is valid."""
    provider, flavor = values.get("provider"), values.get("flavor")
    if provider is None:
        yield Problem(
            path, f'needs the field "provider"{HERE_OR_IN_DEFAULTS}: "local", "existing", "gke" or "eks"'
        )
    elif provider in CLOUDS and flavor is None:
        yield Problem(path, f'needs the field "flavor"{HERE_OR_IN_DEFAULTS}: a machine type of {provider}')
    elif provider == "local":
        if values.get("egress"):
            yield Problem((*path, "egress"), "has no effect: pods of this machine are processes of its user")
        cores = cores_of("local", flavor)
        if cores is None:
            yield Problem(
                (*path, "flavor"), f'is {quote(flavor)}; with provider local it must be "local-<cores>"'
            )
            return
        resources = Resources(**values.get("resources", {}))
        room = {"cpu": str(cores), "memory": f"{GIB_A_LOCAL_CORE * cores}Gi"}
        for resource, size in room.items():
            asked = getattr(resources, resource)
            if quantity(asked) > quantity(size):
                yield Problem(
                    (*path, "resources", resource),
                    f"is {quote(asked)}, which no node of flavor {flavor} has: it has {size}",
                )
