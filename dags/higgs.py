"""One Airflow DAG for each campaign file in ``include/config``; the file's stem is the DAG's id.

The environment variable ``HIGGS_CONFIG`` names another folder, such as a ConfigMap, or a team's own
repository.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import get_parsing_context

from higgsdemo.campaign import config_files, config_folder, load_campaign, placed_at
from higgsdemo.dag import build
from higgsdemo.invalid import InvalidCampaign

wanted = get_parsing_context().dag_id  # in a task's process: the one DAG that runs
for path in config_files(config_folder(Path(__file__).parent)):
    if wanted is None or path.stem == wanted:
        try:
            build(path.stem, load_campaign(path), placed_at(path))
        except Exception as error:  # noqa: BLE001  # whatever it is, only this file is at fault
            InvalidCampaign(path, error)
