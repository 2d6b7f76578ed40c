"""The way of the demo of 2019, rewritten from its description: one Job for each file, counted by listing.

Each cluster has a process that makes the Jobs of its index files in batches of 200 by the client's
`create_from_yaml`. To watch, it lists all pods and Jobs and counts them by phase. Where the description
leaves a choice, this takes the faster one: it hands a batch over as objects, not as YAML text to be parsed.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from kubernetes.client import ApiClient, BatchV1Api, CoreV1Api
from kubernetes.utils import create_from_yaml

Manifest = dict[str, Any]
BATCH = 200
INDEX = "_file_index.txt"
IMAGE = "lukasheinrich/cms-higgs-4l-full"
NAMESPACE = "default"


def write_indexes(folder: Path, files: Iterable[tuple[str, str]]) -> None:
    """Write the index files of pairs of a dataset and a file's URL: a line for each file."""
    folder.mkdir(parents=True)
    for dataset, urls in groupby(files, key=itemgetter(0)):
        lines = (f"{url.replace('://', '/', 1)}\n" for _, url in urls)
        (folder / f"{dataset}{INDEX}").write_text("".join(lines))


def submit(api: ApiClient, folder: Path, suspend: bool) -> dict[str, int]:
    """Make a Job for each line of the index files of a folder.

    :param suspend: make no pods.
    :returns: the names of the Jobs, each with its one file.
    """
    files = (
        (index.name.removesuffix(INDEX), path)
        for index in sorted(folder.iterdir())
        for path in index.read_text().splitlines()
    )
    jobs = (job(dataset, path, number, suspend) for number, (dataset, path) in enumerate(files))
    submitted: dict[str, int] = {}
    while batch := list(islice(jobs, BATCH)):
        create_from_yaml(api, yaml_objects=batch, namespace=NAMESPACE)
        submitted |= {made["metadata"]["name"]: 1 for made in batch}
    return submitted


def watch(api: ApiClient) -> Counter[str]:
    """Count all pods by their phase, and all Jobs."""
    pods = CoreV1Api(api).list_namespaced_pod(NAMESPACE).items
    jobs = BatchV1Api(api).list_namespaced_job(NAMESPACE).items
    return Counter(pod.status.phase for pod in pods) + Counter(jobs=len(jobs))


def job(dataset: str, path: str, number: int, suspend: bool) -> Manifest:
    """Return the Job of one file, with everything the pod needs in its environment, keys included."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"cms-higgs-{number}", "labels": {"app": "cms-higgs"}},
        "spec": {
            "backoffLimit": 5,
            **({"suspend": True} if suspend else {}),
            "template": {
                "metadata": {"labels": {"app": "cms-higgs"}},
                "spec": {
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": 5,
                    "initContainers": [_stage_in(path)],
                    "containers": [_analysis(dataset)],
                    "volumes": [{"name": "data", "emptyDir": {"medium": "Memory"}}],
                },
            },
        },
    }


def _stage_in(path: str) -> Manifest:
    environment = {
        "SOURCE": path,
        "TARGET": "/data/input.root",
        "ACCESS_KEY": "bench",
        "SECRET_KEY": "bench-secret",
        "DOWNLOAD_KBPS": "50000",
        "UPLOAD_KBPS": "10000",
    }
    return _container("stage-in", ["/stage-in.sh"], environment)


def _analysis(dataset: str) -> Manifest:
    environment = {
        "CMS_INPUT_FILES": "file:///data/input.root",
        "CMS_CONFIG": "/configs/demoanalyzer_cfg_level4MC.py",
        "CMS_OUTPUT_FILE": "/data/output.root",
        "CMS_OUTPUT_JSON_FILE": "/data/output.json",
        "CMS_DATASET_NAME": dataset,
        "CMS_LUMINOSITY_DATA": "null",
        "REDIS_HOST": "redis",
    }
    script = (
        "/opt/cms/entrypoint.sh cmsRun $CMS_CONFIG && /opt/cms/entrypoint.sh python /dump_json_pyroot.py "
        "$CMS_OUTPUT_FILE $CMS_DATASET_NAME $CMS_OUTPUT_JSON_FILE"
    )
    return _container("analysis", ["/bin/sh", "-c", script], environment)


def _container(name: str, command: list[str], environment: dict[str, str]) -> Manifest:
    asked = {"cpu": "0.9", "memory": "6Gi"}
    return {
        "name": name,
        "image": IMAGE,
        "command": command,
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "resources": {"requests": asked, "limits": asked},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
