"""The rehearsal's S3 server: the demo's, in memory, with an input of names and sizes.

python -m rehearsal.store --host 127.0.0.1 --port 9000 --fill higgs-demo cms-higgs
"""

import argparse
import asyncio
import json
import posixpath
from collections.abc import Iterable
from itertools import chain

from demo.ports import HOST
from demo.store import Store, serve
from higgsdemo.catalogue import load_catalogue
from rehearsal.names import files

TOGETHER = ".together"
"""The name of an object that is several: a JSON object of their texts by name. A pod's results arrive so."""


class RehearsalStore(Store):
    """The demo's store, to which many small objects can be written at once."""

    def fill(self, bucket: str, objects: Iterable[tuple[str, bytes | int]]) -> None:
        super().fill(bucket, chain.from_iterable(map(_apart, objects)))


def _apart(one: tuple[str, bytes | int]) -> Iterable[tuple[str, bytes | int]]:
    key, content = one
    folder, name = posixpath.split(key)
    if name != TOGETHER or isinstance(content, int):
        return [one]
    return ((f"{folder}/{name}", text.encode()) for name, text in json.loads(content).items())


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.store", description=__doc__)
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--fill", nargs=2, action="append", default=[], metavar=("BUCKET", "CATALOGUE"))
    options = parser.parse_args()
    store = RehearsalStore(":memory:")
    for bucket, catalogue in options.fill:
        store.fill(bucket, files(load_catalogue(catalogue)))
    asyncio.run(serve(store, options.host, options.port))


if __name__ == "__main__":
    main()
