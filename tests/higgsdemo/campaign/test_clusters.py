"""What the entries of a mapping come to, with defaults filled in."""

import json
from pathlib import Path
from typing import Any

import pytest

from campaign_changes import Change
from higgsdemo.campaign import Cluster, parse_campaign
from higgsdemo.campaign.fields import Provider
from higgsdemo.campaign.flavors import cores_of
from planned_runs import EKS


def clusters(document: dict[str, Any]) -> list[Cluster]:
    return parse_campaign(document, "higgs.json").clusters()


def test_what_is_left_out_has_a_default(changed: Change) -> None:
    first = clusters(changed({}))[0]
    reviewed = Path(__file__).parents[1] / "manifests" / "cluster.json"
    assert first.model_dump(mode="json", exclude={"datasets"}) == json.loads(reviewed.read_text())


def test_an_entry_wins_over_the_defaults_field_by_field(changed: Change) -> None:
    defaults = {
        "provider": "gke",
        "flavor": "n1-highmem-16",
        "nodes": 22,
        "parallelism": 100,
        "shards_per_pod": 4,
        "max_shards": 8,
        "resources": {"cpu": "2", "memory": "3Gi"},
        "backoff_limit_per_index": 2,
    }
    own = {
        "nodes": "3",
        "dpath": "/dev/null",
        "parallelism": None,
        "resources": {"cpu": "1"},
        "backoff_limit_per_index": 0,
        "location": "us-central1",
    }
    document = changed({"defaults": defaults})
    document["mapping"][1] |= own
    first, second = clusters(document)
    assert (first.nodes, first.parallelism, first.location) == (22, 100, "europe-west4")
    assert (second.nodes, second.dpath, second.location) == (3, "/dev/null", "us-central1")
    assert second.parallelism is None
    assert second.resources.model_dump() == {"cpu": "1", "memory": "3Gi"}
    assert (second.shards_per_pod, second.backoff_limit_per_index) == (4, 0)
    assert second.datasets[0].max_shards == 8


def test_an_entry_of_another_provider_takes_no_location_or_flavor_from_the_defaults(changed: Change) -> None:
    document = changed({})
    document["defaults"] |= {"connection": "mine", "location": "us-east1", "flavor": "n2", "nodes": 5}
    document["defaults"]["resources"] = {"memory": "1Gi"}
    document["mapping"][1] |= {"provider": "local"}
    assert [(one.connection, one.location, one.flavor, one.nodes) for one in clusters(document)] == [
        ("mine", "us-east1", "n2", 5),
        ("localkube_default", None, "local-1", 5),
    ]


@pytest.mark.parametrize(
    ("provider", "connection", "location"),
    [
        ("local", "localkube_default", None),
        ("existing", "kubernetes_default", None),
        ("gke", "google_cloud_default", "europe-west4"),
        ("eks", "aws_default", None),
    ],
)
def test_each_provider_has_its_connection(
    changed: Change, provider: str, connection: str, location: str | None
) -> None:
    document = changed({"defaults": {"eks": EKS}})
    document["mapping"] = [document["mapping"][0] | {"provider": provider, "flavor": "local-8"}]
    (cluster,) = clusters(document)
    assert (cluster.connection, cluster.location) == (connection, location)


def test_a_local_flavor_says_what_its_nodes_have(changed: Change) -> None:
    document = changed({"defaults": {"provider": "local", "resources": {"memory": "1Gi"}}})
    document["mapping"][1]["flavor"] = "local-4"
    one, four = clusters(document)
    assert (one.flavor, one.flavor_cpu, one.flavor_memory) == ("local-1", "1", "2Gi")
    assert (four.flavor_cpu, four.flavor_memory) == ("4", "8Gi")
    assert clusters(changed({}))[0].flavor_cpu is None
    assert clusters(changed({}))[0].flavor_memory is None


def test_a_cluster_without_a_name_is_named_by_its_position(changed: Change) -> None:
    assert [c.name for c in clusters(changed({"mapping.1.name": ...}))] == ["first", "kubecon-demo-1"]
    assert [c.name for c in clusters(changed({"mapping.0.name": None}))] == ["kubecon-demo-0", "second"]


def test_null_in_an_entry_is_the_built_in_default(changed: Change) -> None:
    shared = {"nodes": 9, "dpath": "/dev/null", "resources": {"memory": "1Gi"}, "location": "us-east1"}
    document = changed({})
    document["defaults"] |= shared
    document["mapping"][1] |= dict.fromkeys(shared) | {"provider": None}
    assert [(c.provider, c.nodes, c.dpath, c.resources.memory, c.location) for c in clusters(document)] == [
        ("gke", 9, "/dev/null", "1Gi", "us-east1"),
        ("gke", 1, "/dev/shm", "6Gi", "europe-west4"),
    ]


def test_a_cluster_travels_as_json(changed: Change) -> None:
    for cluster in clusters(changed({})):
        assert Cluster.model_validate(json.loads(json.dumps(cluster.model_dump(mode="json")))) == cluster


FLAVORS: dict[Provider, dict[str | None, int | None]] = {
    "gke": {"n1-standard-16": 16, "n1-highmem-16": 16, "n2d-highcpu-224": 224, "c3-standard-22-lssd": 22}
    | {"n2-custom-8-16384-ext": 8, "custom-4-5120": 4, "e2-medium": 2, "g1-small": 1}
    | {"a2-highgpu-1g": None, "c5.4xlarge": None},
    "eks": {"c5.4xlarge": 16, "m5.xlarge": 4, "r6i.large": 2, "m6g.medium": 1, "t3.micro": 2}
    | {"m7i.metal-24xl": 96, "c5.metal": None},
    "local": {"local-2": 2, "local-0": None},
    "existing": {"local-2": None, None: None},
}


@pytest.mark.parametrize("provider", FLAVORS)
def test_a_machine_type_tells_its_cores_by_its_name(provider: Provider) -> None:
    assert {flavor: cores_of(provider, flavor) for flavor in FLAVORS[provider]} == FLAVORS[provider]
