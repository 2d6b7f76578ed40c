"""Versions, history and indexes of the store, without a server."""

import asyncio
from typing import Any

import pytest

from localkube.objects import store as module
from localkube.objects.errors import ApiError
from localkube.objects.object import Obj
from localkube.objects.store import Store


def configmap(name: str, **metadata: Any) -> Obj:
    return Obj({"kind": "ConfigMap", "metadata": {"name": name, "namespace": "n", **metadata}})


@pytest.fixture
def written() -> list[tuple[Any, ...]]:
    return []


@pytest.fixture
def store(written: list[tuple[Any, ...]]) -> Store:
    return Store(lambda *change: written.append(change), revision=100)


def test_every_change_has_the_next_version_and_is_persisted(
    store: Store, written: list[tuple[Any, ...]]
) -> None:
    made = store.create("configmaps", configmap("a"))
    changed = store.update("configmaps", made.replaced(data={"x": "1"}))
    store.remove("configmaps", changed)
    key = ("configmaps", "n", "a")
    assert [(one[0], one[1] is None, one[2]) for one in written] == [
        (key, False, 101),
        (key, False, 102),
        (key, True, 103),
    ]
    assert made["metadata"]["resourceVersion"] == "101"
    assert store.get(*key) is None


def test_the_last_finalizer_takes_a_deleted_object_with_it(store: Store) -> None:
    made = store.create("configmaps", configmap("a", finalizers=["x", "y"]))
    made = store.update("configmaps", made.with_metadata(deletionTimestamp="2026-01-01T00:00:00Z"))
    made = store.update("configmaps", made.with_metadata(finalizers=["y"]))
    assert store.get("configmaps", "n", "a") is not None
    store.update("configmaps", made.with_metadata(finalizers=None))
    assert store.get("configmaps", "n", "a") is None


def test_dependents_are_found_by_their_owner(store: Store) -> None:
    owner = store.create("jobs", configmap("owner"))
    uid = owner["metadata"]["uid"]
    pod = store.create("pods", configmap("p", ownerReferences=[{"uid": uid}]))
    assert store.owned[uid] == {("pods", "n", "p")}
    assert store.uids[pod["metadata"]["uid"]] == ("pods", "n", "p")
    store.update("pods", pod.with_metadata(ownerReferences=None))
    assert not store.owned.get(uid)


async def test_a_watch_sees_what_came_after_its_version(store: Store) -> None:
    store.create("configmaps", configmap("a"))
    history = store.history("configmaps")
    store.create("configmaps", configmap("b"))
    store.create("secrets", configmap("c"))
    assert [event.new.name for event in await history.after(101, 1)] == ["b"]
    assert await history.after(store.revision, 0.01) == []
    asyncio.get_running_loop().call_later(0.01, store.create, "configmaps", configmap("d"))
    assert [event.new.name for event in await history.after(store.revision, 5)] == ["d"]


async def test_a_version_before_the_kept_history_is_gone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HISTORY", 10)
    history = store.history("configmaps")
    for number in range(40):
        store.create("configmaps", configmap(f"c{number}"))
    with pytest.raises(ApiError, match="too old resource version: 110") as refused:
        await history.after(110, 1)
    assert refused.value.code == 410
    assert len(await history.after(store.revision - 5, 1)) == 5


async def test_a_version_before_this_process_is_gone(store: Store) -> None:
    with pytest.raises(ApiError, match=r"too old resource version: 99 \(100\)"):
        await store.history("configmaps").after(99, 1)
    assert await store.history("configmaps").after(100, 0) == []
