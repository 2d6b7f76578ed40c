"""How often a real Airflow tries a task again that fails, or that something kills."""

from pathlib import Path

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

DAGS = """
from datetime import timedelta
from pathlib import Path

from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG, task
from airflow.utils.session import create_session
from higgsdemo.campaign import parse_campaign
from higgsdemo.dag import build
from higgsdemo.tries import RETRIES
from sqlalchemy import update
from written_campaigns import VALID

cleanup = build("campaign", parse_campaign(VALID, "campaign.json")).get_task("cleanup_jobs").partial_kwargs
as_it_is = {name: cleanup[name] for name in ("retries", "retry_policy")}

def tried(ti):
    with Path(__file__).with_name(ti.dag_id).open("a") as tries:
        print(ti.try_number, file=tries)

with DAG("failing", schedule=None, default_args=RETRIES | {"retry_delay": timedelta(0)}):

    @task
    def fail(ti=None):
        tried(ti)
        if ti.try_number == 1:
            killed = update(TaskInstance).where(TaskInstance.dag_id == "failing").values(try_number=10)
            with create_session() as session:
                session.execute(killed)
        raise ValueError("broken")

    fail()

with DAG("cleaning", schedule=None, default_args=RETRIES | as_it_is | {"retry_delay": timedelta(0)}):

    @task
    def clean(ti=None):
        tried(ti)
        if ti.try_number < 7:
            raise ValueError("away")

    clean()

del cleanup
"""


@pytest.mark.usefixtures("airflow_database")
def test_a_task_is_given_up_after_four_errors_of_its_own_however_often_it_was_killed(tmp_path: Path) -> None:
    """But not the cleanup of Jobs, which somebody pays for until it is done."""
    (tmp_path / "dags.py").write_text(DAGS)
    bag = BundleDagBag(dag_folder=tmp_path, bundle_path=tmp_path, bundle_name="dags-folder")
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, "dags-folder", None)
    expected = {"failing": ("failed", [1, 11, 12, 13]), "cleaning": ("success", [*range(1, 8)])}
    for dag_id, (state, tries) in expected.items():
        assert bag.dags[dag_id].test().state == state
        assert [int(number) for number in (tmp_path / dag_id).read_text().split()] == tries
