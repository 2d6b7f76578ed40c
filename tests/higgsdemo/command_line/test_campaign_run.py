"""A campaign's run is triggered anew each time, and told of as it was: also one that submits nothing."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_stand_in import FILES, STATE, AirflowStandIn
from demo import command
from demo.settings import Settings
from demo.supervision import Supervision
from higgsdemo.command_line.__main__ import main
from higgsdemo.command_line.airflow_api import Airflow
from higgsdemo.command_line.campaign_run import CampaignRun, CampaignRunError
from higgsdemo.physics.normalisation import normalise
from higgsdemo.publication.summarise import summarise
from result_documents import catalogue, expecting, merged, sample, stored

SUMMARY_FILE = "/higgs/api/file"


def followed(*words: str, files: list[str] | None = None) -> int:
    """Return the exit code of a run that is followed to its end, which leaves these files."""
    answers = {"/higgs/api/run": STATE | {"files": FILES if files is None else files}}
    with AirflowStandIn(**answers | {SUMMARY_FILE: two_shards_of_three()}) as airflow:
        code = main(["run", "-c", "mine", "--follow", "--airflow", airflow.url, "--user", "somebody", *words])
        assert len({run["dag_run_id"] for run in airflow.triggered}) == 1
        return code


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIGGS_AIRFLOW_PASSWORD", "secret")


def test_each_run_has_an_id_of_its_own_whatever_its_name() -> None:
    runs = [CampaignRun(Airflow("", "", ""), "mine", {"run_name": "keynote"}) for _ in range(2)]
    assert len({"keynote", *(run.run_id for run in runs)}) == 3


def test_of_a_run_that_submits_nothing_its_stages_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert followed("--set", 'stages=["create","prepare"]', files=[]) == 0
    told = "Stages done: create, prepare. Only the stage submit leaves yields and a plot."
    assert told in capsys.readouterr().out


def test_a_run_that_fails_is_told_with_its_reasons_and_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    failed = STATE | {"run": STATE["run"] | {"state": "failed"}, "causes": [{"text": "plan: a typo"}]}
    with AirflowStandIn(**{"/higgs/api/run": failed}) as airflow:
        words = ("run", "-c", "mine", "--follow", "--json", "--airflow", airflow.url, "--user", "somebody")
        assert main([*words]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["run"] == airflow.triggered[0]["dag_run_id"]
    assert "\nplan: a typo\n" in told.err


def test_a_run_within_its_tolerance_shows_its_yields(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert followed(files=["summary.json"]) == 1
    assert "no plot and no list of files in s3://results/mine/one" in capsys.readouterr().err
    assert followed() == 0
    told = capsys.readouterr().out
    assert "2 of 3 shards done" in told
    assert "Plot: s3://results/mine/one/higgs.png" in told
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))  # which has no ±
    assert followed() == 0


def two_shards_of_three() -> bytes:
    known = catalogue(sample("h", "higgs", files=3))
    objects = [stored("H", name, 100, {"4e": {18: 9}}) for name in ("x", "y")]
    merge = merged(objects, expected=expecting({"one": {"H": ["x", "y", "z"]}}))
    spectrum = normalise(merge.datasets, known, {"H": 3})
    made = summarise("demo-local", "tolerant", known, merge, spectrum, merge.expected.clusters)
    return json.dumps(made.model_dump(mode="json")).encode()


@pytest.fixture
def supervision(tmp_path: Path) -> Supervision:
    return Supervision(Settings.load(tmp_path / ".run"))


def test_only_errors_of_this_campaign_and_of_now_end_the_wait(
    supervision: Supervision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_PARSE_SECONDS", 0.5)
    now, before = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(hours=1)
    theirs, ours, all_ = "/include/config/theirs.json", "/include/config/new.json", "higgs.py"
    for file, when, message in (
        (theirs, now, r"has not been read yet .*see .*dag-processor\.log"),
        (ours, before, r"has not been read yet"),
        (ours, now, f"{ours} does not load:\na mistake"),
        (all_, now, f"{all_} does not load:\na mistake"),
        ("/include/config", now, "/include/config does not load:\na mistake"),
    ):
        error = {"filename": file, "stack_trace": "a mistake\n", "timestamp": when.isoformat()}
        with AirflowStandIn(**{"/api/v2/importErrors": {"import_errors": [error]}}) as airflow:
            session = Airflow(airflow.url, "somebody", "secret")
            with pytest.raises(CampaignRunError, match=message):
                command.start(supervision, session, CampaignRun(session, "new", {}))
