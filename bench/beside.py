"""Stage shards in beside a command that works on them, against one after the other.

A web server on this machine takes as long to send a file as the command takes for it. Both wait instead of
working, so that a busy machine does not decide. This project's way is a pod as its manifest has it: the
sidecar, and the shell of the command's container, as two processes from their start to the last result. The
other is the usual script, which downloads, runs and uploads one file after the other.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.measure import BenchError
from bench.report import Report, Say, number, table

PARTS = 20  # in which a file is sent
CONTENT = bytes(1 << 20)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--shards", type=int, default=20, help="files, all in one pod")
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="of each file's stage-in, and of its command"
    )


def run(options: argparse.Namespace, say: Say) -> Report:
    """Work on the same files in both ways."""
    line = f'cp "$INPUT_FILE" "$OUTPUT_DIR/copy"; sleep {options.seconds}'
    found = table("Shards", "shards", "stage-in s", "command s", "seconds")
    took = []
    with slow_server(options.seconds) as url:
        shards = [{"name": f"s{n}", "url": f"{url}/{n}", "size": len(CONTENT)} for n in range(options.shards)]
        for name, way in (("beside each other", _beside), ("one after the other", _in_turn)):
            say(f"{name.capitalize()} ...")
            folder = options.folder / way.__name__
            (folder / "input").mkdir(parents=True)
            began = time.perf_counter()
            way(folder, shards, line)
            took.append(time.perf_counter() - began)
            if len(list((folder / "files").glob("*/copy"))) != options.shards:
                raise BenchError(f"{name}: not every shard has left its file")
            each = number(options.seconds)
            found.add_row(name, str(options.shards), each, each, number(took[-1]))
    finding = f"Beside each other takes {took[0] / took[1]:.2f} of the time of one after the other."
    return Report(__doc__.partition("\n")[2], found, (finding,), packages=("obstore",))


@contextmanager
def slow_server(seconds: float) -> Iterator[str]:
    """Serve a file below any path that takes so long to come; give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            size = len(CONTENT) // PARTS
            for start in range(0, len(CONTENT), size):
                time.sleep(seconds / PARTS)
                self.wfile.write(CONTENT[start : start + size])

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _beside(folder: Path, shards: list[dict[str, object]], line: str) -> None:
    """Run the two containers of a pod as processes."""
    from higgsdemo.kubernetes.beside import SCRIPT

    work = folder / "work"
    work.mkdir()
    (folder / "manifest.jsonl").write_text(json.dumps({"shards": shards}))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ["PYTHONPATH"],
        "SHARD_MANIFEST": str(folder / "manifest.jsonl"),
        "JOB_COMPLETION_INDEX": "0",
        "INPUT_DIR": str(folder / "input"),
        "OUTPUT_URL": (folder / "results").as_uri(),
        "DATASET": "bench",
        "WORK_DIR": str(work),
        "PUBLISH": json.dumps(
            {"workload": "command/1", "files_url": (folder / "files").as_uri(), "outputs": ["*"]}
        ),
    }
    command = [sys.executable, "-m", "workload", "beside"]
    sidecar = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        subprocess.run(["/bin/sh", "-c", SCRIPT, "sh", "/bin/sh", "-c", line], env=environment, check=True)
    finally:
        sidecar.kill()
        sidecar.wait()


def _in_turn(folder: Path, shards: list[dict[str, object]], line: str) -> None:
    """Work on one file after the other."""
    from workload.manifest import Shard
    from workload.stage_in import stage_in
    from workload.storage import upload

    local, output = folder / "input/file", folder / "output"
    output.mkdir()
    for shard in shards:
        stage_in(Shard(str(shard["name"]), str(shard["url"]), None, None), local)
        environment = os.environ | {"INPUT_FILE": str(local), "OUTPUT_DIR": str(output)}
        subprocess.run(["/bin/sh", "-c", line], env=environment, check=True)
        with (output / "copy").open("rb") as copy:
            upload((folder / "files" / str(shard["name"]) / "copy").as_uri(), copy, len(CONTENT))
