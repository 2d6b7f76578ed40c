"""The admin API: clusters are made, found again, shown and deleted; each has a token of its own."""

import json
import ssl
import stat
from typing import Any

import httpx
import psutil
import pytest

from localkube_server import Kube, Server, eventually, processes, shell_space


def test_a_cluster_is_made_once_and_shown(server: Server) -> None:
    shape: dict[str, Any] = {"nodes": 3, "labels": {"flavor": "test"}, "simulate": None}
    shape |= {"cpu": "2", "memory": "4Gi", "pods": 10}
    with server.admin() as admin:
        made = admin.post("clusters", json={"name": "mine", **shape})
        again = admin.post("clusters", json={"name": "mine", **shape})
        shown = admin.get("clusters/mine").json()
        assert (made.status_code, again.status_code) == (201, 200)
        kubeconfig = shown.pop("kubeconfig")
        assert shown == {"name": "mine", "phase": "Running", **shape}
        assert shown["name"] in [one["name"] for one in admin.get("clusters").json()["items"]]
    nodes = Kube(kubeconfig).core.list_node(label_selector="flavor=test").items
    assert [one.metadata.name for one in nodes] == ["mine-node-0", "mine-node-1", "mine-node-2"]
    room = {"cpu": "2", "memory": "4Gi", "pods": "10"}
    assert nodes[0].status.allocatable == nodes[0].status.capacity == room
    ready = next(one for one in nodes[0].status.conditions if one.type == "Ready")
    assert (ready.status, ready.reason) == ("True", "KubeletReady")


def test_another_shape_is_a_conflict_that_says_what_differs(server: Server) -> None:
    server.create_cluster("shaped", nodes=2)
    with server.admin() as admin:
        refused = admin.post("clusters", json={"name": "shaped", "nodes": 3})
    assert refused.status_code == 409
    assert refused.json()["message"] == "cluster shaped exists with another shape: nodes is 2, not 3"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "Expected `object`, got `array`"),
        ({"name": "A"}, "Expected `str` matching regex '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' - at `$.name`"),
        ({"name": "x", "nodes": 0}, "Expected `int` >= 1 - at `$.nodes`"),
        ({"name": "x", "nodes": "2"}, "Expected `int`, got `str` - at `$.nodes`"),
        ({"name": "x", "memory": "much"}, "memory: 'much' is no quantity such as 500m, 2 or 6Gi"),
        ({"name": "x", "node": 1}, "Object contains unknown field `node`"),
        ({"name": "x", "labels": {"a": 1}}, "Expected `str`, got `int` - at `$.labels[...]`"),
        ({"name": "x", "simulate": {"seconds": -1}}, "`float` >= 0.0 - at `$.simulate.seconds`"),
        ({"name": "x", "simulate": 5}, "Expected `object | null`, got `int` - at `$.simulate`"),
    ],
)
def test_a_shape_that_makes_no_sense_is_refused(server: Server, body: Any, message: str) -> None:
    with server.admin() as admin:
        refused = admin.post("clusters", json=body)
    told, allowed = refused.json()["message"], "name, nodes, cpu, memory, pods, labels, simulate"
    assert refused.status_code == 400
    assert told.startswith(f"a cluster is an object with {allowed}: ")
    assert told.endswith(message)


def test_a_deleted_cluster_leaves_nothing(server: Server) -> None:
    doomed = server.create_cluster("doomed")
    space = shell_space(doomed)
    space.make(space.pod("exec sleep 31.4159"))
    space.running_pod()
    directory = server.state / "clusters" / "doomed"
    assert directory.is_dir()
    with server.admin() as admin:
        deleted = admin.delete("clusters/doomed")
        assert (deleted.status_code, deleted.json()["name"]) == (202, "doomed")
        eventually(lambda: admin.get("clusters/doomed").status_code == 404)
        assert admin.delete("clusters/doomed").status_code == 404
    assert not directory.exists()
    assert "doomed" not in (server.state / "kubeconfig").read_text()
    assert processes("sleep 31.4159") == []
    assert doomed.http.get("api/v1/pods").status_code == 404
    server.create_cluster("doomed", nodes=2)


def test_the_kubeconfig_has_a_context_for_each_cluster_and_is_private(server: Server, kube: Kube) -> None:
    path = server.state / "kubeconfig"
    whole = json.loads(path.read_text())
    assert whole["current-context"] == whole["contexts"][0]["name"]
    assert "shared" in [one["name"] for one in whole["contexts"]]
    for name in ("kubeconfig", "admin.token", "server.key"):
        assert stat.S_IMODE((server.state / name).stat().st_mode) == 0o600


def test_it_listens_on_the_loopback_interface_alone(server: Server) -> None:
    assert server.process is not None
    listening = [
        one.laddr for one in psutil.Process(server.process.pid).net_connections() if one.status == "LISTEN"
    ]
    assert [tuple(one) for one in listening] == [("127.0.0.1", server.port)]


def test_a_token_opens_its_own_cluster_only(server: Server, kube: Kube) -> None:
    other = server.create_cluster("other")
    token = kube.http.headers["Authorization"]
    for url, headers in (
        (other.url, {"Authorization": token}),
        (other.url, {}),
        (other.url, {"Authorization": "Bearer x"}),
        (f"https://127.0.0.1:{server.port}/localkube", {"Authorization": token}),
    ):
        path = "/clusters" if url.endswith("localkube") else "/api/v1/pods"
        refused = kube.http.get(url + path, headers={"Authorization": "", **headers})
        assert (refused.status_code, refused.json()["reason"]) == (401, "Unauthorized")


def test_the_certificate_is_checked(server: Server, kube: Kube) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://127.0.0.1:{server.port}/healthz")
    strict = ssl.create_default_context(cafile=server.state / "ca.crt")
    strict.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    assert httpx.get(f"https://localhost:{server.port}/healthz", verify=strict).text == "ok"
