"""Datasets for the whole campaign: what makes them impossible to split, and what a cluster can take."""

import copy
from typing import Any

import pytest

from campaign_changes import Change
from higgsdemo.campaign import apply_conf, parse_campaign

ELECTRONS = "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000"
SPLIT: dict[str, Any] = {
    "datasets": [ELECTRONS],
    "split": "by-bytes",
    "mapping": [{"name": "first"}, {"name": "second", "nodes": 3}],
}


@pytest.mark.parametrize(
    ("changes", "capacity"),
    [
        ({}, 48),
        ({"defaults.nodes": 2}, 96),
        ({"defaults.location": "europe-west4-a"}, 16),
        ({"defaults.gke": {"zones": ["europe-west4-a", "europe-west4-b"]}}, 32),
        ({"defaults.flavor": "a2-highgpu-1g", "defaults.cores": 12}, 36),
        ({"defaults": {"provider": "existing", "cores": 8}}, 8),
        ({"defaults": {"provider": "local", "flavor": "local-4"}}, 4),
    ],
)
def test_what_a_cluster_can_take_is_the_cores_of_its_nodes(
    changed: Change, changes: dict[str, Any], capacity: int
) -> None:
    campaign = parse_campaign(changed(copy.deepcopy(SPLIT) | changes), "higgs.json")
    assert campaign.clusters()[0].capacity == capacity


def test_the_pods_that_fit_are_counted_by_cores_and_where_known_by_memory(changed: Change) -> None:
    local = {"provider": "local", "flavor": "local-16", "nodes": 2}
    large = local | {"resources": {"memory": "6Gi"}}
    (by_memory, _) = parse_campaign(changed(SPLIT | {"defaults": large}), "higgs.json").clusters()
    assert by_memory.slots == 2 * 5  # 32 GiB a node, 6 GiB a pod
    small = local | {"resources": {"memory": "1Gi"}}
    (by_cores, _) = parse_campaign(changed(SPLIT | {"defaults": small}), "higgs.json").clusters()
    assert by_cores.slots == 2 * 17  # 16 cores a node, 0.9 a pod
    (unknown, _) = parse_campaign(changed({"defaults": {"provider": "existing"}}), "higgs.json").clusters()
    assert unknown.slots is None


def test_a_mapping_of_the_conf_with_datasets_of_its_own_takes_the_place_of_the_split(changed: Change) -> None:
    campaign = parse_campaign(changed(SPLIT), "higgs.json")
    own, _ = apply_conf(campaign, {"mapping": [{"name": "mine", "datasets": [ELECTRONS]}]})
    assert [(c.name, len(c.datasets)) for c in own.clusters()] == [("mine", 1)]
    assert own.shared_datasets() == ()
    others, _ = apply_conf(campaign, {"mapping": [{"name": "mine"}, {"name": "yours"}]})
    assert [dataset.name for dataset in others.shared_datasets()] == [ELECTRONS]
