"""A campaign's run is triggered anew each time, and told of as it was: also one that submits nothing."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo import campaign_run
from demo.campaign_run import CampaignRun, CampaignRunError
from demo.settings import Settings
from demo.supervision import Supervision
from higgsdemo.campaign import load_campaign
from higgsdemo.physics.normalisation import normalise
from higgsdemo.publication.summary import summarise
from result_documents import catalogue, merged, sample, stored

DEMO = load_campaign(Path(__file__).parents[2] / "include" / "config" / "demo-local.json")


class Answers:
    """What an Airflow answers, and the runs that it is asked to start."""

    def __init__(self, has_dag: bool = True, errors: dict[str, str] | None = None) -> None:
        self._has_dag, self._errors = has_dag, errors or {}
        self.asked_since = datetime.min.replace(tzinfo=UTC)
        self.triggered: list[tuple[str, str, dict[str, Any]]] = []

    def has_dag(self, dag_id: str) -> bool:
        return self._has_dag

    def import_errors(self, since: datetime) -> dict[str, str]:
        self.asked_since = since
        return self._errors

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
        self.triggered.append((dag_id, run_id, conf))


@pytest.fixture
def supervision(tmp_path: Path) -> Supervision:
    return Supervision(Settings.load(tmp_path / ".run"))


def run_of(
    supervision: Supervision, conf: dict[str, Any], airflow: Answers | None = None, **changes: Any
) -> CampaignRun:
    campaign = DEMO.model_copy(update=changes)
    return CampaignRun(supervision, airflow or Answers(), "demo-local", campaign, conf)  # type: ignore[arg-type]


def started(supervision: Supervision, conf: dict[str, Any], **changes: Any) -> tuple[str, dict[str, Any]]:
    """The id and the conf that Airflow is asked to start a run with."""
    airflow = Answers()
    run_of(supervision, conf, airflow, **changes).start()
    ((_, run_id, conf),) = airflow.triggered
    return run_id, conf


def test_a_run_that_is_named_has_an_id_of_its_own_each_time(supervision: Supervision) -> None:
    asked = {"run_name": "keynote", "resume": True}
    (first, conf), (second, _) = started(supervision, asked), started(supervision, asked)
    assert conf == asked
    assert len({first, second, "keynote"}) == 3
    assert run_of(supervision, asked).results == supervision.settings.results / "demo-local" / "keynote"


def test_a_run_without_a_name_is_named_by_its_id(supervision: Supervision) -> None:
    run_id, conf = started(supervision, {"max_shards": 1})
    assert conf == {"max_shards": 1, "run_name": run_id}


def test_a_growing_campaign_goes_on_in_its_own_folder(supervision: Supervision) -> None:
    _, conf = started(supervision, {}, growing=True)
    assert conf == {}
    assert run_of(supervision, {}, growing=True).results.name == "growing"


def test_of_a_run_that_submits_nothing_its_stages_are_told(supervision: Supervision) -> None:
    told = run_of(supervision, {"stages": ["create", "prepare"]}).report()
    assert told == "Stages done: create, prepare. Only the stage submit leaves yields and a plot."


def test_a_run_within_its_tolerance_shows_its_yields(supervision: Supervision) -> None:
    run = run_of(supervision, {"run_name": "tolerant"})
    run.results.mkdir(parents=True)
    (run.results / "summary.json").write_text(two_shards_of_three())
    with pytest.raises(CampaignRunError, match=r"no higgs\.png and no higgs\.svg"):
        run.report()
    for name in ("higgs.png", "higgs.svg"):
        (run.results / name).touch()
    told = run.report()
    assert "2 of 3 shards done" in told
    assert f"Plot: {run.results / 'higgs.png'}" in told


def two_shards_of_three() -> str:
    known = catalogue(sample("h", "higgs", files=3))
    merge = merged([stored("H", name, 100, {"4e": {18: 9}}) for name in ("x", "y")])
    expected = {"one": {"H": ["x", "y", "z"]}}
    made = summarise(
        "demo-local", "tolerant", known, merge, normalise(merge.datasets, known, {"H": 3}), expected
    )
    return json.dumps(made.model_dump(mode="json"))


def test_only_errors_of_this_campaign_and_of_now_end_the_wait(
    supervision: Supervision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign_run, "_PARSE_SECONDS", 0.5)
    before = datetime.now(UTC)
    others = Answers(has_dag=False, errors={"/include/config/theirs.json": "CampaignError: a typo"})
    with pytest.raises(CampaignRunError, match=r"has not been read yet .*see .*dag-processor\.log"):
        run_of(supervision, {}, others).start()
    assert before <= others.asked_since <= before + timedelta(seconds=30)
    for file in ("/include/config/demo-local.json", "higgs.py"):
        with pytest.raises(CampaignRunError, match=f"{file} does not load:\na mistake"):
            run_of(supervision, {}, Answers(has_dag=False, errors={file: "a mistake\n"})).start()
