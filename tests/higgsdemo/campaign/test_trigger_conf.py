"""What a trigger's conf makes of a campaign."""

from typing import Any

import pytest

from campaign_changes import Change
from higgsdemo.campaign import Campaign, CampaignError, RunOptions, apply_conf, parse_campaign
from refusals import refusals

MUONS = "CMS_Run2012C_DoubleMuParked_AOD_22Jan2013-v1_10010"
STORAGE = {"input": "s3://a-b", "output": "s3://c-d"}
FREE = {
    "images": ["mine:2", "registry.example.org/*"],
    "connections": ["aws_default", "google_cloud_default", "kubernetes_default"],
    "storage": ["gs://*", "s3://mine"],
    "flavors": ["n1-*"],
    "max_nodes": 30,
}


@pytest.fixture
def campaign(changed: Change) -> Campaign:
    return parse_campaign(changed({}), "higgs.json")


@pytest.fixture
def free(changed: Change) -> Campaign:
    return parse_campaign(changed({"at_trigger": FREE}), "higgs.json")


def names(campaign: Campaign) -> list[str]:
    return [cluster.name for cluster in campaign.clusters()]


@pytest.mark.parametrize(
    "conf", [None, {}, {"mapping": None, "stages": None, "storage": None, "resume": None}]
)
def test_an_empty_conf_changes_nothing(campaign: Campaign, conf: dict[str, Any] | None) -> None:
    assert apply_conf(campaign, conf) == (campaign, RunOptions())
    assert RunOptions().stages == ["create", "prepare", "submit", "cleanup"]


def test_a_mapping_of_another_length_replaces_the_campaigns(free: Campaign) -> None:
    mapping = [{"datasets": [f"{MUONS[:-2]}{end}"], "nodes": 2} for end in ("10", "11", "13", "16", "18")]
    five, _ = apply_conf(free, {"mapping": mapping})
    assert names(five) == [f"kubecon-demo-{position}" for position in range(5)]
    assert {(cluster.provider, cluster.flavor, cluster.nodes) for cluster in five.clusters()} == {
        ("gke", "n1-highmem-16", 2)
    }


def test_the_list_of_the_original_may_be_given_as_the_mapping(free: Campaign) -> None:
    entry = {
        "datasets": [f"datasets_s3/{MUONS}_file_index.txt"],
        "flavor": "n1-standard-4",
        "nodes": "3",
        "dpath": "/dev/shm",
    }
    (cluster,) = apply_conf(free, {"mapping": [entry]})[0].clusters()
    assert (cluster.nodes, cluster.flavor, cluster.datasets[0].name) == (3, "n1-standard-4", MUONS)


def test_clusters_keeps_the_named_ones_with_the_names_they_have(campaign: Campaign, changed: Change) -> None:
    kept, options = apply_conf(campaign, {"clusters": ["second"]})
    assert (names(kept), options.clusters) == (["second"], ["second"])
    unnamed = parse_campaign(changed({"mapping.0.name": ..., "mapping.1.name": ...}), "higgs.json")
    assert names(apply_conf(unnamed, {"clusters": ["kubecon-demo-1"]})[0]) == ["kubecon-demo-1"]


def test_clusters_may_name_those_of_the_mapping_in_the_same_conf(campaign: Campaign) -> None:
    mapping = [{"name": "a", "datasets": [MUONS]}, {"name": "b", "datasets": [f"{MUONS[:-1]}1"]}]
    assert names(apply_conf(campaign, {"mapping": mapping, "clusters": ["b"]})[0]) == ["b"]


def test_storage_replaces_the_fields_it_names(free: Campaign) -> None:
    changed, _ = apply_conf(free, {"storage": {"output": "s3://mine/results/", "connection": None}})
    assert changed.storage.model_dump() == free.storage.model_dump() | {"output": "s3://mine/results"}


