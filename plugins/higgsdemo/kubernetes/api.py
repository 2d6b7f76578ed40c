"""Create, find and remove our objects in a cluster.

Every write is idempotent: an existing object is adopted when it is ours and the same, and refused by name
when it is not. A retried, cleared or repeated task therefore never doubles anything.
"""

import re
import time
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple

from kubernetes.client import ApiClient, AppsV1Api, BatchV1Api, CoreV1Api, NetworkingV1Api

from higgsdemo.kubernetes import names
from higgsdemo.kubernetes.progress import indexes, job_ends
from higgsdemo.kubernetes.requests import KubeError, explain_errors, make_patient
from higgsdemo.wording import printable_lines

Manifest = dict[str, Any]
PAGE = 500
TAKEN = (403, 409)  # of an existing object: an exhausted quota is reported before the name is
LOG_BYTES = 16_000
PULLED_IN = timedelta(hours=1)  # age of a DaemonSet that may still be waited for
GONE_IN = 60.0  # s to wait for a Job's deletion, not for its pods'


class Applied(NamedTuple):
    """An object in the cluster: its uid, and what it was found as; None if it was created now."""

    uid: str
    found: Manifest | None = None


class KubeCluster:
    """Our objects in one namespace of one cluster."""

    def __init__(self, name: str, namespace: str, api: ApiClient, *, once: bool = False) -> None:
        """Take a client; `once` lets it make each request only once."""
        self.name, self.namespace = name, namespace
        self._api = make_patient(api, once=once)
        self._core, self._batch, self._apps = CoreV1Api(api), BatchV1Api(api), AppsV1Api(api)
        self._apis = self._core, self._batch, self._apps, NetworkingV1Api(api)

    def ensure_namespace(self) -> None:
        """Create the namespace unless it exists, or is not ours to create."""
        body = {"metadata": {"name": self.namespace, "labels": {names.PART_OF: names.PROJECT}}}
        with explain_errors(self.name, f"create namespace {self.namespace}", ignore=(403, 409)):
            self._core.create_namespace(body)

    def apply(self, manifest: Manifest) -> Applied:
        """Create an object; adopt an existing one if it is ours and the same.

        :raises KubeError: when another object has that name, or the cluster refuses.
        """
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        if uid := self._create(manifest, ignore=TAKEN):
            return Applied(uid)
        with explain_errors(self.name, f"read {kind} {name}", ignore=(404,)):
            there = self._plain(self._verb("read", kind)(name, self.namespace))
            if difference := _difference(manifest, there):
                raise self._refuse(kind, name, difference)
            return Applied(there["metadata"]["uid"], there)
        return Applied(str(self._create(manifest)))  # or it says why not

    def put_secret(self, manifest: Manifest) -> None:
        """Create a Secret, or replace the credentials in an existing one of ours.

        One patch tests the owner and replaces all keys, so nobody needs the right to read Secrets.

        :raises KubeError: when another owner's Secret has that name, or the cluster refuses.
        """
        if self._create(manifest, ignore=TAKEN):
            return
        name, data = manifest["metadata"]["name"], manifest["stringData"]
        patch: list[Manifest] = [
            {"op": "test", "path": f"/metadata/labels/{label.replace('/', '~1')}", "value": value}
            for label, value in names.owner(manifest).items()
        ]
        encoded = {key: b64encode(value.encode()).decode() for key, value in data.items()}
        patch.append({"op": "add", "path": "/data", "value": encoded})
        try:
            with explain_errors(self.name, f"replace Secret {name}", ignore=(404,)):
                self._core.patch_namespaced_secret(name, self.namespace, patch)
                return
        except KubeError as error:
            raise self._refuse("Secret", name, "another owner") if error.status == 422 else error from None
        self._create(manifest)

    def submit(self, job: Manifest, manifest: Manifest, lacking: Collection[int]) -> bool:
        """Apply a Job and its pods' ConfigMap, which is deleted with it; return whether the Job was created.

        The Job comes first, for its uid makes it the owner; pods wait for a missing ConfigMap. A Job that is
        through with an index in ``lacking``, of shards without a result, is made anew.
        """
        there, name = self.apply(job), job["metadata"]["name"]
        if there.found and _is_spent(there.found, lacking):
            self._own(manifest, None)  # or it would be deleted with the Job
            there = self._make_anew(job, there.uid)
        owner = [{"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": there.uid}]
        owned = {"metadata": manifest["metadata"] | {"ownerReferences": owner}}
        if self.apply(manifest | owned).found:  # it may belong to a deleted Job, and be deleted after it
            self._own(manifest, owner)
        return not there.found

    def config_map(self, name: str) -> Manifest:
        with explain_errors(self.name, f"read ConfigMap {name}"):
            return self._plain(self._core.read_namespaced_config_map(name, self.namespace))

    def stop(self, selector: str) -> list[str]:
        """Suspend the Jobs that run; return their names. Pods end, no others start, the status remains."""
        marks = {names.STOPPED: "true", names.IDLE: None}
        stopped = {"metadata": {"annotations": marks}, "spec": {"suspend": True}}
        running = [job["metadata"]["name"] for job in self.jobs(selector) if _is_at_work(job)]
        for name in running:  # unless it is gone, or has ended meanwhile
            with explain_errors(self.name, f"suspend Job {name}", ignore=(404, 422)):
                self._batch.patch_namespaced_job(name, self.namespace, stopped)
        return running

    def jobs(self, selector: str, *, everywhere: bool = False) -> list[Manifest]:
        """List the Jobs that a label selector finds, in our namespace or in all of the cluster's."""
        return self._list("Job", selector, everywhere)

    def owned(self, *, everywhere: bool = False) -> list[tuple[tuple[str, str], bool]]:
        """Return the owner of each DaemonSet and Job of ours, and whether it has work left.

        That is a Job that runs, or an image that is pulled; an owner, the label values of campaign and run.
        Secrets are not listed: whoever may list them may read them.
        """
        ours, since = f"{names.PART_OF}={names.PROJECT}", datetime.now(UTC) - PULLED_IN
        found = [(one, _created(one) > since) for one in self._list("DaemonSet", ours, everywhere)]
        found += [(one, _is_at_work(one)) for one in self._list("Job", ours, everywhere)]
        labels = [(one["metadata"]["labels"], works) for one, works in found]
        return [((of[names.CAMPAIGN], of[names.RUN]), works) for of, works in labels if names.RUN in of]

    def _list(self, kind: str, selector: str, everywhere: bool) -> list[Manifest]:
        with explain_errors(self.name, f"list {kind}s"):
            where = () if everywhere else (self.namespace,)
            found = self._verb("list", kind, everywhere)(*where, label_selector=selector)
            return list(self._plain(found)["items"])

    def failed_pods(self, selector: str) -> Iterator[Manifest]:
        """Yield the failed pods that a label selector finds, page by page."""
        token = None
        while True:
            with explain_errors(self.name, "list failed pods"):
                page = self._core.list_namespaced_pod(
                    self.namespace,
                    label_selector=selector,
                    field_selector="status.phase=Failed",
                    limit=PAGE,
                    _continue=token,
                )
            yield from self._plain(page)["items"]
            if not (token := page.metadata._continue):
                return

    def log_end(self, pod: str, container: str, lines: int) -> list[str]:
        """Return the last lines of a container's log; none when the log is gone with its pod or node."""
        with explain_errors(self.name, f"read the log of pod {pod}", ignore=(400, 404, 500)):
            # Undecoded: version 36 of the client makes "b'...'" of a text, older ones parse what is JSON.
            answer = self._core.read_namespaced_pod_log(
                pod,
                self.namespace,
                container=container,
                tail_lines=lines,
                limit_bytes=LOG_BYTES,
                _preload_content=False,
            )
            return printable_lines(answer.data.decode(errors="replace"))
        return []

    def remove(self, selector: str) -> None:
        """Delete everything of ours that a label selector finds, pods with their Jobs.

        Secrets first: where that fails, Jobs and DaemonSets remain, by which `owned` finds the run again.
        """
        for kind in ("Secret", "Job", "DaemonSet", "ConfigMap", "NetworkPolicy"):
            delete = self._verb("delete_collection", kind)
            with explain_errors(self.name, f"delete {kind} objects", ignore=(404,)):
                delete(self.namespace, label_selector=selector, propagation_policy="Background")

    def _own(self, manifest: Manifest, owners: list[Manifest] | None) -> None:
        name = manifest["metadata"]["name"]
        with explain_errors(self.name, f"patch ConfigMap {name}", ignore=() if owners else (404,)):
            owned = {"metadata": {"ownerReferences": owners}}
            self._core.patch_namespaced_config_map(name, self.namespace, owned)

    def _make_anew(self, job: Manifest, uid: str) -> Applied:
        """Delete this very Job, and recreate it once name and quota are free; its pods are deleted later."""
        name = job["metadata"]["name"]
        options = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        with explain_errors(self.name, f"delete Job {name}", ignore=(404, 409)):  # gone, or another by now
            self._batch.delete_namespaced_job(name, self.namespace, body=options)
        end = time.monotonic() + GONE_IN
        while True:
            late = time.monotonic() > end
            try:
                there = self.apply(job)
            except KubeError as error:
                if late or error.final or error.status != 403:  # a quota is freed a little after
                    raise
            else:
                if there.uid != uid:
                    return there
                if late:
                    raise KubeError(
                        f"cluster {self.name}: Job {name} was deleted, to be made anew, and is still there "
                        f"after {GONE_IN:.0f} s; does something else hold it (metadata.finalizers)?"
                    )
            time.sleep(0.2)

    def _create(self, manifest: Manifest, ignore: tuple[int, ...] = ()) -> str | None:
        """Create an object and return its uid; None where it is refused with a status in ``ignore``."""
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        with explain_errors(self.name, f"create {kind} {name}", ignore):
            return str(self._verb("create", kind)(self.namespace, manifest).metadata.uid)
        return None

    def _refuse(self, kind: str, name: str, difference: str) -> KubeError:
        way_out = "remove it (stage 'cleanup'), or give the run another run_name"
        if kind == "ServiceAccount":  # all runs share it
            way_out = "a campaign with another pod_identity needs a namespace of its own"
        return KubeError(
            f"cluster {self.name}: {kind} {name} in namespace {self.namespace} is there already with "
            f"{difference}; {way_out}",
            final=True,
        )

    def _verb(self, verb: str, kind: str, everywhere: bool = False) -> Callable[..., Any]:
        """Return the client's method, such as `create_namespaced_config_map`, whichever API has it."""
        thing = re.sub("([A-Z])", r"_\1", kind).lower()
        name = f"{verb}{thing}_for_all_namespaces" if everywhere else f"{verb}_namespaced{thing}"
        found: Callable[..., Any] = next(getattr(api, name) for api in self._apis if hasattr(api, name))
        return found

    def _plain(self, model: Any) -> Manifest:
        """Return a client model as the API's JSON: field names as in manifests, times as text."""
        plain: Manifest = self._api.sanitize_for_serialization(model)
        return plain


