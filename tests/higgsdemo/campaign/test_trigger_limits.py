"""No conf of a trigger moves a credential, or costs what the file's author has not allowed."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from higgsdemo.campaign import Campaign, CampaignError, apply_conf, parse_campaign
from higgsdemo.campaign.entries import ClusterEntry
from higgsdemo.campaign.storage import Storage
from higgsdemo.campaign.trigger_conf import CAMPAIGN_KEYS
from higgsdemo.catalogue import load_catalogue
from refusals import table

DATASETS = list(load_catalogue("cms-higgs").datasets)
DOCUMENT = table("trigger_limits")
FILE: dict[str, Any] = DOCUMENT["file"]
for _number, _entry in enumerate(FILE["mapping"]):
    _entry["datasets"] = [DATASETS[_number]]
EVIL: dict[str, list[Any]] = DOCUMENT["evil"]
EVIL["datasets"] = [[{"url": url, "name": DATASETS[9]}] for url in EVIL["datasets"]]


def flows(campaign: Campaign) -> Iterator[tuple[Any, ...]]:
    """Where each credential goes: what it is given to, in which cluster, with which endpoint and CA."""
    storage = campaign.storage
    for position, one in enumerate(campaign.clusters()):
        options = one.gke or one.eks
        own = options.model_dump(exclude={"subnet_range"}) if options else {}
        place = (one.provider, one.connection, one.location, one.pod_identity, one.egress, str(own))
        images = (campaign.image, campaign.stage_in_image, one.image_pull_policy)
        yield "cluster", *place, one.gke and one.gke.subnet_range == f"10.{110 + position}.0.0/21"
        bucket = storage.output.split("/")[2]
        yield "write", storage.writes_with, storage.writes_at, bucket, storage.pod_ca, *place, *images
        yield "live", storage.live, *place, *images
        for ref in one.datasets:
            bucket = ref.url.split("/")[2]
            yield "read", one.input_connection, one.pod_endpoint, bucket, storage.pod_ca, *place, *images


def nodes(campaign: Campaign) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in campaign.clusters():
        if one.provider in ("gke", "eks"):
            found[str(one.flavor)] = found.get(str(one.flavor), 0) + one.most_nodes
    return found


def applied(conf: dict[str, Any], **changes: Any) -> Campaign:
    return apply_conf(parse_campaign(FILE | changes, "campaign.json"), conf)[0]


OWN = applied({})


def test_every_field_of_a_conf_is_tried_or_known_to_be_harmless() -> None:
    fields = {*CAMPAIGN_KEYS, *Storage.model_fields, *ClusterEntry.model_fields}
    assert fields == EVIL.keys() | {*DOCUMENT["harmless"]}


@st.composite
def confs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the file's own storage and clusters, in any number and order, with some fields made evil."""
    mapping = []
    for number in range(draw(st.integers(0, 4))):
        entry = dict(draw(st.sampled_from(FILE["mapping"]))) | {"datasets": [DATASETS[number]]}
        mapping.append(spoilt(draw, entry, [*ClusterEntry.model_fields]))
    conf = spoilt(draw, {}, ["image", "stage_in_image"])
    conf["storage"] = spoilt(draw, {}, [*Storage.model_fields])
    return conf | ({"mapping": mapping} if mapping else {})


def spoilt(draw: st.DrawFn, document: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from([name for name in fields if name in EVIL]), max_size=2))
    return document | {name: draw(st.sampled_from(EVIL[name])) for name in names}


@given(confs())
def test_whatever_a_conf_says_each_credential_goes_where_the_file_sends_it(conf: dict[str, Any]) -> None:
    check_flows(conf)


@pytest.mark.parametrize("field", [name for name in ClusterEntry.model_fields if name in EVIL])
def test_no_field_of_a_cluster_alone_moves_a_credential(field: str) -> None:
    for entry in FILE["mapping"]:
        for value in EVIL[field]:
            check_flows({"mapping": [entry | {field: value}]})


def check_flows(conf: dict[str, Any]) -> None:
    """See that a conf is refused, or moves nothing and costs no more."""
    try:
        changed = applied(conf)
    except CampaignError:
        return
    assert set(flows(changed)) <= set(flows(OWN))
    assert all(count <= nodes(OWN).get(flavor, 0) for flavor, count in nodes(changed).items())


