"""Campaigns of active runs, kept in Airflow's Variables: a DAG remains though its file is removed or broken.

Airflow schedules nothing of a DAG that no file defines: its run would never end, nor would its clusters.
"""

import json

from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowRuntimeError

from higgsdemo.campaign import Campaign, parse_campaign
from higgsdemo.kubernetes.names import digest

PREFIX = "higgsdemo-campaign."


def keep(campaign: Campaign, dag_id: str, run_id: str) -> None:
    """Keep the campaign of a run until that has ended."""
    text = campaign.model_dump_json(by_alias=True, exclude_unset=True)
    Variable.set(key_of(dag_id, run_id), text, description=f"Campaign of the run {run_id}, until that ends")


def key_of(dag_id: str, run_id: str) -> str:
    """Return the name of the Variable that keeps the campaign of a run."""
    return f"{PREFIX}{digest(run_id)}.{dag_id}"


def drop(key: str) -> None:
    """Keep a campaign no longer: its run has ended."""
    Variable.delete(key)


def kept() -> list[tuple[str, str]]:
    """Return the DAG id and the Variable of each campaign that is kept; none outside of Airflow."""
    try:
        keys = [*Variable.keys(prefix=PREFIX)]
    except (ImportError, AirflowRuntimeError):  # a command line has no Airflow to ask; or it is away
        return []
    return [(key.removeprefix(PREFIX).partition(".")[2], key) for key in keys]


def kept_campaign(key: str) -> Campaign:
    """Return a kept campaign, without its schedule; raise CampaignError if this version cannot read it."""
    return parse_campaign(json.loads(Variable.get(key)) | {"schedule": None}, key)
