"""The rights that Airflow is given in a cluster: enough for a campaign, and not one more than it uses."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from clouds.fixtures import WITH_WORKLOAD
from clouds.tasks import carry_out, make
from deploy.role import Right, right_for, rights, without
from deploy.role_gate import RoleGate
from higgsdemo import clusters
from higgsdemo.clusters.base import Provider
from higgsdemo.datasets.shards import Shard, dump
from higgsdemo.operators.base import TaskFailedForGood
from higgsdemo.operators.jobs import CleanupJobsOperator, SubmitJobsOperator, WaitForJobsOperator
from higgsdemo.operators.prepull import PrepullImageOperator
from higgsdemo.run import ClusterRun
from higgsdemo.run_folder import shards_key
from higgsdemo.storage.object_store import ObjectStore
from higgsdemo.triggers.jobs import JobsTrigger
from higgsdemo.triggers.standstill import NO_RIGHT, Standstill
from localkube_server import localkube
from planned_runs import THEIRS, dataset, planned
from stores import Kind

MANIFEST = Path(__file__).parents[2] / "deploy" / "kubernetes" / "access.yaml"
OBJECTS = list(yaml.safe_load_all(MANIFEST.read_text()))
ROLE = next(one for one in OBJECTS if one["kind"] == "Role")
MAKES_NAMESPACES = Right("create", "", "namespaces", None)


@pytest.fixture(scope="module")
def role_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoleGate]:
    folder = tmp_path_factory.mktemp("role")
    with localkube(folder, WITH_WORKLOAD) as server, RoleGate(server, folder / "gate") as gate:
        yield gate


@pytest.fixture
def account(role_gate: RoleGate, monkeypatch: pytest.MonkeyPatch) -> RoleGate:
    """Return a new cluster with the account's namespace, and the connection `theirs` to it."""
    name = f"theirs-{len(role_gate.clusters)}"
    kubeconfig = role_gate.kubeconfig(name)
    document = {"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(kubeconfig)}}
    monkeypatch.setenv("AIRFLOW_CONN_THEIRS", json.dumps(document))
    monkeypatch.setattr(Provider, "poll_seconds", 0.1)
    role_gate.clusters[name].kube.core.create_namespace(OBJECTS[0])
    role_gate.allowed, role_gate.needed = rights(ROLE), set()
    return role_gate


def campaign(s3: Kind) -> None:
    """All that a run may ask of a cluster: the image, Jobs of both kinds, a failed shard's log, cleanup."""
    fields = THEIRS | {
        "resources": {"cpu": "0.1", "memory": "1Gi"},
        "egress": ["127.0.0.0/8"],
        "datasets": [dataset("A", url=f"{s3.url}/A/")],
    }
    run = {"output": f"{s3.url}/out/run", "output_connection": "with_keys"}
    by_keys = planned(run=run, cluster=fields)
    role = "arn:aws:iam::123456789012:role/pods"
    by_identity = planned(run=run, cluster=fields | {"pod_identity": role})
    shards = dump(Shard("A", "1", f"{s3.url}/A/of-nobody.root", 1))
    ObjectStore(by_keys.run.output, "with_keys").write(shards_key(by_keys.cluster.name), shards)
    for _ in range(2):  # the second finds what the first has made
        carry_out(PrepullImageOperator, by_keys)
        make(SubmitJobsOperator, by_identity).execute({})
        submitted = make(SubmitJobsOperator, by_keys).execute({})
    clusters.connect(by_keys).owned()
    with pytest.raises(TaskFailedForGood) as judged:
        carry_out(WaitForJobsOperator, by_keys, submitted=submitted)
    if "1 of 1 shards have no result" not in str(judged.value):  # it was not even let look
        raise judged.value
    why_no_pod_runs(by_keys)
    submitted = make(SubmitJobsOperator, by_keys).execute({})  # makes the Job anew, as it has failed
    waiting = by_keys.model_dump(mode="json"), 0.1, None, sorted(submitted["jobs"]), submitted["shards"]
    asyncio.run(JobsTrigger(*waiting).on_kill())
    make(CleanupJobsOperator, by_keys).execute({"dag_run": SimpleNamespace(conf={})})


def why_no_pod_runs(run: ClusterRun) -> str:
    """Return what is found out where nothing has pods."""

    async def look() -> str:
        waiting = Standstill(run.cluster.namespace, "of=nobody", 0.0)
        async with clusters.provider_of(run).connect_async() as api:
            found = await waiting.look(api, ["uid-of-nobody"])
        return found.why if found else ""

    return asyncio.run(look())


def test_a_campaign_needs_every_right_of_the_account_and_no_other(s3: Kind, account: RoleGate) -> None:
    campaign(s3)
    assert account.needed - {MAKES_NAMESPACES} == rights(ROLE)


EVENTS = next(number for number, rule in enumerate(ROLE["rules"]) if rule["resources"] == ["events"])
OTHERS = [number for number in range(len(ROLE["rules"])) if number != EVENTS]


@pytest.mark.parametrize("rule", OTHERS, ids=lambda n: "/".join(ROLE["rules"][n]["resources"]))
def test_without_one_of_the_rules_a_campaign_fails_and_says_what_it_may_not(
    s3: Kind, account: RoleGate, rule: int
) -> None:
    account.allowed = rights(without(ROLE, [rule]))
    with pytest.raises(TaskFailedForGood, match=r"403 .* is forbidden: User .* cannot \w+ resource"):
        campaign(s3)


def test_without_events_a_campaign_goes_on_and_says_which_right_is_missing(
    s3: Kind, account: RoleGate
) -> None:
    account.allowed = rights(without(ROLE, [EVENTS]))
    run = planned(cluster={"provider": "existing", "connection": "theirs", "flavor": None})
    assert why_no_pod_runs(run) == NO_RIGHT
    campaign(s3)


@pytest.mark.parametrize(
    ("method", "path", "right"),
    [
        ("GET", "/api/v1/namespaces/higgs/pods", ["list", "", "pods", "higgs"]),
        ("GET", "/api/v1/namespaces/higgs/pods/p/log", ["get", "", "pods/log", "higgs"]),
        ("GET", "/api/v1/nodes/n", ["get", "", "nodes", None]),
        ("GET", "/api/v1/namespaces/higgs", ["get", "", "namespaces", None]),
        ("PUT", "/apis/batch/v1/namespaces/higgs/jobs/j/status", ["update", "batch", "jobs/status", "higgs"]),
        ("DELETE", "/apis/batch/v1/namespaces/higgs/jobs", ["deletecollection", "batch", "jobs", "higgs"]),
        ("DELETE", "/apis/batch/v1/namespaces/higgs/jobs/j", ["delete", "batch", "jobs", "higgs"]),
        ("GET", "/version", None),
        ("GET", "/apis/batch/v1", None),
    ],
)
def test_a_request_needs_the_right_that_kubernetes_documents(
    method: str, path: str, right: list[str | None] | None
) -> None:
    assert right_for(method, path, {}) == (Right(*right) if right else None)
