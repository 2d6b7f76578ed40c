"""An Airflow that answers as a test says: what the command asks of it, over HTTP, with a login."""

from typing import Any

from aiohttp import web

from loop_server import LoopServer
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


class AirflowStandIn(LoopServer):
    """Answers by path; a number is a status, a text the address that a redirect leads to.

    What runs were triggered with is in `triggered`.

    `lost` are statuses that the next triggers get for an answer.
    """

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {
            "/api/v2/dags/mine": {"is_paused": False},
            "/api/v2/dags/mine/dagRuns/one": {"conf": {"storage": {"output": "s3://mine"}, "max_shards": 2}},
            "/api/v2/importErrors": {"import_errors": []},
            "/higgs/api/campaigns": CAMPAIGNS,
            "/higgs/api/campaign": CAMPAIGNS[0],
            "/higgs/api/run": STATE,
        } | answers
        self.triggered: list[dict[str, Any]] = []
        self.lost: list[int] = []
        self.token: Any = {"access_token": "token"}
        super().__init__()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a read, a login or a trigger."""
        if request.method == "GET":
            return _told(self.answers.get(request.path, 404))
        body = await request.json()
        if request.path == "/auth/token":
            return _told(self.token if body == {"username": "somebody", "password": "secret"} else 401)
        if request.headers.get("Authorization") != "Bearer token":
            return _told(401)
        self.triggered.append(body)
        return _told(self.lost.pop() if self.lost else {})


def _told(content: Any) -> web.Response:
    if isinstance(content, bytes):
        return web.Response(body=content, content_type="text/html")
    if isinstance(content, str):
        return web.Response(status=308, headers={"Location": content})
    if isinstance(content, int):
        return web.json_response({"detail": "no"}, status=content)
    return web.json_response(content)
