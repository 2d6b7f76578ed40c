"""An Airflow that answers as a test says: what the command asks of it, over HTTP, with a login."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from watched_runs import DONE

RUN = {"run_id": "one", "state": "success", "started": 1.0, "ended": 10.0}
CAMPAIGNS = [
    {"dag_id": "mine", "title": "Mine", "runs": [RUN]},
    {"dag_id": "theirs", "title": "Theirs", "runs": []},
]
FILES = ["higgs.png", "summary.json"]
STATE = DONE | {"output": "s3://results/mine/one", "files": FILES}
STATE["run"] = STATE["run"] | {"name": "keynote"}
STATE["reading"] = STATE["reading"] | {"complete": True}


class AirflowStandIn(BaseHTTPRequestHandler):
    """Answers by path; a number is a status. What runs were triggered with is in `triggered`.

    `lost` are statuses that the next triggers get for an answer.
    """

    answers: dict[str, Any]
    triggered: list[dict[str, Any]]
    lost: list[int]
    token: bytes | None = None

    def do_GET(self) -> None:
        self._answer(self.answers.get(urlsplit(self.path).path, 404))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/auth/token":
            right = body == {"username": "somebody", "password": "secret"}
            self._answer((self.token or {"access_token": "token"}) if right else 401)
        elif self.headers["Authorization"] != "Bearer token":
            self._answer(401)
        else:
            self.triggered.append(body)
            self._answer(self.lost.pop() if self.lost else {})

    def _answer(self, content: Any) -> None:
        status = content if isinstance(content, int) else 200
        body = (
            content
            if isinstance(content, bytes)
            else json.dumps({"detail": "no"} if status != 200 else content).encode()
        )
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(content, bytes) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def airflow_stand_in(**answers: Any) -> Iterator[tuple[str, type[AirflowStandIn]]]:
    """Where it listens, and what it was asked; `answers` are by the last parts of a path."""
    known = {
        "/api/v2/dags/mine": {"is_paused": False},
        "/api/v2/dags/mine/dagRuns/one": {"conf": {"storage": {"output": "s3://mine"}, "max_shards": 2}},
        "/api/v2/importErrors": {"import_errors": []},
        "/higgs/api/campaigns": CAMPAIGNS,
        "/higgs/api/campaign": CAMPAIGNS[0],
        "/higgs/api/run": STATE,
    }
    kind = type("Asked", (AirflowStandIn,), {"answers": known | answers, "triggered": [], "lost": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", kind
    server.shutdown()
    thread.join()
    server.server_close()
