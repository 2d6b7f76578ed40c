"""The manifests of a campaign, compared whole with files that people have read."""

import json
import re
import subprocess
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from higgsdemo.campaign import DatasetRef
from higgsdemo.datasets.shards import File, Shard, cut, list_shards
from higgsdemo.kubernetes import jobs
from higgsdemo.kubernetes.names import label_value
from higgsdemo.run import ClusterRun
from planned_runs import dataset, planned
from tables import cases

MANIFESTS = Path(__file__).parents[1] / "manifests"


def shards(count: int, size: int | None = 1000) -> list[Shard]:
    return [Shard("D", f"{i:04}", f"s3://higgs-demo/D/{i:04}.root", size) for i in range(count)]


def rendered_job(**changes: Any) -> dict[str, Any]:
    chunk = next(jobs.chunks(shards(5), changes.get("cluster", {}).get("shards_per_pod", 1)))
    return jobs.job(planned(**changes), dataset(), chunk, "the-manifest", "the-secret")


DATA = "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20000"
SAMPLE = "cms_run2012c_doubleelectron_aod_22jan2013-v1"
AOD = {"workload": "aod", "image": "lukasheinrich/cms-higgs-4l-full"}


COMMAND = {
    "workload": "command",
    "image": "rootproject/root:6.34",
    "command": 'skim "$INPUT_FILE" $(date)',
    "env": {"PRICE": "5$"},
    "bad_input_codes": [3],
    "max_output_gb": 0.5,
    "logs": True,
}


def beside_job(of: DatasetRef, run: dict[str, Any] | None = None, **cluster: Any) -> dict[str, Any]:
    chunk = next(jobs.chunks(shards(3), 1))
    return jobs.job(planned(run=run or AOD, cluster=cluster), of, chunk, "the-manifest", "the-secret")


def identified(identity: str) -> ClusterRun:
    return planned(cluster={"pod_identity": identity})


PODS = "pods@cms-open-data.iam.gserviceaccount.com"
ROLE = identified("arn:aws:iam::123456789012:role/pods")
PACKED: dict[str, Any] = {
    "run": {"tolerance": 0.4, "download_limit_kbps": 50_000},
    "cluster": {"shards_per_pod": 2, "parallelism": 1, "dpath": "/mnt/disks/ssd0"},
}
REVIEWED: dict[str, Callable[[], dict[str, Any]]] = {
    "job": rendered_job,
    "job-packed": lambda: rendered_job(**PACKED),
    "job-aod": lambda: beside_job(dataset(DATA, sample=SAMPLE, datatype="data")),
    "job-command": lambda: beside_job(dataset(), COMMAND, dpath="/mnt/disks/ssd0"),
    "job-identity": lambda: jobs.job(
        ROLE, dataset(), next(jobs.chunks(shards(5), 1)), "the-manifest", None, {"AWS_REGION": "eu-west-1"}
    ),
    "config-map": lambda: jobs.config_map(planned(), dataset(), next(jobs.chunks(shards(3), 2))),
    "secret": lambda: jobs.secret(planned(), {"AWS_REGION": "eu-west-1"}),
    "prepull": lambda: jobs.prepull(planned()),
    "prepull-aod": lambda: jobs.prepull(planned(run=AOD)),
    "network-policy": lambda: jobs.network_policy(planned(), ["10.20.0.0/16", "fd00::/8"]),
    "service-account-eks": lambda: jobs.service_account(ROLE),
    "service-account-gke": lambda: jobs.service_account(identified(PODS)),
}


@pytest.mark.parametrize("name", REVIEWED)
def test_the_manifest_is_the_reviewed_one(name: str) -> None:
    assert REVIEWED[name]() == json.loads((MANIFESTS / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ({"workload": "nanoaod-outreach"}, ["SELECTION", "outreach"]),
        ({"workload": "nanoaod-v9"}, ["SELECTION", "nanoaod-v9"]),
        ({"triggers": ["HLT_A", "HLT_B"]}, ["TRIGGERS", "HLT_A HLT_B"]),
        ({"read": "stream"}, ["READ", "stream"]),
    ],
)
def test_pods_of_the_same_image_are_told_what_else_to_do(run: dict[str, Any], told: list[str]) -> None:
    def environment(**run: Any) -> set[tuple[str, str]]:
        (container,) = rendered_job(run=run)["spec"]["template"]["spec"]["containers"]
        return {(one["name"], one["value"]) for one in container["env"] if "value" in one}

    assert {one for one in environment(**run) - environment() if one[0] != "LIVE_KEY"} == {tuple(told)}


@pytest.mark.parametrize("run", [{}, COMMAND])
def test_containers_are_told_where_certified_sections_are_if_their_data_have_such(
    run: dict[str, Any],
) -> None:
    def told(**of: Any) -> list[tuple[str, bool]]:
        job = jobs.job(planned(run=run), dataset(**of), next(jobs.chunks(shards(3), 1)), "m", None)
        pod = job["spec"]["template"]["spec"]
        return [
            (variable["value"], "/manifest" in (mount["mountPath"] for mount in container["volumeMounts"]))
            for container in (*pod.get("initContainers", ()), *pod["containers"])
            for variable in container["env"]
            if variable["name"] == "CERTIFIED_JSON"
        ]

    assert told() == []
    assert told(certified="c.json") == [("/manifest/certified.json", True)] * (2 if run else 1)


