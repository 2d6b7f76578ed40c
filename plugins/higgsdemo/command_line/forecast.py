"""What a run of a campaign's file would do: its clusters and shards, and what it should take."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pydantic import BaseModel

from higgsdemo.campaign import Cluster, DatasetRef, RunOptions, load_campaign
from higgsdemo.catalogue import load_catalogue
from higgsdemo.datasets.records import look_up
from higgsdemo.datasets.split import mean_bytes, pieces, place_rows, with_parts
from higgsdemo.notifications import callbacks
from higgsdemo.operators.list_shards import list_and_check
from higgsdemo.operators.plan import plan_run
from higgsdemo.prediction import Account, account_table, predict
from higgsdemo.rates import Rates, built_in, recorded_rates
from higgsdemo.run import Run
from higgsdemo.storage.object_store import StorageError
from higgsdemo.wording import printable


class Forecast(BaseModel):
    """What a run would do.

    :param clusters: shards by cluster and dataset; None where their number is not known.
    :param remarks: what a person should know before.
    """

    file: str
    clusters: dict[str, dict[str, int | None]]
    predicted: Account
    remarks: list[str]

    def __str__(self) -> str:
        lines = [f"valid, {_count(len(self.clusters), 'cluster')}"]
        for name, datasets in self.clusters.items():
            shards = sum(number or 0 for number in datasets.values())
            known = _count(shards, "shard") if None not in datasets.values() else "of unknown size"
            lines.append(f"{name}: {_count(len(datasets), 'dataset')}, {known}")
        lines += map(printable, self.remarks)
        return "\n  ".join([*lines, *account_table(self.predicted, None).splitlines()[1:]])


class Known(NamedTuple):
    """What is known of a campaign before it runs.

    :param clusters: with the datasets that each gets.
    :param size: the mean size of a shard in bytes; None where unknown.
    """

    run: Run
    clusters: list[Cluster]
    size: float | None
    rates: Rates
    remarks: list[str]


def look_ahead(file: Path, offline: bool) -> Known:
    """Read a campaign's file, and list its data unless that is left out.

    :raises CampaignError, NotifierError, ListingError: when it could not run.
    :raises StorageError: when its data cannot be listed.
    """
    campaign = load_campaign(file)
    for event in ("on_success", "on_failure"):
        for notify in callbacks(campaign.notifications, event):
            notify.make()
    run = plan_run(campaign, RunOptions(), file.stem, "check")
    clusters, shared, remarks = campaign.clusters(), campaign.shared_datasets(), list(campaign.remarks)
    size, rates = load_catalogue(run.catalogue).file_bytes, built_in(run)
    if offline:
        clusters = _share(shared, clusters) if shared else clusters
    else:
        clusters, shared, told, _ = look_up(clusters, shared, strict=run.incomplete == "fail")
        remarks += told
        clusters, size = _list(run, clusters, shared, lambda text, *values: remarks.append(text % values))
        with suppress(StorageError):  # the bucket for results may not be there yet
            rates = recorded_rates(run)
    return Known(run, clusters, size, rates, remarks)


def forecast(file: Path, offline: bool) -> Forecast:
    """Return what a run of a campaign's file would do. Raises what `look_ahead` raises."""
    run, clusters, size, rates, remarks = look_ahead(file, offline)
    return Forecast(
        file=str(file),
        clusters={c.name: {ref.name: ref.planned_shards or None for ref in c.datasets} for c in clusters},
        predicted=predict(run, clusters, size, rates=rates),
        remarks=remarks,
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _list(
    run: Run, clusters: list[Cluster], shared: Sequence[DatasetRef], warn: Callable[..., None]
) -> tuple[list[Cluster], float | None]:
    """Return the clusters with the shards that each gets, and their mean size in bytes."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if shared:
            listings = list_and_check(run, shared, clusters[0].input_connection, folder, warn)
            homes = [(position, dataset) for position, (dataset, _) in place_rows(listings, clusters)]
            return _placed(shared, clusters, homes), mean_bytes(listings)
        listings, homes = [], []
        for position, cluster in enumerate(clusters):
            found = list_and_check(run, cluster.datasets, cluster.input_connection, folder, warn)
            listings += found
            homes += [(position, one.dataset.name) for one in found for _ in range(one.shards)]
        datasets = [ref for cluster in clusters for ref in cluster.datasets]
        return _placed(datasets, clusters, homes), mean_bytes(listings)


def _share(shared: Sequence[DatasetRef], clusters: list[Cluster]) -> list[Cluster]:
    """Distribute datasets as if their files were all of one size; each cluster gets the unknown ones."""
    names = [ref.name for ref in shared for _ in range(ref.planned_shards)]
    homes = pieces([1.0] * len(names), len(names), [cluster.capacity or 1 for cluster in clusters])
    unknown = tuple(ref for ref in shared if not ref.planned_shards)
    return [
        cluster.model_copy(update={"datasets": cluster.datasets + unknown})
        for cluster in _placed(shared, clusters, zip(homes, names, strict=True))
    ]


def _placed(
    datasets: Sequence[DatasetRef], clusters: list[Cluster], homes: Iterable[tuple[int, str]]
) -> list[Cluster]:
    counts = [Counter[str]() for _ in clusters]
    for position, name in homes:
        counts[position][name] += 1
    return with_parts(datasets, clusters, counts)
