"""A run's folder is read in the background, piece by piece, and each result once."""

import threading
import time
from collections.abc import Iterator

import pytest

from airflow_runs import HIGGS, TTBAR, airflow_run
from followed_folder import CHART, MERGED, Folder
from higgsdemo.page import follower
from higgsdemo.page.follower import Followers
from higgsdemo.page.snapshot import Snapshot
from higgsdemo.page.state import run_state
from higgsdemo.results.parsing import MAX_BYTES
from higgsdemo.storage.object_store import ObjectStore, StoredObject

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


def test_many_results_are_shown_while_they_are_read_and_read_once(
    folder: Folder, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "PUBLISH_SECONDS", 0.0)
    folder.fill(600)
    folder.put("progress/kubecon-demo-1.json", {HIGGS: {"shards": {"done": 500}}})
    first = folder.seen(lambda seen: seen.read > 0)
    assert first.read < first.found == 500
    assert first.chart
    assert not first.complete
    whole = folder.complete()
    assert whole.counted[HIGGS] == whole.read == 600
    time.sleep(0.3)
    assert folder.look().read == 600
    results = [key for key in reads if key.startswith("results/")]
    assert len(results) == len(set(results)) == 600


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
    assert 0 < pictures[0].read < 2000
    assert not pictures[0].complete
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
    results = [key for key in reads if key.startswith("results/")]
    assert len(results) == len(set(results)) == 600


def test_a_run_that_is_merged_meanwhile_is_shown_before_all_its_results_are_read(
    folder: Folder, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "PASS_SECONDS", 0.0)
    folder.fill(3_000)
    folder.seen(lambda seen: 0 < seen.read < 3_000)
    folder.put("summary.json", {"datasets": {HIGGS: {"shards": {"done": 3_000}}}})
    folder.put("spectrum.json", CHART)
    whole = folder.seen(lambda seen: seen.complete, airflow_run(**MERGED, output=folder.url))
    assert whole.read == 3_000
    assert len([key for key in reads if key.startswith("results/")]) < 3_000


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


def test_a_run_that_has_ended_is_complete_with_what_it_left_last(folder: Folder) -> None:
    folder.put("spectrum.json", CHART)
    folder.put("summary.json", {"datasets": {}, "failures": []})
    drawing, ended = (airflow_run(**MERGED | {"state": s}, output=folder.url) for s in ("running", "success"))
    assert folder.seen(lambda seen: seen.complete, drawing).files == ("spectrum.json", "summary.json")
    folder.put("higgs.png", b"")
    assert folder.seen(lambda seen: seen.complete, ended).files[0] == "higgs.png"


def test_the_last_shards_are_named_and_what_was_predicted_and_taken_is_told(folder: Folder) -> None:
    folder.fill(19)
    folder.listed(*(f"{number:05}" for number in range(20)))
    record = {"predicted": {"shards": 20, "pods": 10}, "airflow": {"dag_run": "later"}, "remarks": ["a\n"]}
    folder.put("campaign.json", record)
    seen = folder.seen(lambda seen: bool(seen.stragglers))
    assert seen.stragglers == ({"cluster": "kubecon-demo-1", "dataset": HIGGS, "shard": "00019"},)
    assert seen.error == "the run later has gone on with this folder: what it left is shown"
    assert seen.remarks == ("a\\u000a",)
    assert seen.account[:3] == [["", "predicted", "took"], ["Shards", "20", "19"], ["Pods", "10", ""]]
    folder.result("00019", 100)
    folder.seen(lambda seen: seen.read == 20 and not seen.stragglers)


def test_a_bucket_that_cannot_be_read_is_told_and_tried_again(folder: Folder) -> None:
    missing = airflow_run(output="s3://a-bucket-made-later/one")
    seen = folder.seen(lambda seen: seen.error is not None, missing)
    assert "a-bucket-made-later" in str(seen.error)
    folder.bucket.client.create_bucket(Bucket="a-bucket-made-later")
    folder.seen(lambda seen: seen.error is None and seen.complete, missing)


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
