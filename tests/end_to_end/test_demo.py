"""The demo campaign through real Airflow components, clusters and buckets, as `make demo` runs it."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from collision_events import CHANNELS, mass_histogram, requires_collision_events, write_nanoaod
from demo.bucket import Bucket
from demo.settings import REPOSITORY
from demo_stack import DAG, Stack
from documents import below
from higgsdemo.command_line.airflow_api import AirflowError
from result_documents import merged

if TYPE_CHECKING:
    from conftest import DemoRun


FIVE_DATASETS = (
    "Simulated_Run2012B_DoubleElectron",
    "Simulated_SMHiggsToZZTo4L_8TeV",
    "Simulated_ZZTo4mu_8TeV",
    "Simulated_DYJetsToLL_8TeV",
    "Simulated_TTbar_8TeV",
)


def test_every_shard_is_done_and_the_higgs_peaks_at_125_gev(stack: Stack, demo_run: "DemoRun") -> None:
    summary = json.loads((demo_run.results / "summary.json").read_text())
    assert summary["shards"] == {"expected": 76, "done": 76, "failed": 0, "missing": 0}
    assert summary["higgs_peak_gev"] == [124.0, 127.0]
    assert [summary["candidates"][name] for name in ("events", "repeated", "unnamed")] == [102, 0, 0]
    assert summary["discovery"]["observed_significance"] == pytest.approx(3.59, abs=0.05)
    assert summary["discovery"]["expected_significance"] == pytest.approx(3.58, abs=0.05)
    assert len(list(stack.results(demo_run.name))) == 76
    assert summary == stack.summary(demo_run.name)


def test_plot_and_numbers_are_left_in_the_bucket_and_in_a_folder(stack: Stack, demo_run: "DemoRun") -> None:
    starts = {
        **{"higgs.png": b"\x89PNG\r\n", "higgs.svg": b"<?xml "},
        **{
            "candidates.csv": b"run,section,event",
            "histograms.root": b"root",
            "workspace.json": b"{",
            "datacard.txt": b"imax 3\n",
            "hepdata.yaml": b"---\n",
        },
    }
    for name, start in starts.items():
        content = (demo_run.results / name).read_bytes()
        assert content.startswith(start)
        assert content == stack.output.read(f"{DAG}/{demo_run.name}/{name}")


def test_the_command_tells_what_happened_in_plain_lines(demo_run: "DemoRun") -> None:
    lines = [line.partition("] ")[2] or line for line in demo_run.output.splitlines()]
    assert "kubecon-demo-2 wait_for_jobs: success" in lines
    assert any(line.startswith("76 of 76 shards done") for line in lines)
    assert "Simulated data, not CMS collisions" in lines
    assert f"Plot: {demo_run.results / 'higgs.png'}" in lines
    assert "\x1b" not in demo_run.output


def test_no_log_of_a_task_tells_of_what_is_deprecated(stack: Stack, demo_run: "DemoRun") -> None:
    folder = stack.settings.airflow_home / "logs" / f"dag_id={DAG}" / f"run_id={demo_run.name}"
    logs = {path.relative_to(folder): path.read_text(errors="replace") for path in folder.rglob("*.log*")}
    assert logs
    assert [path for path, text in logs.items() if "DeprecationWarning" in text] == []


def test_the_documented_commands_do_the_stages_on_the_clusters_that_they_name(stack: Stack) -> None:
    """One after the other: the last one removes what the others leave."""
    *of_readme, create, prepare, submit, watch, cleanup = [
        command
        for name, heading in (("README.md", "Change a run"), ("docs/original.md", "From the demo of 2019"))
        for block in below(REPOSITORY / name, heading, "bash")
        for command in re.findall(r"higgsdemo (?:[^'\n]|'[^']*')*", block)
    ]
    assert len(of_readme) == 3
    told = [stack.make(command) for command in of_readme]
    (prepared,) = re.findall(r"Campaign demo-local, run (\S+):", told[-1])
    assert (stack.clusters(prepared), stack.contexts()) == (["kubecon-demo-0"], ["kubecon-demo-0"])
    assert stack.tasks(prepared)["submit_jobs kubecon-demo-0"] == "skipped"
    assert len(stack.kubectl("--context", "kubecon-demo-0", "get", "nodes", "-o", "name").split()) == 2

    told += [stack.make(create), stack.make(prepare), stack.make(submit)]
    assert stack.summary("keynote")["clusters"]["kubecon-demo-0"]["done"] == 28
    assert "jobs: Pending 0, Running 0, Succeeded 28, Failed 0" in stack.make(watch)
    first = {"stages": ["cleanup"], "clusters": ["kubecon-demo-0"]}
    jobs = ("--context", "kubecon-demo-0", "get", "jobs", "-A", "-o", "name")
    assert len(stack.kubectl(*jobs).split()) == 6
    stack.trigger("cleaned", **first | {"cleanup": "jobs", "run_name": "keynote"})
    assert stack.finish("cleaned") == "success"
    assert stack.kubectl(*jobs) == ""
    assert stack.finish(stack.trigger("gone", **first, cleanup="clusters")) == "success"
    assert sorted(stack.contexts()) == ["kubecon-demo-1", "kubecon-demo-2"]

    told.append(stack.make(cleanup))
    yields, stages = "Plot: ", "Only the stage submit leaves yields and a plot."
    assert [yields in output for output in told] == [True, True, False, False, False, True, False]
    assert [stages in output for output in told] == [False, False, True, True, True, False, True]
    assert stack.contexts() == []


def test_a_run_is_finished_under_its_name_and_not_told_as_an_earlier_one(stack: Stack) -> None:
    options = "--clusters kubecon-demo-2 --run-name resumed"
    stack.make(f"make demo OPTIONS='{options} --max-shards 1'")
    refused = stack.make(f"higgsdemo run --campaign demo-local --follow {options}", code=1)
    assert "run resumed is there already, made by the DAG run run-" in refused
    assert "run resumed is there already" in stack.make("higgsdemo why --campaign demo-local", code=1)
    stack.make("higgsdemo resume resumed --campaign demo-local --follow --max-shards 2")
    assert stack.summary("resumed")["shards"]["done"] > 3
    assert stack.contexts() == []


def test_a_mapping_given_at_the_trigger_may_have_more_clusters_than_the_file(stack: Stack) -> None:
    names = [f"other-{i}" for i in range(5)]
    mapping = [{"name": n, "datasets": [d]} for n, d in zip(names, FIVE_DATASETS, strict=True)]
    run = stack.trigger("five-clusters", mapping=mapping, max_shards=1)
    assert stack.finish(run) == "success"
    assert stack.clusters(run) == names
    summary = stack.summary(run)
    assert summary["clusters"] == {n: {"expected": 1, "done": 1, "failed": 0, "missing": 0} for n in names}
    assert sorted(summary["datasets"]) == sorted(FIVE_DATASETS)


def test_a_misspelt_key_is_refused_before_anything_is_made(stack: Stack) -> None:
    run = stack.trigger("misspelt", maping=[{"datasets": ["Simulated_TTbar_8TeV"]}])
    assert stack.finish(run) == "failed"
    assert 'has no key "maping"; did you mean "mapping"?' in stack.complaint(run, "plan")
    note = stack.airflow._request("GET", f"/api/v2/dags/{DAG}/dagRuns/{run}").json()["note"]
    assert note.startswith('Why it failed: plan: trigger conf: it has no key "maping"')
    assert [key for key, _ in stack.output.objects(f"{DAG}/{run}/")] == []


def test_a_value_of_the_wrong_kind_is_refused_at_the_trigger(stack: Stack) -> None:
    with pytest.raises(AirflowError, match=r"400 .*mapping"):
        stack.trigger("wrong-kind", mapping="all of them")


@requires_collision_events
def test_real_collisions_give_exactly_the_histogram_of_their_masses(stack: Stack, tmp_path: Path) -> None:
    collisions = Bucket(stack.settings, "collisions")
    collisions.create()
    for channel in CHANNELS:
        (tmp_path / channel).mkdir()
        write_nanoaod(channel, tmp_path / channel, files=3)
    collisions.upload(tmp_path)
    mapping = [
        {"name": f"real-{channel}", "datasets": [{"url": f"s3://collisions/{channel}/", "name": channel}]}
        for channel in CHANNELS
    ]
    run = stack.trigger("collisions", mapping=mapping)
    assert stack.finish(run) == "success"
    sums = merged(stack.results(run)).datasets
    counted = {name: {c: list(total.counts[c]) for c in CHANNELS} for name, total in sums.items()}
    assert counted == {
        name: {c: mass_histogram(c) if c == name else [0] * 37 for c in CHANNELS} for name in CHANNELS
    }
    assert stack.summary(run)["unassigned"] == {
        name: {c: sum(counts) for c, counts in channels.items()} for name, channels in counted.items()
    }
