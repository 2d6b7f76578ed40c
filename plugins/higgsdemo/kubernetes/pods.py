"""The pods of a Job: the containers that process a completion index, and their environment.

Our own image does everything in one container. The CMSSW image of 2019 knows neither S3 nor the pod contract,
so three containers follow each other: ours stages in, CMSSW analyses the local file, ours publishes the
result. Only ours see credentials.
"""

from collections.abc import Mapping
from typing import Any

from higgsdemo.campaign import Cluster, DatasetRef
from higgsdemo.catalogue import load_catalogue
from higgsdemo.kubernetes.workloads import AOD_CERTIFIED, AOD_CONFIGS, BAD_INPUT, WORKLOADS
from higgsdemo.run import ClusterRun, Run

Manifest = dict[str, Any]

MANIFEST_FILE = "shards.jsonl"
MANIFEST_DIR = "/manifest"
INPUT_DIR = "/input"
OUTPUT_DIR = "/output"
STAGE_IN, ANALYSIS, PUBLISH = "stage-in", "analysis", "publish"  # containers
USER = 65532  # the "nonroot" of distroless images; any other than 0 will do
GRACE_PERIOD = 5  # s, as in the original: a pod holds nothing worth saving
POD_ACCOUNT = "higgs-pods"
TEST_MODE = "/dev/null"
AOD_SCRIPT = f"""\
test ! -e {INPUT_DIR}/has-result || exit 0
export CMS_LUMINOSITY_DATA="$(cat {INPUT_DIR}/lumi.json)"
/opt/cms/entrypoint.sh cmsRun "$CMS_CONFIG"
/opt/cms/entrypoint.sh python /dump_json_pyroot.py \\
    "$CMS_OUTPUT_FILE" "$CMS_DATASET_NAME" "$CMS_OUTPUT_JSON_FILE"
"""


def pod_spec(
    assignment: ClusterRun,
    dataset: DatasetRef,
    manifest_name: str,
    secret_name: str | None,
    environment: Mapping[str, str],
) -> Manifest:
    """Return the spec of the pods that process a manifest of ``dataset``."""
    apart = _stages_in_apart(assignment)
    account = {"serviceAccountName": POD_ACCOUNT} if assignment.cluster.pod_identity else {}
    given = {**_environment(assignment, dataset), **environment}
    containers = (
        _cmssw_containers(assignment, dataset, given, secret_name)
        if apart
        else {"containers": [_contract_container(assignment, ANALYSIS, given, secret_name)]}
    )
    volumes = [
        {"name": "manifest", "configMap": {"name": manifest_name}},
        {"name": "input", "emptyDir": _stage_in_volume(assignment.cluster)},
        {"name": "tmp", "emptyDir": {}},
    ]
    return {
        "restartPolicy": "Never",
        **account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_PERIOD,
        "securityContext": _pod_security_of_any_user() if apart else pod_security(),
        **containers,
        "volumes": volumes + ([{"name": "output", "emptyDir": {}}] if apart else []),
    }


def failure_policy(assignment: ClusterRun) -> Manifest:
    """Return what a failed pod costs: nothing on a node that was taken away, all tries on bad input."""
    first = STAGE_IN if _stages_in_apart(assignment) else ANALYSIS
    return {
        "rules": [
            # A preempted, drained or deleted node is not the shard's fault: it costs no retry.
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {
                "action": "FailIndex",
                "onExitCodes": {"containerName": first, "operator": "In", "values": [BAD_INPUT]},
            },
        ]
    }


def pod_security() -> Manifest:
    """Return the security context of a pod whose containers all run as one unprivileged user."""
    return {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER} | _pod_security_of_any_user()


def container_security() -> Manifest:
    """Return the security context of a container that writes only to its volumes."""
    return _unprivileged() | {"readOnlyRootFilesystem": True}


def _pod_security_of_any_user() -> Manifest:
    return {"fsGroup": USER, "seccompProfile": {"type": "RuntimeDefault"}}


