"""What we put into a cluster, on a real API server: nothing doubled, nothing of others touched."""

import copy
import re
import socket
from base64 import b64encode
from collections.abc import Collection, Iterator
from typing import Any
from zlib import crc32

import pytest
from kubernetes.client import ApiClient, NetworkingV1Api
from kubernetes.config import new_client_from_config_dict

from higgsdemo.datasets.shards import Shard
from higgsdemo.kubernetes import api, jobs, requests
from higgsdemo.kubernetes.api import KubeCluster
from higgsdemo.kubernetes.names import CAMPAIGN, PART_OF, selector
from higgsdemo.kubernetes.names import RUN as RUN_LABEL
from higgsdemo.kubernetes.requests import KubeError
from higgsdemo.run import ClusterRun
from localkube_server import SHELL, Kube, eventually, localkube
from planned_runs import dataset, planned

RUN = planned(run={"image": SHELL}, cluster={"resources": {"cpu": "0.1", "memory": "64Mi"}})
ALL = selector(RUN.run.campaign)


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    with localkube(tmp_path_factory.mktemp("kube")) as server:
        yield server.create_cluster("kube", nodes=1, cpu="4", memory="8Gi")


@pytest.fixture
def cluster(kube: Kube, request: pytest.FixtureRequest) -> Iterator[KubeCluster]:
    name = request.node.name
    namespace = f"{re.sub('[^a-z0-9]+', '-', name.lower())[:40]}-{crc32(name.encode()):08x}"
    ours = KubeCluster("kube", namespace, kube.client)
    ours.ensure_namespace()
    yield ours
    kube.core.delete_namespace(namespace)


