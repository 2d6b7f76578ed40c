"""Every task says what it does, and a finished spectrum is an asset that other DAGs can wait for."""

from pathlib import Path

import pytest
from airflow.sdk import DAG, TaskGroup

from higgsdemo.campaign import load_campaign
from higgsdemo.dag import build
from higgsdemo.tasks import CLUSTER, TASKS


@pytest.fixture(scope="module")
def dag(repository: Path) -> DAG:
    return build("demo-local", load_campaign(repository / "include/config/demo-local.json"))


def test_every_task_is_explained(dag: DAG) -> None:
    assert {task.task_id: task.doc_md for task in dag.tasks} == {task.task_id: task.doc for task in TASKS}


def test_the_dag_tells_what_the_campaign_is_and_where_to_look(dag: DAG) -> None:
    assert dag.doc_md is not None
    assert dag.doc_md.startswith("The whole campaign on this machine: 76 files of **simulated** data")
    assert "The tab **Campaign**" in dag.doc_md


def test_the_tasks_of_a_cluster_are_a_group_that_says_what_it_is(dag: DAG) -> None:
    group = dag.task_group.children["cluster"]
    assert isinstance(group, TaskGroup)
    assert (group.tooltip, group.ui_color) == (CLUSTER.doc, "#99ccff")
    submit, clean, merge, plot = (
        dag.get_task(name).ui_color
        for name in ("cluster.submit_jobs", "cleanup_jobs", "merge_results", "plot")
    )
    assert submit == clean != merge == plot


def test_the_plot_announces_a_new_spectrum(dag: DAG) -> None:
    (asset,) = dag.get_task("plot").outlets
    assert (asset.name, asset.uri) == ("demo-local spectrum", "x-higgs://demo-local/spectrum")


def test_tasks_have_buttons_to_page_plot_and_consoles(dag: DAG) -> None:
    links = {task.task_id: [link.name for link in task.operator_extra_links] for task in dag.tasks}
    assert {task_id: names for task_id, names in links.items() if names} == {
        "plan": ["Campaign page"],
        "cluster.create_cluster": ["Cluster"],
        "cluster.wait_for_jobs": ["Campaign page"],
        "merge_results": ["Campaign page", "Bucket"],
        "plot": ["Campaign page", "Plot"],
    }
