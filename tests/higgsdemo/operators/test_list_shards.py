"""The shards of a cluster, listed from real stores: all of them, none twice, and the rest reported."""

import json
import re
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clouds.tasks import carry_out
from higgsdemo.campaign import Campaign, Cluster, DatasetRef, RunOptions, load_campaign, parse_campaign
from higgsdemo.datasets import listing
from higgsdemo.datasets.shards import Shard, cluster_shards, done_shards, shard_name
from higgsdemo.operators.base import TaskFailedForGood
from higgsdemo.operators.list_shards import ListShardsOperator
from higgsdemo.operators.plan import PlanOperator, plan_run
from higgsdemo.run import ClusterRun, Run
from higgsdemo.storage.object_store import ObjectStore
from higgsdemo.wording import printable
from planned_runs import dataset, planned
from stores import Kind

CONFIG = Path(__file__).parents[3] / "include" / "config"


def run(kind: Kind, *datasets: dict[str, Any], **run: Any) -> ClusterRun:
    """Return a planned run over datasets in a bucket of that kind, with its output there too."""
    refs = [dataset(**{"url": f"{kind.url}/{one['name']}/"} | one) for one in datasets]
    output = {"output": f"{kind.url}/out/run", "output_connection": "with_keys"}
    return planned(run=output | run, cluster={"input_connection": "with_keys", "datasets": refs})


def listed(assignment: ClusterRun) -> tuple[dict[str, Any], list[Shard]]:
    """Return what the task returns, and the shards it leaves."""
    returned = carry_out(ListShardsOperator, assignment)
    store = ObjectStore(assignment.run.output, "with_keys")
    return returned["datasets"], list(cluster_shards(store, assignment.cluster.name))


