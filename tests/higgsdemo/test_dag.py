"""The DAGs as Airflow reads them: one for each campaign file, light to parse, and alone in their errors."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk import DAG, TaskGroup
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.dag_edges import dag_edges

from airflow_variables import Variables
from higgsdemo.campaign import load_campaign, parse_campaign, placed_at
from higgsdemo.dag import build
from higgsdemo.operators.kept import PREFIX, keep
from higgsdemo.tasks import CLUSTER
from written_campaigns import VALID

PARSE = """
import json, sys
from pathlib import Path
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.dag_processing.processor import _serialize_dags
import structlog

folder = Path(sys.argv[1]).resolve()
before = set(sys.modules)
bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
_, errors = _serialize_dags(bag, structlog.get_logger())
print(json.dumps({
    "import_errors": bag.import_errors,
    "errors": errors,
    "dags": {dag.dag_id: sorted(dag.task_ids) for dag in bag.dags.values()},
    "unexplained": [
        f"{dag.dag_id}.{task.task_id}" for dag in bag.dags.values() for task in dag.tasks
        if not (dag.doc_md and task.doc_md)
    ],
    "params": {dag.dag_id: list(dag.params) for dag in bag.dags.values()},
    "params_of_tasks": sorted(
        {name for dag in bag.dags.values() for task in dag.tasks for name in task.params}
    ),
    "schedules": {
        dag.dag_id: getattr(dag.schedule, "summary", dag.schedule) for dag in bag.dags.values()
    },
    "modules": sorted(set(sys.modules) - before),
}))
"""
HEAVY = (
    "airflow.providers.amazon.aws",
    "airflow.providers.cncf.kubernetes.hooks",
    "airflow.providers.google.c",
    "boto3",
    "hist",
    "kubernetes",
    "obstore",
)


def parsed(dags: Path) -> dict[str, Any]:
    """Parse a dags folder in a process of its own, as the DAG processor does."""
    plugins = Path(__file__).parents[2] / "plugins"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(plugins)!r})\n{PARSE}", str(dags)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH": "0"},  # as ours have it
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def shipped(repository: Path) -> dict[str, Any]:
    return parsed(repository / "dags")


def test_every_shipped_campaign_is_a_dag(shipped: dict[str, Any]) -> None:
    assert (shipped["import_errors"], shipped["errors"]) == ({}, {})
    assert sorted(shipped["dags"]) == [
        "cms-open-data-2012",
        "cms-record",
        "demo-k3s",
        "demo-local",
        "dimuon",
        "higgs-full",
        "higgs-minimal",
        "higgs_janitor",
        "skim",
    ]


def test_the_graph_that_airflow_draws_is_the_order_of_work() -> None:
    """Data of `plan` reach every task; arrows from it to each would hide what the picture in README shows."""
    dag = DagSerialization.from_dict(DagSerialization.to_dict(build("drawn", parse_campaign(VALID, "drawn"))))
    drawn = [(edge["source_id"], edge["target_id"]) for edge in dag_edges(dag)]
    assert len(drawn) == 18
    assert [after for before, after in drawn if before == "plan"] == ["cluster.upstream_join_id"]


def test_every_dag_and_every_task_explains_itself(shipped: dict[str, Any]) -> None:
    assert shipped["unexplained"] == []


def test_the_params_are_the_dags_alone(shipped: dict[str, Any]) -> None:
    """Airflow checks the schema of each param again for each task that has it: seconds at every parse."""
    assert "mapping" in shipped["params"]["demo-local"]
    assert shipped["params_of_tasks"] == ["remove"]  # of the janitor: one switch


def test_a_task_is_spared_the_params_which_airflow_would_check_again(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = parse_campaign(VALID, "higgs.json")
    assert "mapping" in build("higgs", campaign).params
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", "plan")
    assert not build("higgs", campaign).params


def test_parsing_imports_no_provider(shipped: dict[str, Any]) -> None:
    """Airflow itself reads what each provider offers, and imports a module of its standard provider."""
    assert [name for name in shipped["modules"] if name.startswith(HEAVY)] == []


def test_a_campaign_without_a_schedule_runs_on_demand(shipped: dict[str, Any]) -> None:
    assert set(shipped["schedules"].values()) == {None}


UNFIT_STEMS = ("demo-local copy", "bad 5", "größe", "x" * 250, "-", "higgs_janitor", "in:valid")
UNFIT_STEMS += (os.fsdecode(b"\xff"),)


def test_a_broken_campaign_leaves_the_scheduled_one_beside_it_alone(repository: Path, tmp_path: Path) -> None:
    """Whatever a file holds or is called, it is one import error of its own."""
    shutil.copytree(repository / "dags", tmp_path / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    config = tmp_path / "include" / "config"
    config.mkdir(parents=True)
    good = (repository / "include/config/higgs-minimal.json").read_text()
    scheduled = good.replace('"mapping"', '"schedule": "0 6 * * *", "mapping"')
    (config / "good.json").write_text(scheduled)
    broken = config / "broken.json"
    broken.write_text(good.replace('"mapping"', '"maping": [], "mapping"'))
    for stem in UNFIT_STEMS:
        (config / f"{stem}.json").write_text(good)
    (config / "folder.json").mkdir()
    (config / "gone.json").symlink_to("nowhere")
    (config / "deep.json").write_text("[" * 100_000)
    (config / "half.json").write_text(good.replace('"title": "', '"title": "\\ud83d'))
    long = f'"datasets": ["{"d" * 256}/x_file_index.txt",'
    (config / "long.json").write_text(good.replace('"datasets": [', long))
    result = parsed(tmp_path / "dags")
    assert result["import_errors"] == {}
    files = sorted(os.fsencode(path).decode(errors="replace") for path in config.iterdir())
    assert sorted([*result["errors"], str(config / "good.json")]) == files
    assert all(len(shown.strip().splitlines()) == 1 for shown in result["errors"].values())
    shown = result["errors"][str(broken)]
    assert shown.startswith(f"airflow.exceptions.SerializationError: {broken}: ")
    assert 'did you mean "mapping"' in shown
    assert result["schedules"]["good"] == "0 6 * * *"


def next_run(schedule: str, since: datetime) -> datetime:
    """When Airflow's scheduler would run a campaign first that was saved at a time."""
    dag = build("saved", parse_campaign(VALID | {"schedule": schedule}, "saved.json"), since)
    read = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    run = read.next_dagrun_info(last_automated_run_info=None)
    assert run is not None
    return run.run_after


