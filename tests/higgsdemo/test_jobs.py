"""The manifests of a campaign, compared whole with files that people have read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from higgsdemo import jobs
from higgsdemo.shards import Shard
from planned_runs import dataset, planned

MANIFESTS = Path(__file__).parent / "manifests"


def shards(count: int, size: int | None = 1000) -> list[Shard]:
    return [Shard("D", f"{i:04}", f"s3://higgs-demo/D/{i:04}.root", size) for i in range(count)]


def expected(name: str) -> Any:
    return json.loads((MANIFESTS / f"{name}.json").read_text())


def rendered_job(**changes: Any) -> dict[str, Any]:
    chunk = next(jobs.chunks(shards(5), changes.get("cluster", {}).get("shards_per_pod", 1)))
    return jobs.job(planned(**changes), dataset(), chunk, "the-manifest", "the-secret")


def test_the_job_is_the_reviewed_one() -> None:
    assert rendered_job() == expected("job")


def test_a_packed_limited_tolerant_job_is_the_reviewed_one() -> None:
    job = rendered_job(
        run={"tolerance": 0.4, "download_limit_kbps": 50_000},
        cluster={"shards_per_pod": 2, "parallelism": 1, "dpath": "/mnt/disks/ssd0"},
    )
    assert job == expected("job-packed")


def test_the_config_map_is_the_reviewed_one() -> None:
    chunk = next(jobs.chunks(shards(3), 2))
    assert jobs.config_map(planned(), dataset(), chunk) == expected("config-map")


def test_the_secret_is_the_reviewed_one() -> None:
    assert jobs.secret(planned(), {"AWS_REGION": "eu-west-1"}) == expected("secret")


def test_the_prepull_daemon_set_is_the_reviewed_one() -> None:
    assert jobs.prepull(planned()) == expected("prepull")


def test_the_same_run_gives_the_same_names() -> None:
    assert rendered_job()["metadata"] == rendered_job()["metadata"]


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
    assert rendered_job(**changes)["metadata"]["name"] != rendered_job()["metadata"]["name"]


def test_names_leave_room_for_those_of_the_pods() -> None:
    long = planned(run={"campaign": "c" * 200, "name": "n" * 60})
    name = jobs.job(long, dataset("d" * 300), jobs.Chunk(("{}",), 1), "m", "s")["metadata"]["name"]
    assert len(f"{name}-99999-x7k2p") <= 63


def test_long_dataset_names_make_valid_and_distinct_labels() -> None:
    first, second = (
        jobs.job(planned(), dataset(name), jobs.Chunk(("{}",), 1), "m", "s")["metadata"]["labels"]
        for name in ("d" * 80 + "1", "d" * 80 + "2")
    )
    assert first["higgsdemo/dataset"] != second["higgsdemo/dataset"]
    assert len(first["higgsdemo/dataset"]) == 63


def test_shards_are_packed_in_order_and_the_last_index_takes_the_rest() -> None:
    (chunk,) = jobs.chunks(shards(5), 2)
    packed = [[shard["name"] for shard in json.loads(line)["shards"]] for line in chunk.lines]
    assert packed == [["0000", "0001"], ["0002", "0003"], ["0004"]]
    assert chunk.shards == 5


def test_an_unknown_size_is_left_out_of_the_manifest() -> None:
    (chunk,) = jobs.chunks(shards(1, size=None), 1)
    assert json.loads(chunk.lines[0]) == {"shards": [{"name": "0000", "url": "s3://higgs-demo/D/0000.root"}]}


def test_a_dataset_too_large_for_one_config_map_becomes_several_jobs() -> None:
    parts = list(jobs.chunks(shards(20_000), 1))
    assert len(parts) > 1
    assert all(len(part.text.encode()) <= jobs.MANIFEST_BYTES for part in parts)
    lines = [line for part in parts for line in part.lines]
    assert [json.loads(line)["shards"][0]["name"] for line in lines] == [f"{i:04}" for i in range(20_000)]


def test_no_shards_make_no_job() -> None:
    assert list(jobs.chunks([], 1)) == []
