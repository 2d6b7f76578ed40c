"""A cluster's API that lets its user do what a Role allows, and nothing else."""

from pathlib import Path
from typing import Any

from aiohttp import web

from clouds.gate import Gate
from deploy.role import Right, right_for
from localkube_server import Server

TOKEN = "a-token-of-the-account"
ACCOUNT = "system:serviceaccount:higgs:airflow"


class RoleGate(Gate):
    """Opens clusters to one account, whose rights are in ``allowed``; ``needed`` keeps what it asked for."""

    def __init__(self, localkube: Server, state: Path) -> None:
        super().__init__(localkube, state)
        self.allowed: set[Right] = set()
        self.needed: set[Right] = set()

    def kubeconfig(self, name: str) -> dict[str, Any]:
        """Return a kubeconfig of the account, for a new cluster of one node."""
        server = "https://" + self.open(name, 1, lambda token: token == TOKEN)
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": name, "user": "airflow"}}],
            "clusters": [
                {"name": name, "cluster": {"server": server, "certificate-authority-data": self.certificate}}
            ],
            "users": [{"name": "airflow", "user": {"token": TOKEN}}],
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Pass on what the Role allows."""
        right = right_for(request.method, "/" + request.match_info["path"], request.query)
        if right is not None:
            self.needed.add(right)
            if right not in self.allowed:
                return _forbidden(right)
        return await super().answer(request)


def _forbidden(right: Right) -> web.Response:
    resource = right.resource.partition("/")[0]
    message = (
        f'{resource} is forbidden: User "{ACCOUNT}" cannot {right.verb} resource "{right.resource}" in API '
        f'group "{right.group}"' + (f' in the namespace "{right.namespace}"' if right.namespace else "")
    )
    document = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403}
    return web.json_response(document | {"message": message}, status=403)
