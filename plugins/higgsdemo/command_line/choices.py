"""On which machines a campaign would be done by a deadline, and what each choice costs."""

import csv
from bisect import bisect_left
from contextlib import suppress
from functools import partial
from math import ceil, inf
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from higgsdemo.campaign import Cluster
from higgsdemo.campaign.fields import Price
from higgsdemo.campaign.flavors import cores_of
from higgsdemo.command_line.forecast import Known
from higgsdemo.prediction import predict
from higgsdemo.wording import quote

CLUSTERS = (1, 2, 5, 10, 20, 50)
MOST_NODES = 1000  # of a cluster


class Offer(BaseModel):
    """A machine type, and what a node of it costs in an hour: a row of the table of prices."""

    model_config = ConfigDict(frozen=True)

    provider: Literal["gke", "eks", "local"]
    flavor: str
    price_per_node_hour: Price

    @property
    def cores(self) -> int | None:
        """Cores of a node; None where the name of the flavor does not tell them."""
        return cores_of(self.provider, self.flavor)


class Choice(BaseModel):
    """Clusters that would do a campaign's work.

    :param nodes: of each cluster.
    :param seconds: in which pods run.
    :param price: of nodes and bytes, in the currency of the prices.
    """

    provider: str
    flavor: str
    clusters: int
    nodes: int
    seconds: float
    price: float


def read_offers(file: Path) -> list[Offer]:
    """Return the offers of a table with the columns provider, flavor and price_per_node_hour.

    :raises ValueError: when it is none.
    """
    try:
        rows = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise ValueError(f"{file}: the prices cannot be read: {error}") from None
    return [_offer(row, f"{file}, line {line}") for line, row in enumerate(rows, 2)]


def _offer(row: dict[str, Any], where: str) -> Offer:
    with suppress(ValueError):
        price = float(row.get("price_per_node_hour") or "")
        offer = Offer(provider=row.get("provider"), flavor=row.get("flavor"), price_per_node_hour=price)
        if offer.cores and price < inf:
            return offer
    raise ValueError(
        f"{where}: {quote(','.join(map(str, row.values())))} is no offer: the columns are provider (gke, eks "
        "or local), flavor (a machine type whose name tells its cores, such as n1-highmem-16) and "
        "price_per_node_hour (a number, 0 or more)"
    )


def offers_of(clusters: list[Cluster]) -> list[Offer]:
    """Return the machine types of a campaign's clusters that have a price."""
    priced = (one for one in clusters if one.flavor and one.cores and one.price_per_node_hour is not None)
    keys = ("provider", "flavor", "price_per_node_hour")
    return list(dict.fromkeys(Offer(**{key: getattr(one, key) for key in keys}) for one in priced))


def choices(known: Known, offers: list[Offer], deadline: float) -> list[Choice]:
    """Return the cheapest number of nodes for each offer and number of clusters, the best choice first.

    :param deadline: seconds in which all pods must have run.
    :raises ValueError: when nobody knows how much there is to do.
    """
    if predict(known.run, known.clusters, known.size).seconds is None:
        raise ValueError("it has no files, or nobody knows how many and how large: leave out --offline")
    found = (_cheapest(known, offer, number, deadline) for offer in offers for number in CLUSTERS)
    return sorted(filter(None, found), key=lambda one: (one.price, one.clusters, one.seconds))


def _cheapest(known: Known, offer: Offer, number: int, deadline: float) -> Choice | None:
    """Return the best number of nodes: the fewest that are in time, or up to twice as many.

    More nodes may be cheaper, if the last turn of pods then fills them.
    """
    choice = partial(_choice, known, offer, number)
    nodes = range(1, MOST_NODES + 1)
    fewest = bisect_left(nodes, True, key=lambda n: choice(n).seconds <= deadline)
    in_time = (one for one in map(choice, nodes[fewest : 2 * fewest + 2]) if one.seconds <= deadline)
    return min(in_time, key=lambda one: one.price, default=None)


def _choice(known: Known, offer: Offer, number: int, nodes: int) -> Choice:
    """Predict one of so many clusters alike."""
    like = next((one for one in known.clusters if one.provider == offer.provider), known.clusters[0])
    shape = {
        **offer.model_dump(),
        "cores": offer.cores,
        "nodes": nodes,
        "datasets": tuple(
            ref.model_copy(update={"files": ceil(ref.planned_shards / number), "max_shards": None})
            for cluster in known.clusters
            for ref in cluster.datasets
        ),
    }
    found = predict(known.run, [like.model_copy(update=shape)], known.size, rates=known.rates)
    price = number * ((found.cost or 0.0) + (found.cost_of_bytes or 0.0))
    where = offer.model_dump(include={"provider", "flavor"})
    return Choice(**where, clusters=number, nodes=nodes, seconds=found.seconds or inf, price=round(price, 2))
