"""SQLite below the stores: clusters and their objects survive a restart, even a kill -9.

Writes are committed together, within a fifth of a second: of an object that changes several times in
between only the last state. A request is answered only after the commit (`durable`) of what it changes or
reports. WAL with synchronous=NORMAL loses nothing when the process dies; losing power may cost moments.
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from localkube.objects.object import Json, Key, Obj, encode

_PREPARE = """
PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000;
CREATE TABLE IF NOT EXISTS clusters (name TEXT PRIMARY KEY, spec TEXT, token TEXT, revision INTEGER);
CREATE TABLE IF NOT EXISTS objects (cluster TEXT, resource TEXT, namespace TEXT, name TEXT, data BLOB,
    PRIMARY KEY (cluster, resource, namespace, name));
"""
_WRITE = "INSERT INTO objects VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET data = excluded.data"
_DELETE = "DELETE FROM objects WHERE cluster = ? AND resource = ? AND namespace = ? AND name = ?"
_REVISION = "UPDATE clusters SET revision = ? WHERE name = ?"
_DELAY = 0.2
_GAP = 100_000  # versions handed out since the last commit are never handed out again


class Database:
    """The state of all clusters in one file; raises sqlite3.Error when the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.executescript(_PREPARE)
        self._revisions: dict[str, int] = {}
        self._changed: dict[tuple[str, *Key], Obj | None] = {}  # since the last commit
        self._commit: asyncio.Future[None] | None = None

    def clusters(self) -> list[tuple[str, Json, str, int]]:
        """Return name, spec, token and first unused version of each cluster, oldest first."""
        rows = self._connection.execute("SELECT name, spec, token, revision FROM clusters ORDER BY rowid")
        return [(name, json.loads(spec), token, revision + _GAP) for name, spec, token, revision in rows]

    def add_cluster(self, name: str, spec: Json, token: str) -> None:
        insert = "INSERT INTO clusters (name, spec, token, revision) VALUES (?, ?, ?, 0)"
        self._connection.execute(insert, (name, json.dumps(spec), token))

    def drop_cluster(self, name: str) -> None:
        self.flush()
        self._connection.execute("DELETE FROM objects WHERE cluster = ?", (name,))
        self._connection.execute("DELETE FROM clusters WHERE name = ?", (name,))

    def objects(self, cluster: str) -> Iterator[tuple[str, Obj]]:
        query = "SELECT resource, data FROM objects WHERE cluster = ?"
        for resource, data in self._connection.execute(query, (cluster,)):
            yield resource, Obj(msgspec.json.decode(data))

    def write(self, cluster: str, key: Key, obj: Obj | None, revision: int) -> None:
        """Take the object, which lasts from the next commit on; None removes it."""
        if self._commit is None:
            loop = asyncio.get_running_loop()
            self._commit = loop.create_future()
            loop.call_later(_DELAY, self.flush)
        self._revisions[cluster] = revision
        self._changed[cluster, *key] = obj

    async def durable(self) -> None:
        """Return once everything written so far is committed; requests of one moment share one commit."""
        if self._commit is not None:
            asyncio.get_running_loop().call_soon(self.flush)
            await asyncio.shield(self._commit)

    def flush(self) -> None:
        """Commit now; a failure, such as a full disk, is told to who waits, and tried again next time."""
        if (waiting := self._commit) is None:
            return
        self._commit, changed, many = None, self._changed.items(), self._connection.executemany
        try:
            with self._connection:
                self._connection.execute("BEGIN")
                many(_DELETE, (place for place, obj in changed if obj is None))
                many(_WRITE, ((*place, encode(obj)) for place, obj in changed if obj is not None))
                many(_REVISION, ((revision, name) for name, revision in self._revisions.items()))
        except sqlite3.Error as error:
            return waiting.set_exception(error)
        self._changed.clear()
        waiting.set_result(None)

    def close(self) -> None:
        self.flush()
        self._connection.close()
