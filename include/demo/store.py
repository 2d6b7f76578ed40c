"""An S3 server for one machine, in an SQLite file: as much of S3 as a campaign uses, and no check of keys.

A campaign must not lose a result when the store is killed: a write is answered once its effect is in the
file, which survives a kill at any moment. It keeps buckets, and objects with ETag and time, but not a
bucket's settings or an unfinished multipart upload.

    python -m demo.store --file .run/s3.sqlite --host 127.0.0.1 --port 9000
"""

import argparse
import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import md5
from itertools import count
from pathlib import Path
from urllib.parse import quote
from xml.etree.ElementTree import fromstring
from xml.sax.saxutils import escape

from aiohttp import web

from demo.ports import HOST

PAGE = 1000  # keys
LARGEST = 1 << 30  # bytes of a request
LAST = "\U0010ffff"  # comes after all that a key can go on with
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
TABLES = """
PRAGMA journal_mode = wal;
PRAGMA synchronous = normal;  -- outlives the process without a wait for the disk
CREATE TABLE IF NOT EXISTS buckets (bucket TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS objects (  -- content: bytes, or their number where nobody has them
  bucket TEXT, key TEXT, etag TEXT, modified TEXT, content BLOB, PRIMARY KEY (bucket, key)
);
"""
SIZE = "iif(typeof(content) = 'integer', content, length(content))"


class Store:
    """The buckets, in a file or (":memory:") in memory."""

    def __init__(self, file: Path | str) -> None:
        self._kept = sqlite3.connect(file)
        self._kept.executescript(TABLES)
        self._uploads: dict[str, dict[int, bytes]] = defaultdict(dict)
        self._numbers = count(1)

    def fill(self, bucket: str, objects: Iterable[tuple[str, bytes | int]]) -> None:
        """Write objects, as key and content, to a bucket; of one without content the number of its bytes."""
        now = datetime.now(UTC).isoformat()
        rows = ((bucket, key, _etag(content), now, content) for key, content in objects)
        with self._kept:
            self._kept.execute("INSERT OR IGNORE INTO buckets VALUES (?)", (bucket,))
            self._kept.executemany("REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", rows)

    async def answer(self, request: web.Request) -> web.Response:
        bucket, _, key = request.path.lstrip("/").partition("/")
        buckets = [name for (name,) in self._kept.execute("SELECT bucket FROM buckets ORDER BY bucket")]
        if not bucket:
            named = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in buckets)
            return _xml("ListAllMyBucketsResult", f"<Buckets>{named}</Buckets>")
        if request.method == "PUT" and not key:
            self.fill(bucket, ())
            return web.Response()
        if bucket not in buckets:
            return _error(404, "NoSuchBucket")
        match request.method, bool(key):
            case "PUT", True if not _is_strange(request):
                return await self._put(request, bucket, key)
            case "POST", True:
                return await self._multipart(request, bucket, key)
            case ("DELETE", True) | ("POST", False) if key or "delete" in request.query:
                return await self._delete(request, bucket, key)
            case "GET" | "HEAD", True:
                return self._get(request, bucket, key)
            case "GET", False:
                return self._list(request, bucket)
            case "HEAD", False:
                return web.Response()
        return _error(501, "NotImplemented")

    async def _put(self, request: web.Request, bucket: str, key: str) -> web.Response:
        content = await request.read()
        if upload := request.query.get("uploadId"):
            self._uploads[upload][int(request.query["partNumber"])] = content
        else:
            self.fill(bucket, [(key, content)])
        return web.Response(headers={"ETag": f'"{_etag(content)}"'})

    async def _multipart(self, request: web.Request, bucket: str, key: str) -> web.Response:
        named = f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key>"
        if "uploads" in request.query:
            body = f"{named}<UploadId>{next(self._numbers)}</UploadId>"
            return _xml("InitiateMultipartUploadResult", body)
        parts = self._uploads.pop(request.query["uploadId"], {})
        content = b"".join(parts[number] for number in sorted(parts))
        self.fill(bucket, [(key, content)])
        return _xml("CompleteMultipartUploadResult", f"{named}<ETag>&quot;{_etag(content)}&quot;</ETag>")

    async def _delete(self, request: web.Request, bucket: str, key: str) -> web.Response:
        if upload := request.query.get("uploadId"):
            self._uploads.pop(upload, None)
            return web.Response(status=204)
        asked = b"" if key else await request.read()
        keys = [key] if key else [one.text or "" for one in fromstring(asked).iterfind(".//{*}Key")]
        with self._kept:
            rows = [(bucket, one) for one in keys]
            self._kept.executemany("DELETE FROM objects WHERE bucket = ? AND key = ?", rows)
        deleted = "".join(f"<Deleted><Key>{escape(one)}</Key></Deleted>" for one in keys)
        return web.Response(status=204) if key else _xml("DeleteResult", deleted)

    def _get(self, request: web.Request, bucket: str, key: str) -> web.Response:
        """Answer with an object or a range of it; one with only a size has no content to give."""
        fields = f"etag, modified, {SIZE}, content"
        query = f"SELECT {fields} FROM objects WHERE bucket = ? AND key = ?"
        found = self._kept.execute(query, (bucket, key)).fetchone()
        if found is None:
            return _error(404, "NoSuchKey")
        etag, modified, size, content = found
        time = format_datetime(datetime.fromisoformat(modified).astimezone(UTC), usegmt=True)
        headers = {"ETag": f'"{etag}"', "Last-Modified": time, "Accept-Ranges": "bytes"}
        try:
            asked = range(size)[request.http_range]
        except ValueError:  # S3 then ignores the range
            asked = range(size)
        if size and not asked:
            return _error(416, "InvalidRange")
        part = len(asked) < size
        if part:
            headers["Content-Range"] = f"bytes {asked[0]}-{asked[-1]}/{size}"
        if request.method == "HEAD":
            headers["Content-Length"] = str(len(asked))
        elif not isinstance(content, bytes):
            return _error(403, "AccessDenied")  # 403 is final for clients; a 5xx they repeat for minutes
        body = None if request.method == "HEAD" else content[asked.start : asked.stop]
        return web.Response(status=206 if part else 200, headers=headers, body=body)

    def _list(self, request: web.Request, bucket: str) -> web.Response:
        """Answer a page of ListObjectsV2; its token is the last key, or the end of the last folder."""
        asked = request.query
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        last = asked.get("continuation-token") or asked.get("start-after", "")
        most = min(int(asked.get("max-keys", PAGE)), PAGE)
        encoding = asked.get("encoding-type", "")
        shown = quote if encoding == "url" else escape
        found: list[str] = []
        while (row := self._next(bucket, prefix, last)) and len(found) < most:
            key = row[0]
            inside, _, below = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if below or (delimiter and key.endswith(delimiter)):
                folder = f"{prefix}{inside}{delimiter}"
                found.append(f"<CommonPrefixes><Prefix>{shown(folder)}</Prefix></CommonPrefixes>")
                last = folder + LAST
            else:
                found.append(_entry(shown(key), *row[1:]))
                last = key
        more = bool(most and row)
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        said = f"<EncodingType>{encoding}</EncodingType>" if encoding else ""
        truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated><KeyCount>{len(found)}</KeyCount>"
        return _xml("ListBucketResult", f"{said}{truncated}{token}{''.join(found)}")

    def _next(self, bucket: str, prefix: str, last: str) -> tuple[str, str, str, int] | None:
        """Return the first object below a prefix after a key: its key, ETag, time and size."""
        first = "key >= ?" if prefix > last else "key > ?"  # of two conditions the index would use only one
        query = f"SELECT key, etag, modified, {SIZE} FROM objects WHERE bucket = ? AND {first}"
        start = (bucket, max(prefix, last))
        found = self._kept.execute(f"{query} ORDER BY key LIMIT 1", start).fetchone()
        return found if found and found[0].startswith(prefix) else None


