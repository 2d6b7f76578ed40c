"""A run's folder is read in the background, piece by piece, and each result once."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from airflow_runs import HIGGS, TTBAR, airflow_run
from higgsdemo.datasets.shards import Shard, dump
from higgsdemo.page import follower
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


@pytest.fixture
def folder(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty run's folder, which the Airflow connection `higgs_s3` leads to."""
    monkeypatch.setenv("AIRFLOW_CONN_HIGGS_S3", json.dumps(bucket.connection()))
    monkeypatch.setattr(follower, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(follower, "IDLE_SECONDS", 0.5)
    return f"s3://{bucket.name}/{RUN}"


def put(bucket: Bucket, key: str, content: object) -> None:
    """Write an object of the run's folder: bytes as they are, anything else as JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    bucket.write(f"{RUN}/{key}", body)


MERGED = airflow_run("success", {"merge_results": "success"})
CHANNEL = {"data": {"counts": [1], "low": [0.2], "high": [3.3]}, "stack": {}, "error": [0]}
CHART = {
    "title": "",
    "note": None,
    "luminosity": "",
    "coverage": 1.0,
    "absent": [],
    "channels": {"all": CHANNEL},
}
FAILURE = {"cluster": "kubecon-demo-1", "dataset": HIGGS, "shard": "two", "reason": "exit code 1"}


def put_list(
    bucket: Bucket, dataset: str, *names: str, cluster: str = "", **entries: tuple[int, int]
) -> None:
    """Write the list of a cluster, by default the one that has the dataset; `entries` are parts of files."""
    shards = [*(Shard(dataset, name, f"s3://in/{name}.root", 1) for name in names)]
    shards += [Shard(dataset, name, "s3://in/cut.root", 1, entries=part) for name, part in entries.items()]
    key = f"{RUN}/{shards_key(cluster or f'kubecon-demo-{int(dataset == HIGGS)}')}"
    bucket.write(key, b"".join(map(dump, shards)))


def looked(look: Callable[[], Snapshot], enough: Callable[[Snapshot], bool]) -> Snapshot:
    """The first snapshot that is enough."""
    return eventually(lambda: seen if enough(seen := look()) else None, patience=120)


def test_results_are_counted_as_they_come(bucket: Bucket, folder: str) -> None:
    followers, run = Followers(), airflow_run(output=folder)
    put_list(bucket, HIGGS, "one", "two")
    put(bucket, f"results/{HIGGS}/one.json", document(HIGGS, 100, {"4mu": {18: 7}}))
    put(bucket, "progress/kubecon-demo-1.json", {HIGGS: {"shards": {"running": 2}, "pods": {}}})
    seen = looked(lambda: followers.look(run), lambda seen: seen.complete)
    assert (seen.counted, seen.read) == ({TTBAR: 0, HIGGS: 1}, 1)
    assert seen.jobs == {"kubecon-demo-1": {HIGGS: {"shards": {"running": 2}, "pods": {}}}}
    put_list(bucket, TTBAR, "one", "two")
    put(bucket, f"results/{HIGGS}/two.json", document(HIGGS, 100, {"4mu": {18: 5}}))
    put(bucket, f"results/{TTBAR}/one.json", {"no": "result"})
    seen = looked(lambda: followers.look(run), lambda seen: seen.read == 2 and bool(seen.failures))
    assert seen.chart
    assert seen.chart["channels"]["4mu"]["stack"]["higgs"][18] > 0
    assert [(failure["dataset"], failure["shard"]) for failure in seen.failures] == [(TTBAR, "one")]


def test_a_damaged_result_of_a_split_dataset_is_of_the_cluster_that_has_its_shard(
    bucket: Bucket, folder: str
) -> None:
    followers, run = Followers(), airflow_run(output=folder)
    for cluster, name in (("kubecon-demo-0", "one"), ("kubecon-demo-1", "two")):
        put_list(bucket, HIGGS, name, cluster=cluster)
        put(bucket, f"results/{HIGGS}/{name}.json", {"no": "result"})
    seen = looked(lambda: followers.look(run), lambda seen: len(seen.failures) == 2)
    state = run_state(run, seen, "")
    shown = {failure["shard"]: failure["cluster"] for failure in state["failures"]["shown"]}
    assert shown == {"one": "kubecon-demo-0", "two": "kubecon-demo-1"}


def test_results_of_shards_that_no_list_names_are_not_counted(bucket: Bucket, folder: str) -> None:
    """As those of a file that an earlier run has cut otherwise: their events are those of its parts again."""
    followers, run = Followers(), airflow_run(output=folder)
    put(bucket, f"results/{HIGGS}/cut.json", document(HIGGS, 4))
    put(bucket, f"results/{HIGGS}/cut_0-2.json", document(HIGGS, 2, entries=[0, 2]))
    put(bucket, f"results/{HIGGS}/cut_2-4.json", document(HIGGS, 2, entries=[2, 4]))
    put(bucket, f"results/{HIGGS}/cut_0-4.json", document(HIGGS, 4, entries=[0, 4]))
    put_list(bucket, HIGGS, **{"cut_0-4": (0, 4), "cut_4-6": (4, 6)})
    seen = looked(lambda: followers.look(run), lambda seen: seen.complete)
    assert (seen.counted[HIGGS], seen.read, seen.failures) == (1, 1, ())
    put_list(bucket, HIGGS, **{"cut_0-2": (0, 2), "cut_2-4": (2, 4), "cut_4-6": (4, 6)})
    seen = looked(lambda: followers.look(run), lambda seen: seen.counted[HIGGS] == 2)
    put(bucket, f"results/{HIGGS}/cut_4-6.json", document(HIGGS, 6))
    seen = looked(lambda: followers.look(run), lambda seen: bool(seen.failures))
    assert seen.failures[0]["shard"] == "cut_4-6"
    assert "entries is missing" in seen.failures[0]["reason"]


class CountedStore(ObjectStore):
    """The real store, which counts the objects that are read."""

    reads: ClassVar[list[str]] = []

    def read(self, key: str, limit: int = LARGEST_READ) -> bytes:
        self.reads.append(key)
        return super().read(key, limit)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that followers read."""
    monkeypatch.setattr(CountedStore, "reads", [])
    monkeypatch.setattr(follower, "ObjectStore", CountedStore)
    return CountedStore.reads


def fill(bucket: Bucket, results: int) -> None:
    """Put listed results straight into the server's memory, which is ten times faster than requests."""
    put_list(bucket, HIGGS, *(f"{number:05}" for number in range(results)))
    server = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    content = json.dumps(document(HIGGS, 100, {"4mu": {18: 1}})).encode()
    for number in range(results):
        server.put_object(bucket.name, f"{RUN}/results/{HIGGS}/{number:05}.json", content)


def test_many_results_are_shown_while_they_are_read_and_read_once(
    bucket: Bucket, folder: str, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "PUBLISH_SECONDS", 0.0)
    fill(bucket, 600)
    followers, run = Followers(), airflow_run(output=folder)
    first = looked(lambda: followers.look(run), lambda seen: seen.read > 0)
    assert first.read < 600
    assert first.chart
    assert not first.complete
    part = looked(lambda: followers.look(run), lambda seen: seen.read < seen.found)
    assert part.found == 600
    assert not part.complete
    whole = looked(lambda: followers.look(run), lambda seen: seen.complete)
    assert whole.counted[HIGGS] == whole.read == 600
    time.sleep(0.3)
    assert followers.look(run).read == 600
    assert len(reads) == len(set(reads)) == 600


def test_the_first_picture_waits_for_no_listing_of_all_results(
    bucket: Bucket, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bucket, 3_000)
    pictures: list[Snapshot] = []

    class SlowStore(ObjectStore):
        """The real store, which tells what had been shown when it was asked for more."""

        def list(self, prefix: str = "") -> Iterator[StoredObject]:
            for number, stored in enumerate(super().list(prefix)):
                if prefix.startswith("results/") and number == 2000:
                    pictures.append(followers.look(run))
                yield stored

    monkeypatch.setattr(follower, "ObjectStore", SlowStore)
    run = airflow_run(output=folder)
    followers = Followers()
    looked(lambda: followers.look(run), lambda seen: bool(pictures))
    assert (pictures[0].read, pictures[0].complete) == (follower.FIRST, False)
    assert pictures[0].chart
    assert pictures[0].chart["channels"]["4mu"]["stack"]["higgs"][18] > 0


def test_the_first_look_waits_a_moment_for_a_picture_and_no_longer(
    bucket: Bucket, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_list(bucket, HIGGS, "one")
    put(bucket, f"results/{HIGGS}/one.json", document(HIGGS, 100, {"4mu": {18: 7}}))
    run, listed = airflow_run(output=folder), threading.Event()

    class HeldStore(ObjectStore):
        """The real store, which lists results only when it is told to."""

        def list(self, prefix: str = "") -> Iterator[StoredObject]:
            assert listed.wait(20)
            return super().list(prefix)

    with monkeypatch.context() as held:
        held.setattr(follower, "ObjectStore", HeldStore)
        followers = Followers()
        assert followers.look(run) == Snapshot()
        listed.set()
        looked(lambda: followers.look(run), lambda seen: seen.complete)
    monkeypatch.setattr(follower, "FIRST_SECONDS", 20.0)
    assert Followers().look(run).read == 1


def test_a_long_read_ends_when_nobody_looks_any_more_and_goes_on_when_somebody_does(
    bucket: Bucket, folder: str, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "PUBLISH_SECONDS", 0.0)
    monkeypatch.setattr(follower, "IDLE_SECONDS", 0.05)
    fill(bucket, 600)
    followers, run = Followers(), airflow_run(output=folder)
    others = set(threading.enumerate())
    followers.look(run)
    for thread in set(threading.enumerate()) - others:  # none where it has ended meanwhile
        if thread.name == "follow one":
            thread.join(20)
    assert len(reads) < 600
    monkeypatch.setattr(follower, "IDLE_SECONDS", 5.0)
    looked(lambda: followers.look(run), lambda seen: seen.complete)
    assert len(reads) == len(set(reads)) == 600


def test_a_merged_run_is_known_from_two_files_however_many_results_it_has(
    bucket: Bucket, folder: str, reads: list[str]
) -> None:
    for number in range(4):
        put(bucket, f"results/{HIGGS}/{number}.json", "never read")
    put(bucket, "spectrum.json", CHART)
    put(bucket, "summary.json", {"datasets": {HIGGS: {"shards": {"done": 4}}}, "failures": [FAILURE]})
    run = airflow_run("success", {"merge_results": "success"}, output=folder)
    followers = Followers()
    seen = looked(lambda: followers.look(run), lambda seen: seen.complete)
    assert (seen.counted, seen.read, seen.failures) == ({HIGGS: 4}, 4, (FAILURE,))
    assert seen.chart == CHART
    assert seen.files == ("spectrum.json", "summary.json")
    assert reads == ["summary.json", "spectrum.json"]


def test_the_last_shards_are_named_and_what_was_predicted_is_told(bucket: Bucket, folder: str) -> None:
    fill(bucket, 19)
    put_list(bucket, HIGGS, *(f"{number:05}" for number in range(20)))
    put(bucket, "campaign.json", {"predicted": {"shards": 20, "pods": 10}, "airflow": {"dag_run": "later"}})
    run = airflow_run(output=folder)
    followers = Followers()
    seen = looked(lambda: followers.look(run), lambda seen: bool(seen.stragglers))
    assert seen.stragglers == ({"cluster": "kubecon-demo-1", "dataset": HIGGS, "shard": "00019"},)
    assert seen.error == "the run later has gone on with this folder: what it left is shown"
    assert seen.account == [["", "predicted"], ["Shards", "20"], ["Pods", "10"]]
    put(bucket, f"results/{HIGGS}/00019.json", document(HIGGS, 100))
    looked(lambda: followers.look(run), lambda seen: seen.read == 20 and not seen.stragglers)


def test_a_bucket_that_cannot_be_read_is_told_and_tried_again(bucket: Bucket, folder: str) -> None:
    followers, missing = Followers(), airflow_run(output="s3://a-bucket-made-later/one")
    seen = looked(lambda: followers.look(missing), lambda seen: seen.error is not None)
    assert "a-bucket-made-later" in str(seen.error)
    bucket.client.create_bucket(Bucket="a-bucket-made-later")
    looked(lambda: followers.look(missing), lambda seen: seen.error is None and seen.complete)


@pytest.mark.parametrize(
    ("key", "content", "merged"),
    [
        *(
            (f"{folder}/kubecon-demo-1.json", content, False)
            for folder in ("progress", "failures")
            for content in (
                b"{",
                b"\xff",
                b'{"a":' * 10_000,
                b"[" * 10_000,
                [[]],
                {HIGGS: {"shards": [3]}},
                {"": -1},
            )
        ),
        ("progress/kubecon-demo-1.json", b'{"a": {"pods": {"running": 1e999}}}', False),
        ("progress/kubecon-demo-1.json", b" " * (9 << 20) + b"{}", False),
        *(("campaign.json", content, False) for content in (b"", [], {"predicted": {"shards": "x"}})),
        *(("shards/kubecon-demo-0.jsonl", content, False) for content in (b"[]\n", b"{}", b"x" * (1 << 17))),
        *(("summary.json", content, True) for content in (b"{}", b"null", {"datasets": {"a": 1}})),
        *(("spectrum.json", content, True) for content in (b"NaN", CHART | {"channels": {}})),
        ("spectrum.json", CHART | {"channels": {"all": CHANNEL | {"error": [1, 2]}}}, True),
    ],
)
def test_what_is_damaged_is_told_and_all_else_is_shown(
    bucket: Bucket, folder: str, key: str, content: object, merged: bool
) -> None:
    put_list(bucket, HIGGS, "one", "two")
    put(bucket, f"results/{HIGGS}/one.json", document(HIGGS, 100, {"4mu": {18: 7}}))
    put(bucket, "spectrum.json", CHART)
    put(bucket, "summary.json", {"datasets": {HIGGS: {"shards": {"done": 1}}}})
    put(bucket, key, content)
    planned = airflow_run(output=folder).assignments
    run = type(MERGED)(**vars(MERGED if merged else airflow_run()) | {"assignments": planned})
    followers = Followers()
    seen = looked(lambda: followers.look(run), lambda seen: seen.complete)
    assert f"/{key}" in str(seen.error)
    assert str(seen.error).isprintable()
    assert (seen.counted[HIGGS], bool(seen.chart)) == (1, True)
    json.dumps(run_state(run, seen, ""), allow_nan=False)
    bucket.client.delete_object(Bucket=bucket.name, Key=f"{RUN}/{key}")
    looked(lambda: followers.look(run), lambda seen: seen.complete and seen.error is None)


def test_a_result_that_cannot_be_read_for_a_while_keeps_no_other_back(
    bucket: Bucket, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = {f"results/{HIGGS}/one.json"}

    class ClosedStore(ObjectStore):
        """The real store, which denies some objects."""

        def read(self, key: str, limit: int = LARGEST_READ) -> bytes:
            if key in closed:
                raise StorageError(f"cannot read {key}: access denied")
            return super().read(key, limit)

    monkeypatch.setattr(follower, "ObjectStore", ClosedStore)
    fill(bucket, 3)
    put_list(bucket, HIGGS, "one", *(f"{number:05}" for number in range(3)))
    put(bucket, f"results/{HIGGS}/one.json", document(HIGGS, 100))
    followers, run = Followers(), airflow_run(output=folder)
    seen = looked(lambda: followers.look(run), lambda seen: seen.read == 3)
    assert (seen.found, seen.complete) == (4, False)
    assert "one.json: access denied" in str(seen.error)
    closed.clear()
    seen = looked(lambda: followers.look(run), lambda seen: seen.complete)
    assert (seen.read, seen.error) == (4, None)


def test_what_nobody_has_thought_of_is_told_and_the_reading_begins_anew(
    bucket: Bucket, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Panic(BaseException):
        """As a library in Rust raises."""

    def panic(*_: object) -> None:
        raise Panic("\x1b[31mlost")

    put_list(bucket, HIGGS, "one")
    put(bucket, f"results/{HIGGS}/one.json", document(HIGGS, 100))
    followers, run = Followers(), airflow_run(output=folder)
    with monkeypatch.context() as broken:
        broken.setattr(follower, "normalise", panic)
        seen = looked(lambda: followers.look(run), lambda seen: seen.error is not None)
    assert seen.error == "the run's folder cannot be shown, and is read again: Panic: \\u001b[31mlost"
    seen = looked(lambda: followers.look(run), lambda seen: seen.complete)
    assert (seen.read, seen.error) == (1, None)


def test_an_object_that_is_too_large_for_a_result_is_not_read(
    bucket: Bucket, folder: str, reads: list[str]
) -> None:
    put_list(bucket, HIGGS, "one", "two")
    put(bucket, f"results/{HIGGS}/one.json", b" " * (MAX_BYTES + 1))
    put(bucket, f"results/{HIGGS}/two.json", document(HIGGS, 100))
    followers, run = Followers(), airflow_run(output=folder)
    seen = looked(lambda: followers.look(run), lambda seen: seen.complete)
    assert (seen.read, [failure["shard"] for failure in seen.failures]) == (1, ["one"])
    assert "the object has 1048577 bytes, a result document at most 1048576" in seen.failures[0]["reason"]
    assert reads == [f"results/{HIGGS}/two.json"]
    put(bucket, f"results/{HIGGS}/one.json", document(HIGGS, 100))
    looked(lambda: followers.look(run), lambda seen: seen.read == 2 and not seen.failures)


def test_failures_of_before_are_over_once_their_shards_run_again_or_are_done(
    bucket: Bucket, folder: str
) -> None:
    put_list(bucket, HIGGS, "two")
    put(bucket, "failures/kubecon-demo-1.json", [FAILURE])
    followers = Followers()

    looked(lambda: followers.look(airflow_run("failed", output=folder)), lambda seen: bool(seen.failures))
    run = airflow_run("running", {"cluster.wait_for_jobs[1]": "deferred"}, output=folder)
    looked(lambda: followers.look(run), lambda seen: not seen.failures)
    run = airflow_run("running", {"cluster.wait_for_jobs[1]": "failed"}, output=folder)
    looked(lambda: followers.look(run), lambda seen: seen.failures == (FAILURE,))
    put(bucket, f"results/{HIGGS}/two.json", document(HIGGS, 100))
    looked(lambda: followers.look(run), lambda seen: not seen.failures)


def test_a_run_that_nobody_looks_at_is_not_read(bucket: Bucket, folder: str) -> None:
    followers, run = Followers(), airflow_run(output=folder)
    put_list(bucket, HIGGS, "one")
    looked(lambda: followers.look(run), lambda seen: seen.complete)
    time.sleep(1.0)
    put(bucket, f"results/{HIGGS}/one.json", document(HIGGS, 100))
    time.sleep(0.3)
    assert followers.look(run).read == 0
    looked(lambda: followers.look(run), lambda seen: seen.read == 1)


def test_before_the_plan_nothing_is_read() -> None:
    run = airflow_run()
    assert Followers().look(type(run)(**vars(run) | {"assignments": ()})) == Snapshot()
