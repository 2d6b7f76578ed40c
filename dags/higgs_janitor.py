"""The DAG that finds, and on request removes, what campaigns have left behind on clusters and clouds."""

from pathlib import Path

from airflow.sdk import DAG, Param

from higgsdemo.campaign import Campaign, CampaignError, config_files, config_folder, load_campaign
from higgsdemo.operators.janitor import FindLeftoversOperator, RemoveLeftoverOperator
from higgsdemo.tries import RETRIES

campaigns: dict[str, Campaign] = {}
for path in config_files(config_folder(Path(__file__).parent)):
    try:
        campaigns[path.stem] = load_campaign(path)
    except CampaignError:  # it is an import error of its own
        continue

with DAG(
    dag_id="higgs_janitor",
    dag_display_name="higgs_janitor: what campaigns have left over",
    description="Finds clusters and jobs that belong to no running campaign",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
    params={
        "remove": Param(
            False,
            type="boolean",
            title="Remove",
            description="Remove what was found; else it is only listed.",
        )
    },
    tags=["upkeep"],
    doc_md="""\
Looks for clusters, Jobs and DaemonSets that bear the labels of a campaign without a run
that is queued or running. They are listed in the log of `look`, and removed only by a run that is triggered
with **Remove**. What belongs to a campaign that this Airflow does not know is never removed.
""",
):
    look = FindLeftoversOperator(
        task_id="look",
        campaigns=campaigns,
        doc_md="Looks for what bears the labels of a campaign, on every cluster and cloud. Removes nothing.",
    )
    RemoveLeftoverOperator.partial(
        task_id="remove",
        map_index_template="{{ task.leftover['cluster'] }} {{ task.leftover['run'] or '' }}",
        doc_md="Removes what `look` has found and no run has taken up since, if the run was told to, and "
        "waits until a cluster is gone.",
    ).expand(leftover=look.output)
