"""How far the history of a collection goes back, and what a full disk loses."""

import sqlite3
from functools import partial
from pathlib import Path

import pytest

from localkube.objects import store as module
from localkube.objects.database import Database
from localkube.objects.errors import ApiError
from localkube.objects.object import Obj
from localkube.objects.store import Store


async def test_a_version_before_the_kept_history_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HISTORY", 10)
    store = Store(lambda *_: None, revision=100)
    history = store.histories["configmaps"]
    for number in range(40):
        store.create("configmaps", Obj(kind="ConfigMap", metadata={"name": f"c{number}", "namespace": "n"}))
    with pytest.raises(ApiError, match="too old resource version: 110") as refused:
        await history.after(110, 1)
    assert refused.value.code == 410
    assert len(await history.after(store.revision - 5, 1)) == 5


async def test_what_a_full_disk_refuses_is_written_once_there_is_room(tmp_path: Path) -> None:
    database = Database(tmp_path / "localkube.db")
    store = Store(partial(database.write, "one"))

    def limit(pages: int) -> None:
        database._connection.execute(f"PRAGMA max_page_count = {pages}")

    limit(1)
    for name in ("a", "b"):
        made = store.create("configmaps", Obj(metadata={"name": name}, data={"text": name * 20_000}))
        with pytest.raises(sqlite3.OperationalError, match="full"):
            await database.durable()
    limit(1000)
    store.remove("configmaps", made)
    await database.durable()
    kept = Database(tmp_path / "localkube.db").objects("one")
    assert [obj.name for _, obj in kept] == ["a"]