def test_each_entry_of_a_run_has_a_secret_of_its_own() -> None:
    one, two = (jobs.secret(planned(cluster={"name": name}), {}) for name in ("one", "two"))
    assert one["metadata"]["name"] != two["metadata"]["name"]


@pytest.mark.parametrize(
    "changes",
    [
        {"run": {"image": "higgsdemo/nanoaod:2"}},
        {"run": {"name": "another"}},
        {"run": {"campaign": "another"}},
        {"cluster": {"name": "kubecon-demo-1"}},
        {"cluster": {"resources": {"cpu": "2", "memory": "6Gi"}}},
    ],
)
def test_another_job_has_another_name(changes: dict[str, Any]) -> None:
    name, again = (rendered_job()["metadata"]["name"] for _ in range(2))
    assert rendered_job(**changes)["metadata"]["name"] != name == again


def test_names_leave_room_for_those_of_the_pods() -> None:
    long = planned(run={"campaign": "c" * 200, "name": "n" * 60})
    name = jobs.job(long, dataset("d" * 300), jobs.Chunk(("{}",), 1), "m", "s")["metadata"]["name"]
    assert len(f"{name}-99999-x7k2p") <= 63


def test_any_names_make_valid_and_distinct_labels() -> None:
    texts = ["D", "d", "_d", "d-", "dé", "d" * 62, "d" * 63, "d" * 80 + "1", "d" * 80 + "2"]
    values = {label_value(text) for text in [*texts, *map(label_value, texts)]}
    assert len(values) == 3 + 2 * (len(texts) - 3)  # those of 63 characters are no name's own
    assert all(re.fullmatch("[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", value) for value in values)


def packed(sizes: Iterable[int | None], each: int) -> list[list[str]]:
    """Return the shards of these sizes of each completion index, named by their place."""
    listed = [replace(shard, size=size) for shard, size in zip(shards(20), sizes, strict=False)]
    return [names for chunk in jobs.chunks(listed, each) for names in chunk.names]


def test_the_longest_shards_go_first_and_pods_get_equally_much() -> None:
    assert packed([], 2) == []
    assert packed([1, 5, None, 3, 4], 1) == [["0001"], ["0004"], ["0003"], ["0000"], ["0002"]]
    assert packed([9, 1, 8, 2, 7], 2) == [["0000", "0001"], ["0002", "0003"], ["0004"]]
    sizes = [2**n % 1000 for n in range(20)]
    found = [sum(sizes[int(name)] for name in names) for names in packed(sizes, 5)]
    in_order = [sum(sizes[n : n + 5]) for n in range(0, 20, 5)]
    assert max(found) - min(found) < (max(in_order) - min(in_order)) / 3
    assert sorted(name for names in packed(sizes, 3) for name in names) == [f"{n:04}" for n in range(20)]


def entries(*shards: Shard) -> list[dict[str, Any]]:
    """Return what one pod is told of these shards."""
    (chunk,) = jobs.chunks(shards, len(shards))
    told: list[dict[str, Any]] = json.loads(chunk.text)["shards"]
    return told


def test_a_manifest_tells_what_is_known_of_a_shard_and_of_the_part_of_a_file_that_it_is() -> None:
    lumi = {"stream": "el_stream_2012", "value": 3.0}
    a = {"name": "a", "url": "s3://b/a.root"}
    assert entries(Shard("D", *a.values(), None)) == [a]
    assert entries(Shard("D", *a.values(), 7, lumi=lumi)) == [a | {"size": 7, "lumi": lumi}]
    whole = a | {"size": 1000, "etag": '"etag"'}
    assert entries(*cut(Shard("D", *whole.values()), [(0, 60), (60, 120)])) == [
        whole | {"name": "a_000-060", "entries": [0, 60]},
        whole | {"name": "a_060-120", "entries": [60, 120]},
    ]


def test_a_dataset_too_large_for_one_config_map_becomes_several_jobs() -> None:
    parts = list(jobs.chunks(shards(20_000), 1))
    assert len(parts) > 1
    assert all(len(part.text.encode()) <= jobs.MANIFEST_BYTES for part in parts)
    lines = [line for part in parts for line in part.lines]
    assert [json.loads(line)["shards"][0]["name"] for line in lines] == [f"{i:04}" for i in range(20_000)]


def test_certified_sections_lie_beside_each_manifest_in_its_room() -> None:
    certified = "7" * 200_000
    parts = list(jobs.chunks(shards(20_000), 1, certified))
    maps = [jobs.config_map(planned(), dataset(), part)["data"] for part in parts]
    assert all(sum(map(len, one.values())) <= jobs.MANIFEST_BYTES for one in maps)
    assert {one["certified.json"] for one in maps} == {certified}
    assert len(parts) > len(list(jobs.chunks(shards(20_000), 1)))


