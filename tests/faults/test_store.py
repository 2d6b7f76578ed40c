"""What a fault of the object store costs, for the tasks and for the pods."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fault_proxy import HALF, LATE, RESET, SLOW_DOWN, Fault, FaultProxy, refusal
from faults.conftest import Site
from gcs_server import Gcs
from higgsdemo.datasets.shards import done_shards
from higgsdemo.storage.object_store import ObjectStore, StorageError
from pod_process import Ended, Pod
from result_documents import merged, stored

PASSING = {"slow-down": SLOW_DOWN, "reset": RESET, "slow": LATE}
PASSING |= {str(status): refusal(status) for status in (429, 500, 502, 504)}
CONTENT = bytes(range(256)) * 400


@dataclass
class Faulty:
    """A bucket behind a proxy that injects faults."""

    store: ObjectStore
    proxy: FaultProxy


@pytest.fixture(params=["s3", "gs"])
def faulty(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    """Yield an empty bucket of S3, and of GCS."""
    if request.param == "s3":
        site: Site = request.getfixturevalue("site")
        yield Faulty(ObjectStore(f"s3://{site.bucket.name}", "store"), site.store)
        return
    gcs: Gcs = request.getfixturevalue("gcs")
    name = f"faults-{abs(hash(request.node.nodeid)) % 10**12}-{os.getpid()}"
    gcs.make_bucket(name)
    with FaultProxy(gcs.url) as proxy:
        monkeypatch.setenv("AIRFLOW_CONN_STORE", gcs.connection(gcs_api_endpoint=proxy.url))
        yield Faulty(ObjectStore(f"gs://{name}", "store"), proxy)


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_objects_are_written_read_and_listed_though_requests_fail(faulty: Faulty, fault: Fault) -> None:
    faulty.proxy.inject(fault, fault, into="PUT")
    faulty.store.write("results/A/1.json", CONTENT)
    faulty.proxy.inject(fault, fault, into="GET")
    assert faulty.store.read("results/A/1.json") == CONTENT
    faulty.proxy.inject(fault, fault, into="GET")
    assert list(done_shards(faulty.store, "A")) == ["1"]


def test_an_object_of_which_half_came_is_read_whole(faulty: Faulty) -> None:
    faulty.store.write("one", CONTENT)
    faulty.proxy.inject(HALF, into="GET")
    assert faulty.store.read("one") == CONTENT


def test_a_list_is_read_to_its_end_however_long_its_reader_takes_between_lines(site: Site) -> None:
    lines = [b"%063d" % number for number in range(1 << 18)]  # 16 MB: more than both ends hold back
    store = ObjectStore(f"s3://{site.bucket.name}", "store")
    store.write("shards/here.jsonl", b"\n".join(lines))
    read = store.lines("shards/here.jsonl")
    assert next(read) == lines[0]
    site.store.inject(*[refusal(501)] * 20, into="GET")
    site.store.cut()
    assert list(read) == lines[1:]


@pytest.mark.parametrize("status", [401, 403])
def test_a_store_that_refuses_is_not_asked_again_and_the_connection_is_named(
    faulty: Faulty, status: int
) -> None:
    faulty.proxy.inject(*[refusal(status)] * 5)
    with pytest.raises(StorageError, match="check the Airflow connection 'store'"):
        faulty.store.read("one")
    assert len(faulty.proxy.requests) == 1


def without_the_end(page: bytes) -> bytes:
    return page[: page.rindex(b"<Contents>")]


@pytest.mark.parametrize("change", [without_the_end, lambda page: b""])
def test_a_listing_that_is_cut_off_is_refused_not_believed(
    faulty: Faulty, change: Callable[[bytes], bytes]
) -> None:
    for number in range(3):
        faulty.store.write(f"results/A/{number}.json", b"{}")
    faulty.proxy.inject(*[Fault("changed", change=change)] * 20, into="list-type=2")
    with pytest.raises(StorageError, match="cannot list"):
        done_shards(faulty.store, "A")


def test_an_object_that_a_listing_repeats_is_counted_once(faulty: Faulty) -> None:
    store = faulty.store
    key, content = stored("A", "1")
    store.write("results/A/1.json", content)

    def repeated(page: bytes) -> bytes:
        start, end = page.index(b"<Contents>"), page.rindex(b"</Contents>") + len(b"</Contents>")
        return page[:end] + page[start:end] + page[end:]

    faulty.proxy.inject(Fault("changed", change=repeated), into="list-type=2")
    keys = [item.key for item in store.list("results/A")]
    assert keys == ["results/A/1.json"]
    merge = merged(store.read_all(keys * 2))
    assert merge.datasets["A"].shards == merge.work.shards == 1
    assert key.endswith(keys[0])


def through_the_store(site: Site, pod: Pod, shard_file: Path) -> Ended:
    """Run a pod that reads its shard, and leaves its result, through the proxy."""
    site.bucket.write("in/a.root", shard_file.read_bytes())
    pod.environ |= site.bucket.environ | {"AWS_ENDPOINT_URL": site.store.url}
    pod.environ["OUTPUT_URL"] = f"s3://{site.bucket.name}/results/A"
    size = shard_file.stat().st_size
    pod.give({"name": "a", "url": f"s3://{site.bucket.name}/in/a.root", "size": size})
    return pod.run()


@pytest.mark.parametrize(
    "fault", [SLOW_DOWN, refusal(500), RESET, HALF], ids=["slow-down", "500", "reset", "half"]
)
def test_a_pod_outlasts_what_passes_and_leaves_one_result(
    site: Site, pod: Pod, shard_file: Path, fault: Fault
) -> None:
    site.store.inject(fault, into="GET")
    ended = through_the_store(site, pod, shard_file)
    assert ended.code == 0, ended.stderr
    assert site.bucket.keys("results/") == ["results/A/a.json"]
    content = site.bucket.read("results/A/a.json")
    assert json.loads(content)["processed"] == 500


@pytest.mark.parametrize("fault", [SLOW_DOWN, refusal(403), HALF], ids=["slow-down", "403", "half"])
def test_what_may_be_different_at_the_next_attempt_is_tried_again(
    site: Site, pod: Pod, shard_file: Path, fault: Fault
) -> None:
    """Keys, too, may be renewed."""
    site.store.inject(*[fault] * 100, into="GET")
    ended = through_the_store(site, pod, shard_file)
    assert ended.code == 75
    assert ended.reason.startswith(f"cannot read s3://{site.bucket.name}/in/a.root: ")
    assert len(ended.reason) < 400
    assert "Traceback" not in ended.stderr
    assert (site.bucket.keys("results/"), list(pod.input_dir.iterdir())) == ([], [])


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_network_loses_no_result(faulty: Faulty, seed: int) -> None:
    faulty.proxy.by_seed(seed, 0.2, SLOW_DOWN, refusal(500), RESET, HALF)
    store = faulty.store
    documents = {f"results/A/{number}.json": stored("A", str(number))[1] for number in range(40)}
    for key, content in documents.items():
        store.write(key, content)
    found = dict(store.read_all(sorted(item.key for item in store.list("results/A"))))
    assert found == documents