def _created(thing: Manifest) -> datetime:
    return datetime.fromisoformat(thing["metadata"]["creationTimestamp"])


def _is_at_work(job: Manifest) -> bool:
    """Whether a Job goes on to start pods."""
    return not (job["spec"].get("suspend") or job_ends(job))


def _is_spent(job: Manifest, lacking: Collection[int]) -> bool:
    """Return whether a Job is through with an index in ``lacking``: deleted, ended, or stopped by us."""
    metadata, status = job["metadata"], job.get("status") or {}
    if metadata.get("deletionTimestamp") or job_ends(job):
        return True
    stopped = (metadata.get("annotations") or {}).get(names.STOPPED)
    through = chain(*(indexes(status.get(field)) for field in ("completedIndexes", "failedIndexes")))
    return stopped == names.LOST or (stopped is not None and any(index in lacking for index in through))


def _difference(ours: Manifest, there: Manifest) -> str | None:
    if names.owner(ours) != names.owner(there):
        return "another owner"
    expected = (ours["metadata"].get("annotations") or {}).get(names.SPEC_HASH)
    if expected != (there["metadata"].get("annotations") or {}).get(names.SPEC_HASH):
        return "another content"
    if "data" in ours and ours["data"] != there.get("data"):
        return "another content"
    return None
