"""What only a cloud is told: merged field by field, checked, and kept when other clusters are left out."""

from typing import Any

import pytest

from campaign_changes import Change
from higgsdemo.campaign import Cluster, apply_conf, parse_campaign
from planned_runs import EKS

IDENTITY = "higgs-pods@cms-open.iam.gserviceaccount.com"


def clusters(document: dict[str, Any]) -> list[Cluster]:
    return parse_campaign(document, "higgs.json").clusters()


def test_an_entry_wins_over_the_defaults_option_by_option(changed: Change) -> None:
    document = changed({})
    document["defaults"]["gke"] = {"disk_gb": 200, "spot": True, "max_nodes": 30}
    document["mapping"][1]["gke"] = {"spot": False, "zones": ["europe-west4-a"]}
    first, second = (cluster.gke for cluster in clusters(document))
    assert first is not None
    assert second is not None
    assert (first.disk_gb, first.spot, first.max_nodes, first.zones) == (200, True, 30, None)
    assert (second.disk_gb, second.spot, second.max_nodes) == (200, False, 30)
    assert second.zones == ["europe-west4-a"]


def test_a_campaign_over_two_clouds_gives_each_cluster_its_own_options(changed: Change) -> None:
    document = changed({"defaults": {"flavor": "m", "gke": {"spot": True}, "eks": EKS}})
    document["mapping"][0]["provider"] = "gke"
    document["mapping"][1]["provider"] = "eks"
    google, amazon = clusters(document)
    assert google.gke is not None
    assert amazon.eks is not None
    assert (google.gke.spot, google.eks) == (True, None)
    assert (amazon.eks.subnets, amazon.gke) == (["subnet-0a", "subnet-0b"], None)


def test_every_cluster_has_addresses_of_its_own(changed: Change) -> None:
    document = changed({})
    document["mapping"] = [
        {"datasets": [{"url": f"s3://bucket/d{number}", "name": f"d{number}"}]} for number in range(40)
    ]
    ranges = [cluster.gke.subnet_range for cluster in clusters(document) if cluster.gke]
    assert ranges[:2] == ["10.110.0.0/21", "10.111.0.0/21"]
    assert ranges[17:19] == ["10.127.0.0/21", "10.110.8.0/21"]
    assert len(set(ranges)) == 40


def test_a_run_of_some_clusters_leaves_them_their_addresses(changed: Change) -> None:
    document = changed({"mapping.1.gke": {"spot": True}})
    campaign, _ = apply_conf(parse_campaign(document, "higgs.json"), {"clusters": ["second"]})
    (second,) = campaign.clusters()
    assert second.gke is not None
    assert (second.gke.subnet_range, second.gke.spot) == ("10.111.0.0/21", True)


def test_an_entry_may_read_another_store(changed: Change) -> None:
    storage = {
        "input": "s3://data",
        "output": "s3://out",
        "connection": "mine",
        "pod_endpoint": "http://s3:9000",
    }
    document = changed({"storage": storage})
    document["mapping"][1] |= {"input": "gs://copy", "pod_identity": IDENTITY}
    first, second = clusters(document)
    assert (first.input_connection, first.pod_endpoint) == ("mine", "http://s3:9000")
    assert (second.input_connection, second.pod_endpoint) == ("google_cloud_default", None)
    assert second.pod_identity == IDENTITY
    assert first.datasets[0].url.startswith("s3://data/eos/")
    assert second.datasets[0].url.startswith("gs://copy/eos/")


@pytest.mark.parametrize(
    ("entry", "connection"),
    [
        ({"input": "s3://other"}, "mine"),
        ({"input": "s3://other", "input_connection": "theirs"}, "theirs"),
        ({"input_connection": "theirs"}, "theirs"),
        ({"input": "gs://copy"}, "google_cloud_default"),
    ],
)
def test_the_connection_follows_the_input(changed: Change, entry: dict[str, str], connection: str) -> None:
    document = changed({"storage.connection": "mine", "mapping.0": {"name": "first"}})
    document["mapping"][0] |= entry | {"datasets": [document["mapping"][1]["datasets"][0]]}
    document["mapping"] = document["mapping"][:1]
    assert clusters(document)[0].input_connection == connection


def test_an_entrys_input_does_not_take_the_connection_of_the_defaults_input(changed: Change) -> None:
    document = changed({})
    document["defaults"] |= {"input": "gs://copy", "input_connection": "google"}
    document["mapping"][1]["input"] = "s3://copy"
    assert [cluster.input_connection for cluster in clusters(document)] == ["google", "aws_default"]
