"""Compare a trigger's conf with the campaign's file in where credentials go, and what costs money.

Both are compared with all defaults filled in, so that no null, default or change of provider slips by. A key
is only as safe as its surroundings: a connection, its endpoint and its bucket are judged together, and so is
a whole cluster, which must be one of the file's under another name.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from higgsdemo.campaign.at_trigger import AtTrigger, inside, matches
from higgsdemo.campaign.cluster import Cluster
from higgsdemo.campaign.fields import CLOUDS
from higgsdemo.campaign.model import Campaign
from higgsdemo.campaign.problems import Path, Problem
from higgsdemo.campaign.providers import default_subnet_range
from higgsdemo.campaign.storage import Store
from higgsdemo.catalogue import load_catalogue
from higgsdemo.wording import quote

_PLACE = ("connection", "provider", "location", "image_pull_policy", *CLOUDS)  # of one connection
_ACCESS = ("pod_identity", "egress")
_READING = {"url": "input", "connection": "input_connection", "endpoint": "pod_endpoint"}
_WRITING = {"url": "output", "connection": "output_connection", "endpoint": "output_pod_endpoint"}
_IN_STORAGE = {"input": "input", "input_connection": "connection", "pod_endpoint": "pod_endpoint"}

Difference = tuple[str, Any, Any]  # the name of a field, the conf's value, the file's value


def find_strangers(file: Campaign, asked: Campaign) -> list[Problem]:
    """Return what a campaign, as a conf has changed it, has that its file neither has nor allows triggers."""
    allowed = file.at_trigger
    found = [*_of_run(file, asked), *_of_clusters(file, asked), *_of_nodes(file, asked)]
    rule = f"what a trigger may change is in the file's at_trigger: {allowed}"
    return list(
        dict.fromkeys(
            Problem(path, f"is {quote(value)}, which is not the campaign file's ({quote(own)}); {rule}")
            for path, value, own in found
        )
    )


def _of_run(file: Campaign, asked: Campaign) -> Iterator[tuple[Path, Any, Any]]:
    allowed = file.at_trigger
    for name in ("image", "stage_in_image"):
        image, own = getattr(asked, name), getattr(file, name)
        if image != own and not matches(allowed.images, image):
            yield (name,), image, own
    wanted, said = asked.storage, file.storage
    for name in ("pod_ca", "portal"):
        if (value := getattr(wanted, name)) != (own := getattr(said, name)):
            yield ("storage", name), value, own
    if wanted.live != said.live and wanted.live not in allowed.connections:
        yield ("storage", "live"), wanted.live, said.live
    output, own_output = (Store(one.output, one.writes_with, one.writes_at) for one in (wanted, said))
    for part, value, own in _unlike_store(output, own_output, allowed):
        name = _WRITING[part]
        if getattr(wanted, name) is None and getattr(said, name) is None:
            name = name.removeprefix("output_")
        yield ("storage", name), value, own


def _of_clusters(file: Campaign, asked: Campaign) -> Iterator[tuple[Path, Any, Any]]:
    """Compare each cluster with the most similar one of the file."""
    own_clusters = _clusters(file)
    flavors = {(own.provider, own.flavor) for own in own_clusters}
    shared = [url for ref in file.shared_datasets() for url in (ref.url, ref.certified) if url]
    shared += load_catalogue(file.catalogue).certified.values()
    kinds = {
        (_outside(own), own.model_dump_json(include={*_PLACE, *_ACCESS, *_READING.values()})): own
        for own in own_clusters
    }
    for position, cluster in enumerate(_clusters(asked)):
        like = sorted(kinds.values(), key=lambda own: len(_differences(cluster, own, _PLACE)))
        nearest = min((_unlike(cluster, own, shared, file.at_trigger) for own in like), key=len)
        for name, value, own in nearest:
            of_entry = getattr(asked.mapping[position], name, None) is not None
            in_storage = name in _IN_STORAGE and not of_entry
            yield ("storage", _IN_STORAGE[name]) if in_storage else ("mapping", position, name), value, own
        flavor = cluster.flavor
        known = (cluster.provider, flavor) in flavors or matches(file.at_trigger.flavors, flavor)
        if flavor is not None and not known:
            yield ("mapping", position, "flavor"), flavor, sorted({own for _, own in flavors if own})


def _of_nodes(file: Campaign, asked: Campaign) -> Iterator[tuple[Path, Any, Any]]:
    """Count the nodes that cost money: as many of a machine type as in the file, or `max_nodes` in all."""
    wanted, own = _nodes(asked), _nodes(file)
    allowed = file.at_trigger
    most = allowed.max_nodes or (own.total() if allowed.flavors else 0)
    if not wanted <= own and wanted.total() > most:
        yield ("mapping", "nodes"), dict(wanted), dict(own)


def _nodes(campaign: Campaign) -> Counter[str]:
    nodes: Counter[str] = Counter()
    for cluster in campaign.clusters():
        if cluster.provider in CLOUDS:
            nodes[str(cluster.flavor)] += cluster.most_nodes
    return nodes


def _unlike(cluster: Cluster, own: Cluster, shared: Sequence[str], allowed: AtTrigger) -> list[Difference]:
    """Return how a cluster differs from one of the file's, beyond what triggers may choose."""
    found: list[Difference] = []
    place = _differences(cluster, own, _PLACE)
    if place and cluster.connection not in allowed.connections:
        found.append(place[0])  # it explains the others
    found += _differences(cluster, own, _ACCESS)
    reading, own_reading = (
        Store(one.input, one.input_connection, one.pod_endpoint) for one in (cluster, own)
    )
    found += [(_READING[name], *both) for name, *both in _unlike_store(reading, own_reading, allowed)]
    urls = [own.input, *_outside(own), *shared]
    strangers = (url for url in _outside(cluster) if not inside([*urls, *allowed.storage], url))
    return found + [("datasets", url, urls) for url in strangers]


def _differences(cluster: Cluster, own: Cluster, names: Iterable[str]) -> list[Difference]:
    values, said = (one.model_dump(include=set(names)) for one in (cluster, own))
    return [(name, values[name], said[name]) for name in names if values[name] != said[name]]


def _unlike_store(store: Store, own: Store, allowed: AtTrigger) -> Iterator[Difference]:
    """Return how a store differs: an endpoint belongs to the connection that the file uses it with."""
    if not inside([own.url, *allowed.storage], store.url):
        yield "url", store.url, own.url
    is_allowed = store.connection in allowed.connections
    if store.connection and store.connection != own.connection and not is_allowed:
        yield "connection", store.connection, own.connection
    elif store.connection and store[1:] != own[1:] and not (is_allowed and store.endpoint is None):
        yield "endpoint", store.endpoint, own.endpoint if store.connection == own.connection else None


def _outside(cluster: Cluster) -> tuple[str, ...]:
    """Return the URLs of datasets that are not below the cluster's input, and of their certified sections."""
    certified = {ref.certified for ref in cluster.datasets if ref.certified and "://" in ref.certified}
    urls = *(ref.url for ref in cluster.datasets), *sorted(certified)
    return tuple(url for url in urls if not inside([cluster.input], url))


def _clusters(campaign: Campaign) -> list[Cluster]:
    """Return the clusters, without the node addresses that follow from an entry's position."""
    clusters = campaign.clusters()
    for position, cluster in enumerate(clusters):
        if cluster.gke and cluster.gke.subnet_range == default_subnet_range(position):
            gke = cluster.gke.model_copy(update={"subnet_range": None})
            clusters[position] = cluster.model_copy(update={"gke": gke})
    return clusters
