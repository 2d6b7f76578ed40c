"""The campaign model: what a campaign's file may have, how it is resolved, and how a trigger changes it.

It is light on purpose: it is imported whenever the DAG files are parsed, so it uses pydantic and nothing
heavier.
"""

from higgsdemo.campaign.cluster import Cluster
from higgsdemo.campaign.datasets import DatasetRef, parse_index, read_index
from higgsdemo.campaign.load import (
    config_files,
    config_folder,
    dag_id_problem,
    load_campaign,
    parse_campaign,
    placed_at,
)
from higgsdemo.campaign.messages import CampaignError
from higgsdemo.campaign.model import Campaign
from higgsdemo.campaign.overlap import Placed, overlaps, placed_datasets
from higgsdemo.campaign.override import RunOptions, apply_conf
from higgsdemo.campaign.params import chosen_work, param_schemas

__all__ = [
    "Campaign",
    "CampaignError",
    "Cluster",
    "DatasetRef",
    "Placed",
    "RunOptions",
    "apply_conf",
    "chosen_work",
    "config_files",
    "config_folder",
    "dag_id_problem",
    "load_campaign",
    "overlaps",
    "param_schemas",
    "parse_campaign",
    "parse_index",
    "placed_at",
    "placed_datasets",
    "read_index",
]
