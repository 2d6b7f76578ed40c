"""``plan`` turns a campaign and a conf into an assignment a cluster, or says in a message why it cannot."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from campaign_changes import with_changes
from generator import root_file
from higgsdemo.campaign import Campaign, load_campaign, parse_campaign
from higgsdemo.campaign.notifications import Notifications
from higgsdemo.catalogue import load_catalogue
from higgsdemo.operators.base import TaskFailedForGood
from higgsdemo.operators.plan import PlanOperator
from planning import CONNECTIONS, START, plan
from s3_server import Bucket


def test_a_notifier_that_cannot_be_made_fails_the_run_at_its_start(campaign: Campaign) -> None:
    notifications = {"on_failure": [{"notifier": "airflow.smpt.Notifier"}]}
    changed = campaign.model_copy(update={"notifications": Notifications.model_validate(notifications)})
    with pytest.raises(TaskFailedForGood, match=r"notifications\.on_failure\[0\] names airflow\.smpt"):
        plan(changed)


@pytest.mark.parametrize(
    ("catalogue", "title", "refused"),
    [("cms-higgs", root_file.TITLE, True), ("cms-higgs", "Events", False), ("demo", root_file.TITLE, False)],
)
def test_simulated_files_are_no_data_of_a_catalogue_that_does_not_say_so(
    document: dict[str, Any], bucket: Bucket, shard_file: Path, catalogue: str, title: str, refused: bool
) -> None:
    datasets = load_catalogue(catalogue).datasets
    name = next(name for name in datasets if "_DoubleMuParked" in name)
    document |= {"catalogue": catalogue, "mapping": [MINE | {"datasets": [name]}]}
    document["storage"]["input"] = f"s3://{bucket.name}"
    key = f"{datasets[name].prefix}/sub/copied.root"
    content = shard_file.read_bytes().replace(
        root_file.TITLE.encode(), title.ljust(len(root_file.TITLE)).encode()
    )
    bucket.write(key, content)
    given = parse_campaign(document, "demo")
    if not refused:
        assert len(plan(given)) == 1
        return
    with pytest.raises(TaskFailedForGood, match=rf"^dataset {name}: s3://{bucket.name}/{key} is simulated: "):
        plan(given)


@pytest.mark.parametrize("place", [{"provider": "gke", "flavor": "n1-standard-4"}, {"provider": "existing"}])
@pytest.mark.parametrize("image", [None, "docker.io/higgsdemo/nanoaod:2"])
def test_no_cluster_pulls_our_image_which_is_in_no_registry_but_is_cleaned_up(
    campaign: Campaign, place: dict[str, str], image: str | None
) -> None:
    campaign = campaign.model_copy(update={"image": image})
    mapping = [place | {"datasets": ["Simulated_TTbar_8TeV"]}]
    refused = r"image is \S*higgsdemo/nanoaod:[12], which is in no reg"
    for stages in (["create"], None):
        with pytest.raises(TaskFailedForGood, match=refused):
            plan(campaign, mapping=mapping, stages=stages)
    assert len(plan(campaign, mapping=mapping, stages=["cleanup"])) == 1
    pushed = "registry.example.org/mine:1"
    assert plan(campaign, mapping=mapping, image=pushed)[0].run.image == pushed
    there = [mapping[0] | {"image_pull_policy": "Never"}]
    assert plan(campaign, mapping=there)[0].cluster.image_pull_policy == "Never"


MINE = {"datasets": ["Simulated_TTbar_8TeV"]}


@pytest.mark.parametrize("case", CONNECTIONS["unfit"].values(), ids=CONNECTIONS["unfit"])
def test_no_connection_stands_for_the_worker_itself(
    document: dict[str, Any], case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-worker")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-tests")
    changes = case["change"] if "change" in case else {"mapping": [MINE | case["cluster"]]}
    with pytest.raises(TaskFailedForGood, match=case["told"]) as told:
        plan(parse_campaign(with_changes(document, changes), "demo"))
    assert "a-secret-of-the-tests" not in str(told.value)


def test_the_file_may_let_the_worker_be_itself_but_no_pod(
    document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-worker")
    changes = {"storage.output_connection": "nobody", "worker_identity": ["nobody"]}
    campaign = parse_campaign(with_changes(document, changes), "demo")
    with pytest.raises(TaskFailedForGood, match=r"'nobody' has no key that pods could use .* a pod_identity"):
        plan(campaign)
    assert plan(campaign, stages=["create"])


def test_what_was_dropped_of_a_list_of_2019_and_what_it_leaves_to_be_paid_is_told_and_kept(
    campaign: Campaign, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HIGGS_IMAGE", "registry.example.org/mine:1")
    name = "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20003"
    entry = {"datasets": [f"datasets_s3/{name}_file_index.txt"] * 2, "flavor": "n1-highmem-16", "nodes": "1"}
    original = parse_campaign([entry], "demo").model_copy(update={"storage": campaign.storage})
    (planned,) = plan(original, run_name="kept")
    assert planned.run.stage_in_image == "registry.example.org/mine:1"
    dropped = "[0].datasets[1] is dropped: [0].datasets[0] is the same dataset"
    leaves = f"this run leaves clusters that cost money: {planned.cluster.name} (3 nodes of gke); its stage"
    said = [dropped, f'{leaves} cleanup deletes them where "cleanup" is "clusters"']
    assert json.loads(bucket.read("demo/kept/campaign.json"))["remarks"] == said
    told = capsys.readouterr().out
    assert all(one in told for one in said)
    plan(original, run_name="deletes", cleanup="clusters")
    assert json.loads(bucket.read("demo/deletes/campaign.json"))["remarks"] == said[:1]


def with_lists(document: dict[str, Any], bucket: Bucket, *entries: dict[str, Any]) -> Campaign:
    """Return the campaign with these clusters; two index files in the bucket have a file in common."""
    for name, files in {"x": "12", "y": "23"}.items():
        lines = "\n".join(f"s3/{bucket.name}/a/{file}.root" for file in files)
        bucket.write(f"{name}_file_index.txt", lines.encode())
    mapping = [one | {"datasets": [f"s3://{bucket.name}/{one['datasets']}"]} for one in entries]
    return parse_campaign(document | {"mapping": mapping}, "demo")


X, Y = {"datasets": "x_file_index.txt"}, {"datasets": "y_file_index.txt"}


@pytest.mark.parametrize(
    "entries",
    [[X, Y], [X, Y | {"input_connection": "again"}], [{"datasets": "a"}, Y], [Y, {"datasets": "a/2.root"}]],
)
def test_a_file_of_two_datasets_is_refused_where_only_index_files_in_buckets_tell(
    document: dict[str, Any], bucket: Bucket, monkeypatch: pytest.MonkeyPatch, entries: list[dict[str, Any]]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AGAIN", os.environ["AIRFLOW_CONN_HIGGS_S3"])
    with pytest.raises(TaskFailedForGood, match=rf'names "s3://{bucket.name}/a/2.root", a file of mapping'):
        plan(with_lists(document, bucket, *entries))


def test_buckets_of_one_name_in_two_stores_are_two(
    document: dict[str, Any], bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = os.environ["AIRFLOW_CONN_HIGGS_S3"].replace("127.0.0.1", "localhost")
    monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", elsewhere)
    assert len(plan(with_lists(document, bucket, X, Y | {"input_connection": "elsewhere"}))) == 2


def test_what_was_resolved_is_kept_without_any_secret(campaign: Campaign, bucket: Bucket) -> None:
    planned = plan(campaign, run_name="kept")
    stored = bucket.read("demo/kept/campaign.json")
    assert json.loads(stored)["run"] == planned[0].run.model_dump(mode="json")
    assert b"a-secret-of-the-tests" not in stored
    assert "a-secret-of-the-tests" not in str(planned)


def test_a_run_that_submits_nothing_leaves_nothing_in_the_bucket(campaign: Campaign, bucket: Bucket) -> None:
    plan(campaign, stages=["create", "prepare"])
    assert bucket.keys() == []


@pytest.mark.parametrize(
    ("states", "waits"),
    [
        ({"other": {"plan": "success", "campaign_status": None}}, True),
        ({"other": {"plan": "success", "campaign_status": "failed"}}, False),
        ({"other": {"plan": "running", "campaign_status": None}}, False),
        ({"ended": {"plan": "success", "campaign_status": None}}, False),
        ({"manual__1": {"plan": "success", "campaign_status": None}}, False),
    ],
)
def test_a_run_waits_for_another_of_its_campaign(
    campaign: Campaign, states: dict[str, dict[str, str | None]], waits: bool
) -> None:
    ti = SimpleNamespace(
        get_task_states=lambda **_: states, get_dr_count=lambda run_ids, **_: int(run_ids != ["ended"])
    )
    dag_run = SimpleNamespace(dag_id="demo", run_id="manual__1", run_after=START, conf={})
    context: Any = {"dag_run": dag_run, "ti": ti}
    operator = PlanOperator(task_id="plan", campaign=campaign)
    if not waits:
        assert len(operator.execute(context)) == 3
        return
    with pytest.raises(TaskDeferred) as waiting:
        operator.execute(context)
    states.clear()
    planned = getattr(operator, waiting.value.method_name)(context)
    assert planned[0]["run"]["begun"] is not None


def test_more_clusters_than_airflow_maps_are_refused_at_once(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "3")
    assert len(plan(campaign)) == 3
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    with pytest.raises(TaskFailedForGood, match="has 3 clusters, and this Airflow allows 2: "):
        plan(campaign)


def test_a_bucket_that_is_not_there_is_named(campaign: Campaign) -> None:
    with pytest.raises(TaskFailedForGood, match=r"s3://no-such-bucket/demo/.*: there is no such bucket"):
        plan(campaign, storage={"output": "s3://no-such-bucket"})


@pytest.mark.usefixtures("connections")
def test_a_plan_does_not_grow_with_the_shards(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIGGS_IMAGE", "registry.example.org/nanoaod:1")
    full = load_campaign(repository / "include/config/higgs-full.json")
    planned = [assignment.model_dump(mode="json") for assignment in plan(full, stages=["create"])]
    assert len(json.dumps(planned)) < 64_000