def manifests(
    command: str = "exit 0", run: ClusterRun = RUN
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """ConfigMap, Secret and Job of a dataset with two shards."""
    shards = [Shard("D", name, f"s3://bucket/{name}.root", 1) for name in "ab"]
    (chunk,) = jobs.chunks(shards, 1)
    manifest = jobs.config_map(run, dataset("D"), chunk)
    secret = jobs.secret(run, {"CAMPAIGN": run.run.campaign})
    job = jobs.job(run, dataset("D"), chunk, manifest["metadata"]["name"], secret["metadata"]["name"])
    job["spec"]["template"]["spec"]["containers"][0]["args"] = [command]
    job["spec"]["backoffLimitPerIndex"] = 0
    return manifest, secret, job


def within(cluster: KubeCluster, *objects: dict[str, Any]) -> list[dict[str, Any]]:
    placed = copy.deepcopy(list(objects))
    for manifest in placed:
        manifest["metadata"]["namespace"] = cluster.namespace
    return placed


def submit(cluster: KubeCluster, command: str = "exit 0") -> dict[str, Any]:
    manifest, secret, job = within(cluster, *manifests(command))
    cluster.put_secret(secret)
    cluster.submit(job, manifest, lacking={0, 1})
    return job


def resubmit(cluster: KubeCluster, command: str, lacking: Collection[int] = (0, 1)) -> bool:
    """Submit the same again while these indexes lack a result; whether the Job was made."""
    manifest, _, job = within(cluster, *manifests(command))
    return cluster.submit(job, manifest, lacking)


def read_job(kube: Kube, job: dict[str, Any]) -> Any:
    return kube.batch.read_namespaced_job(job["metadata"]["name"], job["metadata"]["namespace"])


def read_manifest(kube: Kube, cluster: KubeCluster) -> Any:
    return kube.core.read_namespaced_config_map(manifests()[0]["metadata"]["name"], cluster.namespace)


def has_ended(kube: Kube, job: dict[str, Any]) -> str | None:
    conditions = read_job(kube, job).status.conditions or []
    return next((one.type for one in conditions if one.type in ("Complete", "Failed")), None)


@pytest.mark.parametrize("owner", [None, {PART_OF: None}, {CAMPAIGN: "another"}, {RUN_LABEL: "another"}])
def test_an_object_of_another_owner_is_neither_adopted_nor_replaced(
    cluster: KubeCluster, kube: Kube, owner: dict[str, Any] | None
) -> None:
    manifest, secret, job = within(cluster, *manifests())
    for one, create in (
        (manifest, kube.core.create_namespaced_config_map),
        (secret, kube.core.create_namespaced_secret),
        (job, kube.batch.create_namespaced_job),
    ):
        labels = one["metadata"]["labels"] | owner if owner else {}
        labels = {name: value for name, value in labels.items() if value}
        create(cluster.namespace, one | {"metadata": one["metadata"] | {"labels": labels}})
    refusal = r"^cluster kube: {} .* is there already with another owner;"
    for one in (manifest, job):
        with pytest.raises(KubeError, match=refusal.format(one["kind"])):
            cluster.apply(one)
    with pytest.raises(KubeError, match=refusal.format("Secret")):
        cluster.put_secret(secret | {"stringData": {"AWS_REGION": "us-west-2"}})
    assert list(kube.core.read_namespaced_secret(secret["metadata"]["name"], cluster.namespace).data) == [
        "CAMPAIGN"
    ]


def test_two_campaigns_whose_names_run_together_share_nothing(cluster: KubeCluster, kube: Kube) -> None:
    first, second = (
        planned(run={"campaign": campaign, "name": name, "output": "s3://bucket/out", "image": SHELL})
        for campaign, name in (("higgs", "full-1"), ("higgs-full", "1"))
    )
    for run in (first, second):
        more = within(cluster, jobs.prepull(run), jobs.network_policy(run, ["127.0.0.0/8"]))
        manifest, secret, job = within(cluster, *manifests("sleep 60", run))
        cluster.put_secret(secret)
        assert cluster.submit(job, manifest, lacking={0, 1})
        assert not any(cluster.apply(one).found for one in more)
    cluster.remove(selector(first.run.campaign, first.run.name))
    for listed in (
        kube.batch.list_namespaced_job,
        kube.apps.list_namespaced_daemon_set,
        NetworkingV1Api(kube.client).list_namespaced_network_policy,
        kube.core.list_namespaced_secret,
    ):
        (left,) = listed(cluster.namespace).items
        assert left.metadata.labels[CAMPAIGN] == "higgs-full"
    (secret,) = kube.core.list_namespaced_secret(cluster.namespace).items
    assert secret.data == {"CAMPAIGN": b64encode(b"higgs-full").decode()}
    eventually(
        lambda: (
            {"kube-root-ca.crt", manifest["metadata"]["name"]}
            == names(kube.core.list_namespaced_config_map(cluster.namespace))
        )
    )


def test_campaigns_that_need_another_identity_of_their_pods_are_told_apart(cluster: KubeCluster) -> None:
    first, second = (
        jobs.service_account(planned(cluster={"pod_identity": f"arn:aws:iam::123456789012:role/{role}"}))
        for role in ("one", "two")
    )
    for _ in range(2):
        cluster.apply(*within(cluster, first))
    with pytest.raises(
        KubeError, match="another content; a campaign with another pod_identity needs a namespace"
    ):
        cluster.apply(*within(cluster, second))


def test_our_object_with_another_content_is_refused(cluster: KubeCluster) -> None:
    manifest, _, job = within(cluster, *manifests())
    cluster.apply(manifest)
    cluster.apply(job)
    manifest["data"]["shards.jsonl"] = "other"
    job["metadata"]["annotations"]["higgsdemo/spec-hash"] = "other"
    policy, wider = within(
        cluster, *(jobs.network_policy(planned(), [reach]) for reach in ("10.0.0.0/8", "0.0.0.0/0"))
    )
    cluster.apply(policy)
    for changed in (manifest, job, wider):
        with pytest.raises(KubeError, match="is there already with another content; remove it"):
            cluster.apply(changed)


def test_a_secret_holds_the_present_credentials_and_none_of_before(cluster: KubeCluster, kube: Kube) -> None:
    (secret,) = within(cluster, manifests()[1])
    cluster.put_secret(secret)
    cluster.put_secret(secret | {"stringData": {"AWS_REGION": "us-east-1", "AWS_SESSION_TOKEN": "old"}})
    cluster.put_secret(secret | {"stringData": {"AWS_REGION": "us-west-2"}})
    stored = kube.core.read_namespaced_secret(secret["metadata"]["name"], cluster.namespace)
    assert stored.data == {"AWS_REGION": "dXMtd2VzdC0y"}


@pytest.mark.parametrize(("code", "end"), [(65, "Failed"), (0, "Complete")])
def test_a_job_that_has_ended_without_all_results_is_made_anew_and_keeps_its_manifest(
    cluster: KubeCluster, kube: Kube, code: int, end: str
) -> None:
    job = submit(cluster, f"exit {code}")
    eventually(lambda: has_ended(kube, job) == end)
    ended, manifest = read_job(kube, job).metadata.uid, read_manifest(kube, cluster).metadata.uid
    assert resubmit(cluster, f"exit {code}", lacking=[1])
    eventually(lambda: has_ended(kube, job) == end)
    eventually(lambda: pods(kube, cluster) == 2)  # those of the first are gone
    again, kept = read_job(kube, job).metadata.uid, read_manifest(kube, cluster).metadata
    assert again != ended
    assert (kept.uid, [owner.uid for owner in kept.owner_references]) == (manifest, [again])


@pytest.mark.parametrize("code", [65, 0])
def test_a_stopped_job_is_made_anew_if_it_is_through_with_what_lacks_a_result(
    cluster: KubeCluster, kube: Kube, code: int
) -> None:
    command = f'test "$JOB_COMPLETION_INDEX" = 0 && exit {code} || sleep 60'
    job = submit(cluster, command)

    def first_is_through() -> bool:
        status = read_job(kube, job).status
        return "0" in (status.failed_indexes, status.completed_indexes)

    eventually(first_is_through)
    assert not resubmit(cluster, command)  # it runs
    assert cluster.stop(ALL) == [job["metadata"]["name"]]
    assert not resubmit(cluster, command, lacking=[1])  # the wait resumes it
    assert resubmit(cluster, command, lacking=[0])
    assert read_job(kube, job).spec.suspend is False


def test_a_job_that_is_on_its_way_out_is_not_adopted(cluster: KubeCluster, kube: Kube) -> None:
    job = submit(cluster, "trap '' TERM; sleep 3")  # its pods go first, in their own time
    eventually(lambda: pods(kube, cluster) == 2)
    kube.batch.delete_namespaced_job(
        job["metadata"]["name"], cluster.namespace, propagation_policy="Foreground"
    )
    assert resubmit(cluster, "exit 0")
    assert read_job(kube, job).metadata.deletion_timestamp is None


def test_a_job_that_does_not_go_away_is_told_of(
    cluster: KubeCluster, kube: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "GONE_IN", 0.5)
    job = submit(cluster, "exit 65")
    eventually(lambda: has_ended(kube, job) == "Failed")
    held = {"metadata": {"finalizers": ["example.org/held"]}}
    kube.batch.patch_namespaced_job(job["metadata"]["name"], cluster.namespace, held)
    with pytest.raises(KubeError, match=r"was deleted, to be made anew, and is still there after 0 s; does"):
        resubmit(cluster, "exit 65")
    released = {"metadata": {"finalizers": None}}
    kube.batch.patch_namespaced_job(job["metadata"]["name"], cluster.namespace, released)


def test_an_unreachable_cluster_is_named(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "RETRY", requests.RETRY.new(total=1))  # all six tries take half a minute
    away = KubeCluster("kube", "n", reached_with(kube, server="https://127.0.0.1:1"))
    with pytest.raises(KubeError, match=r"^cluster kube: .* no answer from its API \((?!.*Max retries)"):
        away.ensure_namespace()


@pytest.mark.parametrize(("once", "tries"), [(False, 7), (True, 1)])
def test_a_cluster_that_falls_silent_is_not_waited_for_without_end(
    kube: Kube, monkeypatch: pytest.MonkeyPatch, once: bool, tries: int
) -> None:
    monkeypatch.setattr(requests, "RETRY", requests.RETRY.new(backoff_factor=0, backoff_jitter=0))
    monkeypatch.setattr(requests, "ANSWER_IN", (1.0, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections are taken, and that is all
        server = f"http://127.0.0.1:{silent.getsockname()[1]}"
        away = KubeCluster("kube", "n", reached_with(kube, server=server), once=once)
        with pytest.raises(KubeError, match=r"cannot delete Secret objects: no answer from .*timed out"):
            away.remove(ALL)
        silent.setblocking(False)
        for _ in range(tries):
            silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()


def reached_with(kube: Kube, **changes: str) -> ApiClient:
    kubeconfig = copy.deepcopy(kube.kubeconfig)
    for part in (kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]):
        part.update({key: value for key, value in changes.items() if key in part})
    client: ApiClient = new_client_from_config_dict(kubeconfig)
    client.configuration.retries = 0
    return client


def names(listed: Any) -> set[str]:
    return {item.metadata.name for item in listed.items}


def pods(kube: Kube, cluster: KubeCluster) -> int:
    return len(kube.core.list_namespaced_pod(cluster.namespace).items)
