"""`plan` names each run apart, and lets a run that is resumed go on as it was begun."""

import json
from typing import Any

import pytest

from higgsdemo.campaign import Campaign, param_schemas, parse_campaign
from higgsdemo.catalogue import load_catalogue
from higgsdemo.operators.base import TaskFailedForGood
from higgsdemo.rates import Rates
from planning import plan
from s3_server import Bucket
from web_server import WebServer


def test_runs_are_named_apart_and_each_the_same_way_again(campaign: Campaign) -> None:
    first, again, other = (plan(campaign, run_id)[0].run.name for run_id in ("a__1", "a__1", "a__2"))
    assert first == again
    assert first != other
    assert first.startswith("20190521t090000-")


def test_a_name_that_another_run_bears_is_refused(campaign: Campaign) -> None:
    plan(campaign, "manual__1", run_name="mine")
    plan(campaign, "manual__1", run_name="mine")
    with pytest.raises(TaskFailedForGood, match="run mine is there already, made by the DAG run manual__1"):
        plan(campaign, "manual__2", run_name="mine")
    assert plan(campaign, "manual__2", run_name="mine", resume=True)[0].run.resume


def test_a_run_is_not_resumed_with_other_certified_sections(
    document: dict[str, Any], bucket: Bucket, web_server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(web_server.authority))
    url = web_server.put("Cert.json", b'{"7": [[1, 2]]}')
    name = "Simulated_Run2012B_DoubleMuParked"
    data = [{"name": name, "certified": url}, "Simulated_TTbar_8TeV"]
    campaign = parse_campaign(document | {"mapping": [{"datasets": data}]}, "demo")
    (planned,) = plan(campaign, run_name="mine")
    assert [ref.certified for ref in planned.cluster.datasets] == [url, None]
    assert bucket.keys("demo/mine/certified") == [f"demo/mine/certified/{name}.json"]
    assert plan(campaign, "manual__2", run_name="mine", resume=True)
    begun = json.loads(bucket.read("demo/mine/campaign.json")) | {"results": {}}  # as version 0.1 had it
    bucket.write("demo/older/campaign.json", json.dumps(begun).encode())
    with pytest.raises(TaskFailedForGood, match=f'/older has begun with events of {name} "all", and no'):
        plan(campaign, "manual__2", run_name="older", resume=True)
    web_server.put("Cert.json", b'{"7": [[1, 3]]}')
    for run_id, resume in (("manual__2", False), ("manual__3", True)):
        with pytest.raises(
            TaskFailedForGood, match=f'begun with events of {name} "certified .*, and no results of both'
        ):
            plan(campaign, run_id, run_name="mine", resume=resume)
    web_server.put("Cert.json", b"<html>Come again later</html>")
    with pytest.raises(TaskFailedForGood, match=r"Cert\.json does not have the form of certified sections"):
        plan(campaign, run_name="other")


AXIS = {"name": "mass", "bins": 60, "low": 60, "high": 120, "label": "Mass"}
OWN = {"workload": "own", "image": "mine:1", "histograms": [AXIS]}


@pytest.mark.parametrize(
    ("begun", "changed", "told"),
    [
        ({}, {"workload": "nanoaod-outreach"}, 'workload "nanoaod"'),
        ({}, {"triggers": ["HLT_IsoMu24"]}, r"triggers \[\]"),
        (OWN, {"histograms": [AXIS | {"low": 70}]}, 'histogram mass "mass: 60 bins from 60.* to 120'),
        (OWN, {"histograms": [AXIS | {"label": "m"}, AXIS | {"name": "more"}]}, None),
        (OWN, {"image": "mine:2"}, None),
    ],
)
def test_a_run_does_not_go_on_with_another_selection_or_binning(
    document: dict[str, Any], bucket: Bucket, begun: dict[str, Any], changed: dict[str, Any], told: str | None
) -> None:
    """As when its campaign grows and somebody edits the file: results of both would be added up."""
    document |= {"growing": True} | begun
    plan(parse_campaign(document, "demo"))
    again = parse_campaign(document | changed, "demo")
    for run_id in ("manual__2", "manual__3"):
        if told is None:
            plan(again, run_id)
        else:
            with pytest.raises(TaskFailedForGood, match=f"growing has begun with {told}.*, and no results"):
                plan(again, run_id)
    remarks = json.loads(bucket.read("demo/growing/campaign.json"))["remarks"]
    mended = ['this run has begun with the image "mine:1": results of both are added up']
    assert remarks == (mended if "image" in changed else [])


