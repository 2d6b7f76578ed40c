"""From a campaign to its DAG: which task follows which, and nothing of what they do.

    plan -> cluster [mapped: one instance per cluster]
              (create_cluster -> prepull_image), list_dataset_shards -> submit_jobs -> wait_for_jobs
         -> merge_results -> plot, and choose_cleanup -> keep | cleanup_jobs -> delete_clusters
         -> campaign_status

The group is mapped over what ``plan`` returns, so a mapping given at the trigger may have any number of
clusters. A stage that a run leaves out is skipped, and the next one goes on as if it were done.
"""

from datetime import UTC, datetime
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, Param, TriggerRule, get_parsing_context, task_group

from higgsdemo import tasks
from higgsdemo.campaign import Campaign
from higgsdemo.campaign.params import param_schemas
from higgsdemo.notifications import callbacks
from higgsdemo.operators.cleanup import CampaignStatusOperator, ChooseCleanupOperator
from higgsdemo.operators.cluster_life import CreateClusterOperator, DeleteClusterOperator
from higgsdemo.operators.jobs import CleanupJobsOperator, SubmitJobsOperator, WaitForJobsOperator
from higgsdemo.operators.list_shards import ListShardsOperator
from higgsdemo.operators.plan import PlanOperator
from higgsdemo.operators.prepull import PrepullImageOperator
from higgsdemo.operators.results import MergeResultsOperator, PlotOperator
from higgsdemo.reason import keep_reason
from higgsdemo.tries import RETRIES

CLUSTER_NAME = "{{ task.assignment['cluster']['name'] }}"


def build(dag_id: str, campaign: Campaign, since: datetime | None = None) -> DAG:
    """Return the DAG of a campaign.

    :param since: when its file was saved: a cron schedule begins with the next slot; None for now.
    """
    with DAG(
        dag_id=dag_id,
        dag_display_name=f"{dag_id}: {campaign.title}",  # the list of DAGs is searched by how this begins
        description=campaign.description,
        doc_md=tasks.dag_doc(campaign.description),
        schedule=_schedule(campaign, since or datetime.now(UTC)),
        catchup=False,
        max_active_runs=1,  # two would create and delete the same clusters; `plan` looks at backfills, too
        default_args={**RETRIES, "on_failure_callback": keep_reason, "on_retry_callback": keep_reason},
        on_success_callback=[*callbacks(campaign.notifications, "on_success")] or None,
        on_failure_callback=[*callbacks(campaign.notifications, "on_failure")] or None,
        tags=["higgsdemo", campaign.catalogue],
    ) as dag:
        _wire(campaign, spectrum_asset(dag_id))
    _leave_out_arrows_of_data(dag)
    # Last: every task made after it would get a copy, whose JSON Schemas Airflow checks again at each parse.
    if get_parsing_context().task_id is None:  # tasks read the conf, and would check all of them twice
        dag.params.update({name: Param(**schema) for name, schema in param_schemas(campaign).items()})
    return dag


def spectrum_asset(dag_id: str) -> Asset:
    """Return the asset that other DAGs are scheduled on to use a campaign's new spectrum."""
    return Asset(name=f"{dag_id} spectrum", uri=f"x-higgs://{dag_id}/spectrum", group="higgsdemo")


def _schedule(campaign: Campaign, since: datetime) -> Any:
    """Return the campaign's schedule for Airflow; ``@once`` and ``@continuous`` begin at once."""
    if campaign.schedule in (None, "@once", "@continuous"):
        return campaign.schedule
    from higgs_schedule import NextSlotTimetable

    return NextSlotTimetable(campaign.schedule, since)


def _wire(campaign: Campaign, spectrum: Asset) -> None:
    # One at a time over all runs: each checks whether another run has the clusters.
    plan = PlanOperator(**tasks.PLAN.arguments, campaign=campaign, max_active_tis_per_dag=1)
    clusters = plan.output
    done = _cluster_group().expand(assignment=clusters)
    merge = MergeResultsOperator(
        **tasks.MERGE.arguments, assignments=clusters, trigger_rule=TriggerRule.ALL_DONE
    )
    plot = PlotOperator(**tasks.PLOT.arguments, assignments=clusters, outlets=[spectrum])
    choose = ChooseCleanupOperator(
        **tasks.CHOOSE.arguments, assignments=clusters, trigger_rule=TriggerRule.ALL_DONE
    )
    keep = EmptyOperator(**tasks.KEEP.arguments)
    mapped = {"map_index_template": CLUSTER_NAME}
    # Teardowns: Airflow also runs them when somebody ends a run by hand and all other tasks are skipped.
    cleanup = CleanupJobsOperator.partial(
        **tasks.CLEAN.arguments, **mapped, retries=30, retry_policy=None
    ).expand(assignment=clusters)
    delete = DeleteClusterOperator.partial(**tasks.DELETE.arguments, **mapped).expand(assignment=clusters)
    status = CampaignStatusOperator(
        **tasks.STATUS.arguments, merged=merge.output, assignments=clusters, retries=0
    )
    for last in (cleanup, delete, status):
        last.as_teardown(on_failure_fail_dagrun=last is status)
    done >> [merge, choose]  # clusters, which cost money, need not wait for the merge
    merge >> plot
    choose >> [keep, cleanup, delete]  # the choice skips the others
    cleanup >> delete
    [plot, keep, delete] >> status


def _leave_out_arrows_of_data(dag: DAG) -> None:
    """Draw the order of work alone: what a task has returned can be read without an arrow from it."""
    readers = set(tasks.TASKS) - {tasks.PLAN, tasks.CREATE, tasks.LIST}
    for giver, reader in [*((tasks.PLAN, reader) for reader in readers), (tasks.MERGE, tasks.STATUS)]:
        dag.get_task(giver.task_id).downstream_task_ids.discard(reader.task_id)
        dag.get_task(reader.task_id).upstream_task_ids.discard(giver.task_id)


def _cluster_group() -> Any:
    go_on: dict[str, Any] = {"trigger_rule": TriggerRule.NONE_FAILED}

    @task_group(
        group_id=tasks.CLUSTER.name,
        tooltip=tasks.CLUSTER.doc,
        ui_color="#99ccff",
        default_args={"map_index_template": CLUSTER_NAME},
    )
    def cluster(assignment: Any) -> None:
        create = CreateClusterOperator(**tasks.CREATE.arguments, assignment=assignment)
        prepull = PrepullImageOperator(**tasks.PREPULL.arguments, assignment=assignment, **go_on)
        shards = ListShardsOperator(**tasks.LIST.arguments, assignment=assignment, **go_on)
        submit = SubmitJobsOperator(**tasks.SUBMIT.arguments, assignment=assignment, **go_on)
        wait = WaitForJobsOperator(
            **tasks.WAIT.arguments, assignment=assignment, submitted=submit.output, **go_on
        )
        create >> prepull  # files are listed meanwhile
        [prepull, shards] >> submit >> wait

    return cluster
