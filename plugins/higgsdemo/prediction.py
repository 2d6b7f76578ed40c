"""What a run should take, predicted before it starts, and what it took: pods, bytes, time, core-hours, money.

It is an account from a few rates, those of the campaign's last whole run if there is one (`rates.py`); a
large difference between the two is worth a look. The nodes' time is that of the pods, without that of
creating clusters.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import log10
from types import MappingProxyType
from typing import Annotated, Any

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict

from higgsdemo.campaign import Cluster
from higgsdemo.campaign.values import quantity
from higgsdemo.datasets.packing import PODS_A_SECOND, cluster_seconds, count_pods
from higgsdemo.rates import Rates, built_in, pack
from higgsdemo.results.work import MEBIBYTE, Measure, Used, Work
from higgsdemo.run import Run
from higgsdemo.wording import align

BELIEVED = 20.0  # times what rates tell: more has been an interruption, such as a night until somebody looked

Amount = Annotated[int, Ge(0), Le(1 << 80)]  # of a million results with the most bytes that one may state


class Account(BaseModel):
    """What a run should take, or took; None where unknown.

    :param pods: those that succeed, without further tries.
    :param slots: pods that fit into the clusters at once.
    :param pods_a_second: pods that the control planes create together.
    :param bytes: to be read, or staged in.
    :param bytes_out: written.
    :param seconds: from the first pod's start to the last one's end.
    :param core_hours: reserved by pods.
    :param cost: of the nodes meanwhile, in the currency of the campaign's prices.
    :param cost_of_bytes: read and written.
    :param memory: of a pod; `cores` likewise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shards: Amount | None = None
    pods: Amount | None = None
    slots: Amount | None = None
    pods_a_second: Measure | None = None
    bytes: Amount | None = None
    bytes_out: Amount | None = None
    seconds: Measure | None = None
    core_hours: Measure | None = None
    cost: Measure | None = None
    cost_of_bytes: Measure | None = None
    memory: Used | None = None
    cores: Used | None = None

    @property
    def bytes_a_second(self) -> float | None:
        """The mean bandwidth of all pods together."""
        return self.bytes / self.seconds if self.bytes is not None and self.seconds else None


def predict(
    run: Run,
    clusters: Sequence[Cluster],
    mean_bytes: float | None,
    done: Mapping[str, int] | None = None,
    rates: Rates | None = None,
) -> Account:
    """Return what a run should take.

    :param mean_bytes: of a shard.
    :param done: shards by dataset that have their result, on whichever cluster.
    :param rates: None for the built-in ones.
    """
    to_do = _to_do(clusters, done or {})
    if to_do is None:
        return Account()
    shards = [sum(numbers) for numbers in to_do]
    pods = _pods(run, clusters, to_do, mean_bytes)
    slots = [cluster.slots for cluster in clusters]
    known = Account(
        shards=sum(shards),
        pods=sum(pods),
        slots=sum(n or 0 for n in slots) if all(slots) else None,
        pods_a_second=PODS_A_SECOND * sum(bool(n) for n in pods),
    )
    if mean_bytes is None or not known.pods:
        return known
    rates = rates or built_in(run)
    read = {cluster.name: n * mean_bytes for cluster, n in zip(clusters, shards, strict=True)}
    times = _times(run, clusters, shards, pods, mean_bytes, rates)
    own = {one.name: rates.pace * time for one, (time, _) in zip(clusters, times, strict=True)}
    seconds = max(own.values())
    core_seconds = sum(
        held * float(quantity(one.resources.cpu)) for one, (_, held) in zip(clusters, times, strict=True)
    )
    return known.model_copy(
        update={
            "bytes": round((known.shards or 0) * mean_bytes),
            "seconds": round(seconds, 1),
            "core_hours": round(core_seconds / 3600, 3),
            "cost": cost(clusters, seconds, own if run.cleanup == "clusters" else {}),
            "cost_of_bytes": _cost_of_bytes(clusters, read, {}),
        }
    )


