"""What is damaged, denied or unheard of in a run's folder is told, and all else is shown."""

import json

import pytest

from airflow_runs import HIGGS, airflow_run
from followed_folder import CHANNEL, CHART, MERGED, RUN, Folder
from higgsdemo.page import follower, snapshot
from higgsdemo.page.state import run_state
from higgsdemo.storage.object_store import LARGEST_READ, ObjectStore, StorageError

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
        broken.setattr(snapshot, "normalise", panic)
        seen = folder.seen(lambda seen: seen.error is not None)
    assert seen.error == "the run's folder cannot be shown, and is read again: Panic: \\u001b[31mlost"
    seen = folder.complete()
    assert (seen.read, seen.error) == (1, None)
