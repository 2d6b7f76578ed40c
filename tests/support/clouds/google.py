"""Google's ClusterManager on a local port: gRPC over TLS, Google's messages, operations that take time.

Nobody ships a server of it, so this one keeps clusters and operations as Google documents them: a cluster
is busy while an operation works on it and refuses another one, what is made by a failed operation stays in
``ERROR``, and every call needs a token of the service account that has not ended. The nodes are those of a
localkube cluster behind the gate.
"""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import grpc
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt
from google.cloud import container_v1 as gke

from clouds.gate import Gate
from loop_server import LoopServer

PROJECT = "cms-open-data"
ACCOUNT = f"campaign@{PROJECT}.iam.gserviceaccount.com"
Context = grpc.ServicerContext
Running = gke.Operation.Status.RUNNING


@cache
def _account_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Tokens(LoopServer):
    """The token server of Google's accounts: gives access tokens to who signs with the account's key."""

    def __init__(self) -> None:
        self.seconds = 3600.0
        self.given: dict[str, float] = {}
        self._key = _account_key()
        pem = serialization.PublicFormat.SubjectPublicKeyInfo
        self._public = self._key.public_key().public_bytes(serialization.Encoding.PEM, pem)
        super().__init__()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Give a token."""
        asked = await request.post()
        return web.json_response(self._give(str(asked["assertion"])))

    def key_file(self) -> dict[str, str]:
        """Return the service account's key as Google hands it out."""
        private = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "the-key-of-these-tests",
            "private_key": private.decode(),
            "client_email": ACCOUNT,
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        }

    def good(self, token: str) -> bool:
        """Whether a token was given by us and has not ended, or is signed by the account itself."""
        if token in self.given:
            return time.time() < self.given[token]
        try:
            return bool(jwt.decode(token, certs=self._public)["iss"] == ACCOUNT)
        except ValueError:
            return False

    def _give(self, assertion: str) -> dict[str, Any]:
        jwt.decode(assertion, certs=self._public)  # raises ValueError unless signed with the key
        token = f"ya29.{len(self.given)}-{time.time_ns()}"
        self.given[token] = time.time() + self.seconds
        return {"access_token": token, "expires_in": int(self.seconds), "token_type": "Bearer"}


