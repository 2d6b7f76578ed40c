"""Find files that a run would count twice, where only index files in buckets tell."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from higgsdemo.campaign import CampaignError, DatasetRef, Placed, overlaps
from higgsdemo.datasets.listing import open_stores, read_indexed
from higgsdemo.datasets.shards import ListingError
from higgsdemo.storage.connections import OPEN, access, scheme_of


def refuse_overlaps(placed: Sequence[Placed]) -> None:
    """Refuse datasets that share files, where the campaign alone could not tell.

    :raises ListingError: when they do, or an index file is wrong.
    :raises StorageError: when one cannot be read.
    """
    connections = {one.ref.name: one.store for one in placed}
    buckets: dict[str, set[str]] = defaultdict(set)
    for one in placed:
        buckets[one.ref.url.split("/")[2]].add(one.store)
    remote = any(one.ref.index and "://" in one.ref.index for one in placed)
    several = any(len(known) > 1 for known in buckets.values())  # they may lead to one store, or to many

    def files(dataset: DatasetRef) -> list[str]:
        store = open_stores([dataset], connections[dataset.name])[dataset.url]
        return [f"{dataset.url}{file.key}" for file in read_indexed(dataset, store)]

    if len(placed) < 2 or not (remote or several):
        return
    if several:
        known = {(scheme_of(one.ref.url), one.store) for one in placed}
        stores = {pair: _endpoint(*pair) for pair in known}
        placed = [replace(one, store=stores[scheme_of(one.ref.url), one.store]) for one in placed]
    if problems := list(overlaps(placed, files)):
        raise ListingError(str(CampaignError("campaign", problems)))


def _endpoint(scheme: str, connection: str) -> str:
    """Return where a connection's store is; empty for a cloud's own, whose bucket names are unique."""
    if scheme in OPEN:
        return ""
    settings = access(f"{scheme}://any", connection).settings
    return str(settings.get("endpoint") or settings.get("base_url") or "").rstrip("/")
