"""A fast S3 server in memory for rehearsals, with as much of S3 as a campaign uses.

moto, the demo's, takes 2.4 ms of a core to write an object and as much to read it: two minutes for the 26,920
results of the full campaign. And a rehearsal's input has names and sizes, but no content.

    python -m rehearsal.store --host 127.0.0.1 --port 9000 --fill higgs-demo cms-higgs
"""

import argparse
import asyncio
from bisect import bisect_left, insort
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import md5
from itertools import count
from urllib.parse import quote
from xml.etree.ElementTree import fromstring
from xml.sax.saxutils import escape

from aiohttp import web

from higgsdemo.catalogue import load_catalogue
from rehearsal.names import files

PAGE = 1000  # keys
LARGEST = 1 << 30  # bytes of a request
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


@dataclass(frozen=True, slots=True)
class Stored:
    """One object; content is None where only its name and size are known."""

    size: int
    content: bytes | None
    etag: str
    modified: datetime


@dataclass
class Bucket:
    """The objects of a bucket, and their keys in order."""

    objects: dict[str, Stored] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)

    def put(self, key: str, stored: Stored) -> None:
        """Store an object in place of an earlier one of that key."""
        if key not in self.objects:
            insort(self.keys, key)
        self.objects[key] = stored

    def remove(self, key: str) -> None:
        """Remove an object, if it exists."""
        if self.objects.pop(key, None):
            del self.keys[bisect_left(self.keys, key)]

    def write(self, key: str, content: bytes) -> str:
        """Store an object with that content, and return its ETag."""
        etag = _etag(content)
        self.put(key, Stored(len(content), content, etag, datetime.now(UTC)))
        return etag


class Store:
    """The buckets; one exists as soon as somebody creates it or writes to it."""

    def __init__(self) -> None:
        self.buckets: dict[str, Bucket] = {}
        self._uploads: dict[str, dict[int, bytes]] = defaultdict(dict)
        self._numbers = count(1)

    def fill(self, bucket: str, catalogue: str, times: int = 1) -> None:
        """Add `times` as many files as a catalogue lists to a bucket, without content."""
        now = datetime.now(UTC)
        objects = {
            key: Stored(size, None, f'"{md5(key.encode(), usedforsecurity=False).hexdigest()}"', now)
            for key, size in files(load_catalogue(catalogue), times)
        }
        self.buckets[bucket] = Bucket(objects, sorted(objects))

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        name, _, key = request.path.lstrip("/").partition("/")
        if not name:
            return _xml("<ListAllMyBucketsResult/>")
        bucket = self.buckets.get(name)
        if bucket is None and request.method == "PUT" and not key:
            self.buckets[name] = Bucket()
            return web.Response()
        if bucket is None:
            return _error(404, "NoSuchBucket")
        asked = (request.method, bool(key))
        if asked in (("PUT", True), ("POST", True)):
            return await (self._put if request.method == "PUT" else self._multipart)(request, bucket, key)
        if asked == ("DELETE", True) or (asked == ("POST", False) and "delete" in request.query):
            return await self._delete(request, bucket, key)
        if asked in (("GET", True), ("HEAD", True)):
            return _get(request, bucket, key)
        if asked == ("GET", False):
            return _list(request, bucket)
        return web.Response() if asked in (("PUT", False), ("HEAD", False)) else _error(501, "NotImplemented")

    async def _put(self, request: web.Request, bucket: Bucket, key: str) -> web.Response:
        content = await request.read()
        if upload := request.query.get("uploadId"):
            self._uploads[upload][int(request.query["partNumber"])] = content
            return web.Response(headers={"ETag": _etag(content)})
        return web.Response(headers={"ETag": bucket.write(key, content)})

    async def _multipart(self, request: web.Request, bucket: Bucket, key: str) -> web.Response:
        if "uploads" in request.query:
            number = next(self._numbers)
            body = f"<UploadId>{number}</UploadId><Key>{escape(key)}</Key><Bucket>b</Bucket>"
            return _xml(f"<InitiateMultipartUploadResult {NAMESPACE}>{body}</InitiateMultipartUploadResult>")
        parts = self._uploads.pop(request.query["uploadId"], {})
        etag = bucket.write(key, b"".join(parts[number] for number in sorted(parts)))
        body = f"<Key>{escape(key)}</Key><ETag>{escape(etag)}</ETag>"
        return _xml(f"<CompleteMultipartUploadResult {NAMESPACE}>{body}</CompleteMultipartUploadResult>")

    async def _delete(self, request: web.Request, bucket: Bucket, key: str) -> web.Response:
        if upload := request.query.get("uploadId"):
            self._uploads.pop(upload, None)
        elif key:
            bucket.remove(key)
        else:
            keys = [found.text or "" for found in fromstring(await request.read()).iterfind(".//{*}Key")]
            for key in keys:
                bucket.remove(key)
            deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
            return _xml(f"<DeleteResult {NAMESPACE}>{deleted}</DeleteResult>")
        return web.Response(status=204)