@pytest.mark.parametrize(
    "schedule",
    ["@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly", "* * * * *", "a moment ago"],
)
def test_a_file_that_was_saved_waits_for_the_next_slot(schedule: str) -> None:
    before = datetime.now(UTC) - timedelta(minutes=2)
    cron = f"{before:%-M %-H * * *}" if schedule == "a moment ago" else schedule
    saved = datetime.now(UTC)
    assert next_run(cron, saved) > saved


def test_the_first_slot_is_not_lost_while_airflow_is_away() -> None:
    saved = datetime.now(UTC) - timedelta(days=3, minutes=1)
    assert datetime.now(UTC) - timedelta(days=1, minutes=1) < next_run(f"{saved:%-M %-H * * *}", saved)
    assert next_run(f"{saved:%-M %-H * * *}", saved) < datetime.now(UTC)


def test_a_copy_of_an_old_file_is_new(tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    copy.write_text("{}")
    os.utime(copy, (0, 0))
    assert datetime.now(UTC) - placed_at(copy) < timedelta(days=1)


def test_the_campaign_that_a_run_keeps_counts_only_while_its_file_is_gone(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: Variables
) -> None:
    monkeypatch.setenv("HIGGS_CONFIG", str(tmp_path))
    (tmp_path / "there.json").write_text(json.dumps(VALID | {"title": "The file's"}))
    for dag_id in ("there", "gone"):
        keep(parse_campaign(VALID | {"title": "The run's"}, "kept"), dag_id, "one")
    variables[f"{PREFIX}0.damaged"] = "{"
    folder = repository / "dags"
    bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
    shown = {dag_id: dag.dag_display_name for dag_id, dag in bag.dags.items()}
    (damaged,) = {name for name in shown if name.startswith("invalid-")}
    assert PREFIX in bag.dags[damaged].relative_fileloc
    assert (shown["there"], shown["gone"]) == ("there: The file's", "gone: The run's")
    monkeypatch.setenv("HIGGS_CONFIG", str(tmp_path / "away"))
    away = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder").dags
    assert away["there"].dag_display_name == "there: The run's"
    assert str(tmp_path / "away") in {dag.relative_fileloc for dag in away.values()}


@pytest.fixture(scope="module")
def dag(repository: Path) -> DAG:
    return build("demo-local", load_campaign(repository / "include/config/demo-local.json"))


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
