"""The demo's S3 server: moto's, which forgets everything when it ends, with a file that remembers.

A campaign must not lose a result when the store is killed. Before a write is answered, its effect is in an
SQLite file, which survives a kill at any moment; the next server begins with its content. It keeps buckets,
and objects with ETag and time, but not a bucket's settings or an unfinished multipart upload.

    python -m demo.store --file .run/s3.sqlite --host 127.0.0.1 --port 9000
"""

import argparse
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import s3_backends
from werkzeug import Request, Response
from werkzeug.serving import run_simple

from demo.ports import HOST
from demo.settings import REGION

TABLES = """
PRAGMA journal_mode = wal;
PRAGMA synchronous = normal;  -- outlives the process without a wait for the disk
CREATE TABLE IF NOT EXISTS buckets (bucket TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS objects (
  bucket TEXT, key TEXT, etag TEXT, modified TEXT, content BLOB, PRIMARY KEY (bucket, key)
);
"""


class Store:
    """moto's S3 as a WSGI application whose objects are kept in a file."""

    def __init__(self, file: Path) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._s3 = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        self._kept = sqlite3.connect(file, check_same_thread=False)
        self._kept.executescript(TABLES)
        self._one_writes = Lock()
        for (bucket,) in self._kept.execute("SELECT bucket FROM buckets"):
            self._s3.create_bucket(bucket, REGION)
        for bucket, key, etag, modified, content in self._kept.execute("SELECT * FROM objects"):
            stored = self._s3.put_object(bucket, key, content, etag=etag)
            stored.last_modified = datetime.fromisoformat(modified)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request; a write only when its effect is in the file."""
        request = Request(environ)
        if request.method in ("GET", "HEAD"):
            return self._moto(environ, start_response)  # type: ignore[no-any-return]
        bucket, _, key = request.path.lstrip("/").partition("/")
        with self._one_writes:
            response = Response.from_app(self._moto, environ)
            with self._kept:
                self._keep(bucket, key)
        return response(environ, start_response)

    def _keep(self, bucket: str, key: str) -> None:
        """Copy to the file what moto has of an object, or of a bucket and what was deleted in it."""
        if bucket not in self._s3.buckets:
            self._kept.execute("DELETE FROM buckets WHERE bucket = ?", (bucket,))
            self._kept.execute("DELETE FROM objects WHERE bucket = ?", (bucket,))
        elif not key:
            self._kept.execute("INSERT OR IGNORE INTO buckets VALUES (?)", (bucket,))
            rows = self._kept.execute("SELECT key FROM objects WHERE bucket = ?", (bucket,))
            gone = [(bucket, key) for (key,) in rows if self._s3.get_object(bucket, key) is None]
            self._kept.executemany("DELETE FROM objects WHERE bucket = ? AND key = ?", gone)
        elif stored := self._s3.get_object(bucket, key):
            of_it = (stored.etag.strip('"'), stored.last_modified.isoformat(), stored.value)
            self._kept.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", (bucket, key, *of_it))
        else:
            self._kept.execute("DELETE FROM objects WHERE bucket = ? AND key = ?", (bucket, key))


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m demo.store", description=__doc__)
    parser.add_argument("--file", type=Path, required=True, help="remembers the objects")
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=9000)
    options = parser.parse_args()
    store = Store(options.file)
    run_simple(options.host, options.port, store, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