def _get(request: web.Request, bucket: Bucket, key: str) -> web.Response:
    """Answer with a whole object; one with only a size has no content to give."""
    stored = bucket.objects.get(key)
    if stored is None:
        return _error(404, "NoSuchKey")
    headers = {"ETag": stored.etag, "Last-Modified": format_datetime(stored.modified, usegmt=True)}
    if request.method == "HEAD":
        return web.Response(headers=headers | {"Content-Length": str(stored.size)})
    if stored.content is None:
        return _error(403, "AccessDenied")  # 403 is final for clients; a 5xx they repeat for minutes
    return web.Response(headers=headers, body=stored.content)


def _list(request: web.Request, bucket: Bucket) -> web.Response:
    """Answer a page of ListObjectsV2; the continuation token is the last key, or the last folder's end."""
    asked = request.query
    prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
    after = asked.get("continuation-token") or asked.get("start-after", "")
    most = min(int(asked.get("max-keys", PAGE)), PAGE)
    encoding = asked.get("encoding-type", "")
    shown = quote if encoding == "url" else escape
    place = bisect_left(bucket.keys, max(prefix, after + "\0" if after else ""))
    found: list[str] = []
    last = ""
    while place < len(bucket.keys) and (key := bucket.keys[place]).startswith(prefix) and len(found) < most:
        inside, _, below = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        if below or (delimiter and key.endswith(delimiter)):
            folder = f"{prefix}{inside}{delimiter}"
            found.append(f"<CommonPrefixes><Prefix>{shown(folder)}</Prefix></CommonPrefixes>")
            last = folder + "\U0010ffff"
            place = bisect_left(bucket.keys, last)
        else:
            found.append(_entry(shown(key), bucket.objects[key]))
            last, place = key, place + 1
    more = bool(most) and place < len(bucket.keys) and bucket.keys[place].startswith(prefix)
    token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
    said = f"<EncodingType>{encoding}</EncodingType>" if encoding else ""
    truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated><KeyCount>{len(found)}</KeyCount>"
    return _xml(f"<ListBucketResult {NAMESPACE}>{said}{truncated}{token}{''.join(found)}</ListBucketResult>")


def _entry(shown: str, stored: Stored) -> str:
    modified = stored.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return (
        f"<Contents><Key>{shown}</Key><LastModified>{modified}</LastModified>"
        f"<ETag>{escape(stored.etag)}</ETag><Size>{stored.size}</Size></Contents>"
    )


def _etag(content: bytes) -> str:
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'


def _xml(body: str, status: int = 200) -> web.Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>{body}'
    return web.Response(text=text, status=status, content_type="application/xml")


def _error(status: int, code: str) -> web.Response:
    return _xml(f"<Error><Code>{code}</Code><Message>{code}</Message></Error>", status)


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
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.store", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--fill", nargs=2, action="append", default=[], metavar=("BUCKET", "CATALOGUE"))
    parser.add_argument("--times", type=int, default=1, help="so many times the files of the catalogue")
    options = parser.parse_args()
    store = Store()
    for bucket, catalogue in options.fill:
        store.fill(bucket, catalogue, options.times)
    asyncio.run(serve(store, options.host, options.port))


if __name__ == "__main__":
    main()