def test_27_000_objects_give_the_26_920_shards_of_the_full_campaign(
    s3: Kind, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign, options = full_campaign(s3)
    names = campaign.shared_datasets()
    objects = [(f"{prefix(ref.url)}{n:05}.root", b"x") for ref in names for n in range(ref.files or 0)]
    strange = [(f"{prefix(ref.url)}{name}", b"") for ref in names[:40] for name in ("README.txt", "0.root")]
    assert (len(objects), len(objects) + len(strange)) == (26_920, 27_000)
    s3.put_all(objects + strange)
    run = plan_run(campaign, options, "higgs-full", "listing")
    shards: list[Shard] = []
    for cluster in split(run, names, campaign.clusters()):
        returned, of_cluster = listed(
            ClusterRun(run=run.model_copy(update={"listed": True}), cluster=cluster)
        )
        assert abs(len(of_cluster) - 2692) <= 1
        assert sum(counts["shards"] for counts in returned.values()) == len(of_cluster)
        shards += of_cluster
    assert {shard.url for shard in shards} == {f"{s3.url}/{key}" for key, _ in objects}
    assert len(shards) == 26_920
    assert {shard.size for shard in shards} == {1}
    assert capsys.readouterr().out.count(": passed over") == 80
    assert len({(shard.dataset, shard.name) for shard in shards}) == 26_920


def split(run: Run, datasets: tuple[DatasetRef, ...], clusters: list[Cluster]) -> list[Cluster]:
    """Return the clusters with their parts of the datasets, as `plan` lists and splits them."""
    operator = PlanOperator(task_id="plan", campaign=load_campaign(CONFIG / "higgs-full.json"))
    return operator._split(run, datasets, clusters, ObjectStore(run.output, "with_keys"))[0]


def full_campaign(kind: Kind) -> tuple[Campaign, RunOptions]:
    storage = {"input": kind.url, "output": f"{kind.url}/out", "connection": "with_keys"}
    document = json.loads((CONFIG / "higgs-full.json").read_text()) | {"storage": storage}
    return parse_campaign(document, "higgs-full"), RunOptions()


def prefix(url: str) -> str:
    return url.partition("://")[2].partition("/")[2]


def test_sizes_and_what_is_no_shard_are_told(kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    kind.put_all([("A/1.root", b"1"), ("A/deep/2.root", b"22"), ("A/empty.root", b""), ("A/notes.md", b"n")])
    datasets, shards = listed(run(kind, {"name": "A"}))
    assert datasets == {"A": {"shards": 2, "bytes": 3, "done": 0}}
    assert [(shard.name, shard.size) for shard in shards] == [
        ("1", 1),
        (shard_name("deep/2.root", ".root"), 2),
    ]
    told = capsys.readouterr().out
    assert "dataset A: empty.root is empty: passed over" in told
    assert "dataset A: notes.md does not match *.root: passed over" in told


@pytest.mark.parametrize(
    "odd", ["dd//b.root", "/b.root", "./b.root", "d/../b.root", "..", "t\tb.root", "b\x7f.root", "b.root/"]
)
def test_a_key_that_pods_cannot_ask_for_is_passed_over_by_name_and_takes_no_other_along(
    s3: Kind, odd: str, capsys: pytest.CaptureFixture[str]
) -> None:
    s3.put_all([("A/a.root", b"1"), (f"A/{odd}", b"22"), ("A/\tb.root", b"1"), ("A/z//z.root", b"1")])
    s3.put_all([("A/z.root", b"333"), ("AB/c.root", b"1"), ("B/d.root", b"1")])
    datasets, shards = listed(run(s3, {"name": "A"}, {"name": "B"}))
    assert [shard.url.removeprefix(f"{s3.url}/") for shard in shards] == ["A/a.root", "A/z.root", "B/d.root"]
    assert datasets["A"] == {"shards": 2, "bytes": 4, "done": 0}
    told = capsys.readouterr().out
    assert f"dataset A: {printable(odd)} " in told
    assert r"dataset A: \u0009b.root has a key with an empty part" in told
    assert "z//z.root has a key with" in told


def test_a_bucket_of_google_is_listed_past_such_a_key_too(
    gs: Kind, capsys: pytest.CaptureFixture[str]
) -> None:
    gs.put_all([("A/a.root", b"1"), ("A/b\tc.root", b"22"), ("A/d.root", b"333"), ("AB/c.root", b"1")])
    shards = listed(run(gs, {"name": "A"}))[1]
    assert [shard.name for shard in shards] == ["a", "d"]
    found = [ObjectStore(f"{gs.url}/A", "with_keys").look_up(f"{shard.name}.root") for shard in shards]
    assert all(shard.etag in (None, one and one.etag) for shard, one in zip(shards, found, strict=True))
    assert r"b\u0009c.root has a key with an empty part" in capsys.readouterr().out


def test_any_other_key_is_a_shard_with_a_name_that_is_a_file_name(kind: Kind) -> None:
    stems = [
        "_temporary/0/x",
        "p%20q",
        "p%2Fq",
        "a b",
        "a+b",
        "h#a?b",
        "é",
        "e\u0301",
        "...",
        "....",
        "k" * 200,
    ]
    stems += ["k" * 240, "mu", "mu_000-100", "mu-12345678", "~*&=;:,@!'()", "a\\b", "日本"]
    kind.put_all([(f"A/{stem}.root", b"1") for stem in stems])
    shards = listed(run(kind, {"name": "A"}))[1]
    assert {shard.url for shard in shards} == {f"{kind.url}/A/{stem}.root" for stem in stems}
    names = {shard.name for shard in shards}
    assert len(names) == len(stems)
    assert all(re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,199}", name) for name in names)
    assert {"k" * 200, "mu"} <= names


INCOMPLETE = {
    "empty": (
        [],
        "dataset A: no file that matches *.root below {url}/A/; are the URL and the Airflow connection",
    ),
    "smaller": ([("A/1.root", b"1")], "dataset A: 1 files below {url}/A/, the catalogue says 2"),
}


@pytest.mark.parametrize(("objects", "message"), INCOMPLETE.values(), ids=INCOMPLETE)
def test_a_dataset_that_is_not_all_there_is_an_error(
    kind: Kind, objects: list[tuple[str, bytes]], message: str
) -> None:
    kind.put_all(objects)
    with pytest.raises(TaskFailedForGood) as failed:
        listed(run(kind, {"name": "A", "files": 2}))
    assert str(failed.value).startswith(message.format(url=kind.url))
    assert str(failed.value).endswith('; set "incomplete" to "warn" to run with what is there')


@pytest.mark.parametrize(("objects", "message"), INCOMPLETE.values(), ids=INCOMPLETE)
def test_a_dataset_that_is_not_all_there_is_a_warning_where_the_campaign_says_so(
    s3: Kind, objects: list[tuple[str, bytes]], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    s3.put_all(objects)
    _, shards = listed(run(s3, {"name": "A", "files": 2}, incomplete="warn"))
    assert len(shards) == len(objects)
    assert message.format(url=s3.url) in capsys.readouterr().out


def test_an_index_file_in_the_bucket_names_the_shards(kind: Kind) -> None:
    bucket = kind.url.partition("://")[2]
    scheme = kind.url.partition("://")[0]
    lines = [f"{scheme}/{bucket}/A/{name}.root" for name in ("1", "2")]
    index = f"{kind.url}/lists/A_file_index.txt"
    kind.put_all([("lists/A_file_index.txt", "\n".join(lines).encode()), ("A/3.root", b"3")])
    _, shards = listed(run(kind, {"name": "A", "url": f"{kind.url}/", "index": index}))
    assert [(shard.name, shard.url, shard.size) for shard in shards] == [
        (shard_name("A/1.root", ".root"), f"{kind.url}/A/1.root", None),
        (shard_name("A/2.root", ".root"), f"{kind.url}/A/2.root", None),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("s3/elsewhere/1.root", "names s3://elsewhere/1.root, which is not below s3://"),
        ("what?", '"what?" must be <scheme>/<bucket>/<key> with the scheme s3 or gs'),
        ("", "names an index file without a line"),
    ],
)
def test_a_wrong_index_file_in_the_bucket_is_told(s3: Kind, content: str, message: str) -> None:
    index = f"{s3.url}/A_file_index.txt"
    s3.put_all([("A_file_index.txt", content.encode())])
    with pytest.raises(TaskFailedForGood, match=r"^dataset A") as failed:
        listed(run(s3, {"name": "A", "url": f"{s3.url}/", "index": index}))
    assert message in str(failed.value)


def test_index_files_that_have_changed_since_the_plan_are_compared_again(s3: Kind) -> None:
    line = s3.url.replace("://", "/") + "/A/1.root"
    s3.put_all([(f"{name}_file_index.txt", line.encode()) for name in "AB"])
    both = [{"name": name, "url": f"{s3.url}/", "index": f"{s3.url}/{name}_file_index.txt"} for name in "AB"]
    with pytest.raises(
        TaskFailedForGood, match=rf'B is the dataset "B", .* names "{s3.url}/A/1.root", a file of A'
    ):
        listed(run(s3, *both))


def test_a_resumed_run_marks_what_is_done(s3: Kind) -> None:
    s3.put_all([("A/1.root", b"1"), ("A/2.root", b"2"), ("out/run/results/A/2.json", b"{}")])
    s3.put_all([("out/run/results/A/copy/1.json", b"{}"), ("out/run/results/A/copy//1.json", b"{}")])
    datasets, shards = listed(run(s3, {"name": "A"}, resume=True))
    assert datasets["A"]["done"] == 1
    assert [(shard.name, shard.done) for shard in shards] == [("1", False), ("2", True)]


def test_a_result_that_a_merge_found_corrupt_is_left_to_do_when_the_run_is_resumed(s3: Kind) -> None:
    again = run(s3, {"name": "A"}, resume=True)
    s3.put_all([("A/1.root", b"1"), ("A/2.root", b"2")])
    s3.put_all([("out/run/results/A/1.json", b"{}"), ("out/run/results/A/2.json", b"{}")])
    s3.put_all([("out/run/corrupt.json", b'["results/A/2.json", "results/B/1.json"]')])
    assert [(shard.name, shard.done) for shard in listed(again)[1]] == [("1", True), ("2", False)]
    assert list(done_shards(ObjectStore(f"{s3.url}/out/run", "with_keys"), "A")) == ["1"]
    time.sleep(1.1)  # a store tells times in whole seconds
    s3.put_all([("out/run/results/A/2.json", b"{}")])  # written anew since: not what the merge has seen
    assert [shard.done for shard in listed(again)[1]] == [True, True]


def test_the_results_of_a_cut_file_that_has_changed_are_removed_however_it_was_cut(s3: Kind) -> None:
    growing = run(s3, {"name": "A"}, resume=True)
    parts = ["mu_000-060", "mu_060-120", "mu", "mu_of_others", "mutual_00-10"]
    s3.put_all([("A/mutual.root", b"1"), ("A/mu_of_others.root", b"1")])
    s3.put_all([(f"out/run/results/A/{part}.json", b"{}") for part in parts])
    time.sleep(1.1)  # a store tells times in whole seconds
    s3.put_all([("A/mu.root", b"new")])  # and is cut otherwise now, or not at all
    datasets, shards = listed(growing)
    assert datasets["A"] == {"shards": 3, "bytes": 5, "done": 1}
    assert {shard.name: shard.done for shard in shards} == {
        "mu": False,
        "mu_of_others": True,
        "mutual": False,
    }
    left = done_shards(ObjectStore(f"{s3.url}/out/run", "with_keys"), "A")
    assert sorted(left) == ["mu_of_others", "mutual_00-10"]


def test_a_file_of_luminosities_that_is_none_is_named_and_not_tried_again(
    s3: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "cms-higgs" / "lumi" / "bad.json"
    bad.parent.mkdir(parents=True)
    bad.write_text("[]")
    monkeypatch.setattr(listing, "Luminosities", partial(listing.Luminosities, root=tmp_path))
    with pytest.raises(TaskFailedForGood, match=rf"^{bad} must be JSON of the form"):
        listed(run(s3, {"name": "A"}))
