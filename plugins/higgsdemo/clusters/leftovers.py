"""Leftovers of campaigns: clusters and objects of ours that belong to no active run.

A cluster has the label of its campaign, and a campaign has one run at a time. Everything of a campaign with a
queued or running run is therefore in use, including its older runs' Jobs, which the next look finds. What
belongs to no campaign of this Airflow is a stranger's, and only reported.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from higgsdemo.clusters import ClusterError, connect, provider_of
from higgsdemo.kubernetes.names import label_value, selector
from higgsdemo.kubernetes.requests import KubeError
from higgsdemo.run import ClusterRun

Warn = Callable[..., Any]
GRACE = "; nothing is removed"


class Leftover(BaseModel):
    """Something of ours.

    :param at: a ClusterRun whose campaign and cluster are those of the leftover; None for a stranger's.
    :param run: value of the label of the run whose objects these are; None for the cluster itself.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["cluster", "objects"]
    cluster: str
    campaign: str
    run: str | None = None
    count: int = 1
    at: ClusterRun | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from others: two regions may have clusters of one name."""
        return str(self), self.at and _place(self.at)

    def __str__(self) -> str:
        where = f" in {self.at.cluster.location}" if self.at and self.at.cluster.location else ""
        cluster = f"cluster {self.cluster}{where}"
        if self.kind == "cluster":
            return f"{cluster} of the campaign {self.campaign}"
        return f"{self.count} objects of the run {self.run} of {self.campaign} in {cluster}"


def look(assignments: Iterable[ClusterRun], warn: Warn) -> list[Leftover]:
    """Return everything with our labels in the places that campaigns use; warn of those that do not answer.

    :param assignments: every cluster of every campaign, as if it were to be run.
    """
    known = list(assignments)
    campaigns = {assignment.run.campaign: assignment for assignment in known}
    places = {_place(assignment): assignment for assignment in known}
    found: dict[Any, Leftover] = {}
    for assignment in places.values():
        for leftover in _clusters(assignment, campaigns.values(), warn):
            found.setdefault(leftover.key, leftover)
    reachable = [leftover.at for leftover in found.values() if leftover.at]
    reachable += [assignment for assignment in known if assignment.cluster.provider == "existing"]
    for assignment in reachable:
        for leftover in _objects(assignment, campaigns, warn):
            found.setdefault(leftover.key, leftover)
    return list(found.values())


def others_at_work(assignment: ClusterRun, run: str | None) -> list[str]:
    """Return the runs that work on the cluster, but for a run of its campaign, or all of them (None).

    In whatever namespace: each would end with the cluster. One that is silent takes a minute; who asks comes
    again.

    :raises ClusterError: or KubeError, when the cluster does not tell.
    """
    ours = label_value(assignment.run.campaign)
    at_work = {owner for owner, works in connect(assignment, once=True).owned(everywhere=True) if works}
    return [
        f"the run {run_mark} of {campaign}"
        for campaign, run_mark in sorted(at_work)
        if campaign != ours or (run is not None and run_mark != label_value(run))
    ]


def remove_objects(leftover: Leftover) -> bool:
    """Remove the objects of a run; return whether the cluster was there to do it.

    :raises ClusterError: or KubeError, when they cannot be removed.
    """
    if leftover.at is None or not provider_of(leftover.at).state().runs:
        return False
    connect(leftover.at).remove(selector(leftover.at.run.campaign, leftover.run))
    return True


def _place(assignment: ClusterRun) -> tuple[str | None, ...]:
    """Return where a cluster is: the connection, location and project of its provider."""
    cluster = assignment.cluster
    return cluster.provider, cluster.connection, cluster.location, cluster.project


def _clusters(assignment: ClusterRun, campaigns: Iterable[ClusterRun], warn: Warn) -> Iterator[Leftover]:
    try:
        there = provider_of(assignment).found()
    except ClusterError as error:
        warn("%s%s", error, GRACE)
        return
    for name, mark, location, airflow in there:
        home = {"name": name} | ({"location": location} if location else {})
        bound = (
            _bound(assignment, one.run.campaign, home | {"namespace": one.cluster.namespace})
            for one in campaigns
        )
        ours = next((one for one in bound if mark in provider_of(one).marks.values()), None)
        if airflow not in (None, assignment.run.airflow):
            ours = None
        campaign = ours.run.campaign if ours else mark
        yield Leftover(kind="cluster", cluster=name, campaign=campaign, at=ours)


def _bound(assignment: ClusterRun, campaign: str, home: dict[str, str]) -> ClusterRun:
    run = assignment.run.model_copy(update={"campaign": campaign})
    return assignment.model_copy(update={"run": run, "cluster": assignment.cluster.model_copy(update=home)})


def _objects(assignment: ClusterRun, campaigns: dict[str, ClusterRun], warn: Warn) -> Iterator[Leftover]:
    name = assignment.cluster.name
    try:
        if not provider_of(assignment).state().runs:
            return
        owners = Counter(owner for owner, _ in connect(assignment).owned())
    except (ClusterError, KubeError) as error:
        warn("%s%s", error, GRACE)
        return
    by_label = {label_value(campaign): campaign for campaign in campaigns}
    for (mark, run), count in sorted(owners.items()):
        ours = _bound(assignment, by_label[mark], {}) if mark in by_label else None
        campaign = by_label.get(mark, mark)
        yield Leftover(kind="objects", cluster=name, campaign=campaign, run=run, count=count, at=ours)