ONE_BY_ONE = [
    *(({key: value}, key) for key in ("image", "stage_in_image") for value in EVIL[key]),
    *(
        ({"storage": {key: value}}, f"storage.{key}")
        for key in Storage.model_fields
        for value in EVIL[key]
        if value != FILE["storage"].get(key)
    ),
]


@pytest.mark.parametrize(("conf", "field"), ONE_BY_ONE)
def test_what_is_not_the_files_is_refused_by_name(conf: dict[str, Any], field: str) -> None:
    told = rf"{re.escape(field)} is .*, which is not the campaign file's .*; what a trigger may change is in"
    with pytest.raises(CampaignError, match=told):
        applied(conf)


EXISTING, GKE, EKS_ONE = FILE["mapping"]
ELSEWHERE = {"url": "s3://my-data/a", "name": DATASETS[0]}
CERTIFIED = {
    "name": next(name for name in DATASETS if "Run20" in name),
    "certified": "https://my-lists.org/c.json",
}
ALLOWED = [
    ({"images": ["registry.example.org/team/*"]}, {"image": "registry.example.org/team/mine:2"}),
    ({"connections": ["team"]}, {"storage": {"output_connection": "team", "output_pod_endpoint": None}}),
    ({"storage": ["s3://my-*"]}, {"storage": {"output": "s3://my-results/a"}}),
    ({"storage": ["s3://my-data"]}, {"mapping": [EXISTING | {"datasets": [ELSEWHERE]}]}),
    ({"storage": ["https://my-lists.org"]}, {"mapping": [EXISTING | {"datasets": [CERTIFIED]}]}),
    ({"flavors": ["n1-*"]}, {"mapping": [GKE | {"flavor": "n1-highmem-16"}]}),
    ({"max_nodes": 12}, {"mapping": [EKS_ONE | {"nodes": 12}]}),
    ({"connections": ["kind"]}, {"mapping": [EXISTING | {"connection": "kind", "location": None}]}),
]


@pytest.mark.parametrize(("at_trigger", "conf"), ALLOWED)
def test_the_file_may_leave_a_choice_to_triggers_and_nothing_like_it(
    at_trigger: dict[str, Any], conf: dict[str, Any]
) -> None:
    applied(conf, at_trigger=at_trigger)
    with pytest.raises(CampaignError, match=r"may change is in the file's at_trigger: nothing"):
        applied(conf)
    for text in ("my-", "team", "kind", "n1-", ": 12"):
        other = json.loads(json.dumps(conf).replace(text, {": 12": ": 13"}.get(text, f"x{text}")))
        if other != conf:
            with pytest.raises(CampaignError, match=r"which is not the campaign file's"):
                applied(other, at_trigger=at_trigger)


def test_an_endpoint_that_the_file_gives_to_one_connection_is_not_anothers() -> None:
    with pytest.raises(CampaignError, match=r"storage\.output_pod_endpoint is \"http://10.0.0.2:9000\""):
        applied({"storage": {"output_connection": "team"}}, at_trigger={"connections": ["team"]})


def test_many_clusters_of_the_files_size_cost_more_than_the_file() -> None:
    entries = [FILE["mapping"][1] | {"datasets": [name]} for name in DATASETS[:50]]
    with pytest.raises(CampaignError, match=r'mapping\.nodes is \{"n1-standard-4": 300\}'):
        applied({"mapping": entries})
    one_node = [FILE["mapping"][1] | {"datasets": [name], "nodes": 1} for name in DATASETS[:2]]
    assert len(applied({"mapping": one_node}).clusters()) == 2


@pytest.mark.parametrize(
    ("field", "pattern"),
    [
        ("images", "registry.example.org*"),
        ("images", "*/x"),
        ("storage", "s3://*/x"),
        ("storage", "https://a*"),
    ],
)
def test_a_pattern_names_the_registry_or_server_whole(field: str, pattern: str) -> None:
    with pytest.raises(CampaignError, match=rf"at_trigger\.{field}\[0\] is .*; it must be"):
        applied({}, at_trigger={field: [pattern]})
