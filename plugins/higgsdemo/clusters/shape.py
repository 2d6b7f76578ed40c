"""Compare the existing cluster with the requested one.

The same shape is adopted; another is refused by naming the difference, since nobody wants to run on twice the
nodes by accident, or to change a cluster that somebody works with.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from higgsdemo.clusters.base import ClusterError, OurCluster

PART_OF = "part-of"
CAMPAIGN = "campaign"
PROJECT = "higgsdemo"
AIRFLOW = "airflow"


def campaign_marks(campaign: str, airflow: str | None) -> dict[str, str]:
    """Return the labels or tags of the clusters of a campaign, whose name fits into such a label."""
    return {PART_OF: PROJECT, CAMPAIGN: campaign} | ({AIRFLOW: airflow} if airflow else {})


def check_ours(cluster: str, marks: Mapping[str, str], ours: Mapping[str, str]) -> None:
    """Refuse a cluster whose labels or tags do not say that this campaign has made it."""
    if marks.get(PART_OF) != PROJECT:
        raise ClusterError(
            f"cluster {cluster} is there already, and was not made by a campaign: give this one another "
            "name, or use it with the provider 'existing'"
        )
    if not is_ours(marks, ours):
        where = " in another Airflow" if marks.get(CAMPAIGN) == ours[CAMPAIGN] else ""
        raise ClusterError(
            f"cluster {cluster} is there already, made by the campaign {marks.get(CAMPAIGN)}{where}: give "
            "this one another name, or remove that one (stage 'cleanup' of that campaign)"
        )


def is_ours(marks: Mapping[str, str], ours: Mapping[str, str]) -> bool:
    """Return whether this campaign has made a cluster; those of old versions do not name their Airflow."""
    there = {AIRFLOW: ours.get(AIRFLOW), **marks}
    return all(there.get(name) == value for name, value in ours.items())


def made_by_campaigns(
    clusters: Iterable[tuple[str, Mapping[str, str], str | None]],
) -> list[OurCluster]:
    """Return those of ``clusters`` (name, labels or tags, location) that a campaign of ours has made."""
    return [
        OurCluster(name, marks[CAMPAIGN], location, marks.get(AIRFLOW))
        for name, marks, location in clusters
        if marks.get(PART_OF) == PROJECT and CAMPAIGN in marks
    ]


def check_shape(cluster: str, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse a cluster that exists in another shape, naming each difference."""
    differences = [
        f"{name} is {_show(there.get(name))}, wanted {_show(value)}"
        for name, value in wanted.items()
        if there.get(name) != value
    ]
    if differences:
        raise ClusterError(
            f"cluster {cluster} is there already with another shape: {'; '.join(differences)}. Change the "
            "campaign, or remove the cluster (stage 'cleanup' with cleanup 'clusters')"
        )


def _show(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
