"""``look`` and ``remove`` of the DAG ``higgs_janitor``: find and remove the leftovers of campaigns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from higgsdemo.campaign import Campaign, RunOptions
from higgsdemo.operators.base import fail_in_words, most_mapped
from higgsdemo.operators.cluster_life import DeleteClusterOperator
from higgsdemo.operators.created import airflow_name, is_prepared, read_notes
from higgsdemo.operators.kept import drop, kept
from higgsdemo.operators.plan import plan_run
from higgsdemo.run import ClusterRun
from higgsdemo.wording import ExplainedError

if TYPE_CHECKING:
    from higgsdemo.clusters.leftovers import Leftover

ACTIVE = ["queued", "running"]


class FindLeftoversOperator(BaseOperator):
    """List clusters and objects with our labels that belong to no active run of the campaigns, by DAG id."""

    def __init__(self, *, campaigns: dict[str, Campaign], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.campaigns = campaigns

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return the removable leftovers; the log also reports those in use and those of strangers."""
        from higgsdemo.clusters.leftovers import look

        for dag_id, key in kept():
            if not _goes_on(context, dag_id):
                drop(key)  # somebody has deleted the run
        free: list[Leftover] = []
        cleanup = {"stages": ("cleanup",), "cleanup": "clusters", "airflow": airflow_name()}
        asked_for = [
            one.model_copy(update={"run": one.run.model_copy(update=cleanup)})
            for one in (*_assignments(self.campaigns), *read_notes(self.log.warning))
        ]
        for leftover in look(asked_for, self.log.warning):
            if leftover.at is None:
                self.log.warning("%s: no campaign of this Airflow: left alone", leftover)
            elif _goes_on(context, leftover.campaign):
                self.log.info("%s: in use", leftover)
            elif is_prepared(leftover.at, self.log.warning):
                self.log.info("%s: prepared, and waits for its stage submit", leftover)
            else:
                self.log.warning("%s: left over", leftover)
                free.append(leftover)
        self.log.info("%d left over", len(free))  # those beyond what Airflow maps are for the next run
        return [leftover.model_dump(mode="json") for leftover in free[: most_mapped()]]


class RemoveLeftoverOperator(DeleteClusterOperator):
    """Remove a leftover that ``look`` returned, if the run was triggered to: a cluster as campaigns do."""

    template_fields = ("leftover",)

    def __init__(self, *, leftover: Any, **kwargs: Any) -> None:
        super().__init__(assignment=None, **kwargs)
        self.leftover = leftover

    def execute(self, context: Context) -> dict[str, Any]:
        """Remove it unless a run uses it by now; defer until a cluster is gone."""
        from higgsdemo.clusters.leftovers import remove_objects

        if not context["params"]["remove"]:
            raise AirflowSkipException("nothing is removed: trigger with remove to do so")
        leftover = self._found()
        if _goes_on(context, leftover.campaign):
            raise AirflowSkipException(f"{leftover}: in use by now")
        if leftover.kind == "cluster":
            with suppress(ExplainedError):  # nobody may reach it any more
                remove_objects(leftover)
            return super().execute(context)
        with fail_in_words():
            if not remove_objects(leftover):
                raise AirflowSkipException(f"{leftover}: gone, or going, with the cluster")
        self.log.info("%s: removed", leftover)
        return {"cluster_name": leftover.cluster}

    def ends_with_it(self, assignment: ClusterRun, context: Context) -> str | None:
        """Return no run's name: what works there by now is of a run that has begun since."""
        return ""

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Go on with what is left of the cluster, or end when nothing is."""
        self._found()
        return super().execute_complete(context, event)

    def _found(self) -> Leftover:
        from higgsdemo.clusters.leftovers import Leftover

        self.assignment = self.leftover["at"]
        return Leftover.model_validate(self.leftover)


def _assignments(campaigns: dict[str, Campaign]) -> list[ClusterRun]:
    """Return the clusters of all campaigns; nobody has set up the clouds of every shipped file."""
    from higgsdemo.storage.named_connection import is_set_up

    return [
        ClusterRun(run=plan_run(campaign, RunOptions(), dag_id, "janitor"), cluster=cluster)
        for dag_id, campaign in campaigns.items()
        for cluster in campaign.clusters()
        if is_set_up(cluster.connection)
    ]


def _goes_on(context: Context, campaign: str) -> bool:
    runs: Callable[..., int] = context["ti"].get_dr_count
    return runs(dag_id=campaign, states=ACTIVE) > 0