def _is_strange(request: web.Request) -> bool:
    """Return whether an upload is a copy of an object, or framed: clients of a campaign send neither."""
    framed = request.headers.get("x-amz-content-sha256", "").startswith("STREAMING")
    return framed or "x-amz-copy-source" in request.headers


def _entry(shown: str, etag: str, modified: str, size: int) -> str:
    time = datetime.fromisoformat(modified).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return (
        f"<Contents><Key>{shown}</Key><LastModified>{time}</LastModified>"
        f"<ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size></Contents>"
    )


def _etag(content: bytes | int) -> str:
    return md5(content if isinstance(content, bytes) else b"%d" % content, usedforsecurity=False).hexdigest()


def _xml(kind: str, body: str, status: int = 200) -> web.Response:
    space = "" if kind == "Error" else f" {NAMESPACE}"
    text = f'<?xml version="1.0" encoding="UTF-8"?><{kind}{space}>{body}</{kind}>'
    return web.Response(text=text, status=status, content_type="application/xml")


def _error(status: int, code: str) -> web.Response:
    return _xml("Error", f"<Code>{code}</Code><Message>{code}</Message>", status)


async def serve(store: Store, host: str, port: int) -> None:
    """Serve until cancelled."""
    app = web.Application(client_max_size=LARGEST)
    app.router.add_route("*", "/{path:.*}", store.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m demo.store", description=__doc__)
    parser.add_argument("--file", type=Path, required=True, help="keeps the objects")
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=9000)
    options = parser.parse_args()
    asyncio.run(serve(Store(options.file), options.host, options.port))


if __name__ == "__main__":
    main()
