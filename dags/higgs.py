"""One Airflow DAG for each campaign file in ``include/config``; the file's stem is the DAG's id.

The environment variable ``HIGGS_CONFIG`` names another folder, such as a ConfigMap, or a team's own
repository. The DAG of a file that is gone, or no longer valid, remains until its runs have ended; so do all
of a folder that is gone.
"""

from pathlib import Path

from airflow.sdk import get_parsing_context

from higgsdemo.campaign import CampaignError, config_files, config_folder, load_campaign, placed_at
from higgsdemo.dag import build
from higgsdemo.invalid import InvalidCampaign
from higgsdemo.operators.kept import kept, kept_campaign

wanted = get_parsing_context().dag_id  # in a task's process: the one DAG that runs
folder = config_folder(Path(__file__).parent)
built = set()
try:
    files = config_files(folder)
except CampaignError as error:  # a disk or a ConfigMap that is away for a while
    InvalidCampaign(folder, error)
    files = []
for path in files:
    if wanted is None or path.stem == wanted:
        try:
            build(path.stem, load_campaign(path), placed_at(path))
            built.add(path.stem)
        except Exception as error:  # noqa: BLE001  # whatever it is, only this file is at fault
            InvalidCampaign(path, error)
if wanted is None or wanted not in built:
    for dag_id, key in dict(kept()).items():
        if dag_id not in built and wanted in (None, dag_id):
            try:
                build(dag_id, kept_campaign(key))
            except Exception as error:  # noqa: BLE001  # as above
                InvalidCampaign(folder / key, error)