def measure(
    run: Run, clusters: Sequence[Cluster], shards: Sequence[Sequence[int]], work: Work
) -> Rates | None:
    """Return the rates that a run has shown; None if it is not a whole one, or was interrupted.

    :param shards: of each dataset on each cluster.
    """
    whole = work.shards == sum(map(sum, shards)) > 0
    if not (whole and work.seconds and work.stage_in and work.compute and (read := work.read.total())):
        return None
    mean = read / work.shards
    rates = Rates(
        workload=run.workload, stage_in=read / work.stage_in, analysis=read / work.compute, shard=mean
    )
    times = _times(run, clusters, list(map(sum, shards)), _pods(run, clusters, shards, mean), mean, rates)
    pace = work.seconds / max(time for time, _ in times)
    return rates.model_copy(update={"pace": pace}) if 1 / BELIEVED < pace < BELIEVED else None


def _pods(
    run: Run, clusters: Sequence[Cluster], shards: Sequence[Sequence[int]], mean_bytes: float | None
) -> list[int]:
    """Return the pods of each cluster."""
    return [
        count_pods(numbers, pack(run, cluster, numbers, mean_bytes))
        for cluster, numbers in zip(clusters, shards, strict=True)
    ]


def _times(
    run: Run,
    clusters: Sequence[Cluster],
    shards: Sequence[int],
    pods: Sequence[int],
    mean_bytes: float,
    rates: Rates,
) -> list[tuple[float, float]]:
    """Return how long each cluster and all of its pods together take, in seconds, by the rates alone."""
    times = []
    for cluster, number, made in zip(clusters, shards, pods, strict=True):
        one = rates.seconds(run, number / made, mean_bytes) if made else 0.0
        times.append((cluster_seconds(made, cluster.slots, one), made * one))
    return times


def took(run: Run, work: Work, clusters: Sequence[Cluster]) -> Account:
    """Return what a run took, according to its results."""
    seconds = work.seconds
    own = {name: end - work.first for name, end in work.ends.items()} if run.cleanup == "clusters" else {}
    cpu, memory = (
        max((float(quantity(getattr(cluster.resources, kind))) for cluster in clusters), default=0.0)
        for kind in ("cpu", "memory")
    )
    return Account(
        shards=work.shards,
        bytes=work.read.total(),
        bytes_out=work.written.total(),
        seconds=round(seconds, 1) if seconds is not None else None,
        core_hours=round(work.held * cpu / 3600, 3),
        cost=cost(clusters, seconds, own) if seconds is not None else None,
        cost_of_bytes=_cost_of_bytes(clusters, work.read, work.written),
        memory=Used.of_memory(work.memory, memory),
        cores=Used.of_cores(work.cores, cpu),
    )


def _cost_of_bytes(
    clusters: Sequence[Cluster], read: Mapping[Any, float], written: Mapping[Any, float]
) -> float | None:
    """Return what the bytes cost, by cluster, at the prices that there are; None without any."""
    costs = [
        size.get(cluster.name, 0) * price / 1e9
        for cluster in clusters
        for size, price in ((read, cluster.price_per_gb_in), (written, cluster.price_per_gb_out))
        if price is not None
    ]
    return round(sum(costs), 2) if costs else None


def cost(
    clusters: Sequence[Cluster], seconds: float, own: Mapping[Any, float] = MappingProxyType({})
) -> float | None:
    """Return what the nodes cost in that time; None where a price is unknown.

    :param own: other times, of clusters by name: those that are deleted once their share is done.
    """
    prices = [cluster.price_per_node_hour for cluster in clusters]
    if not prices or any(price is None for price in prices):
        return None
    total = sum((c.price_per_node_hour or 0.0) * c.all_nodes * own.get(c.name, seconds) for c in clusters)
    return round(total / 3600, 2)


def tell_nodes(cluster: Cluster) -> str:
    """Say which nodes a cluster has, and what they cost where that is known."""
    hourly = cost([cluster], 3600)
    price = "" if hourly is None else f", {hourly:g} an hour"
    return f"{cluster.all_nodes} nodes of {cluster.provider}{price}"