def test_a_pod_of_more_shards_than_a_config_map_holds_takes_fewer() -> None:
    parts = list(jobs.chunks(shards(30_000), 20_000))
    assert all(len(part.text.encode()) <= jobs.MANIFEST_BYTES for part in parts)
    assert [len(part.lines) for part in parts] == [1] * len(parts)  # so the shards of each are known
    assert sum(part.shards for part in parts) == 30_000
    lines = [line for part in parts for line in part.lines]
    names = [shard["name"] for line in lines for shard in json.loads(line)["shards"]]
    assert sorted(names, key=int) == [f"{i:04}" for i in range(30_000)]


def test_listing_and_packing_take_the_same_memory_for_five_times_the_shards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "MANIFEST_BYTES", jobs.MANIFEST_BYTES // 10)

    def peak(count: int) -> int:
        files = (File(f"{number:08}.root", 1000) for number in range(count))
        tracemalloc.start()
        listed = list_shards(dataset("D", url="s3://higgs-demo/D/"), files, lambda key, why: None)
        assert sum(chunk.shards for chunk in jobs.chunks(listed, 1)) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    enough = 1.2 * peak(2_000)  # which are more than one chunk
    assert any(peak(10_000) < enough for _ in range(4))  # what another thread takes counts too


@cases
def test_the_cmssw_image_is_told_what_it_was_in_2019(
    sample: str, datatype: Any, told: dict[str, str], tmp_path: Path
) -> None:
    """Its own command in the environment of its container, with a stand-in for its entry point."""
    job = beside_job(dataset("D", sample=sample, datatype=datatype))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    environment |= {"INPUT_FILE": "/input/a.root", "OUTPUT_DIR": "/output", "LUMINOSITY": "null"}
    entrypoint = tmp_path / "entrypoint.sh"
    entrypoint.write_text('#!/bin/sh\necho "$@"\n[ "$1" != cmsRun ] || env | grep ^CMS\n')
    entrypoint.chmod(0o755)
    words = [word.replace("$$", "$") for word in container["command"][-3:]]
    words[-1] = words[-1].replace("/opt/cms/entrypoint.sh", str(entrypoint))
    printed = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    cmssw, *variables, dump = printed.splitlines()
    kind = "data" if datatype == "data" else "MC"
    config = f"/configs/demoanalyzer_cfg_level4{kind}.py"
    assert cmssw.split() == ["cmsRun", config]
    assert dump.split() == [
        "python",
        "/dump_json_pyroot.py",
        "/output/result.root",
        "D",
        "/output/result.json",
    ]
    assert dict(line.split("=", 1) for line in variables) == told | {
        "CMS_CONFIG": config,
        "CMS_INPUT_FILES": "file:///input/a.root",
        "CMS_DATASET_NAME": "D",
        "CMS_LUMINOSITY_DATA": "null",
        "CMS_OUTPUT_FILE": "/output/result.root",
        "CMS_OUTPUT_JSON_FILE": "/output/result.json",
    }


@pytest.mark.parametrize("run", [AOD, COMMAND])
def test_a_command_sees_no_credentials(run: dict[str, Any]) -> None:
    """Nor can it leave in the home of the sidecar what that would run."""
    pod = beside_job(dataset(), run)["spec"]["template"]["spec"]
    (sidecar,), (command,) = pod["initContainers"], pod["containers"]
    assert ("envFrom" in sidecar, "envFrom" in command) == (True, False)
    written = {mount["name"] for mount in command["volumeMounts"] if not mount.get("readOnly")}
    assert written & {mount["name"] for mount in sidecar["volumeMounts"]} == {"work"}


@pytest.mark.parametrize(
    ("run", "identity", "kept_out"),
    [
        (COMMAND, "arn:aws:iam::123456789012:role/pods", {"eks.amazonaws.com/skip-containers": "analysis"}),
        (COMMAND, PODS, None),
        (COMMAND, None, None),
        ({}, "arn:aws:iam::123456789012:role/pods", None),
    ],
)
def test_of_a_role_the_sidecar_alone_gets_the_token(
    run: dict[str, Any], identity: str | None, kept_out: dict[str, str] | None
) -> None:
    template = rendered_job(run=run, cluster={"pod_identity": identity})["spec"]["template"]
    assert template["metadata"].get("annotations") == kept_out
    assert template["spec"]["automountServiceAccountToken"] is False
    assert "analysis" in [one["name"] for one in template["spec"]["containers"]]


def test_in_test_mode_our_image_does_the_work_of_the_cmssw_image() -> None:
    job = beside_job(dataset(DATA, sample=SAMPLE), dpath="/dev/null")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert (container["name"], container["image"]) == ("analysis", "higgsdemo/nanoaod:1")
    assert job["spec"]["podFailurePolicy"]["rules"][1]["onExitCodes"]["containerName"] == "analysis"
