"""Amazon's APIs on a local port: moto's, with an EKS that takes its time and whose clusters are real ones.

moto serves EKS, S3, IAM and EC2 over HTTP and checks requests as Amazon does, but its clusters are active at
once and have an address that leads nowhere. Here a cluster and a node group stay ``CREATING`` and
``DELETING`` for some polls, can fail, and have nodes: those of a localkube cluster behind the gate.
"""

import json
import logging
import sys
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx
from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from clouds.gate import Gate

REGION = "eu-west-1"
KEY = "AKIATESTSOFTHECLOUDS"
SECRET = "the-secret-access-key-of-these-tests"


@cache
def _moto() -> DomainDispatcherApplication:
    return DomainDispatcherApplication(create_backend_app)


class Amazon:
    """The server, what has been asked of it, and what it is to do wrong."""

    def __init__(self, gate: Gate, polls: int = 2, token_seconds: float = 900.0) -> None:
        """Let a thing be seen creating or deleting `polls` times before it is there or gone."""
        self.gate = gate
        self.polls = polls
        self.token_seconds = token_seconds
        self.requests: list[tuple[str, str, Any]] = []
        self.faults: list[tuple[int, str]] = []
        """Status and error of the next answers, instead of an answer."""
        self.hidden = ""
        """Path of what the account may not see."""
        self.broken: dict[str, str] = {}
        """Path of what is made next and fails, and why."""
        self._doing: dict[str, tuple[str, int]] = {}
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._moto = _moto()
        self._server = make_server(
            "127.0.0.1",
            0,
            Request.application(self._answer),
            threaded=True,
            request_handler=MotoRequestHandler,
        )
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        httpx.post(f"{self.url}/moto-api/reset", timeout=60).raise_for_status()  # what earlier tests made

    def stop(self) -> None:
        for name in list(self.gate.clusters):
            self.gate.close(name)
        self._server.shutdown()
        self._thread.join()

    def connection(self) -> str:
        """Return the Airflow connection to it."""
        retries = {"retries": {"max_attempts": 0}}
        extra = {"endpoint_url": self.url, "region_name": REGION, "config_kwargs": retries}
        return json.dumps({"conn_type": "aws", "login": KEY, "password": SECRET, "extra": extra})

    def client(self, service: str) -> Any:
        """Return a client of one of its services."""
        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **keys)

    def asked(self, method: str) -> list[tuple[str, Any]]:
        """Paths and bodies of the requests to EKS of one HTTP method, in their order."""
        return [(path, body) for verb, path, body in self.requests if verb == method]

    def update(self, path: str) -> None:
        """Begin an update of a cluster or of a node group, which is busy for some polls."""
        self._doing[path] = ("UPDATING", self.polls + 6)

    def degrade(self, path: str) -> None:
        """Let a node group get no more nodes, for good."""
        self._doing[path] = ("DEGRADED", sys.maxsize)

    def takes(self, cluster: str) -> Callable[[str], bool]:
        """Whether a token is good for a cluster: signed by our key, for this cluster, and not too old."""

        def good(token: str) -> bool:
            if not token.startswith("k8s-aws-v1."):
                return False
            encoded = token.removeprefix("k8s-aws-v1.")
            url = urlsplit(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            signed = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return (
                url.hostname == f"sts.{REGION}.amazonaws.com"
                and query["Action"] == "GetCallerIdentity"
                and query["X-Amz-Credential"].startswith(f"{KEY}/")
                and "x-k8s-aws-id" in query["X-Amz-SignedHeaders"].split(";")
                and time.time() - signed.timestamp() < self.token_seconds
            )

        return good

    def _answer(self, request: Request) -> Response:
        parts = request.path.strip("/").split("/")
        if parts[0] != "clusters" or "/s3/" in request.headers.get("Authorization", ""):
            return self._ask_moto(request)
        self.requests.append((request.method, request.path, request.get_json(silent=True)))
        if self.faults or request.path == self.hidden:
            status, error = self.faults.pop(0) if self.faults else (403, "AccessDeniedException")
            message = json.dumps({"message": f"{error}, as the test wants it"})
            return Response(message, status, {"x-amzn-ErrorType": error}, content_type="application/json")
        if request.method == "DELETE":
            return self._begin_delete(request)
        if request.method == "GET" and self._ends_now(request.path):
            self._ask_moto_to_delete(request)
        response = self._ask_moto(request)
        document = response.get_json()
        if request.method == "POST" and response.status_code == 200 and len(parts) in (1, 3):
            name = next(iter(document.values()))["nodegroupName" if len(parts) == 3 else "name"]
            path = f"{request.path}/{name}"
            self._doing[path] = ("CREATING", self.polls)
            self._describe(path, document)
        elif request.method == "GET" and response.status_code == 200 and len(parts) in (2, 4):
            self._describe(request.path, document)
            status, left = self._doing.get(request.path, ("", 0))
            self._doing[request.path] = (status, max(left - 1, 0))
        response.set_data(json.dumps(document))
        return response

    def _describe(self, path: str, document: dict[str, Any]) -> None:
        """Give moto's description the status that a real one had by now, a cluster its address and nodes."""
        ((kind, thing),) = document.items()
        status, left = self._doing.get(path, ("", 0))
        if left:
            thing["status"] = status
        elif path in self.broken:
            thing["status"] = "FAILED" if kind == "cluster" else "CREATE_FAILED"
            thing["health"] = {"issues": [{"code": "Broken", "message": self.broken[path]}]}
        active = thing["status"] in ("ACTIVE", "UPDATING")
        if kind == "cluster" and active:
            thing["endpoint"] = f"https://127.0.0.1:{self.gate.port}/{thing['name']}"
            thing["certificateAuthority"]["data"] = self.gate.certificate
        elif kind == "cluster":
            del thing["endpoint"], thing["certificateAuthority"]
        elif active and thing["clusterName"] not in self.gate.clusters:
            name, size = thing["clusterName"], thing["scalingConfig"]["desiredSize"]
            self.gate.open(name, size, self.takes(name))

    def _begin_delete(self, request: Request) -> Response:
        """Answer as moto would, but leave the thing there, deleting, for some polls."""
        path = request.path
        description = self._ask_moto(request, method="GET")
        if description.status_code != 200:
            return description
        whole = path.partition("/node-groups/")[0]
        if any(status == "UPDATING" and left for status, left in map(self._state, {path, whole})):
            message = json.dumps({"message": "Update is in progress"})
            return Response(message, 409, {"x-amzn-ErrorType": "ResourceInUseException"})
        if (
            path.count("/") == 2
            and self._ask_moto(request, path=f"{path}/node-groups").get_json()["nodegroups"]
        ):
            return self._ask_moto(request)  # which refuses to
        self.broken.pop(path, None)
        self._doing[path] = ("DELETING", self.polls)
        document = description.get_json()
        (document.get("nodegroup") or document["cluster"])["status"] = "DELETING"
        description.set_data(json.dumps(document))
        return description

    def _state(self, path: str) -> tuple[str, int]:
        return self._doing.get(path, ("", 0))

    def _ends_now(self, path: str) -> bool:
        return self._doing.get(path) == ("DELETING", 0)

    def _ask_moto_to_delete(self, request: Request) -> None:
        self._ask_moto(request, method="DELETE")
        del self._doing[request.path]
        if request.path.count("/") == 2:
            self.gate.close(request.path.rpartition("/")[2])

    def _ask_moto(self, request: Request, method: str = "", path: str = "") -> Response:
        environ = dict(request.environ)
        if request.path.startswith("/clusters"):  # whose body has been read
            environ["wsgi.input"] = BytesIO(request.get_data())
        if method or path:
            environ |= {"REQUEST_METHOD": method or "GET", "PATH_INFO": path or request.path}
            environ |= {"RAW_URI": path or request.path, "REQUEST_URI": path or request.path}
        return Response.from_app(self._moto, environ)


def paths(requests: Iterable[tuple[str, Any]]) -> list[str]:
    """Return the paths alone."""
    return [path for path, _ in requests]