def account_rows(predicted: Account | None, actual: Account | None) -> list[list[str]]:
    """Return both as table rows below a heading, one quantity each; those that both lack are left out."""
    sides = {"predicted": _cells(predicted), "took": _cells(actual)}
    shown = {title: cells for title, cells in sides.items() if cells}
    names = [name for name in _NAMES if any(name in cells for cells in shown.values())]
    rows = [[name, *(cells.get(name, "") for cells in shown.values())] for name in names]
    if (error := relative_error(predicted, actual)) is not None:
        rows.insert(names.index("Seconds") + 1, ["Off by", "", f"{error:+.0%}"])
    return [["", *shown], *rows]


def relative_error(predicted: Account | None, actual: Account | None) -> float | None:
    """Return by what part a run took longer than predicted, negative if shorter; None where unknown."""
    if not (predicted and actual and predicted.seconds and actual.seconds is not None):
        return None
    return round(actual.seconds / predicted.seconds - 1, 3)


def account_table(predicted: Account | None, actual: Account | None) -> str:
    """Return both as plain text."""
    return align(account_rows(predicted, actual))


_IN_MIB = "{:.0f}Mi", MEBIBYTE
_NAMES: dict[str, Callable[[Account], object]] = {
    "Shards": lambda a: a.shards is not None and f"{a.shards}",
    "Pods": lambda a: a.pods and f"{a.pods}",
    "Pods at once": lambda a: a.slots and f"{a.slots}",
    "Pods a second": lambda a: a.pods_a_second and f"{a.pods_a_second:g}",
    "Bytes": lambda a: a.bytes and _scale(a.bytes, "B"),
    "Bytes out": lambda a: a.bytes_out and _scale(a.bytes_out, "B"),
    "Seconds": lambda a: a.seconds is not None and f"{a.seconds:.0f}",
    "Bandwidth": lambda a: a.bytes_a_second and _scale(a.bytes_a_second, "B/s"),
    "Core hours": lambda a: a.core_hours and f"{a.core_hours:.3g}",
    "Cost": lambda a: a.cost is not None and f"{a.cost:.2f}",
    "Cost of bytes": lambda a: a.cost_of_bytes is not None and f"{a.cost_of_bytes:.2f}",
    "Memory asked, enough": lambda a: a.memory and a.memory.cells(*_IN_MIB)[0],
    "Memory used: half, 95%, all": lambda a: a.memory and a.memory.cells(*_IN_MIB)[1],
    "Cores asked, enough": lambda a: a.cores and a.cores.cells("{:.3g}")[0],
    "Cores used: half, 95%, all": lambda a: a.cores and a.cores.cells("{:.2f}")[1],
}


def _cells(account: Account | None) -> dict[str, str]:
    if account is None:
        return {}
    return {name: str(text) for name, show in _NAMES.items() if (text := show(account))}


def _scale(value: float, unit: str) -> str:
    power = min(max(int(log10(value)) // 3, 0), 4) if value >= 1 else 0
    return f"{value / 1000**power:.3g} {('', 'k', 'M', 'G', 'T')[power]}{unit}"


def _to_do(clusters: Sequence[Cluster], done: Mapping[str, int]) -> list[list[int]] | None:
    """Return the remaining shards of each dataset on each cluster; None where the files are unknown.

    The finished shards of a dataset are spread over its clusters.
    """
    refs = [ref for cluster in clusters for ref in cluster.datasets]
    if any(ref.files is None and ref.max_shards is None for ref in refs):
        return None
    total = Counter[str]()
    for dataset in refs:
        total[dataset.name] += dataset.planned_shards
    left = {name: max(1 - done.get(name, 0) / n, 0.0) for name, n in total.items() if n}
    return [
        [round(ref.planned_shards * left.get(ref.name, 0.0)) for ref in cluster.datasets]
        for cluster in clusters
    ]
