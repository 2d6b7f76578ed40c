"""A run's folder is read in the background, piece by piece, and each result once."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from airflow_runs import HIGGS, TTBAR, airflow_run
from higgsdemo.datasets.shards import Shard, dump
from higgsdemo.page import follower
from higgsdemo.page.airflow_run import AirflowRun
from higgsdemo.page.follower import Followers
from higgsdemo.page.snapshot import Snapshot
from higgsdemo.page.state import run_state
from higgsdemo.results.document import MAX_BYTES
from higgsdemo.run_folder import shards_key
from higgsdemo.storage.object_store import LARGEST_READ, ObjectStore, StorageError, StoredObject
from result_documents import document
from s3_server import Bucket
from waiting import eventually

RUN = "demo-local/one"


class Folder:
    """An empty run's folder, which the Airflow connection `higgs_s3` leads to, and those that follow it."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket, self.url = bucket, f"s3://{bucket.name}/{RUN}"
        self.run = airflow_run(output=self.url)
        self.followers = Followers()

    def put(self, key: str, content: object) -> None:
        """Write an object: bytes as they are, anything else as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.bucket.write(f"{RUN}/{key}", body)

    def result(self, name: str, *args: Any, dataset: str = HIGGS, **fields: Any) -> None:
        self.put(f"results/{dataset}/{name}.json", document(dataset, *args, **fields))

    def listed(
        self, *names: str, dataset: str = HIGGS, cluster: str = "", **entries: tuple[int, int]
    ) -> None:
        """Write the list of a cluster, by default of that of the dataset; `entries` are parts of files."""
        shards = [*(Shard(dataset, name, f"s3://in/{name}.root", 1) for name in names)]
        shards += [
            Shard(dataset, name, "s3://in/cut.root", 1, entries=part) for name, part in entries.items()
        ]
        key = shards_key(cluster or f"kubecon-demo-{int(dataset == HIGGS)}")
        self.put(key, b"".join(map(dump, shards)))

    def fill(self, results: int) -> None:
        """Put listed results straight into the server's memory, which is ten times faster than requests."""
        self.listed(*(f"{number:05}" for number in range(results)))
        server = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        content = json.dumps(document(HIGGS, 100, {"4mu": {18: 1}})).encode()
        for number in range(results):
            server.put_object(self.bucket.name, f"{RUN}/results/{HIGGS}/{number:05}.json", content)

    def look(self) -> Snapshot:
        return self.followers.look(self.run)

    def seen(self, enough: Callable[[Snapshot], object], run: AirflowRun | None = None) -> Snapshot:
        """The first snapshot that is enough."""
        look = self.followers.look
        return eventually(lambda: seen if enough(seen := look(run or self.run)) else None, patience=120)

    def complete(self) -> Snapshot:
        return self.seen(lambda seen: seen.complete)


