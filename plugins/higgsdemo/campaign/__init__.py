"""The campaign model: what a campaign's file may have, how it is resolved, and how a trigger changes it.

It is light on purpose: it is imported whenever the DAG files are parsed, so it uses pydantic and nothing
heavier.
"""

from higgsdemo.campaign.cluster import Cluster as Cluster
from higgsdemo.campaign.datasets import DatasetRef as DatasetRef
from higgsdemo.campaign.datasets import plain_name as plain_name
from higgsdemo.campaign.index_files import parse_index as parse_index
from higgsdemo.campaign.index_files import read_index as read_index
from higgsdemo.campaign.load import config_files as config_files
from higgsdemo.campaign.load import config_folder as config_folder
from higgsdemo.campaign.load import dag_id_problem as dag_id_problem
from higgsdemo.campaign.load import load_campaign as load_campaign
from higgsdemo.campaign.load import parse_campaign as parse_campaign
from higgsdemo.campaign.load import placed_at as placed_at
from higgsdemo.campaign.model import Campaign as Campaign
from higgsdemo.campaign.overlap import Placed as Placed
from higgsdemo.campaign.overlap import find_repeats as find_repeats
from higgsdemo.campaign.overlap import overlaps as overlaps
from higgsdemo.campaign.overlap import placed_datasets as placed_datasets
from higgsdemo.campaign.params import chosen_work as chosen_work
from higgsdemo.campaign.params import param_schemas as param_schemas
from higgsdemo.campaign.problems import CampaignError as CampaignError
from higgsdemo.campaign.trigger_conf import RunOptions as RunOptions
from higgsdemo.campaign.trigger_conf import apply_conf as apply_conf
from higgsdemo.campaign.values import source_url as source_url
