"""The rehearsal's S3 server: the demo's, in memory, with an input of names and sizes.

python -m rehearsal.store --host 127.0.0.1 --port 9000 --fill higgs-demo cms-higgs
"""

import argparse
import asyncio

from demo.ports import HOST
from demo.store import Store, serve
from higgsdemo.catalogue import load_catalogue
from rehearsal.names import files


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.store", description=__doc__)
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--fill", nargs=2, action="append", default=[], metavar=("BUCKET", "CATALOGUE"))
    parser.add_argument("--times", type=int, default=1, help="so many times the files of the catalogue")
    options = parser.parse_args()
    store = Store(":memory:")
    for bucket, catalogue in options.fill:
        store.fill(bucket, files(load_catalogue(catalogue), options.times))
    asyncio.run(serve(store, options.host, options.port))


if __name__ == "__main__":
    main()
