"""The command as a person or a script uses it: what Airflow is asked for, what is printed, how it ends."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from airflow_stand_in import STATE, AirflowStandIn
from higgsdemo.command_line.__main__ import higgsdemo, main
from tables import cases
from watched_runs import PODS

CONFIG = Path(__file__).parents[3] / "include" / "config"
ORIGINAL = [
    {"datasets": ["datasets_s3/A_file_index.txt", "min_datasets_s3/A_file_index.txt"], "nodes": "2"},
    {"datasets": ["datasets_s3/B_file_index.txt"], "flavor": "n1-highmem-16", "dpath": "/dev/shm"},
]


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[AirflowStandIn]:
    with AirflowStandIn() as airflow:
        monkeypatch.setenv("HIGGS_AIRFLOW_URL", airflow.url)
        monkeypatch.setenv("HIGGS_AIRFLOW_USER", "somebody")
        monkeypatch.setenv("HIGGS_AIRFLOW_PASSWORD", "secret")
        yield airflow


def failed(*texts: str) -> dict[str, Any]:
    run = STATE["run"] | {"state": "failed"}
    return STATE | {"run": run, "causes": [{"text": text} for text in texts], "advice": "Mend it."}


@cases
def test_a_run_is_triggered_with_what_the_options_say(
    airflow: AirflowStandIn, words: str, conf: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words.split(), "--campaign", "mine", "--json"]) == 0
    (asked,) = airflow.triggered
    assert asked["conf"] == conf
    assert json.loads(capsys.readouterr().out)["run"] == asked["dag_run_id"]


def test_a_file_of_2019_runs_through_a_campaign_without_what_it_repeats(
    airflow: AirflowStandIn, tmp_path: Path
) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(ORIGINAL))
    assert main(["submit", "--dataset-mapping", str(tmp_path / "mine.json")]) == 0
    first, second = airflow.triggered[0]["conf"]["mapping"]
    assert first == {
        "name": "kubecon-demo-0",
        "datasets": ["datasets_s3/A_file_index.txt"],
        "nodes": "2",
    }
    assert second == {"name": "kubecon-demo-1"} | ORIGINAL[1]


def test_a_file_of_ours_hands_each_cluster_the_defaults(airflow: AirflowStandIn, tmp_path: Path) -> None:
    file = CONFIG / "demo-local.json"
    words = ["--dataset-mapping", str(file), "--max-shards", "1", "--compare", "published"]
    assert main(["run", "-c", "mine", *words]) == 0
    conf = airflow.triggered[0]["conf"]
    assert sorted(conf) == ["cleanup", "compare", "mapping", "max_shards", "storage"]
    assert [(entry["nodes"], entry["flavor"]) for entry in conf["mapping"]] == [
        (nodes, "local-1") for nodes in (2, 1, 1)
    ]
    shared = {"provider": "gke", "location": "europe-west4", "nodes": 3, "resources": {"cpu": "1"}}
    mapping = [{"provider": "eks", "resources": None}, {"resources": {"memory": "2Gi"}}]
    storage = {"input": "s3://there", "output": "s3://results"}
    document = {"storage": storage, "defaults": shared, "mapping": mapping}
    (tmp_path / "mine.json").write_text(json.dumps(document))
    assert main(["run", "--dataset-mapping", str(tmp_path / "mine.json")]) == 0
    assert airflow.triggered[1]["conf"]["mapping"] == [
        {"provider": "eks", "nodes": 3, "resources": None},
        shared | {"resources": {"cpu": "1", "memory": "2Gi"}},
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("3", "mine.json: the campaign is 3; it must be an object"),
        (
            '{"mapping": [1], "defaults": null}',
            "- mapping[0] is 1; it must be an object",
        ),
        ('{"mapping": [{}], "mapping": [{}]}', 'the file has the field "mapping" twice'),
        ('[{"datasets": ["a"], "datasets": ["b"]}]', '[0] has the field "datasets" twice'),
    ],
)
def test_a_file_without_proper_clusters_starts_nothing(
    airflow: AirflowStandIn, tmp_path: Path, content: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.json").write_text(content)
    assert main(["submit", "--dataset-mapping", str(tmp_path / "mine.json")]) == 2
    assert message in capsys.readouterr().err
    assert airflow.triggered == []


@cases
def test_bad_input_is_refused_in_a_sentence_and_starts_nothing(
    airflow: AirflowStandIn, words: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == code
    told = capsys.readouterr()
    assert message in " ".join(told.err.split())
    assert "Traceback" not in told.err
    assert (told.out, airflow.triggered) == ("", [])


def test_a_campaign_that_is_paused_or_not_read_is_not_run(
    airflow: AirflowStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    airflow.answers["/api/v2/dags/mine"] = {"is_paused": True}
    assert main(["run", "-c", "mine"]) == 2
    assert "mine is paused: switch it on" in capsys.readouterr().err
    trace = "airflow.exceptions.SerializationError: a typo"
    error = {"filename": "config/new.json", "stack_trace": trace, "timestamp": "2026-01-02T03:04:05Z"}
    airflow.answers["/api/v2/importErrors"] = {"import_errors": [error]}
    assert main(["run", "-c", "new"]) == 1
    assert "config/new.json does not load:\na typo" in capsys.readouterr().err
    airflow.answers |= {"/api/v2/importErrors": {"import_errors": []}, "/higgs/api/campaigns": []}
    assert main(["run", "-c", "new"]) == 2
    assert 'has no campaign "new" (the campaigns are none that you may read;' in capsys.readouterr().err
    assert airflow.triggered == []


def test_what_is_no_airflow_is_told_from_one(
    airflow: AirflowStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    airflow.answers["/higgs/api/campaigns"] = b"<html>a proxy's login</html>"
    assert main(["runs"]) == 2
    assert "answers /higgs/api/campaigns with something else than JSON" in capsys.readouterr().err
    airflow.answers["/api/v2/dags/mine"] = b"<html>"
    assert main(["run", "-c", "mine"]) == 2
    assert "answers /api/v2/dags/mine with something else than JSON" in capsys.readouterr().err
    for airflow.token, code, message in (
        (b"<html>", 2, "there is no Airflow 3 at http://127.0.0.1:"),
        ({}, 2, "there is no Airflow 3 at http://127.0.0.1:"),
        ("https://there/", 2, "sends /auth/token on to https://there/: give the address that it leads to"),
        (502, 3, "answers 502 to POST /auth/token"),
    ):
        assert main(["runs"]) == code
        assert message in capsys.readouterr().err


def test_a_token_needs_no_login_and_is_never_printed(
    airflow: AirflowStandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HIGGS_AIRFLOW_USER")
    assert main(["run", "-c", "mine"]) == 2
    monkeypatch.setenv("HIGGS_AIRFLOW_TOKEN", "token")
    assert main(["run", "-c", "mine"]) == 0
    monkeypatch.setenv("HIGGS_AIRFLOW_TOKEN", "mine alone\r")
    assert main(["run", "-c", "mine"]) == 2
    told = capsys.readouterr()
    assert "HIGGS_AIRFLOW_TOKEN has a character that cannot be printed" in told.err
    assert "mine alone" not in told.out + told.err


def test_runs_are_listed_for_people_and_for_programs(
    airflow: AirflowStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs"]) == 0
    _, row, other = capsys.readouterr().out.splitlines()
    assert row.split()[:3] == ["mine", "one", "success"]
    assert row.split()[-1] == "9"
    assert other.split() == ["theirs", "has", "not", "run", "yet"]
    assert main(["runs", "--json"]) == 0
    assert [one["dag_id"] for one in json.loads(capsys.readouterr().out)] == ["mine", "theirs"]


def test_why_a_run_has_failed_is_told_with_an_exit_code_of_its_own(
    airflow: AirflowStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    airflow.answers["/higgs/api/run"] = failed("plan: no key maping")
    assert main(["why", "-c", "mine"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == ["run one: failed", "plan: no key maping", "Mend it.", "s of D: exit code 65 [red]"]
    assert main(["why", "-c", "mine", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["advice"] == "Mend it."
    airflow.answers["/higgs/api/run"] = STATE | {"failures": {"count": 0, "shown": []}}
    assert main(["why", "-c", "mine"]) == 0
    assert capsys.readouterr().out == "run one: success\nNothing has failed.\n"


def test_a_run_that_has_failed_is_told_by_its_reason_and_code_however_it_is_watched(
    airflow: AirflowStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    airflow.answers["/higgs/api/run"] = failed("plan: no key maping") | {"clusters": []}
    for words in ("", "--once", "--json", "--cluster a", "--cluster a --once"):
        assert main(["watch", "-c", "mine", *words.split()]) == 1
        assert "plan: no key maping" in capsys.readouterr().out


@pytest.mark.parametrize("lost", [[], [503]])
def test_a_run_goes_on_when_what_starts_or_follows_it_is_interrupted(
    airflow: AirflowStandIn,
    lost: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    airflow.lost += lost
    airflow.answers["/higgs/api/run"] = STATE | {"run": STATE["run"] | {"state": "running"}}
    monkeypatch.setattr("time.sleep", interrupt)
    assert main(["run", "-c", "mine", "--follow"]) == 130
    run = airflow.triggered[0]["dag_run_id"]
    told = f"The run goes on, if Airflow has it: higgsdemo watch {run} --campaign mine\n"
    assert told in capsys.readouterr().out


def test_a_trigger_whose_answer_is_lost_is_sent_again_for_the_same_run(airflow: AirflowStandIn) -> None:
    airflow.lost.append(503)
    assert main(["run", "-c", "mine"]) == 0
    first, second = airflow.triggered
    assert first == second


def test_a_plugin_of_another_version_is_told_in_a_sentence(
    airflow: AirflowStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    airflow.answers["/higgs/api/run"] = {key: value for key, value in STATE.items() if key != "advice"}
    assert main(["watch", "-c", "mine", "--once"]) == 2
    assert "has no advice: its plugin is of another version" in capsys.readouterr().err


def test_a_cluster_is_watched_in_the_lines_of_2019(
    airflow: AirflowStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["watch", "one", "-c", "mine", "--cluster", "kubecon-demo-0", "--once"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "pods: " + ", ".join(f"{phase.capitalize()} {number}" for phase, number in PODS.items()),
        "jobs: Pending 2, Running 3, Succeeded 4, Failed 1",
    ]


def test_every_help_fits_80_columns_and_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("", *higgsdemo.commands):
        assert main([*name.split(), "--help"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line for line in lines if len(line) > 80 or re.search(r"[a-z]\.\.\.$", line)] == []


def test_the_shell_completes_what_is_begun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_HIGGSDEMO_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "higgsdemo cl")
    monkeypatch.setenv("COMP_CWORD", "1")
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr().out.split() == ["plain,cleanup", "plain,clusters-create"]


def test_every_command_and_option_is_documented() -> None:
    documented = (CONFIG.parents[1] / "docs" / "command-line.md").read_text()
    named = set(re.findall(r"`((?:--)?[a-z-]+)`", documented))
    options = {
        option
        for command in higgsdemo.commands.values()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
        for option in parameter.opts
        if option.startswith("--")
    }
    assert (options | higgsdemo.commands.keys()) - named == set()
    assert {name for name in named if name.startswith("--")} - options == set()
