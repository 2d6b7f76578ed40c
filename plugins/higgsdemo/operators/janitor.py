"""``look`` and ``remove`` of the DAG ``higgs_janitor``: what campaigns have left behind, and its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from higgsdemo.operators.base import TaskFailed
from higgsdemo.operators.plan import plan_run
from higgsdemo.run import ClusterRun

if TYPE_CHECKING:
    from airflow.sdk import Context

    from higgsdemo.campaign import Campaign
    from higgsdemo.clusters.leftovers import Leftover

ACTIVE = ["queued", "running"]


class FindLeftoversOperator(BaseOperator):
    """List clusters and objects that bear our labels and belong to no run that goes on.

    :param campaigns: all campaigns by DAG id: where to look, and whose things are ours.
    """

    def __init__(self, *, campaigns: dict[str, Campaign], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.campaigns = campaigns

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return the leftovers that may be removed; the log tells of those in use and of strangers, too."""
        from higgsdemo.clusters.leftovers import look

        free: list[Leftover] = []
        for leftover in look(_assignments(self.campaigns), self.log.warning):
            if leftover.at is None:
                self.log.warning("%s: no campaign of this Airflow: left alone", leftover)
            elif _in_use(context, leftover):
                self.log.info("%s: in use", leftover)
            else:
                self.log.warning("%s: left over", leftover)
                free.append(leftover)
        self.log.info("%d left over", len(free))
        return [leftover.model_dump(mode="json") for leftover in free]


class RemoveLeftoversOperator(BaseOperator):
    """Remove what was found, if the run was told to.

    :param leftovers: what ``look`` returned.
    """

    template_fields = ("leftovers",)

    def __init__(self, *, leftovers: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.leftovers = leftovers

    def execute(self, context: Context) -> list[str]:
        """Return what was removed: all of it that no run has taken up meanwhile."""
        from higgsdemo.clusters import ClusterError
        from higgsdemo.clusters.leftovers import Leftover, remove
        from higgsdemo.kubernetes.api import KubeError

        if not context["params"]["remove"]:
            raise AirflowSkipException("nothing is removed unless the run is told to (remove)")
        removed, failed = [], []
        for leftover in sorted(map(Leftover.model_validate, self.leftovers), key=_objects_first):
            if _in_use(context, leftover):
                self.log.info("%s: in use by now", leftover)
                continue
            try:
                if remove(leftover):
                    removed.append(str(leftover))
            except (ClusterError, KubeError) as error:
                failed.append(str(error))
        for line in removed:
            self.log.info("%s: removed", line)
        if failed:
            raise TaskFailed("; ".join(failed))
        return removed


def _assignments(campaigns: dict[str, Campaign]) -> list[ClusterRun]:
    from higgsdemo.campaign import RunOptions

    return [
        ClusterRun(run=plan_run(campaign, RunOptions(), dag_id, "janitor"), cluster=cluster)
        for dag_id, campaign in campaigns.items()
        for cluster in campaign.clusters()
    ]


def _in_use(context: Context, leftover: Leftover) -> bool:
    runs: Callable[..., int] = context["ti"].get_dr_count
    return runs(dag_id=leftover.campaign, states=ACTIVE) > 0


def _objects_first(leftover: Leftover) -> bool:
    return leftover.kind == "cluster"