def test_a_run_is_resumed_as_a_whole_or_its_summary_would_lose_what_is_left_out(campaign: Campaign) -> None:
    plan(campaign, "manual__1", run_name="mine", clusters=["kubecon-demo-0"])
    plan(campaign, "manual__2", run_name="mine", resume=True)  # with more than it had
    with pytest.raises(TaskFailedForGood, match="and 6 more as well, which its summary and plot would lose"):
        plan(campaign, "manual__3", run_name="mine", resume=True, clusters=["kubecon-demo-0"])
    assert plan(campaign, "manual__4", run_name="mine", resume=True)
    growing = campaign.model_copy(update={"growing": True})
    assert plan(growing, "manual__5", run_name="mine", resume=True, clusters=["kubecon-demo-0"])


@pytest.mark.parametrize("by_form", [False, True])
def test_a_run_is_resumed_as_it_was_triggered(campaign: Campaign, by_form: bool) -> None:
    form = {name: schema["default"] for name, schema in param_schemas(campaign).items()} if by_form else {}
    mapping = [{"name": "other", "datasets": ["Simulated_TTbar_8TeV"]}]
    chosen = {"mapping": mapping, "max_shards": 2, "cleanup": "none"}
    first = plan(campaign, "manual__1", **form | chosen | {"run_name": "mine"})
    for run_id in ("manual__2", "manual__3"):
        again = plan(campaign, run_id, **form | {"run_name": "mine", "resume": True})
        assert [one.cluster for one in again] == [one.cluster for one in first]
        assert {one.run.cleanup for one in again} == {"none"}
    fewer = plan(campaign, "manual__4", **form | {"run_name": "mine", "resume": True, "max_shards": 1})
    told = plan(campaign, "manual__5", **form | {"run_name": "mine", "resume": True, "cleanup": "clusters"})
    assert {one.run.cleanup for one in told} == {"none" if by_form else campaign.cleanup}
    assert [one.cluster.name for one in fewer] == ["other"]
    assert fewer[0].cluster.datasets != first[0].cluster.datasets


def test_every_run_of_a_campaign_over_growing_datasets_goes_on_with_the_same_folder(
    campaign: Campaign,
) -> None:
    growing = campaign.model_copy(update={"growing": True})
    first, second = (plan(growing, f"scheduled__{day}")[0].run for day in (1, 2))
    assert first == second
    assert (first.name, first.resume) == ("growing", True)
    anew = plan(growing, "manual__1", run_name="anew")[0].run
    assert (anew.name, anew.resume) == ("anew", False)


def test_what_a_resumed_run_finds_done_is_not_predicted_again(campaign: Campaign, bucket: Bucket) -> None:
    def predicted() -> tuple[int, int]:
        """Return shards, and the bytes of one."""
        found = json.loads(bucket.read("demo/mine/campaign.json"))["predicted"]
        return found["shards"], found["bytes"] // found["shards"]

    plan(campaign, run_name="mine")
    (before, size), name = predicted(), next(iter(load_catalogue("demo").datasets))
    assert size == load_catalogue("demo").file_bytes
    bucket.write(f"demo/mine/results/{name}/0000.json", b"{}")
    rates = Rates(workload=campaign.workload, stage_in=1e6, analysis=1e6, shard=4000)
    bucket.write("demo/rates.json", rates.model_dump_json().encode())
    plan(campaign, "manual__2", run_name="mine", resume=True)
    assert predicted() == (before - 1, 4000)
