"""Campaigns that cannot be run are refused with one message: what is wrong, where, and what is allowed."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from higgsdemo.campaign import Campaign
from higgsdemo.campaign.entries import ClusterEntry, DatasetEntry
from higgsdemo.campaign.storage import Storage

Refusal = Callable[[dict[str, Any]], str]

ELECTRONS = "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000"
PREFIX = "eos/opendata/cms/Run2012C/DoubleElectron/AOD/22Jan2013-v1/20000/"
URL = "a URL such as s3://bucket, gs://bucket/prefix, https://server/path or root://server//path"
BUCKET = "a bucket's URL such as s3://bucket or gs://bucket/prefix"
UNSAFE = "its path has an empty part or a character that is not safe in a key"
CREDENTIALS = "credentials belong in an Airflow connection"
DATASET = "a catalogue dataset's name, the path of an index file, or a URL such as s3://bucket/prefix/"
CRON = (
    'a cron expression or "@once", "@continuous", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly" '
    'or "@yearly"'
)
CPU, MEMORY = (f"a Kubernetes quantity such as {like}" for like in ('"0.9" or "900m"', '"6Gi" or "512Mi"'))
IMAGE = "an image reference such as registry.example.org/name:tag"
RANGE = "a range of IP addresses such as 10.20.0.0/16"
SHARDS = "a number of shards (0 or more) or a fraction below 1"
WHOLE = "a whole number of at least 1"

MUST_BE: dict[str, list[tuple[str, Any]]] = {
    URL: [("storage.input", "higgs-demo"), ("storage.input", None)],
    f'{URL}: "Higgs" is no bucket\'s name': [("storage.input", "s3://Higgs")],
    f"{URL}: {UNSAFE}": [("storage.input", "https://example.org/a?b")],
    BUCKET: [("storage.output", "https://example.org/results")],
    f'{BUCKET}: "." and ".." cannot be parts of a key': [("storage.output", "s3://bucket/a/../b")],
    f"{BUCKET}: {UNSAFE}": [("storage.output", "s3://bucket/a//b")],
    "a URL such as https://host:9000": [("storage.pod_endpoint", "10.0.0.1:9000")],
    "the name of a directory of include/datasets": [("catalogue", "../cms-higgs")],
    '"nanoaod", "nanoaod-outreach", "aod" or "own": did you mean "nanoaod"?': [("workload", "nano")],
    IMAGE: [("image", "higgs demo:1"), ("image", "Higgs:1")],
    'at most 63 lower-case letters, digits and hyphens, not beginning with "kube-"': [
        ("namespace", "kube-system")
    ],
    f"{CRON}: a cron expression has five parts: minute, hour, day, month, weekday": [("schedule", "daily")],
    f'{CRON}: did you mean "@daily"?': [("schedule", "@dayly")],
    f"{CRON}: [0 25 * * *] is not acceptable, out of range": [("schedule", "0 25 * * *")],
    f"{CRON}: failed to find next date": [("schedule", "0 0 31 2 *")],
    '"none", "jobs" or "clusters"': [("cleanup", True)],
    '"none", "jobs" or "clusters": did you mean "clusters"?': [("cleanup", "cluster")],
    SHARDS: [("tolerance", -1), ("tolerance", 1.5), ("tolerance", True), ("tolerance", "1%")],
    f"{SHARDS}: a whole number is written without a point": [("tolerance", 1.0)],
    "a number of hours, more than 0 and at most 8760": [("max_hours", 0)],
    '"stop" or "release"': [("on_cancel", "kill")],
    "one line of at most 120 characters": [("title", "a\nb")],
    "a text of at most 4000 characters": [("description", 3)],
    "a list": [("mapping", {"first": {}}), ("mapping.0.datasets", ELECTRONS)],
    "an object": [("mapping.0", "first")],
    DATASET: [("mapping.0.datasets.0", 7), ("mapping.0.datasets.0", "ftp://example.org/data")],
    WHOLE: [("mapping.0.nodes", wrong) for wrong in (0, "many", 1.5, True)] + [("download_limit_kbps", 0)],
    f'{WHOLE}, or "auto"': [("defaults.shards_per_pod", "6")],
    "a whole number, 0 or more": [("defaults.backoff_limit_per_index", -1)],
    "at most 40 lower-case letters, digits and hyphens, with a letter first and no hyphen last": [
        ("mapping.0.name", "First"),
        ("mapping.0.name", "a" * 41),
    ],
    '"local", "existing", "gke" or "eks"': [("mapping.0.provider", "gcp")],
    "a machine type such as n1-highmem-16 or local-1": [("mapping.0.flavor", "n1 highmem")],
    "a region or zone such as europe-west4 or eu-west-1": [("mapping.0.location", "Europe")],
    '"/dev/shm", "/mnt/disks/ssd0" or "/dev/null"': [("mapping.0.dpath", "/tmp")],
    "a Google service account's e-mail address or the ARN of an IAM role": [
        ("mapping.0.pod_identity", "me@example.org")
    ],
}


@pytest.mark.parametrize(
    ("path", "value", "rule"), [(*wrong, rule) for rule, values in MUST_BE.items() for wrong in values]
)
def test_a_value_is_refused_with_what_it_must_be(refusal: Refusal, path: str, value: Any, rule: str) -> None:
    field = path.replace(".0", "[0]")
    assert refusal({path: value}) == f": {field} is {json.dumps(value)}; it must be {rule}"


def fields(model: type[BaseModel]) -> str:
    """What the message of an unknown field tells of those that there are."""
    return f"(the fields are {', '.join(field.alias or name for name, field in model.model_fields.items())})"


def several(*problems: str) -> str:
    return "".join([f" has {len(problems)} problems:", *(f"\n- {problem}" for problem in problems)])


FIRST = "mapping[0].datasets[0]"
TWICE = "its events would be counted twice"
NAMES = "(two datasets of different URLs need names of their own)"
NEEDS_STORAGE = 'the campaign needs the field "storage" (where shards are read and results are written)'
LOCAL = {"datasets": [ELECTRONS], "provider": "local"}
EKS = {
    "cluster_role": "arn:aws:iam::123456789012:role/eks-cluster",
    "node_role": "arn:aws:iam::123456789012:role/eks-node",
    "subnets": ["subnet-0a", "subnet-0b"],
}
EKS_NEEDS = 'eks needs "cluster_role", "node_role" and "subnets", here or in defaults'


def of_dataset(value: Any, message: str) -> tuple[dict[str, Any], str]:
    return {"mapping.0.datasets.0": value}, f": {FIRST}{message}"


def of_index_file(path: str, message: str) -> tuple[dict[str, Any], str]:
    return of_dataset(path, f' is "{path}"; {message}')


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown field": (
        {"mappings": []},
        f': the campaign has no field "mappings"; did you mean "mapping"? {fields(Campaign)}',
    ),
    "a credential": (
        {"storage.secret_key": "abc"},
        f': storage has no field "secret_key": {CREDENTIALS} {fields(Storage)}',
    ),
    "no storage": ({"storage": ...}, f": {NEEDS_STORAGE}"),
    "no output": (
        {"storage.output": ...},
        ': storage needs the field "output" (the bucket, or prefix, that results are written to)',
    ),
    "an empty mapping": ({"mapping": []}, ": mapping is empty; it needs at least one entry"),
    "a connection that is a URL": (
        {"storage.connection": "aws://key:secret@"},
        ': storage.connection is "aws://***@"; it must be the id of an Airflow connection',
    ),
    "credentials in a URL": (
        {"storage.output": "s3://AKIA123:secret@bucket"},
        f': storage.output is "s3://***@bucket"; it must be {BUCKET}: {CREDENTIALS}',
    ),
    "credentials in a server's name": (
        {"storage.input": "https://me:secret@example.org"},
        f': storage.input is "https://***@example.org"; it must be {URL}: {CREDENTIALS}',
    ),
    "an endpoint with credentials": (
        {"storage.pod_endpoint": "http://me:secret@10.0.0.1:9000"},
        ': storage.pod_endpoint is "http://***@10.0.0.1:9000"; it must be a URL such as '
        f"https://host:9000: {CREDENTIALS}",
    ),
    "shards of events that are staged in": (
        {"shard_events": 1000},
        ': shard_events cuts files into shards, which pods can only "stream": set the field "read" so',
    ),
    "a stream for CMSSW": (
        {"workload": "aod", "read": "stream"},
        ': read is "stream"; the workload aod reads local files: it must be "stage-in"',
    ),
    "packed shards for CMSSW": (
        {"workload": "aod", "stage_in_image": "mine:1", "defaults.shards_per_pod": 2},
        several(*(f"mapping[{n}].shards_per_pod is 2; with the workload aod it must be 1" for n in (0, 1))),
    ),
    "a dataset of no sample for CMSSW": (
        {"workload": "aod", "stage_in_image": "mine:1", "mapping.0.datasets.0": {"url": "s3://elsewhere/a"}},
        f": {FIRST} belongs to no sample, which the workload aod needs to know: give it one (sample)",
    ),
    "a catalogue that is not there": (
        {"catalogue": "cms-higs"},
        ': catalogue cannot be used: there is no catalogue "cms-higs"; did you mean "cms-higgs"? '
        "(there are cms-higgs, cms-open-data-2012, demo)",
    ),
    "a template": (
        {"title": "Run {{ ds }}"},
        ': title is "Run {{ ds }}"; templates ({{, {%, {#) are not filled in here',
    ),
    "a template in a key": (
        {"mapping.0.{% x %}": 1},
        several(
            'mapping[0] has a field with a template marker in its name: "{% x %}"',
            f'mapping[0] has no field "{{% x %}}" {fields(ClusterEntry)}',
        ),
    ),
    "results among the shards": (
        {"storage.output": f"s3://higgs-demo/{PREFIX}results"},
        f': storage.output is "s3://higgs-demo/{PREFIX}results", which is inside the dataset '
        f'"s3://higgs-demo/{PREFIX}": results would be taken for shards',
    ),
    "several things of every kind": (
        {
            "mappings": [],
            "title": "Run {{ ds }}",
            "mapping.0.nodes": 0,
            "mapping.0.datasets.0": "Nothing",
            "mapping.1.provider": "gcp",  # from which no "needs the field" follows
            "workload": "own",
        },
        several(
            'title is "Run {{ ds }}"; templates ({{, {%, {#) are not filled in here',
            f'the campaign has no field "mappings"; did you mean "mapping"? {fields(Campaign)}',
            f"mapping[0].nodes is 0; it must be {WHOLE}",
            'mapping[1].provider is "gcp"; it must be "local", "existing", "gke" or "eks"',
            f'{FIRST} is "Nothing", which is not a dataset of the catalogue cms-higgs',
            'image is missing: the workload "own" is the image that you name',
            'histograms are missing: say which the results of the workload "own" have',
        ),
    ),
    "an unknown field of an entry": (
        {"mapping.1.node": 3},
        f': mapping[1] has no field "node"; did you mean "nodes"? {fields(ClusterEntry)}',
    ),
    "two unknown fields": (
        {"mapping.1.node": 3, "mapping.1.clolor": "red"},
        ': mapping[1] has no field "node"; did you mean "nodes"? and has no field "clolor" '
        f"{fields(ClusterEntry)}",
    ),
    "addresses that are none": (
        {"mapping.0.egress": ["10.20.0.0/16", "10.20.0.7/16"]},
        f': mapping[0].egress[1] is "10.20.0.7/16"; it must be {RANGE}: the bits after its prefix are not 0',
    ),
    "an address instead of a range": (
        {"mapping.0.egress": ["10.20.0.7"]},
        f': mapping[0].egress[0] is "10.20.0.7"; it must be {RANGE}',
    ),
    "a network policy on this machine": (
        {"mapping.0.provider": "local", "mapping.0.flavor": "local-8", "mapping.0.egress": ["10.20.0.0/16"]},
        ": mapping[0].egress has no effect: pods of this machine are processes of its user",
    ),
    "no mapping and no storage": (
        {"mapping": ..., "storage": ...},
        f': {NEEDS_STORAGE} and needs the field "mapping" (the clusters, each with the datasets it runs)',
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
    "a misspelt dataset": of_dataset(
        ELECTRONS.replace("ron", "rn"),
        f' is "{ELECTRONS.replace("ron", "rn")}", which is not a dataset of the catalogue cms-higgs; '
        f'did you mean "{ELECTRONS}"?',
    ),
    "an unheard-of dataset": of_dataset(
        "nonsense", ' is "nonsense", which is not a dataset of the catalogue cms-higgs'
    ),
    "a dataset twice in a cluster": (
        {"mapping.0.datasets": [ELECTRONS, ELECTRONS]},
        f': mapping[0].datasets[1] is the dataset "{ELECTRONS}", which is also {FIRST}: {TWICE} {NAMES}',
    ),
    "a dataset in two clusters": (
        {"mapping.1.datasets": [f"datasets_s3/{ELECTRONS}_file_index.txt"]},
        f': mapping[1].datasets[0] is the dataset "{ELECTRONS}", which is also {FIRST}: {TWICE} {NAMES}',
    ),
    "a dataset inside another": (
        {"mapping.1.datasets": ["s3://higgs-demo/eos/opendata/cms/Run2012C/"]},
        f': {FIRST} is "s3://higgs-demo/{PREFIX}", which is inside '
        f'"s3://higgs-demo/eos/opendata/cms/Run2012C/" of mapping[1].datasets[0]: {TWICE}',
    ),
    "an index file of an unheard-of dataset": of_index_file(
        "datasets_s3/CMS_Run2012C_DoubleElectron_file_index.txt",
        'there is no such file in include/datasets, and "CMS_Run2012C_DoubleElectron" is no dataset of the '
        'catalogue cms-higgs; did you mean "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20011"?',
    ),
    "an index file outside": of_index_file(
        f"../secrets/{ELECTRONS}_file_index.txt",
        "an index file's path is relative to include/datasets, without ..",
    ),
    "an index file of an absolute path": of_index_file(
        f"/etc/{ELECTRONS}_file_index.txt", "an index file's path is relative to include/datasets, without .."
    ),
    "an index file of another name": of_index_file(
        f"datasets_s3/{ELECTRONS}.txt", "an index file's name is <dataset>_file_index.txt"
    ),
    "a prefix on a web server": (
        {"mapping.0": {"input": "https://example.org", "datasets": ["https://example.org/data"]}},
        f': {FIRST} is "https://example.org/data/"; a web server does not list its files: name one (.root), '
        "or an index file (_file_index.txt)",
    ),
    "a URL in another store": of_dataset(
        "gs://bucket/data",
        ' lies in gs://, but the input is "s3://higgs-demo": a cluster reads from one store',
    ),
    "a URL with an unheard-of sample": of_dataset(
        {"url": "s3://bucket/data", "sample": "sm12_dr53x_zzto4mu_8tev"},
        ' has the sample "sm12_dr53x_zzto4mu_8tev", which is not in the catalogue cms-higgs; did you mean '
        '"sm12_dr53x_zzto4mu_8tev-pw-py6"?',
    ),
    "a dataset object without URL": of_dataset(
        {"name": "mine"}, ' needs the field "url" (the prefix of its files, or its one ROOT file)'
    ),
    "a dataset object with a bad name": of_dataset(
        {"url": "s3://bucket/data", "name": "a/b"},
        '.name is "a/b"; it must be letters, digits, dots, hyphens and underscores',
    ),
    "a dataset object with another field": of_dataset(
        {"url": "s3://bucket/data", "samples": "a"},
        f' has no field "samples"; did you mean "sample"? {fields(DatasetEntry)}',
    ),
    "a name twice": (
        {"mapping.1.name": "first"},
        ': mapping[1].name is "first", which is also the name of mapping[0]',
    ),
    "no provider": (
        {"defaults": ...},
        several(
            *(
                f'mapping[{n}] needs the field "provider", here or in defaults: "local", "existing", "gke" '
                'or "eks"'
                for n in (0, 1)
            )
        ),
    ),
    "no flavor": (
        {"defaults.flavor": ...},
        several(
            *(
                f'mapping[{n}] needs the field "flavor", here or in defaults: a machine type of gke'
                for n in (0, 1)
            )
        ),
    ),
    "no flavor of the other provider": (
        {"mapping.1.provider": "eks"},
        several(
            'mapping[1] needs the field "flavor", here or in defaults: a machine type of eks',
            f"mapping[1].{EKS_NEEDS}",
        ),
    ),
    "a local flavor of the cloud": (
        {"defaults.provider": "local"},
        several(
            *(
                f'mapping[{n}].flavor is "n1-highmem-16"; with provider local it must be "local-<cores>"'
                for n in (0, 1)
            )
        ),
    ),
    "a pod larger than its node": (
        {"mapping.0": LOCAL | {"flavor": "local-2", "resources": {"cpu": "3", "memory": "5Gi"}}},
        several(
            'mapping[0].resources.cpu is "3", which no node of flavor local-2 has: it has 2',
            'mapping[0].resources.memory is "5Gi", which no node of flavor local-2 has: it has 4Gi',
        ),
    ),
    **{
        f"resources of {value!r}": (
            {"defaults.resources": {kind: value}},
            f": defaults.resources.{kind} is {json.dumps(value)}; it must be {rule}",
        )
        for kind, value, rule in (
            ("cpu", 0.9, f"{CPU}: quantities are written in quotes"),
            ("cpu", "5Gi", CPU),
            ("memory", "6 GB", MEMORY),
            ("memory", "6", f"{MEMORY}: 6 is less than 1Mi"),
        )
    },
    "gpu": (
        {"defaults.resources": {"gpu": "1"}},
        ': defaults.resources has no field "gpu" (the fields are cpu, memory)',
    ),
    "an unknown option of a cloud": (
        {"mapping.0.gke": {"disc_gb": 9}},
        ': mapping[0].gke has no field "disc_gb"; did you mean "disk_gb"? (the fields are disk_gb, spot, '
        "min_nodes, max_nodes, project, zones, network, subnet_range, disk_type, local_ssds, "
        "release_channel, service_account)",
    ),
    "options of another cloud": (
        {"mapping.0.eks": EKS},
        ': mapping[0].eks has no effect: the cluster\'s provider is "gke"',
    ),
    "empty options beside another mistake": (
        {"mapping.0": {"provider": "eks", "flavor": "m5.large", "datasets": ["x/"], "eks": {}}},
        several(
            f'{FIRST} is "x/"; an index file\'s name is <dataset>_file_index.txt', f"mapping[0].{EKS_NEEDS}"
        ),
    ),
    "a least number of nodes alone": (
        {"mapping.0.gke": {"min_nodes": 1}},
        ": mapping[0].gke.min_nodes needs max_nodes beside it",
    ),
    "more nodes than at most": (
        {"mapping.0.gke": {"max_nodes": 3}, "mapping.0.nodes": 4},
        ": mapping[0].gke has 4 to 3 nodes, and the cluster 4",
    ),
    "fewer nodes than at least": (
        {"mapping.0.gke": {"min_nodes": 5, "max_nodes": 9}, "mapping.0.nodes": 4},
        ": mapping[0].gke has 5 to 9 nodes, and the cluster 4",
    ),
    "a range of addresses that is none": (
        {"mapping.0.gke": {"subnet_range": "10.300.0.0/21"}},
        ': mapping[0].gke.subnet_range is "10.300.0.0/21"; it must be an IPv4 range such as 10.110.0.0/21',
    ),
}


@pytest.mark.parametrize(("changes", "message"), CASES.values(), ids=CASES)
def test_an_invalid_campaign_is_refused_with_one_message(
    refusal: Refusal, changes: dict[str, Any], message: str
) -> None:
    assert refusal(changes) == message
