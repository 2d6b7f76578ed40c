"""One test's part of a namespace: everything in it bears the test's name and label.

Pods run scripts in one image, which any cluster may have: in Python, not shell, unless it is localkube's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from kube_client import Kube
from waiting import eventually

PATIENCE = 120.0  # s: a genuine cluster pulls images, starts sandboxes, and waits 10 s before a second try
LABEL = "higgs-suite/test"
INDEX = "batch.kubernetes.io/job-completion-index"
SLEEP = "import time; time.sleep(600)"
WAIT_FOR_GO = "import os, time; time.sleep(0 if os.environ.get('GO') else 600)"
FAIL_INDEX = {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [65]}}
COLLECTIONS = {
    "Pod": "api/v1/namespaces/{}/pods",
    "ConfigMap": "api/v1/namespaces/{}/configmaps",
    "Secret": "api/v1/namespaces/{}/secrets",
    "Job": "apis/batch/v1/namespaces/{}/jobs",
    "DaemonSet": "apis/apps/v1/namespaces/{}/daemonsets",
}
Manifest = dict[str, Any]


def soon(look: Any, what: str = "") -> Any:
    """Return what `look` returns as soon as it is true, with the patience that a genuine cluster needs."""
    return eventually(look, what, PATIENCE)


def python(script: str) -> list[str]:
    return ["python3", "-c", script]


def exits(*codes: int) -> str:
    """Return a script that ends with the exit code of its completion index."""
    return f"import os, sys; sys.exit({list(codes)}[int(os.environ['JOB_COMPLETION_INDEX'])])"


@dataclass(frozen=True)
class Space:
    """A cluster, a namespace there, the image of all pods, and the name of the test.

    Scripts are Python, or what the image's entry point takes.
    """

    kube: Kube
    namespace: str
    image: str
    test: str
    entry_point: bool = False

    @classmethod
    def of(cls, kube: Kube, namespace: str, image: str, node: str) -> Space:
        """Return the space of a test; its name is short enough for what Jobs and DaemonSets add to it."""
        slug = re.sub(r"[^a-z0-9]+", "-", node.removeprefix("test_").lower())[:24].strip("-")
        return cls(kube, namespace, image, f"{slug}-{crc32(node.encode()):08x}")

    @property
    def selector(self) -> str:
        return f"{LABEL}={self.test}"

    def path(self, kind: str, name: str = "") -> str:
        return COLLECTIONS[kind].format(self.namespace) + (f"/{name}" if name else "")

    def metadata(self, suffix: str = "", **labels: str) -> Manifest:
        name = f"{self.test}-{suffix}" if suffix else self.test
        return {"name": name, "labels": {LABEL: self.test, **labels}}

    def container(self, script: str, **more: Any) -> Manifest:
        words = {"args": [script]} if self.entry_point else {"command": python(script)}
        return {"name": "main", "image": self.image, **words, **more}

    def config_map(self, suffix: str = "", data: dict[str, str] | None = None, **labels: str) -> Manifest:
        return {"kind": "ConfigMap", "metadata": self.metadata(suffix, **labels), "data": data or {}}

    def secret(self, suffix: str = "", **values: str) -> Manifest:
        return {"kind": "Secret", "metadata": self.metadata(suffix), "stringData": values}

    def pod(self, script: str, suffix: str = "", **spec: Any) -> Manifest:
        """Return a pod that runs a script once; `container` changes its container, other fields its spec."""
        containers = [self.container(script, **spec.pop("container", {}))]
        once = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": containers}
        return {"kind": "Pod", "metadata": self.metadata(suffix), "spec": once | spec}

    def job(self, script: str, suffix: str = "", **spec: Any) -> Manifest:
        """Return a plain Job of a script; `pod` changes the spec of its pods."""
        inside = self.pod(script, suffix, **spec.pop("pod", {}))
        template = {"metadata": {"labels": inside["metadata"]["labels"]}, "spec": inside["spec"]}
        return {"kind": "Job", "metadata": inside["metadata"], "spec": {"template": template, **spec}}

    def indexed_job(self, script: str, completions: int, suffix: str = "", **spec: Any) -> Manifest:
        """Return an Indexed Job of a script; all indexes at once unless told otherwise."""
        size = {"completions": completions, "parallelism": completions, "completionMode": "Indexed"}
        return self.job(script, suffix, **size | spec)

    def daemon_set(self, script: str, suffix: str = "", **pod: Any) -> Manifest:
        """Return a DaemonSet of a script; `pod` changes the spec of its pods."""
        inside = self.pod(script, suffix, **{"restartPolicy": "Always"} | pod)
        template = {"metadata": {"labels": inside["metadata"]["labels"]}, "spec": inside["spec"]}
        spec = {"selector": {"matchLabels": {LABEL: self.test}}, "template": template}
        return {"kind": "DaemonSet", "metadata": inside["metadata"], "spec": spec}

    def told_to_go(self) -> Manifest:
        """Return what a container needs for pods that start after `go` to find the variable GO."""
        key = {"name": self.metadata("go")["name"], "key": "go", "optional": True}
        return {"env": [{"name": "GO", "valueFrom": {"configMapKeyRef": key}}]}

    def go(self) -> None:
        """Let pods that start from now on end at once."""
        self.make(self.config_map("go", {"go": "yes"}))

    def make(self, manifest: Manifest) -> Any:
        core, batch, apps = self.kube.core, self.kube.batch, self.kube.apps
        create = {
            "Pod": core.create_namespaced_pod,
            "ConfigMap": core.create_namespaced_config_map,
            "Secret": core.create_namespaced_secret,
            "Job": batch.create_namespaced_job,
            "DaemonSet": apps.create_namespaced_daemon_set,
        }[manifest["kind"]]
        return create(self.namespace, manifest)

    def refusal(self, manifest: Manifest) -> Manifest:
        """Return the Status with which the API refuses an object."""
        answer = self.kube.http.post(self.path(manifest["kind"]), json=manifest)
        assert answer.is_error, "it was not refused"
        status: Manifest = answer.json()
        return status

    def job_now(self, suffix: str = "") -> Any:
        return self.kube.batch.read_namespaced_job(self.metadata(suffix)["name"], self.namespace)

    def pod_now(self, suffix: str = "") -> Any:
        return self.kube.core.read_namespaced_pod(self.metadata(suffix)["name"], self.namespace)

    def pods(self) -> list[Any]:
        """Return the pods of this test that are not on their way out."""
        found = self.kube.core.list_namespaced_pod(self.namespace, label_selector=self.selector).items
        return [pod for pod in found if pod.metadata.deletion_timestamp is None]

    def indexes(self) -> list[str]:
        return sorted(pod.metadata.labels[INDEX] for pod in self.pods())

    def ready_pods(self, count: int, suffix: str = "") -> list[Any]:
        """Return the pods of a Job, once so many of them are ready."""
        soon(lambda: self.job_now(suffix).status.ready == count, f"{count} pods are ready")
        return self.pods()

    def unschedulable(self, suffix: str = "") -> str:
        """Return why no node takes a pod, once it is told."""

        def look() -> str:
            found = self.pod_now(suffix).status.conditions or []
            return next((one.message for one in found if one.reason == "Unschedulable"), "")

        return str(soon(look, "the pod cannot be scheduled"))

    def ended_job(self, suffix: str = "") -> Any:

        def look() -> Any:
            status = self.job_now(suffix).status
            return status if {"Complete", "Failed"} & {one[0] for one in conditions(status)} else None

        return soon(look, "the Job ends")

    def ended_pod(self, suffix: str = "", *phases: str) -> Any:
        """Return a pod, once it has succeeded or failed, or its phase is one of these."""

        def look() -> Any:
            found = self.pod_now(suffix)
            return found if found.status.phase in (phases or ("Succeeded", "Failed")) else None

        return soon(look, f"the phase of the pod is one of {phases or 'the last'}")

    def running_pod(self, suffix: str = "") -> Any:
        return self.ended_pod(suffix, "Running")

    def run_job(self, manifest: Manifest) -> Any:
        self.make(manifest)
        return self.ended_job()

    def run_pod(self, manifest: Manifest) -> Any:
        self.make(manifest)
        return self.ended_pod()

    def log(self, suffix: str = "", **query: Any) -> str:
        name = self.metadata(suffix)["name"]
        answer = self.kube.http.get(f"{self.path('Pod', name)}/log", params=query)
        assert answer.status_code == 200, answer.text
        return answer.text

    def events(self, kind: str, name: str) -> list[Any]:
        """Return what has been told of an object, oldest first."""
        about = f"involvedObject.kind={kind},involvedObject.name={name}"
        found: list[Any] = self.kube.core.list_namespaced_event(self.namespace, field_selector=about).items
        return sorted(found, key=lambda one: int(one.metadata.resource_version))

    def evict(self, pod: str) -> None:
        """Take a pod away as a drained or reclaimed node does."""
        self.kube.core.create_namespaced_pod_eviction(pod, self.namespace, {"metadata": {"name": pod}})

    def clear(self) -> None:
        core, batch, apps = self.kube.core, self.kube.batch, self.kube.apps
        for delete in (
            batch.delete_collection_namespaced_job,
            apps.delete_collection_namespaced_daemon_set,
            core.delete_collection_namespaced_pod,
            core.delete_collection_namespaced_config_map,
            core.delete_collection_namespaced_secret,
        ):
            delete(self.namespace, label_selector=self.selector, propagation_policy="Background")


def conditions(status: Any) -> list[tuple[str, str]]:
    """Type and reason of the conditions that hold, in their order."""
    return [(one.type, one.reason) for one in status.conditions or [] if one.status == "True"]


def causes(refusal: Manifest) -> list[str]:
    assert (refusal["code"], refusal["reason"]) == (422, "Invalid"), refusal
    return [cause["field"] for cause in refusal["details"]["causes"]]
