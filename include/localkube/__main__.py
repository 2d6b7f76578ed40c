"""The command: `python -m localkube serve --state DIR --port 7443 --images images.json`."""

import argparse
import asyncio
import fcntl
import gc
import logging
import os
import secrets
import signal
import sqlite3
import sys
import time
from pathlib import Path

from localkube.api.server import Server
from localkube.cluster import Clusters
from localkube.node.images import ImageFileError, Images
from localkube.node.process import Reaper
from localkube.node.runtime import Machine
from localkube.objects.database import Database
from localkube.pki import server_context, write_private

log = logging.getLogger("localkube")
_PATIENCE = 3.0  # seconds to wait for the reaper of a server that was killed just before


class StartError(Exception):
    """The server cannot start; the message says why and what to do."""


def main() -> int:
    """Serve until told to stop; return 1 when the server could not start."""
    options = _options()
    gc.set_threshold(10_000, 20, 1_000)  # objects have no cycles, and a search of all of them takes seconds
    logging.basicConfig(
        level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    try:
        asyncio.run(_serve(options.state.resolve(), options.port, options.images, options.backoff))
    except (StartError, ImageFileError) as error:
        print(f"localkube: {error}", file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="localkube", description="A Kubernetes for one machine.")
    serve = parser.add_subparsers(dest="command", required=True).add_parser(
        "serve", help="serve the clusters of a state directory until SIGTERM or SIGINT"
    )
    option = serve.add_argument
    option("--state", type=Path, required=True, help="directory for certificates, tokens, objects and pods")
    ports, text = range(1, 65536), "port on 127.0.0.1 (default 7443)"
    option("--port", type=int, default=7443, choices=ports, metavar="1..65535", help=text)
    option("--images", type=Path, help="JSON file: image name -> OCI image configuration")
    text = "first delay before a failed pod or container is tried again (default 10, as Kubernetes)"
    option("--backoff", type=float, default=10.0, metavar="SECONDS", help=text)
    option("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return parser.parse_args()


async def _serve(state: Path, port: int, images: Path | None, backoff: float) -> None:
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock, known = _lock(state), Images(images)
    tls = server_context(state)
    try:
        database = Database(state / "localkube.db")
    except sqlite3.Error as error:
        raise StartError(f"{state / 'localkube.db'}: {error}") from None
    authority = (state / "ca.crt").read_text()
    machine = Machine(state / "clusters", known, Reaper(lock), port, authority, backoff)
    clusters = Clusters(state, machine, database)
    token = state / "admin.token"
    if not token.exists():
        write_private(token, secrets.token_urlsafe(32).encode())
    server = Server(clusters, token.read_text().strip())
    try:
        await server.listen(port, tls)
    except OSError as error:
        advice = "is another server using it? Choose another with --port"
        raise StartError(f"cannot listen on 127.0.0.1:{port}: {error.strerror}; {advice}") from None
    clusters.restore()
    log.info("serving %s on https://127.0.0.1:%d", state, port)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    clusters.stop()
    await server.close()
    database.close()


def _lock(state: Path) -> int:
    """Lock the state directory; the reaper does too, so nothing starts before it has killed all."""
    descriptor = os.open(state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > deadline:
                advice = "stop it or choose another --state"
                raise StartError(f"another localkube serves {state}; {advice}") from None
            time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
