"""Index files: lists of the files of a dataset, a line each, beside the catalogues or in a bucket."""

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path

from higgsdemo.campaign.values import source_url
from higgsdemo.catalogue import DATASETS_DIR
from higgsdemo.wording import quote

INDEX_SUFFIX = "_file_index.txt"


class DatasetError(ValueError):
    """A dataset or its index file is wrong; the text continues a sentence that names the dataset."""


def read_index(index: str, root: Path = DATASETS_DIR) -> list[str]:
    """Return the URLs in the index file `root/index`, one per line as `s3/<bucket>/<key>`.

    :raises DatasetError: naming file and line, for another path or a repeated one.
    """
    path = root / index
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"names an index file that cannot be read: {path}: {error}") from None
    return parse_index(content, str(path))


def parse_index(content: bytes, path: str) -> list[str]:
    """Return the URLs in the index file `path` with this content; raise DatasetError as `read_index` does."""
    try:
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DatasetError(f"names an index file that cannot be read: {path}: {error}") from None
    urls: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"names an index file with a mistake: {path}, line {number}"
        url = re.sub("^(s3|gs)/(?!/)", r"\1://", line.strip())
        try:
            url = source_url(url)
        except ValueError as error:
            raise DatasetError(
                f"{where}: {quote(line)} must be <scheme>/<bucket>/<key> with the scheme s3 or gs, or a URL"
                + (f": {error}" if str(error) else "")
            ) from None
        if not path_of(url):
            raise DatasetError(f"{where}: {quote(line)} names a bucket and no key")
        if url in urls:
            raise DatasetError(f"{where}: the same file is already in line {urls[url]}")
        urls[url] = number
    if not urls:
        raise DatasetError(f"names an index file without a line: {path}")
    return list(urls)


def common_prefix(urls: Iterable[str]) -> str:
    """Return the deepest prefix that all of `urls` are below; they must be in one bucket."""
    stores = {store_of(url) for url in urls}
    if len(stores) > 1:
        raise DatasetError(
            f"names an index file whose files lie in several buckets: {', '.join(sorted(stores))}"
        )
    store = stores.pop().removesuffix("/")
    path = posixpath.commonpath([posixpath.dirname(path_of(url)) for url in urls])
    return f"{source_url(f'{store}/{path}').removesuffix('/')}/"


def store_of(url: str) -> str:
    """Return the bucket or server of a URL, as a URL that `source_url` gives."""
    return source_url("/".join(url.split("/")[:3]))


def path_of(url: str) -> str:
    """Return the key, or the path on a server, without slashes at its ends."""
    return url.partition("://")[2].partition("/")[2].strip("/")
