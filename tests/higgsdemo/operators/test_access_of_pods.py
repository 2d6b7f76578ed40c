"""How pods come to their buckets on a real cluster: by a Secret that cleanup removes, or by an identity."""

from types import SimpleNamespace
from typing import Any

from clouds.tasks import make
from higgsdemo.datasets.shards import Shard, dump
from higgsdemo.operators.jobs import CleanupJobsOperator, SubmitJobsOperator
from higgsdemo.run import ClusterRun
from higgsdemo.run_folder import shards_key
from higgsdemo.storage.object_store import ObjectStore
from localkube_server import Kube
from planned_runs import THEIRS, dataset, planned
from stores import Kind


def submitted(s3: Kind, name: str, **cluster: Any) -> ClusterRun:
    """A run of one shard, submitted."""
    refs = [dataset("A", url=f"{s3.url}/A/")]
    output = {"name": name, "output": f"{s3.url}/out/{name}", "output_connection": "with_keys"}
    assignment = planned(run=output, cluster=THEIRS | {"datasets": refs} | cluster)
    shards = [Shard("A", "1", f"{s3.url}/A/1.root", 1)]
    ObjectStore(assignment.run.output, "with_keys").write(
        shards_key("kubecon-demo-0"), b"".join(map(dump, shards))
    )
    make(SubmitJobsOperator, assignment).execute({})
    return assignment


def secrets(kube: Kube, run: str) -> list[Any]:
    found: list[Any] = kube.core.list_namespaced_secret("higgs", label_selector=f"higgsdemo/run={run}").items
    return found


def test_the_secret_of_a_run_holds_the_keys_and_goes_with_cleanup(s3: Kind, kube: Kube) -> None:
    assignment = submitted(s3, "by-keys")
    (secret,) = secrets(kube, "by-keys")
    assert sorted(secret.data) == [
        "AWS_ACCESS_KEY_ID",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
    ]
    make(CleanupJobsOperator, assignment).execute({"dag_run": SimpleNamespace(conf={})})
    assert secrets(kube, "by-keys") == []


def test_with_an_identity_there_is_a_service_account_and_no_secret(s3: Kind, kube: Kube) -> None:
    role = "arn:aws:iam::123456789012:role/pods"
    submitted(s3, "by-identity", pod_identity=role)
    assert secrets(kube, "by-identity") == []
    account = kube.core.read_namespaced_service_account("higgs-pods", "higgs")
    assert account.metadata.annotations["eks.amazonaws.com/role-arn"] == role
    (job,) = kube.batch.list_namespaced_job("higgs", label_selector="higgsdemo/run=by-identity").items
    pod = job.spec.template.spec
    assert pod.service_account_name == "higgs-pods"
    named = {variable.name: variable.value for variable in pod.containers[0].env}
    assert named["AWS_REGION"] == "us-east-1"
    assert "AWS_SECRET_ACCESS_KEY" not in named