def test_another_store_is_read_with_that_stores_connection(free: Campaign, changed: Change) -> None:
    in_gcs, _ = apply_conf(free, {"storage": {"input": "gs://higgs-demo"}})
    assert in_gcs.storage.connection == "google_cloud_default"
    named = parse_campaign(
        changed({"storage": STORAGE | {"connection": "mine"}, "at_trigger": FREE}), "higgs.json"
    )
    assert apply_conf(named, {"storage": {"input": "gs://e-f"}})[0].storage.connection == "mine"


def test_max_shards_limits_every_dataset_whatever_its_entry_says(changed: Change) -> None:
    document = changed({})
    document["mapping"][0]["max_shards"] = 100
    campaign = parse_campaign(document, "higgs.json")
    limited, options = apply_conf(campaign, {"max_shards": 2})
    assert options.max_shards == 2
    assert [d.max_shards for cluster in limited.clusters() for d in cluster.datasets] == [2, 2]


def test_image_cleanup_and_options_are_taken_over(free: Campaign) -> None:
    conf = {"image": "mine:2", "cleanup": "clusters", "run_name": "again", "resume": True}
    changed, options = apply_conf(free, conf)
    assert (changed.image, changed.cleanup) == ("mine:2", "clusters")
    assert options == RunOptions(run_name="again", resume=True)


def test_files_that_are_copied_are_not_cut_whatever_the_campaign_says(changed: Change) -> None:
    document = changed({"workload": "nanoaod", "read": "stream", "shard_events": 500_000})
    campaign = parse_campaign(document, "higgs.json")
    for conf in ({"read": "stage-in"}, {"read": "stage-in", "shard_events": None}):
        copied, _ = apply_conf(campaign, conf)
        assert (copied.read, copied.shard_events) == ("stage-in", None)
    with pytest.raises(CampaignError, match=r'shard_events cuts files .* pods can only "stream"'):
        apply_conf(campaign, {"read": "stage-in", "shard_events": 1000})


def test_resume_needs_a_name_but_where_every_run_has_the_same(campaign: Campaign, changed: Change) -> None:
    with pytest.raises(CampaignError, match="resume needs the key run_name: that of the run to finish"):
        apply_conf(campaign, {"resume": True})
    growing = parse_campaign(changed({"growing": True}), "higgs.json")
    assert apply_conf(growing, {"resume": True})[1].resume


def test_stages_are_done_in_their_order(campaign: Campaign) -> None:
    assert apply_conf(campaign, {"stages": ["submit", "create"]})[1].stages == ["create", "submit"]


@pytest.mark.parametrize(
    ("stages", "of_campaign", "of_conf", "expected"),
    [
        (["cleanup"], "none", None, "jobs"),
        (["cleanup"], "none", "none", "jobs"),
        (["cleanup"], "clusters", None, "clusters"),
        (["cleanup"], "none", "clusters", "clusters"),
        (["submit", "cleanup"], "none", None, "none"),
    ],
)
def test_a_run_that_only_cleans_up_removes_at_least_the_jobs(
    changed: Change, stages: list[str], of_campaign: str, of_conf: str | None, expected: str
) -> None:
    campaign = parse_campaign(changed({"cleanup": of_campaign}), "higgs.json")
    assert apply_conf(campaign, {"stages": stages, "cleanup": of_conf})[0].cleanup == expected


@pytest.mark.parametrize(("conf", "message"), refusals("confs"))
def test_a_wrong_conf_is_refused_with_one_message(campaign: Campaign, conf: Any, message: str) -> None:
    with pytest.raises(CampaignError) as refused:
        apply_conf(campaign, conf)
    assert str(refused.value) == f"trigger conf{message}"


MAIL = {
    "notifier": "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
    "kwargs": {"smtp_conn_id": "smtp_default", "to": "a@example.org", "subject": "{{ dag_run.run_id }}"},
}


def test_templates_in_the_arguments_of_a_notifier_are_left_to_airflow(changed: Change) -> None:
    campaign = parse_campaign(changed({"notifications": {"on_success": [MAIL]}}), "mine.json")
    (notifier,) = campaign.notifications.on_success
    assert notifier.model_dump() == MAIL
    again, _ = apply_conf(campaign, {"max_shards": 1})
    assert again.notifications == campaign.notifications
