"""How often a real Airflow tries a task again that fails, or that something kills."""

from pathlib import Path

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

FAILING = """
from datetime import timedelta
from pathlib import Path

from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG, task
from airflow.utils.session import create_session
from higgsdemo.tries import RETRIES
from sqlalchemy import update

with DAG("failing", schedule=None, default_args=RETRIES | {"retry_delay": timedelta(0)}):

    @task
    def fail(ti=None):
        with Path(__file__).with_name("tries").open("a") as tries:
            print(ti.try_number, file=tries)
        if ti.try_number == 1:
            killed = update(TaskInstance).where(TaskInstance.dag_id == "failing").values(try_number=10)
            with create_session() as session:
                session.execute(killed)
        raise ValueError("broken")

    fail()
"""


CLEANING = """
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, task
from higgsdemo.campaign import parse_campaign
from higgsdemo.dag import build
from higgsdemo.tries import RETRIES
from written_campaigns import VALID

cleanup = build("campaign", parse_campaign(VALID, "campaign.json")).get_task("cleanup_jobs").partial_kwargs
as_it_is = {name: cleanup[name] for name in ("retries", "retry_policy")}

with DAG("cleaning", schedule=None, default_args=RETRIES | as_it_is | {"retry_delay": timedelta(0)}):

    @task
    def clean(ti=None):
        with Path(__file__).with_name("tries").open("a") as tries:
            print(ti.try_number, file=tries)
        if ti.try_number < 7:
            raise ValueError("away")

    clean()
"""


@pytest.mark.usefixtures("airflow_database")
@pytest.mark.parametrize(
    ("dag_id", "source", "state", "tries"),
    [("failing", FAILING, "failed", [1, 11, 12, 13]), ("cleaning", CLEANING, "success", [*range(1, 8)])],
)
def test_a_task_is_given_up_after_four_errors_of_its_own_however_often_it_was_killed(
    tmp_path: Path, dag_id: str, source: str, state: str, tries: list[int]
) -> None:
    """But not the cleanup of Jobs, which somebody pays for until it is done."""
    (tmp_path / "dags.py").write_text(source)
    bag = BundleDagBag(dag_folder=tmp_path, bundle_path=tmp_path, bundle_name="dags-folder")
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, "dags-folder", None)
    assert bag.dags[dag_id].test().state == state
    assert [int(number) for number in (tmp_path / "tries").read_text().split()] == tries
