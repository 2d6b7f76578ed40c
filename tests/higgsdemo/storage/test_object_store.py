"""The object store on a real S3 server and on an emulator of GCS, reached through Airflow connections."""

import json
import time
from pathlib import Path

import pytest

from fault_proxy import Fault, FaultProxy
from gcs_server import Gcs
from higgsdemo.storage.object_store import LONGEST_LINE, ObjectStore, StorageError
from s3_server import Bucket
from stores import Kind, connect


@pytest.fixture
def store(kind: Kind) -> ObjectStore:
    return ObjectStore(f"{kind.url}/some/folder/", "with_keys")


def test_what_is_written_is_read_at_its_url_as_it_was_written_last(store: ObjectStore, kind: Kind) -> None:
    assert not store.exists("a/b.json")
    for content in (b"long ago", b"now"):
        assert store.write("a/b.json", content) == f"{kind.url}/some/folder/a/b.json"
        assert store.read("a/b.json") == content
    assert store.exists("a/b.json")
    assert kind.keys() == ["some/folder/a/b.json"]
    assert [(stored.key, stored.size) for stored in store.list()] == [("a/b.json", 3)]


def test_a_listing_is_of_what_lies_in_a_folder_or_below_a_path(store: ObjectStore) -> None:
    for key in ("one", "results/A/1", "results/AB/1"):
        store.write(key, b"")
    assert [stored.key for stored in store.list("results/A")] == ["results/A/1"]
    assert [stored.key for stored in store.folder()] == ["one"]
    assert list(store.list("nothing")) == []


def test_a_listing_pages_through_everything_below_a_prefix(store: ObjectStore, kind: Kind) -> None:
    kind.put_all([(f"some/folder/many/{number:04}", b"x" * (number % 7)) for number in range(1203)])
    store.write("other/one", b"")
    listed = list(store.list("many"))
    assert [stored.key for stored in listed] == [f"many/{number:04}" for number in range(1203)]
    assert [stored.size for stored in listed] == [number % 7 for number in range(1203)]