class Google:
    """The server, what has been asked of it, and what it is to do wrong."""

    def __init__(self, gate: Gate, state: Path, tokens: Tokens, polls: int = 2) -> None:
        """Let an operation be looked at `polls` times before it is done."""
        self.gate = gate
        self.polls = polls
        self.tokens = tokens
        self.created: list[gke.Cluster] = []
        self.deleted: list[str] = []
        self.faults: list[grpc.StatusCode] = []
        """How the next calls fail, instead of being answered."""
        self.failures: list[str] = []
        """Why the next operations fail in the end."""
        self.held = ""
        """Why nothing can be deleted."""
        self.clusters: dict[str, gke.Cluster] = {}
        self.operations: list[gke.Operation] = []
        self._left: dict[str, int] = {}
        self._lock = threading.RLock()
        identity = ((state / "server.key").read_bytes(), (state / "server.crt").read_bytes())
        self._server = grpc.server(ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers((self._handlers(),))
        port = self._server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([identity]))
        self.endpoint = f"127.0.0.1:{port}"
        self._server.start()

    def stop(self) -> None:
        for name in list(self.gate.clusters):
            self.gate.close(name)
        self._server.stop(None).wait()

    def connection(self) -> str:
        """Return the Airflow connection to it."""
        extra = {
            "keyfile_dict": self.tokens.key_file(),
            "gke_api_endpoint": self.endpoint,
            "project": PROJECT,
        }
        return json.dumps({"conn_type": "google_cloud_platform", "extra": extra})

    def upgrade(self, name: str, status: gke.Cluster.Status, nodes: str = "") -> None:
        """Begin an upgrade of a cluster, or of a pool of its ``nodes``, which is busy for some polls."""
        self.clusters[name].status = status
        operation = self._begin(name, gke.Operation.Type.UPGRADE_NODES)
        operation.target_link += nodes and f"/nodePools/{nodes}"

    def _handlers(self) -> grpc.GenericRpcHandler:
        methods = {
            "CreateCluster": (self._create, gke.CreateClusterRequest, gke.Operation),
            "GetCluster": (self._get, gke.GetClusterRequest, gke.Cluster),
            "DeleteCluster": (self._delete, gke.DeleteClusterRequest, gke.Operation),
            "ListOperations": (self._list_operations, gke.ListOperationsRequest, gke.ListOperationsResponse),
        }
        return grpc.method_handlers_generic_handler(
            "google.container.v1.ClusterManager",
            {
                name: grpc.unary_unary_rpc_method_handler(
                    self._checked(method),
                    request_deserializer=request.deserialize,
                    response_serializer=response.serialize,
                )
                for name, (method, request, response) in methods.items()
            },
        )

    def _checked(self, method: Callable[[Any, Context], Any]) -> Callable[[Any, Context], Any]:
        def call(request: Any, context: Context) -> Any:
            token = dict(context.invocation_metadata()).get("authorization", "").removeprefix("Bearer ")
            if not self.tokens.good(token):
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is none of ours, or has ended")
            with self._lock:
                if self.faults:
                    fault = self.faults.pop(0)
                    context.abort(fault, f"{fault.name}, as the test wants it")
                return method(request, context)

        return call

    def _create(self, request: gke.CreateClusterRequest, context: Context) -> gke.Operation:
        cluster = gke.Cluster(request.cluster)
        name = f"{request.parent}/clusters/{cluster.name}"
        if name in self.clusters:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"Already exists: {name}.")
        self.created.append(gke.Cluster(cluster))
        cluster.status = gke.Cluster.Status.PROVISIONING
        cluster.location = request.parent.rpartition("/")[2]
        self.clusters[name] = cluster
        return self._begin(name, gke.Operation.Type.CREATE_CLUSTER)

    def _get(self, request: gke.GetClusterRequest, context: Context) -> gke.Cluster:
        self._go_on(request.name)
        if request.name not in self.clusters:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Not found: {request.name}.")
        return self.clusters[request.name]

    def _delete(self, request: gke.DeleteClusterRequest, context: Context) -> gke.Operation:
        if request.name not in self.clusters:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Not found: {request.name}.")
        busy = "Cluster is running incompatible operation" if request.name in self._left else self.held
        if busy:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, busy)
        self.deleted.append(request.name)
        self.clusters[request.name].status = gke.Cluster.Status.STOPPING
        return self._begin(request.name, gke.Operation.Type.DELETE_CLUSTER)

    def _list_operations(
        self, request: gke.ListOperationsRequest, context: Context
    ) -> gke.ListOperationsResponse:
        return gke.ListOperationsResponse(operations=self.operations)

    def _begin(self, name: str, kind: gke.Operation.Type) -> gke.Operation:
        operation = gke.Operation(
            name=f"operation-{len(self.operations)}",
            operation_type=kind,
            status=Running,
            detail="working on it",
            target_link=f"https://container.googleapis.com/v1/{name}",
            start_time=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        )
        self.operations.append(operation)
        self._left[name] = self.polls
        return operation

    def _go_on(self, name: str) -> None:
        """Let the operation on a cluster come nearer to its end."""
        if name not in self._left:
            return
        self._left[name] -= 1
        if self._left[name] >= 0:
            return
        del self._left[name]
        operation = next(one for one in reversed(self.operations) if f"{name}/" in f"{one.target_link}/")
        operation.status = gke.Operation.Status.DONE
        if self.failures:
            operation.error.code, operation.error.message = 8, self.failures.pop(0)
            self.clusters[name].status = gke.Cluster.Status.ERROR
        elif operation.operation_type == gke.Operation.Type.CREATE_CLUSTER:
            self._give_nodes(self.clusters[name])
        elif operation.operation_type == gke.Operation.Type.DELETE_CLUSTER:
            self.gate.close(self.clusters.pop(name).name)
        else:
            self.clusters[name].status = gke.Cluster.Status.RUNNING

    def _give_nodes(self, cluster: gke.Cluster) -> None:
        nodes = cluster.node_pools[0].initial_node_count
        cluster.endpoint = self.gate.open(cluster.name, nodes, self.tokens.good)
        cluster.master_auth.cluster_ca_certificate = self.gate.certificate
        cluster.status = gke.Cluster.Status.RUNNING
