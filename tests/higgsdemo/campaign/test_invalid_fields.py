"""Every campaign with an invalid field is refused with one message: what is wrong, where, what is allowed."""

from collections.abc import Callable
from typing import Any

import pytest

from higgsdemo.campaign import CampaignError, parse_campaign

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown field": (
        {"mappings": []},
        ': the campaign has no field "mappings"; did you mean "mapping"? (the fields are catalogue, '
        "workload, histograms, image, stage_in_image, cleanup, approve_delete, tolerance, "
        "dataset_tolerance, incomplete, max_hours, max_idle_hours, on_cancel, download_limit_kbps, read, "
        "shard_events, $schema, title, description, namespace, storage, schedule, growing, at_trigger, "
        "worker_identity, notifications, defaults, mapping, datasets, split)",
    ),
    "a credential": (
        {"storage.secret_key": "abc"},
        ': storage has no field "secret_key": credentials belong in an Airflow connection (the '
        "fields are input, output, connection, output_connection, pod_endpoint, output_pod_endpoint, "
        "pod_ca, live)",
    ),
    "no storage": (
        {"storage": ...},
        ': the campaign needs the field "storage" (where shards are read and results are written)',
    ),
    "no output": (
        {"storage.output": ...},
        ': storage needs the field "output" (the bucket, or prefix, that results are written to)',
    ),
    "an empty mapping": (
        {"mapping": []},
        ": mapping is empty; it needs at least one entry",
    ),
    "a connection that is a URL": (
        {"storage.connection": "aws://key:secret@"},
        ': storage.connection is "aws://***@"; it must be the id of an Airflow connection',
    ),
    "an input without scheme": (
        {"storage.input": "higgs-demo"},
        ': storage.input is "higgs-demo"; it must be a URL such as s3://bucket, '
        "gs://bucket/prefix, https://server/path or root://server//path",
    ),
    "a bucket's name that is none": (
        {"storage.input": "s3://Higgs"},
        ': storage.input is "s3://Higgs"; it must be a URL such as s3://bucket, '
        'gs://bucket/prefix, https://server/path or root://server//path: "Higgs" is no bucket\'s name',
    ),
    "credentials in a URL": (
        {"storage.output": "s3://AKIA123:secret@bucket"},
        ': storage.output is "s3://***@bucket"; it must be a bucket\'s URL such as s3://bucket or '
        "gs://bucket/prefix: credentials belong in an Airflow connection",
    ),
    "credentials in a server's name": (
        {"storage.input": "https://me:secret@example.org"},
        ': storage.input is "https://***@example.org"; it must be a URL such as s3://bucket, '
        "gs://bucket/prefix, https://server/path or root://server//path: credentials belong in an Airflow "
        "connection",
    ),
    "a question to a server": (
        {"storage.input": "https://example.org/a?b"},
        ': storage.input is "https://example.org/a?b"; it must be a URL such as s3://bucket, '
        "gs://bucket/prefix, https://server/path or root://server//path: its path has an empty part or a "
        "character that is not safe in a key",
    ),
    "results on a web server": (
        {"storage.output": "https://example.org/results"},
        ': storage.output is "https://example.org/results"; it must be a bucket\'s URL such as s3://bucket '
        "or gs://bucket/prefix",
    ),
    "shards of events that are staged in": (
        {"shard_events": 1000},
        ': shard_events cuts files into shards, which pods can only "stream": set the field "read" so',
    ),
    "a stream for CMSSW": (
        {"workload": "aod", "read": "stream"},
        ': read is "stream"; the workload aod reads local files: it must be "stage-in"',
    ),
    "a path that climbs": (
        {"storage.output": "s3://bucket/a/../b"},
        ': storage.output is "s3://bucket/a/../b"; it must be a bucket\'s URL such as s3://bucket or '
        'gs://bucket/prefix: "." and ".." are no parts of a key',
    ),
    "a path with an empty part": (
        {"storage.output": "s3://bucket/a//b"},
        ': storage.output is "s3://bucket/a//b"; it must be a bucket\'s URL such as s3://bucket or '
        "gs://bucket/prefix: its path has an empty part or a character that is not safe in a key",
    ),
    "an endpoint without scheme": (
        {"storage.pod_endpoint": "10.0.0.1:9000"},
        ': storage.pod_endpoint is "10.0.0.1:9000"; it must be a URL such as https://host:9000',
    ),
    "an endpoint with credentials": (
        {"storage.pod_endpoint": "http://me:secret@10.0.0.1:9000"},
        ': storage.pod_endpoint is "http://***@10.0.0.1:9000"; it must be a URL such as '
        "https://host:9000: credentials belong in an Airflow connection",
    ),
    "a catalogue that is not there": (
        {"catalogue": "cms-higs"},
        ': catalogue cannot be used: there is no catalogue "cms-higs"; did you mean "cms-higgs"? '
        "(there are cms-higgs, cms-open-data-2012, demo)",
    ),
    "a catalogue that climbs": (
        {"catalogue": "../cms-higgs"},
        ': catalogue is "../cms-higgs"; it must be the name of a directory of include/datasets',
    ),
    "an unknown workload": (
        {"workload": "nano"},
        ': workload is "nano"; it must be "nanoaod", "nanoaod-outreach", "aod" or "own": '
        'did you mean "nanoaod"?',
    ),
    "an image with a space": (
        {"image": "higgs demo:1"},
        ': image is "higgs demo:1"; it must be an image reference such as registry.example.org/name:tag',
    ),
    "an image with capitals": (
        {"image": "Higgs:1"},
        ': image is "Higgs:1"; it must be an image reference such as registry.example.org/name:tag',
    ),
    "a namespace of Kubernetes": (
        {"namespace": "kube-system"},
        ': namespace is "kube-system"; it must be at most 63 lower-case letters, digits and hyphens, '
        'not beginning with "kube-"',
    ),
    "a schedule that is none": (
        {"schedule": "daily"},
        ': schedule is "daily"; it must be a cron expression or "@once", "@continuous", "@hourly", '
        '"@daily", "@weekly", "@monthly", "@quarterly" or "@yearly": a cron expression has five '
        "parts: minute, hour, day, month, weekday",
    ),
    "a preset that is none": (
        {"schedule": "@dayly"},
        ': schedule is "@dayly"; it must be a cron expression or "@once", "@continuous", "@hourly", '
        '"@daily", "@weekly", "@monthly", "@quarterly" or "@yearly": did you mean "@daily"?',
    ),
    "a schedule out of range": (
        {"schedule": "0 25 * * *"},
        ': schedule is "0 25 * * *"; it must be a cron expression or "@once", "@continuous", '
        '"@hourly", "@daily", "@weekly", "@monthly", "@quarterly" or "@yearly": [0 25 * * *] is not '
        "acceptable, out of range",
    ),
    "a schedule that never comes": (
        {"schedule": "0 0 31 2 *"},
        ': schedule is "0 0 31 2 *"; it must be a cron expression or "@once", "@continuous", '
        '"@hourly", "@daily", "@weekly", "@monthly", "@quarterly" or "@yearly": failed to find next '
        "date",
    ),
    "an unknown cleanup": (
        {"cleanup": "cluster"},
        ': cleanup is "cluster"; it must be "none", "jobs" or "clusters": did you mean "clusters"?',
    ),
    "a cleanup that is true": (
        {"cleanup": True},
        ': cleanup is true; it must be "none", "jobs" or "clusters"',
    ),
    "a negative tolerance": (
        {"tolerance": -1},
        ": tolerance is -1; it must be a number of shards (0 or more) or a fraction below 1",
    ),
    "a tolerance of all": (
        {"tolerance": 1.0},
        ": tolerance is 1.0; it must be a number of shards (0 or more) or a fraction below 1: a "
        "whole number is written without a point",
    ),
    "a time without end": (
        {"max_hours": 0},
        ": max_hours is 0; it must be a number of hours, more than 0 and at most 8760",
    ),
    "another way to end": (
        {"on_cancel": "kill"},
        ': on_cancel is "kill"; it must be "stop" or "release"',
    ),
    "a tolerance above one": (
        {"tolerance": 1.5},
        ": tolerance is 1.5; it must be a number of shards (0 or more) or a fraction below 1",
    ),
    "a tolerance that is true": (
        {"tolerance": True},
        ": tolerance is true; it must be a number of shards (0 or more) or a fraction below 1",
    ),
    "a tolerance in percent": (
        {"tolerance": "1%"},
        ': tolerance is "1%"; it must be a number of shards (0 or more) or a fraction below 1',
    ),
    "no bandwidth": (
        {"download_limit_kbps": 0},
        ": download_limit_kbps is 0; it must be a whole number of at least 1",
    ),
    "a template": (
        {"title": "Run {{ ds }}"},
        ': title is "Run {{ ds }}"; templates ({{, {%, {#) are not filled in here',
    ),
    "a template in a key": (
        {"mapping.0.{% x %}": 1},
        ': mapping[0] has a field with a template marker in its name: "{% x %}"',
    ),
    "a title of two lines": (
        {"title": "a\nb"},
        ': title is "a\\nb"; it must be one line of at most 120 characters',
    ),
    "a description that is none": (
        {"description": 3},
        ": description is 3; it must be a text of at most 4000 characters",
    ),
    "null where something must be": (
        {"storage.input": None},
        ": storage.input is null; it must be a URL such as s3://bucket, gs://bucket/prefix, "
        "https://server/path or root://server//path",
    ),
    "results among the shards": (
        {
            "storage.output": "s3://higgs-demo/eos/opendata/cms/Run2012C/DoubleElectron/AOD/22Jan2013-v1/20000/results"
        },
        ": storage.output is "
        '"s3://higgs-demo/eos/opendata/cms/Run2012C/DoubleElectron/AOD/22Jan2013-v1/20000/results", '
        "which lies inside the dataset "
        '"s3://higgs-demo/eos/opendata/cms/Run2012C/DoubleElectron/AOD/22Jan2013-v1/20000/": results '
        "would be taken for shards",
    ),
    "several things": (
        {"tolerance": -1, "mapping.0.nodes": 0, "storage.input": "x"},
        " has 3 problems:\n"
        "- tolerance is -1; it must be a number of shards (0 or more) or a fraction below 1\n"
        '- storage.input is "x"; it must be a URL such as s3://bucket, gs://bucket/prefix, '
        "https://server/path or root://server//path\n"
        "- mapping[0].nodes is 0; it must be a whole number of at least 1",
    ),
}


@pytest.mark.parametrize(("change", "message"), CASES.values(), ids=CASES)
def test_an_invalid_field_is_refused_with_one_message(
    changed: Callable[[dict[str, Any]], dict[str, Any]], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(CampaignError) as refused:
        parse_campaign(changed(change), "higgs.json")
    assert str(refused.value) == f"higgs.json{message}"