@pytest.mark.parametrize(
    "page",
    [
        "<html><body>Please log in</body></html>",
        "<!DOCTYPE html><p>Please log in<br></p>",
        '{"ok": true}',
        "",
    ],
)
def test_a_web_page_is_no_empty_listing(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    with FaultProxy(bucket.environ["AWS_ENDPOINT_URL"]) as proxy:
        connect(monkeypatch, astray=bucket.connection(proxy.url))
        proxy.inject(*[Fault("status", 200, {"Content-Type": "text/html"}, page)] * 20)
        with pytest.raises(StorageError) as refused:
            list(ObjectStore("s3://higgs-demo/some", "astray").list("folder"))
    assert str(refused.value) == (
        "cannot list s3://higgs-demo/some/folder: what answers there is not an object store; is the endpoint "
        "of the Airflow connection 'astray' right, or does a proxy ask for a login?"
    )


def test_an_object_is_measured_before_it_is_read(store: ObjectStore) -> None:
    store.write("large", b"x" * 11)
    assert store.read("large", 11) == b"x" * 11
    for limit in (10, 0):
        with pytest.raises(StorageError, match=f"large: it has 11 bytes, {limit} at most are read"):
            store.read("large", limit)


def test_what_cannot_be_read_of_many_is_told_or_ends_the_reading(store: ObjectStore) -> None:
    for key in ("a", "b", "c"):
        store.write(key, b"x" * (100 if key == "b" else 1))
    lost: dict[str, str] = {}
    found = store.read_all(["a", "absent", "b", "c"], 10, lambda key, error: lost.update({key: str(error)}))
    assert list(found) == [("a", b"x"), ("c", b"x")]
    assert list(lost) == ["absent", "b"]
    with pytest.raises(StorageError, match="absent"):
        list(store.read_all(["a", "absent", "c"]))


def test_a_list_with_a_line_without_end_is_refused(store: ObjectStore) -> None:
    store.write("list", b"one\n" + b"x" * LONGEST_LINE)
    lines = store.lines("list")
    assert next(lines) == b"one"
    with pytest.raises(StorageError, match="list: it has a line of 65536 bytes"):
        next(lines)


def test_many_objects_are_read_in_the_order_asked_for(store: ObjectStore) -> None:
    keys = [f"{number}" for number in range(50)]
    for key in keys:
        store.write(key, key.encode())
    assert list(store.read_all(reversed(keys))) == [(key, key.encode()) for key in reversed(keys)]


def test_keys_with_spaces_and_unicode_come_back_as_they_are(store: ObjectStore) -> None:
    store.write("a b/ü+%.root", b"1")
    assert [stored.key for stored in store.list()] == ["a b/ü+%.root"]
    assert store.read("a b/ü+%.root") == b"1"


def test_keys_that_differ_by_a_slash_at_the_end_are_two(s3: Kind) -> None:
    keys = ["b", "b-c", "b/", "d"]
    s3.put_all([(f"A/{key}", b"x") for key in keys])
    assert [stored.key for stored in ObjectStore(f"{s3.url}/A", "with_keys").list()] == keys


def test_a_large_object_comes_back_line_by_line(store: ObjectStore, tmp_path: Path) -> None:
    lines = [b"%07d" % number * (number % 40) for number in range(20_000)]
    file = tmp_path / "lines"
    for end in (b"\n", b""):
        file.write_bytes(b"\n".join(lines) + end)
        store.upload("lines", file)
        assert list(store.lines("lines")) == lines


def test_a_missing_object_is_named(store: ObjectStore) -> None:
    with pytest.raises(StorageError, match=r"^cannot read (s3|gs)://.*/some/folder/absent: there is no such"):
        store.read("absent")
    with pytest.raises(StorageError, match=r"^cannot read (s3|gs)://.*/some/folder/absent: there is no such"):
        list(store.lines("absent"))


def test_a_missing_bucket_is_named(kind: Kind) -> None:
    url = f"{kind.url}-is-not-there/x"
    with pytest.raises(StorageError, match=rf"^cannot list {url}: there is no such bucket"):
        list(ObjectStore(url, "with_keys").list())


def test_a_public_bucket_is_read_without_keys(store: ObjectStore, kind: Kind) -> None:
    store.write("public", b"1")
    kind.make_public("some/folder/public")
    anonymous = ObjectStore(f"{kind.url}/some/folder", "anonymous")
    assert anonymous.read("public") == b"1"


def test_what_is_not_public_is_denied_to_who_has_no_keys(gcs: Gcs, gs: Kind) -> None:
    with pytest.raises(StorageError, match=r"access denied; check the Airflow connection 'anonymous'"):
        ObjectStore(gs.url, "anonymous").read("a")


def test_the_requester_pays_where_the_connection_says_so(
    gcs: Gcs, gs: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer = json.loads(gcs.connection(quota_project_id="who-pays-for-it"))
    connect(monkeypatch, payer=payer)
    gcs.payers.clear()
    ObjectStore(gs.url, "payer").write("a", b"")
    assert gcs.payers == ["who-pays-for-it"]


def test_a_token_that_ends_is_renewed(gcs: Gcs, gs: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ObjectStore(gs.url, "with_keys")
    monkeypatch.setattr(gcs.tokens, "seconds", 1.0)
    before = len(gcs.tokens.given)
    store.write("a", b"1")
    time.sleep(1.1)
    assert store.read("a") == b"1"
    assert len(gcs.tokens.given) > before + 1


def test_a_connection_that_is_not_there_is_named(kind: Kind) -> None:
    with pytest.raises(StorageError, match="'nowhere'"):
        ObjectStore(kind.url, "nowhere")


def test_a_store_that_does_not_answer_is_named(kind: Kind) -> None:
    store = ObjectStore(kind.url, "unreachable")
    with pytest.raises(StorageError, match=rf"^cannot read {kind.url}/a with .* 'unreachable'"):
        store.read("a")


def test_another_scheme_is_refused() -> None:
    with pytest.raises(StorageError, match=r"^ftp://x is not a bucket URL: s3://"):
        ObjectStore("ftp://x", "with_keys")
