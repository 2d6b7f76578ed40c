"""``plan``: from the campaign's file and what was said at the trigger to one run, cluster by cluster."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from higgsdemo.campaign import CampaignError, apply_conf
from higgsdemo.links import PageLink
from higgsdemo.notifications import NotifierError, on_failure, on_success
from higgsdemo.operators.base import TaskFailedForGood, told
from higgsdemo.run import ClusterRun, Run, run_name

if TYPE_CHECKING:
    from airflow.sdk import Context

    from higgsdemo.campaign import Campaign, RunOptions


RECORD = "campaign.json"


class PlanOperator(BaseOperator):
    """Return one ClusterRun for each cluster, and keep what was resolved in the run's ``campaign.json``.

    :param campaign: the campaign as its file gives it.
    """

    operator_extra_links = (PageLink(),)

    def __init__(self, *, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.campaign = campaign

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Apply the conf of the run and resolve every cluster."""
        dag_run = context["dag_run"]
        try:
            campaign, options = apply_conf(self.campaign, dict(dag_run.conf or {}))
            name = options.run_name or run_name(dag_run.run_id, dag_run.run_after)
            run = plan_run(campaign, options, dag_run.dag_id, name)
            assignments = [ClusterRun(run=run, cluster=cluster) for cluster in campaign.clusters()]
            for notify in (*on_success(campaign.notifications), *on_failure(campaign.notifications)):
                notify.make()
        except (CampaignError, NotifierError) as error:
            raise TaskFailedForGood(str(error)) from None
        for assignment in assignments:
            cluster = assignment.cluster
            self.log.info("%s: %d datasets on %s", cluster.name, len(cluster.datasets), cluster.provider)
        if "submit" in run.stages:
            self._keep(run, campaign, dag_run.run_id)
        return [assignment.model_dump(mode="json") for assignment in assignments]

    def _keep(self, run: Run, campaign: Campaign, run_id: str) -> None:
        from datetime import UTC, datetime

        from airflow import __version__

        from higgsdemo.storage import ObjectStore

        record = {
            "planned": datetime.now(UTC).isoformat(timespec="seconds"),
            "airflow": {"version": __version__, "dag_run": run_id},
            "run": run.model_dump(mode="json"),
            "campaign": campaign.model_dump(mode="json", by_alias=True),
        }
        with told():
            store = ObjectStore(run.output, run.output_connection)
            if store.exists(RECORD) and not run.resume:
                earlier = json.loads(store.read(RECORD))["airflow"]["dag_run"]
                if earlier != run_id:
                    raise TaskFailedForGood(
                        f"run {run.name} is there already, made by the DAG run {earlier}: give resume to "
                        "finish it, or another run_name"
                    )
            url = store.write(RECORD, json.dumps(record, indent=1).encode())
        self.log.info("run %s: see %s", run.name, url)


def plan_run(campaign: Campaign, options: RunOptions, dag_id: str, name: str) -> Run:
    """Return the run that a campaign and the options of its trigger make."""
    from higgsdemo.workloads import WORKLOADS

    storage = campaign.storage
    return Run(
        campaign=dag_id,
        name=name,
        catalogue=campaign.catalogue,
        workload=campaign.workload,
        image=campaign.image or WORKLOADS[campaign.workload].image,
        stage_in_image=campaign.stage_in_image or WORKLOADS["nanoaod"].image,
        output=f"{storage.output.rstrip('/')}/{dag_id}/{name}",
        output_connection=storage.writes_with,
        pod_endpoint=storage.writes_at,
        stages=tuple(options.stages),
        resume=options.resume,
        cleanup=campaign.cleanup,
        tolerance=campaign.tolerance,
        incomplete=campaign.incomplete,
        download_limit_kbps=campaign.download_limit_kbps,
        histograms=tuple(campaign.histograms),
        live=storage.live,
    )