def _unprivileged() -> Manifest:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _stages_in_apart(assignment: ClusterRun) -> bool:
    """Whether the image needs others around it; in test mode nothing is analysed, so ours does it all."""
    return WORKLOADS[assignment.run.workload].stages_in_apart and assignment.cluster.dpath != TEST_MODE


def _contract_container(
    assignment: ClusterRun, name: str, environment: Mapping[str, str], secret_name: str | None
) -> Manifest:
    """Return a container that keeps the pod contract."""
    secret = [{"secretRef": {"name": secret_name}}] if secret_name else []
    image = assignment.run.image
    if WORKLOADS[assignment.run.workload].stages_in_apart:
        image = assignment.run.stage_in_image
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": assignment.cluster.image_pull_policy,
        "env": _variables(environment),
        **({"envFrom": secret} if secret else {}),
        "resources": _resources(assignment.cluster),
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "manifest", "mountPath": MANIFEST_DIR, "readOnly": True},
            {"name": "input", "mountPath": INPUT_DIR},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }


def _cmssw_containers(
    assignment: ClusterRun, dataset: DatasetRef, environment: Mapping[str, str], secret_name: str | None
) -> Manifest:
    """Return the containers around CMSSW, in their order; the last of them is the pod's only main one."""
    user = {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER}
    output = {"name": "output", "mountPath": OUTPUT_DIR}
    stage_in = _contract_container(assignment, STAGE_IN, environment, secret_name)
    publish = _contract_container(assignment, PUBLISH, environment, secret_name)
    publish["env"] += _variables({"RESULT_FILE": f"{OUTPUT_DIR}/result.json"})
    publish["volumeMounts"] = [*publish["volumeMounts"], output]
    for container in (stage_in, publish):
        container["args"] = [container["name"]]
        container["securityContext"] = user | container["securityContext"]
    analysis = {
        "name": ANALYSIS,
        "image": assignment.run.image,
        "imagePullPolicy": assignment.cluster.image_pull_policy,
        "command": ["/bin/bash", "-ec", AOD_SCRIPT],
        "env": _variables(_cmssw_environment(assignment.run, dataset)),
        "resources": _resources(assignment.cluster),
        # The image is as its authors made it: as its own user it writes where it likes.
        "securityContext": _unprivileged(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "input", "mountPath": INPUT_DIR, "readOnly": True}, output],
    }
    return {"initContainers": [stage_in, analysis], "containers": [publish]}


def _cmssw_environment(run: Run, dataset: DatasetRef) -> dict[str, str]:
    environment = {
        "CMS_INPUT_FILES": f"file://{INPUT_DIR}/shard.root",
        "CMS_CONFIG": AOD_CONFIGS[dataset.datatype],
        "CMS_OUTPUT_FILE": f"{OUTPUT_DIR}/result.root",
        "CMS_OUTPUT_JSON_FILE": f"{OUTPUT_DIR}/result.json",
        "CMS_DATASET_NAME": dataset.name,
    }
    if dataset.datatype == "data":
        year = load_catalogue(run.catalogue).samples[dataset.sample].year
        environment["CMS_JSON"] = AOD_CERTIFIED[year]
    return environment


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
    }
    if run.read == "stream":
        environment["READ"] = run.read
    if run.download_limit_kbps:
        environment["DOWNLOAD_LIMIT_KBPS"] = str(run.download_limit_kbps)
    return environment


def _variables(environment: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in environment.items()]


def _resources(cluster: Cluster) -> Manifest:
    asked = {"cpu": cluster.resources.cpu, "memory": cluster.resources.memory}
    return {"requests": asked, "limits": asked}


def _stage_in_volume(cluster: Cluster) -> Manifest:
    """Return memory for ``/dev/shm``; else the node's disk, which a provider puts on local SSDs if asked."""
    return {"medium": "Memory"} if cluster.dpath == "/dev/shm" else {}
