"""Every mapping that cannot be run is refused with one message: what is wrong, where, and what is allowed."""

from collections.abc import Callable
from typing import Any

import pytest

from higgsdemo.campaign import CampaignError, parse_campaign

ELECTRONS = "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000"
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown field of an entry": (
        {"mapping.1.node": 3},
        ': mapping[1] has no field "node"; did you mean "nodes"? (the fields are name, datasets, '
        "provider, connection, location, flavor, nodes, dpath, parallelism, cores, "
        "price_per_node_hour, shards_per_pod, "
        "max_shards, resources, backoff_limit_per_index, input, "
        "input_connection, image_pull_policy, pod_identity, egress, gke, eks)",
    ),
    "two unknown fields": (
        {"mapping.1.node": 3, "mapping.1.clolor": "red"},
        ': mapping[1] has no field "node"; did you mean "nodes"? and has no field "clolor" (the '
        "fields are name, datasets, provider, connection, location, flavor, nodes, dpath, "
        "parallelism, cores, price_per_node_hour, shards_per_pod, max_shards, resources, "
        "backoff_limit_per_index, input, "
        "input_connection, image_pull_policy, pod_identity, egress, gke, eks)",
    ),
    "addresses that are none": (
        {"mapping.0.egress": ["10.20.0.0/16", "10.20.0.7/16"]},
        ': mapping[0].egress[1] is "10.20.0.7/16"; it must be a range of IP addresses such as 10.20.0.0/16: '
        "the bits after its prefix are not 0",
    ),
    "an address instead of a range": (
        {"mapping.0.egress": ["10.20.0.7"]},
        ': mapping[0].egress[0] is "10.20.0.7"; it must be a range of IP addresses such as 10.20.0.0/16',
    ),
    "a network policy on this machine": (
        {"mapping.0.provider": "local", "mapping.0.flavor": "local-8", "mapping.0.egress": ["10.20.0.0/16"]},
        ": mapping[0].egress is of no use: pods of this machine are processes of its user",
    ),
    "no mapping and no storage": (
        {"mapping": ..., "storage": ...},
        ': the campaign needs the field "storage" (where shards are read and results are written) '
        'and needs the field "mapping" (the clusters, each with the datasets it runs)',
    ),
    "a mapping that is an object": (
        {"mapping": {"first": {}}},
        ': mapping is {"first": {}}; it must be a list',
    ),
    "an entry that is a text": (
        {"mapping.0": "first"},
        ': mapping[0] is "first"; it must be an object',
    ),
    "no datasets": (
        {"mapping.0.datasets": ...},
        ': mapping[0] needs the field "datasets" (what it runs: a catalogue dataset\'s name, the path '
        "of an index file, a bucket URL prefix, or an object with url, name and sample)",
    ),
    "empty datasets": (
        {"mapping.0.datasets": []},
        ": mapping[0].datasets is empty; it needs at least one entry",
    ),
    "a dataset instead of datasets": (
        {"mapping.0.datasets": ELECTRONS},
        ': mapping[0].datasets is "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000"; it must be a list',
    ),
    "a dataset that is a number": (
        {"mapping.0.datasets.0": 7},
        ": mapping[0].datasets[0] is 7; it must be a catalogue dataset's name, the path of an index "
        "file, or a URL such as s3://bucket/prefix/",
    ),
    "a misspelt dataset": (
        {"mapping.0.datasets.0": "CMS_Run2012C_DoubleElectrn_AOD_22Jan2013-v1_20000"},
        ': mapping[0].datasets[0] is "CMS_Run2012C_DoubleElectrn_AOD_22Jan2013-v1_20000", which is '
        "no dataset of the catalogue cms-higgs; did you mean "
        '"CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000"?',
    ),
    "an unheard-of dataset": (
        {"mapping.0.datasets.0": "nonsense"},
        ': mapping[0].datasets[0] is "nonsense", which is no dataset of the catalogue cms-higgs',
    ),
    "a dataset twice in a cluster": (
        {"mapping.0.datasets": [ELECTRONS, ELECTRONS]},
        ": mapping[0].datasets[1] is the dataset "
        '"CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000", which is also mapping[0].datasets[0]: '
        "its events would be counted twice (two datasets of different URLs need names of their own)",
    ),
    "a dataset in two clusters": (
        {"mapping.1.datasets": [f"datasets_s3/{ELECTRONS}_file_index.txt"]},
        ": mapping[1].datasets[0] is the dataset "
        '"CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000", which is also mapping[0].datasets[0]: '
        "its events would be counted twice (two datasets of different URLs need names of their own)",
    ),
    "a dataset inside another": (
        {"mapping.1.datasets": ["s3://higgs-demo/eos/opendata/cms/Run2012C/"]},
        ": mapping[0].datasets[0] is "
        '"s3://higgs-demo/eos/opendata/cms/Run2012C/DoubleElectron/AOD/22Jan2013-v1/20000/", which '
        'lies inside "s3://higgs-demo/eos/opendata/cms/Run2012C/" of mapping[1].datasets[0]: its '
        "events would be counted twice",
    ),
    "an index file of an unheard-of dataset": (
        {"mapping.0.datasets.0": "datasets_s3/CMS_Run2012C_DoubleElectron_file_index.txt"},
        ': mapping[0].datasets[0] is "datasets_s3/CMS_Run2012C_DoubleElectron_file_index.txt"; there '
        'is no such file in include/datasets, and "CMS_Run2012C_DoubleElectron" is no dataset of the '
        'catalogue cms-higgs; did you mean "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20011"?',
    ),
    "an index file outside": (
        {"mapping.0.datasets.0": f"../secrets/{ELECTRONS}_file_index.txt"},
        ": mapping[0].datasets[0] is "
        '"../secrets/CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000_file_index.txt"; an index '
        "file's path is relative to include/datasets, without ..",
    ),
    "an index file of an absolute path": (
        {"mapping.0.datasets.0": f"/etc/{ELECTRONS}_file_index.txt"},
        ": mapping[0].datasets[0] is "
        '"/etc/CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000_file_index.txt"; an index file\'s '
        "path is relative to include/datasets, without ..",
    ),
    "an index file of another name": (
        {"mapping.0.datasets.0": f"datasets_s3/{ELECTRONS}.txt"},
        ": mapping[0].datasets[0] is "
        '"datasets_s3/CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000.txt"; an index file\'s name '
        "is <dataset>_file_index.txt",
    ),
    "a URL of another scheme": (
        {"mapping.0.datasets.0": "ftp://example.org/data"},
        ': mapping[0].datasets[0] is "ftp://example.org/data"; it must be a catalogue dataset\'s '
        "name, the path of an index file, or a URL such as s3://bucket/prefix/",
    ),
    "a prefix on a web server": (
        {"mapping.0": {"input": "https://example.org", "datasets": ["https://example.org/data"]}},
        ': mapping[0].datasets[0] is "https://example.org/data/"; a web server does not list its files: name '
        "one (.root), or an index file (_file_index.txt)",
    ),
    "a URL in another store": (
        {"mapping.0.datasets.0": "gs://bucket/data"},
        ': mapping[0].datasets[0] lies in gs://, but the input is "s3://higgs-demo": a cluster reads '
        "from one store",
    ),
    "a URL with an unheard-of sample": (
        {"mapping.0.datasets.0": {"url": "s3://bucket/data", "sample": "sm12_dr53x_zzto4mu_8tev"}},
        ': mapping[0].datasets[0] has the sample "sm12_dr53x_zzto4mu_8tev", which is not in the '
        'catalogue cms-higgs; did you mean "sm12_dr53x_zzto4mu_8tev-pw-py6"?',
    ),
    "a dataset object without URL": (
        {"mapping.0.datasets.0": {"name": "mine"}},
        ': mapping[0].datasets[0] needs the field "url" (the prefix its files lie below, or its one '
        "ROOT file)",
    ),
    "a dataset object with a bad name": (
        {"mapping.0.datasets.0": {"url": "s3://bucket/data", "name": "a/b"}},
        ': mapping[0].datasets[0].name is "a/b"; it must be letters, digits, dots, hyphens and underscores',
    ),
    "a dataset object with another field": (
        {"mapping.0.datasets.0": {"url": "s3://bucket/data", "samples": "a"}},
        ': mapping[0].datasets[0] has no field "samples"; did you mean "sample"? (the fields are '
        "url, name, sample)",
    ),
    "a name with capitals": (
        {"mapping.0.name": "First"},
        ': mapping[0].name is "First"; it must be at most 40 lower-case letters, digits and hyphens, '
        "with a letter first and no hyphen last",
    ),
    "a name that is too long": (
        {"mapping.0.name": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
        ': mapping[0].name is "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"; it must be at most 40 '
        "lower-case letters, digits and hyphens, with a letter first and no hyphen last",
    ),
    "a name twice": (
        {"mapping.1.name": "first"},
        ': mapping[1].name is "first", which is also the name of mapping[0]',
    ),
    "no nodes": (
        {"mapping.0.nodes": 0},
        ": mapping[0].nodes is 0; it must be a whole number of at least 1",
    ),
    "nodes in words": (
        {"mapping.0.nodes": "many"},
        ': mapping[0].nodes is "many"; it must be a whole number of at least 1',
    ),
    "half a node": (
        {"mapping.0.nodes": 1.5},
        ": mapping[0].nodes is 1.5; it must be a whole number of at least 1",
    ),
    "nodes that are true": (
        {"mapping.0.nodes": True},
        ": mapping[0].nodes is true; it must be a whole number of at least 1",
    ),
    "shards a pod as a text": (
        {"defaults.shards_per_pod": "6"},
        ': defaults.shards_per_pod is "6"; it must be a whole number of at least 1, or "auto"',
    ),
    "negative retries": (
        {"defaults.backoff_limit_per_index": -1},
        ": defaults.backoff_limit_per_index is -1; it must be a whole number, 0 or more",
    ),
    "a misspelt provider": (
        {"mapping.0.provider": "gcp"},
        ': mapping[0].provider is "gcp"; it must be "local", "existing", "gke" or "eks"',
    ),
    "no provider": (
        {"defaults": ...},
        " has 2 problems:\n"
        '- mapping[0] needs the field "provider", here or in defaults: "local", "existing", "gke" or '
        '"eks"\n'
        '- mapping[1] needs the field "provider", here or in defaults: "local", "existing", "gke" or '
        '"eks"',
    ),
    "no flavor": (
        {"defaults.flavor": ...},
        " has 2 problems:\n"
        '- mapping[0] needs the field "flavor", here or in defaults: a machine type of gke\n'
        '- mapping[1] needs the field "flavor", here or in defaults: a machine type of gke',
    ),
    "no flavor of the other provider": (
        {"mapping.1.provider": "eks"},
        " has 2 problems:\n"
        '- mapping[1] needs the field "flavor", here or in defaults: a machine type of eks\n'
        '- mapping[1].eks needs "cluster_role", "node_role" and "subnets", here or in defaults',
    ),
    "a flavor with a space": (
        {"mapping.0.flavor": "n1 highmem"},
        ': mapping[0].flavor is "n1 highmem"; it must be a machine type such as n1-highmem-16 or local-1',
    ),
    "a local flavor of the cloud": (
        {"defaults.provider": "local"},
        " has 2 problems:\n"
        '- mapping[0].flavor is "n1-highmem-16"; with provider local it must be "local-<cores>"\n'
        '- mapping[1].flavor is "n1-highmem-16"; with provider local it must be "local-<cores>"',
    ),
    "a pod larger than its node": (
        {
            "mapping.0": {
                "datasets": [ELECTRONS],
                "provider": "local",
                "flavor": "local-2",
                "resources": {"cpu": "3", "memory": "5Gi"},
            }
        },
        " has 2 problems:\n"
        '- mapping[0].resources.cpu is "3", which no node of flavor local-2 has: it has 2\n'
        '- mapping[0].resources.memory is "5Gi", which no node of flavor local-2 has: it has 4Gi',
    ),
    "what nobody wrote and does not fit": (
        {"mapping.0": {"datasets": [ELECTRONS], "provider": "local", "flavor": "local-1"}},
        ': mapping[0].resources.memory is "6Gi" by default, which no node of flavor local-1 has: it has 2Gi',
    ),
    "an unknown stage-in path": (
        {"mapping.0.dpath": "/tmp"},
        ': mapping[0].dpath is "/tmp"; it must be "/dev/shm", "/mnt/disks/ssd0" or "/dev/null"',
    ),
    "cpu as a number": (
        {"defaults.resources": {"cpu": 0.9}},
        ': defaults.resources.cpu is 0.9; it must be a Kubernetes quantity such as "0.9" or "900m": '
        "quantities are written in quotes",
    ),
    "memory that is no quantity": (
        {"defaults.resources": {"memory": "6 GB"}},
        ': defaults.resources.memory is "6 GB"; it must be a Kubernetes quantity such as "6Gi" or "512Mi"',
    ),
    "memory of a few bytes": (
        {"defaults.resources": {"memory": "6"}},
        ': defaults.resources.memory is "6"; it must be a Kubernetes quantity such as "6Gi" or '
        '"512Mi": 6 is less than 1Mi',
    ),
    "cores in GiB": (
        {"defaults.resources": {"cpu": "5Gi"}},
        ': defaults.resources.cpu is "5Gi"; it must be a Kubernetes quantity such as "0.9" or "900m"',
    ),
    "gpu": (
        {"defaults.resources": {"gpu": "1"}},
        ': defaults.resources has no field "gpu" (the fields are cpu, memory)',
    ),
    "a location that is none": (
        {"mapping.0.location": "Europe"},
        ': mapping[0].location is "Europe"; it must be a region or zone such as europe-west4 or eu-west-1',
    ),
}


@pytest.mark.parametrize(("change", "message"), CASES.values(), ids=CASES)
def test_an_invalid_mapping_is_refused_with_one_message(
    changed: Callable[[dict[str, Any]], dict[str, Any]], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(CampaignError) as refused:
        parse_campaign(changed(change), "higgs.json")
    assert str(refused.value) == f"higgs.json{message}"