@pytest.fixture
def folder(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setenv("AIRFLOW_CONN_HIGGS_S3", json.dumps(bucket.connection()))
    for name, seconds in {"PAUSE": 0.05, "PAUSE_ENDED": 0.05, "IDLE": 0.5}.items():
        monkeypatch.setattr(follower, f"{name}_SECONDS", seconds)
    return Folder(bucket)


MERGED = {"state": "success", "tasks": {"merge_results": "success"}}
CHANNEL = {"data": {"counts": [1], "low": [0.2], "high": [3.3]}, "stack": {}, "error": [0]}
CHART = dict(title="", note=None, luminosity="", coverage=1.0, absent=[], channels={"all": CHANNEL})
FAILURE = {"cluster": "kubecon-demo-1", "dataset": HIGGS, "shard": "two", "reason": "exit code 1"}


def test_results_are_counted_as_they_come(folder: Folder) -> None:
    folder.listed("one", "two")
    folder.result("one", 100, {"4mu": {18: 7}})
    folder.put("progress/kubecon-demo-1.json", {HIGGS: {"shards": {"running": 2}, "pods": {}}})
    seen = folder.complete()
    assert (seen.counted, seen.read) == ({TTBAR: 0, HIGGS: 1}, 1)
    assert seen.jobs == {"kubecon-demo-1": {HIGGS: {"shards": {"running": 2}, "pods": {}}}}
    folder.listed("one", "two", dataset=TTBAR)
    folder.result("two", 100, {"4mu": {18: 5}})
    folder.put(f"results/{TTBAR}/one.json", {"no": "result"})
    seen = folder.seen(lambda seen: seen.read == 2 and bool(seen.failures))
    assert seen.chart
    assert seen.chart["channels"]["4mu"]["stack"]["higgs"][18] > 0
    assert [(failure["dataset"], failure["shard"]) for failure in seen.failures] == [(TTBAR, "one")]


def test_a_damaged_result_of_a_split_dataset_is_of_the_cluster_that_has_its_shard(folder: Folder) -> None:
    for cluster, name in (("kubecon-demo-0", "one"), ("kubecon-demo-1", "two")):
        folder.listed(name, cluster=cluster)
        folder.put(f"results/{HIGGS}/{name}.json", {"no": "result"})
    seen = folder.seen(lambda seen: len(seen.failures) == 2)
    state = run_state(folder.run, seen, "")
    shown = {failure["shard"]: failure["cluster"] for failure in state["failures"]["shown"]}
    assert shown == {"one": "kubecon-demo-0", "two": "kubecon-demo-1"}


def test_results_of_shards_that_no_list_names_are_not_counted(folder: Folder) -> None:
    """As those of a file that an earlier run has cut otherwise: their events are those of its parts again."""
    folder.result("cut", 4)
    folder.result("cut_0-2", 2, entries=[0, 2])
    folder.result("cut_2-4", 2, entries=[2, 4])
    folder.result("cut_0-4", 4, entries=[0, 4])
    folder.listed(**{"cut_0-4": (0, 4), "cut_4-6": (4, 6)})
    seen = folder.complete()
    assert (seen.counted[HIGGS], seen.read, seen.failures) == (1, 1, ())
    folder.listed(**{"cut_0-2": (0, 2), "cut_2-4": (2, 4), "cut_4-6": (4, 6)})
    seen = folder.seen(lambda seen: seen.counted[HIGGS] == 2)
    folder.result("cut_4-6", 6)
    seen = folder.seen(lambda seen: bool(seen.failures))
    assert seen.failures[0]["shard"] == "cut_4-6"
    assert "entries is missing" in seen.failures[0]["reason"]


class CountedStore(ObjectStore):
    reads: ClassVar[list[str]] = []

    def read(self, key: str, limit: int = LARGEST_READ) -> bytes:
        self.reads.append(key)
        return super().read(key, limit)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(CountedStore, "reads", [])
    monkeypatch.setattr(follower, "ObjectStore", CountedStore)
    return CountedStore.reads


def test_many_results_are_shown_while_they_are_read_and_read_once(
    folder: Folder, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "PUBLISH_SECONDS", 0.0)
    folder.fill(600)
    first = folder.seen(lambda seen: seen.read > 0)
    assert first.read < 600
    assert first.chart
    assert not first.complete
    part = folder.seen(lambda seen: seen.read < seen.found)
    assert part.found == 600
    assert not part.complete
    whole = folder.complete()
    assert whole.counted[HIGGS] == whole.read == 600
    time.sleep(0.3)
    assert folder.look().read == 600
    assert len(reads) == len(set(reads)) == 600


def test_the_first_picture_waits_for_no_listing_of_all_results(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.fill(3_000)
    pictures: list[Snapshot] = []

    class SlowStore(ObjectStore):
        """The real store, which tells what had been shown when it was asked for more."""

        def list(self, prefix: str = "") -> Iterator[StoredObject]:
            for number, stored in enumerate(super().list(prefix)):
                if prefix.startswith("results/") and number == 2000:
                    pictures.append(folder.look())
                yield stored

    monkeypatch.setattr(follower, "ObjectStore", SlowStore)
    folder.seen(lambda seen: bool(pictures))
    assert (pictures[0].read, pictures[0].complete) == (follower.FIRST, False)
    assert pictures[0].chart
    assert pictures[0].chart["channels"]["4mu"]["stack"]["higgs"][18] > 0


def test_the_first_look_waits_a_moment_for_a_picture_and_no_longer(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.listed("one")
    folder.result("one", 100, {"4mu": {18: 7}})
    listed = threading.Event()

    class HeldStore(ObjectStore):
        """The real store, which lists results only when it is told to."""

        def list(self, prefix: str = "") -> Iterator[StoredObject]:
            assert listed.wait(20)
            return super().list(prefix)

    with monkeypatch.context() as held:
        held.setattr(follower, "ObjectStore", HeldStore)
        assert folder.look() == Snapshot()
        listed.set()
        folder.complete()
    monkeypatch.setattr(follower, "FIRST_SECONDS", 20.0)
    assert Followers().look(folder.run).read == 1


def test_a_long_read_ends_when_nobody_looks_any_more_and_goes_on_when_somebody_does(
    folder: Folder, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "PUBLISH_SECONDS", 0.0)
    monkeypatch.setattr(follower, "IDLE_SECONDS", 0.05)
    folder.fill(600)
    others = set(threading.enumerate())
    folder.look()
    for thread in set(threading.enumerate()) - others:  # none where it has ended meanwhile
        if thread.name == "follow one":
            thread.join(20)
    assert len(reads) < 600
    monkeypatch.setattr(follower, "IDLE_SECONDS", 5.0)
    folder.complete()
    assert len(reads) == len(set(reads)) == 600


def test_a_merged_run_is_known_from_two_files_however_many_results_it_has(
    folder: Folder, reads: list[str]
) -> None:
    for number in range(4):
        folder.put(f"results/{HIGGS}/{number}.json", "never read")
    folder.put("spectrum.json", CHART)
    folder.put("summary.json", {"datasets": {HIGGS: {"shards": {"done": 4}}}, "failures": [FAILURE]})
    seen = folder.seen(lambda seen: seen.complete, airflow_run(**MERGED, output=folder.url))
    assert (seen.counted, seen.read, seen.failures) == ({HIGGS: 4}, 4, (FAILURE,))
    assert seen.chart == CHART
    assert seen.files == ("spectrum.json", "summary.json")
    assert reads == ["summary.json", "spectrum.json"]


def test_the_last_shards_are_named_and_what_was_predicted_and_taken_is_told(folder: Folder) -> None:
    folder.fill(19)
    folder.listed(*(f"{number:05}" for number in range(20)))
    folder.put("campaign.json", {"predicted": {"shards": 20, "pods": 10}, "airflow": {"dag_run": "later"}})
    seen = folder.seen(lambda seen: bool(seen.stragglers))
    assert seen.stragglers == ({"cluster": "kubecon-demo-1", "dataset": HIGGS, "shard": "00019"},)
    assert seen.error == "the run later has gone on with this folder: what it left is shown"
    assert seen.account[:3] == [["", "predicted", "took"], ["Shards", "20", "19"], ["Pods", "10", ""]]
    folder.result("00019", 100)
    folder.seen(lambda seen: seen.read == 20 and not seen.stragglers)


def test_a_bucket_that_cannot_be_read_is_told_and_tried_again(folder: Folder) -> None:
    missing = airflow_run(output="s3://a-bucket-made-later/one")
    seen = folder.seen(lambda seen: seen.error is not None, missing)
    assert "a-bucket-made-later" in str(seen.error)
    folder.bucket.client.create_bucket(Bucket="a-bucket-made-later")
    folder.seen(lambda seen: seen.error is None and seen.complete, missing)


ODD = (b"{", b"\xff", b'{"a":' * 10_000, b"[" * 10_000, [[]], {HIGGS: {"shards": [3]}}, {"": -1})
OF_A_MERGED_RUN: dict[str, tuple[object, ...]] = {
    "summary.json": (b"{}", b"null", {"datasets": {"a": 1}}),
    "spectrum.json": (
        *(b"NaN", CHART | {"channels": []}),
        CHART | {"channels": {"all": CHANNEL | {"error": [1, 2]}}},
    ),
}
DAMAGED: dict[str, tuple[object, ...]] = OF_A_MERGED_RUN | {
    "progress/kubecon-demo-1.json": (*ODD, b'{"a": {"pods": {"running": 1e999}}}', b" " * (9 << 20) + b"{}"),
    "failures/kubecon-demo-1.json": ODD,
    "campaign.json": (b"", [], {"predicted": {"shards": "x"}}),
    "shards/kubecon-demo-0.jsonl": (b"[]\n", b"{}", b"x" * (1 << 17)),
}


@pytest.mark.parametrize(
    ("key", "content"), [(key, content) for key, contents in DAMAGED.items() for content in contents]
)
def test_what_is_damaged_is_told_and_all_else_is_shown(folder: Folder, key: str, content: object) -> None:
    folder.listed("one", "two")
    folder.result("one", 100, {"4mu": {18: 7}})
    folder.put("spectrum.json", CHART)
    folder.put("summary.json", {"datasets": {HIGGS: {"shards": {"done": 1}}}})
    folder.put(key, content)
    if key in OF_A_MERGED_RUN:
        folder.run = airflow_run(**MERGED, output=folder.url)
    seen = folder.complete()
    assert f"/{key}" in str(seen.error)
    assert str(seen.error).isprintable()
    assert (seen.counted[HIGGS], bool(seen.chart)) == (1, True)
    json.dumps(run_state(folder.run, seen, ""), allow_nan=False)
    folder.bucket.client.delete_object(Bucket=folder.bucket.name, Key=f"{RUN}/{key}")
    folder.seen(lambda seen: seen.complete and seen.error is None)


def test_a_result_that_cannot_be_read_for_a_while_keeps_no_other_back(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = {f"results/{HIGGS}/one.json"}

    class ClosedStore(ObjectStore):
        """The real store, which denies some objects."""

        def read(self, key: str, limit: int = LARGEST_READ) -> bytes:
            if key in closed:
                raise StorageError(f"cannot read {key}: access denied")
            return super().read(key, limit)

    monkeypatch.setattr(follower, "ObjectStore", ClosedStore)
    folder.fill(3)
    folder.listed("one", *(f"{number:05}" for number in range(3)))
    folder.result("one", 100)
    seen = folder.seen(lambda seen: seen.read == 3)
    assert (seen.found, seen.complete) == (4, False)
    assert "one.json: access denied" in str(seen.error)
    closed.clear()
    seen = folder.complete()
    assert (seen.read, seen.error) == (4, None)


def test_what_nobody_has_thought_of_is_told_and_the_reading_begins_anew(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Panic(BaseException):
        """As a library in Rust raises."""

    def panic(*_: object) -> None:
        raise Panic("\x1b[31mlost")

    folder.listed("one")
    folder.result("one", 100)
    with monkeypatch.context() as broken:
        broken.setattr(follower, "normalise", panic)
        seen = folder.seen(lambda seen: seen.error is not None)
    assert seen.error == "the run's folder cannot be shown, and is read again: Panic: \\u001b[31mlost"
    seen = folder.complete()
    assert (seen.read, seen.error) == (1, None)


def test_an_object_that_is_too_large_for_a_result_is_not_read(folder: Folder, reads: list[str]) -> None:
    folder.listed("one", "two")
    folder.put(f"results/{HIGGS}/one.json", b" " * (MAX_BYTES + 1))
    folder.result("two", 100)
    seen = folder.complete()
    assert (seen.read, [failure["shard"] for failure in seen.failures]) == (1, ["one"])
    assert "the object has 1048577 bytes, a result document at most 1048576" in seen.failures[0]["reason"]
    assert reads == [f"results/{HIGGS}/two.json"]
    folder.result("one", 100)
    folder.seen(lambda seen: seen.read == 2 and not seen.failures)


def test_failures_of_before_are_over_once_their_shards_run_again_or_are_done(folder: Folder) -> None:
    folder.listed("two")
    folder.put("failures/kubecon-demo-1.json", [FAILURE])
    folder.seen(lambda seen: bool(seen.failures), airflow_run("failed", output=folder.url))
    waited = "cluster.wait_for_jobs[1]"
    folder.run = airflow_run("running", {waited: "deferred"}, output=folder.url)
    folder.seen(lambda seen: not seen.failures)
    folder.run = airflow_run("running", {waited: "failed"}, output=folder.url)
    folder.seen(lambda seen: seen.failures == (FAILURE,))
    folder.result("two", 100)
    folder.seen(lambda seen: not seen.failures)


def test_a_run_that_nobody_looks_at_is_not_read(folder: Folder) -> None:
    folder.listed("one")
    folder.complete()
    time.sleep(1.0)
    folder.result("one", 100)
    time.sleep(0.3)
    assert folder.look().read == 0
    folder.seen(lambda seen: seen.read == 1)


def test_before_the_plan_nothing_is_read() -> None:
    run = airflow_run()
    assert Followers().look(type(run)(**vars(run) | {"assignments": ()})) == Snapshot()
