"""What the entries of a mapping come to, with defaults filled in."""

import json
from pathlib import Path
from typing import Any

from campaign_changes import Change
from higgsdemo.campaign import Cluster, apply_conf, parse_campaign
from higgsdemo.campaign.fields import Provider
from higgsdemo.campaign.flavors import cores_of
from tables import cases


def clusters(document: dict[str, Any]) -> list[Cluster]:
    return parse_campaign(document, "higgs.json").clusters()


def test_what_is_left_out_has_a_default(changed: Change) -> None:
    first = clusters(changed({}))[0]
    reviewed = Path(__file__).parents[1] / "manifests" / "cluster.json"
    assert first.model_dump(mode="json", exclude={"datasets"}) == json.loads(reviewed.read_text())


@cases
def test_entries_and_defaults_make_the_clusters(
    changed: Change, changes: dict[str, Any], found: list[dict[str, Any]]
) -> None:
    made = clusters(changed(changes))
    assert [{path: at(one, path) for path in of} for one, of in zip(made, found, strict=True)] == found


def at(cluster: Any, path: str) -> Any:
    """Return what a cluster has at a path such as `datasets.0.url`."""
    for part in path.split("."):
        cluster = cluster[int(part)] if part.isdigit() else getattr(cluster, part)
    return cluster


@cases
def test_a_machine_type_tells_its_cores_by_its_name(
    provider: Provider, cores: dict[str | None, int | None]
) -> None:
    assert {flavor: cores_of(provider, flavor) for flavor in cores} == cores


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
