"""One Airflow DAG for each campaign file in ``include/config``; the file's stem is the DAG's id."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, get_parsing_context

from higgsdemo.campaign import config_files, load_campaign
from higgsdemo.dag import build

CONFIG = Path(__file__).parent.parent / "include" / "config"

wanted = get_parsing_context().dag_id  # in a task's process: the one DAG that is run
for path in config_files(CONFIG):
    if wanted is None or path.stem == wanted:
        dag: DAG = build(path.stem, load_campaign(path))
