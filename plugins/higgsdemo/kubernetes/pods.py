"""The pods of a Job: the containers that process a completion index, their environment and their volumes.

An image that keeps the pod contract does everything in one container. One that knows no store runs beside
ours (`kubernetes.beside`).
"""

from collections.abc import Mapping

from higgsdemo.campaign import Cluster, DatasetRef
from higgsdemo.kubernetes import beside
from higgsdemo.kubernetes.beside import ANALYSIS
from higgsdemo.kubernetes.containers import (
    INPUT_DIR,
    MANIFEST_DIR,
    MANIFEST_FILE,
    NOBODY,
    USER,
    Manifest,
    certified_variable,
    contract_container,
)
from higgsdemo.kubernetes.workloads import BAD_INPUT, WORKLOADS
from higgsdemo.run import ClusterRun

GRACE_PERIOD = 5  # s, as in the original: a pod holds nothing worth saving
POD_ACCOUNT = "higgs-pods"
TEST_MODE = "/dev/null"


def pod_spec(
    assignment: ClusterRun,
    dataset: DatasetRef,
    manifest_name: str,
    secret_name: str | None,
    environment: Mapping[str, str],
) -> Manifest:
    """Return the spec of the pods that process a manifest of ``dataset``."""
    run, cluster = assignment.run, assignment.cluster
    account = {"serviceAccountName": POD_ACCOUNT} if cluster.pod_identity else {}
    given = {**_environment(assignment, dataset), **environment}
    with_sidecar = _has_sidecar(assignment)
    if with_sidecar:
        containers = beside.containers(assignment, dataset, given, secret_name)
    else:
        image = run.stage_in_image if WORKLOADS[run.workload].with_sidecar else run.image
        containers = {"containers": [contract_container(ANALYSIS, image, cluster, given, secret_name)]}
    volumes = [
        {"name": "manifest", "configMap": {"name": manifest_name}},
        {"name": "input", "emptyDir": _stage_in_volume(cluster, limited=with_sidecar)},
        {"name": "tmp", "emptyDir": {}},
    ]
    any_user = with_sidecar and beside.runs_as_image(run)
    of_command = ("work", "command-tmp") if with_sidecar else ()
    return {
        "restartPolicy": "Never",
        **account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_PERIOD,
        "securityContext": _OF_ANY_USER if any_user else pod_security(),
        **containers,
        "volumes": volumes + [{"name": name, "emptyDir": {}} for name in of_command],
    }


def pod_annotations(assignment: ClusterRun) -> Manifest:
    """Return what keeps the token of an IAM role out of the container of a command.

    Google's metadata server gives one to every container of a pod.
    """
    by_role = (assignment.cluster.pod_identity or "").startswith("arn:")
    return {"eks.amazonaws.com/skip-containers": ANALYSIS} if by_role and _has_sidecar(assignment) else {}


def failure_policy(assignment: ClusterRun) -> Manifest:
    """Return what a failed pod costs: nothing on a node that was taken away, all tries on bad input.

    Which exit codes of a command mean bad input, its sidecar knows: the container's own are ours.
    """
    codes = {BAD_INPUT} if _has_sidecar(assignment) else set(assignment.run.bad_input_codes or [BAD_INPUT])
    return {
        "rules": [
            # A preempted, drained or deleted node is not the shard's fault: it costs no retry.
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {
                "action": "FailIndex",
                "onExitCodes": {"containerName": ANALYSIS, "operator": "In", "values": sorted(codes)},
            },
        ]
    }


_OF_ANY_USER = {"fsGroup": USER, "seccompProfile": {"type": "RuntimeDefault"}}


def pod_security() -> Manifest:
    """Return the security context of a pod whose containers all run as one unprivileged user."""
    return NOBODY | _OF_ANY_USER


def _has_sidecar(assignment: ClusterRun) -> bool:
    """Whether the image needs ours beside it; in test mode nothing is analysed, so ours does it all."""
    return WORKLOADS[assignment.run.workload].with_sidecar and assignment.cluster.dpath != TEST_MODE


def _environment(assignment: ClusterRun, dataset: DatasetRef) -> dict[str, str]:
    run, cluster = assignment.run, assignment.cluster
    environment = {
        "SHARD_MANIFEST": f"{MANIFEST_DIR}/{MANIFEST_FILE}",
        "INPUT_DIR": INPUT_DIR,
        "OUTPUT_URL": run.results(dataset.name),
        "DATASET": dataset.name,
        "SAMPLE": dataset.sample,
        "DATATYPE": dataset.datatype,
        "DPATH": cluster.dpath,
        "SKIP_EXISTING": "true",
        "HOME": "/tmp",
        **WORKLOADS[run.workload].environment,
        **certified_variable(dataset),
    }
    if run.triggers:
        environment["TRIGGERS"] = " ".join(run.triggers)
    if run.read == "stream":
        environment["READ"] = run.read
    if run.download_limit_kbps:
        environment["DOWNLOAD_LIMIT_KBPS"] = str(run.download_limit_kbps)
    return environment


def _stage_in_volume(cluster: Cluster, *, limited: bool) -> Manifest:
    """Return memory for ``/dev/shm``; else the node's disk, which a provider puts on local SSDs if asked.

    :param limited: a pod with several containers would have room in memory for as much as all may use.
    """
    if cluster.dpath != "/dev/shm":
        return {}
    return {"medium": "Memory"} | ({"sizeLimit": cluster.resources.memory} if limited else {})
