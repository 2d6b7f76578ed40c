"""Stand in for the containers of simulated pods: find a pod's shards as they would, and write results.

localkube starts this process, sends it a line for each pod that has run its time, and takes the pod's exit
code from its answer. It knows a pod by its environment, ConfigMap and Secret, as Kubernetes has them.
"""

import argparse
import base64
import json
import os
import sys
import tempfile
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from kubernetes.client import CoreV1Api
from kubernetes.config import new_client_from_config

from higgsdemo.catalogue import load_catalogue
from rehearsal.expected import Expected
from rehearsal.store import TOGETHER
from workload.errors import WorkloadError
from workload.manifest import Shard, read_shards
from workload.result import result_document
from workload.storage import put

INDEX = "batch.kubernetes.io/job-completion-index"
AT_ONCE = 32  # pods, most of which wait for the store
Pod = dict[str, Any]


class Pods:
    """The pods of all clusters of a kubeconfig; what several of them read is asked for once."""

    def __init__(self, kubeconfig: Path, folder: Path, catalogue: str) -> None:
        self._kubeconfig, self._folder = kubeconfig, folder
        self._expected = Expected(load_catalogue(catalogue))
        self._core, self._manifest = cache(self._connect), cache(self._read_manifest)
        self._reach_store = cache(self._set_variables)

    def finish(self, cluster: str, pod: Pod) -> int:
        """Write the results of a pod's shards, and return the exit code of the pod contract."""
        try:
            self._finish(cluster, pod)
        except WorkloadError as error:
            print(f"{pod['metadata']['name']}: {error}", file=sys.stderr, flush=True)
            return error.exit_code
        return 0

    def _finish(self, cluster: str, pod: Pod) -> None:
        namespace, spec = pod["metadata"]["namespace"], pod["spec"]
        container, environment = _working(spec)
        for source in container.get("envFrom") or ():
            self._reach_store(cluster, namespace, source["secretRef"]["name"])
        config_map = next(v["configMap"]["name"] for v in spec["volumes"] if v["name"] == "manifest")
        file = PurePosixPath(environment["SHARD_MANIFEST"]).name
        manifest = self._manifest(cluster, namespace, config_map, file)
        results = {
            f"{shard.name}.json": self._result(environment["DATASET"], shard)
            for shard in read_shards(manifest, int(pod["metadata"]["annotations"][INDEX]))
        }
        put(f"{environment['OUTPUT_URL']}/{TOGETHER}", json.dumps(results).encode())

    def _result(self, dataset: str, shard: Shard) -> str:
        analysis = self._expected.of(dataset, shard.name)
        document = result_document(
            shard, dataset, analysis, received=0, stage_in=0.0, compute=0.0, test_mode=False
        )
        return json.dumps(document | {"workload": "rehearsal", "simulated": True})

    def _connect(self, cluster: str) -> CoreV1Api:
        return CoreV1Api(new_client_from_config(str(self._kubeconfig), context=cluster))

    def _read_manifest(self, cluster: str, namespace: str, config_map: str, file: str) -> Path:
        """Return the manifest in a ConfigMap as a file, which is this call's own."""
        found = self._core(cluster).read_namespaced_config_map(config_map, namespace)
        with tempfile.NamedTemporaryFile("w", dir=self._folder, delete=False) as copy:
            copy.write(found.data[file])
        return Path(copy.name)

    def _set_variables(self, cluster: str, namespace: str, secret: str) -> None:
        """Set the variables of a Secret, by which the store is reached; all pods have the same."""
        found = self._core(cluster).read_namespaced_secret(secret, namespace)
        values = {key: base64.b64decode(value).decode() for key, value in (found.data or {}).items()}
        os.environ.update(values)


def _working(spec: Pod) -> tuple[Pod, dict[str, str]]:
    """Return the container that keeps the pod contract, and its environment."""
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        environment = {one["name"]: one.get("value", "") for one in container.get("env") or ()}
        if "OUTPUT_URL" in environment:
            return container, environment
    raise ValueError("a pod without OUTPUT_URL keeps no pod contract")


def main() -> None:
    """Answer for each pod on standard input, until it ends."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.pods", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--catalogue", required=True)
    options = parser.parse_args()
    writing = threading.Lock()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        pods = Pods(options.kubeconfig, Path(folder), options.catalogue)

        def answer(line: str) -> None:
            told = json.loads(line)
            try:
                code = pods.finish(told["cluster"], told["pod"])
            except Exception:  # noqa: BLE001  # a pod without an answer would never end
                traceback.print_exc()
                code = 1
            with writing:
                print(json.dumps({"id": told["id"], "exitCode": code}), flush=True)

        for line in sys.stdin:
            pool.submit(answer, line)


if __name__ == "__main__":
    main()
