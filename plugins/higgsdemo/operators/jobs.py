"""``submit_jobs``, ``wait_for_jobs`` and ``cleanup_jobs``: the life of a cluster's Jobs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from higgsdemo import tasks
from higgsdemo.campaign import DatasetRef
from higgsdemo.clusters import connect, provider_of
from higgsdemo.kubernetes.names import selector
from higgsdemo.links import PageLink
from higgsdemo.operators.base import (
    ClusterOperator,
    TaskFailed,
    TaskFailedForGood,
    check,
    end_of,
    fail_in_words,
    in_time,
    output_store,
    read_assignment,
)
from higgsdemo.operators.cluster_life import begin_deletion
from higgsdemo.operators.created import is_noted, note
from higgsdemo.operators.credentials import pod_credentials
from higgsdemo.operators.waiting import WaitingOperator
from higgsdemo.run import ClusterRun, Run
from higgsdemo.run_folder import certified_key, failures_key, result_key
from higgsdemo.tolerance import tell_excess
from higgsdemo.wording import printable

if TYPE_CHECKING:
    from higgsdemo.datasets.shards import Shard
    from higgsdemo.kubernetes.api import KubeCluster
    from higgsdemo.kubernetes.jobs import Chunk
    from higgsdemo.storage.object_store import ObjectStore

AT_ONCE = 4  # Jobs, each with a manifest of up to 1 MB; the client keeps 5 connections a core


class Part(NamedTuple):
    """The work of one Job: shards of a dataset, and the completion indexes of those without a result."""

    dataset: DatasetRef
    chunk: Chunk
    lacking: set[int]


class SubmitJobsOperator(ClusterOperator):
    """Create one Indexed Job for each dataset in the cluster, adopting existing ones."""

    stage = tasks.SUBMIT.stage
    told_to_end = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the Jobs' names with the number of their shards, and that of all shards by dataset."""
        from higgsdemo.kubernetes import jobs

        assignment = self.begin(context)
        if is_noted(assignment):
            note(assignment)  # it is no longer only prepared
        submitted: dict[str, int] = {}
        listed = Counter[str]()
        with fail_in_words():
            cluster = connect(assignment)
            cluster.ensure_namespace()
            if assignment.cluster.egress:
                cluster.apply(jobs.network_policy(assignment, assignment.cluster.egress))
            secret_name, environment = self._give_access(assignment, cluster)
            output = output_store(assignment)
            parts = self._parts(assignment, output, listed)

            def submit(part: Part) -> tuple[str, int]:
                manifest = jobs.config_map(assignment, part.dataset, part.chunk)
                name = manifest["metadata"]["name"]
                job = jobs.job(assignment, part.dataset, part.chunk, name, secret_name, environment)
                if not cluster.submit(job, manifest, part.lacking):
                    self.log.info("Job %s is there already: adopted", job["metadata"]["name"])
                return job["metadata"]["name"], part.chunk.shards

            with ThreadPoolExecutor(AT_ONCE) as threads:
                while batch := list(islice(parts, AT_ONCE)):
                    submitted |= threads.map(submit, batch)
                    self._go_on(assignment, cluster, context)
        self.log.info("%d Jobs with %d shards", len(submitted), sum(submitted.values()))
        return {"cluster_name": assignment.cluster.name, "jobs": submitted, "shards": dict(listed)}

    def _parts(self, assignment: ClusterRun, output: ObjectStore, listed: Counter[str]) -> Iterator[Part]:
        """Yield the work: for each dataset one part per Job, of shards that lack a good result."""
        from higgsdemo.datasets.shards import Corrupt, done_shards
        from higgsdemo.kubernetes.jobs import chunks

        per_pod, corrupt = self._shards_per_pod(assignment, output), Corrupt.of(output)
        for dataset, shards in _by_dataset(assignment, output):
            good = done_shards(output, dataset.name)
            worthless = corrupt.take_from(good, dataset.name)
            lost: list[Shard] = []
            # Shards that have lost their result are separate: they must not change the Jobs of the others.
            certified = output.read(certified_key(dataset.name)).decode() if dataset.certified else ""
            to_do = chunks(_to_do(shards, listed, good, lost), per_pod, certified)
            for chunk in chain(to_do, chunks(lost, per_pod, certified)):
                named = list(chunk.names)
                lacking = {index for index, names in enumerate(named) if not good.keys() >= set(names)}
                if gone := worthless.intersection(chain(*named)):
                    output.remove([result_key(dataset.name, name) for name in gone])
                if lacking:
                    yield Part(dataset, chunk, lacking)

    def _shards_per_pod(self, assignment: ClusterRun, output: ObjectStore) -> int:
        from higgsdemo.rates import pack

        counts, sized, size = Counter[str](), 0, 0
        chosen = assignment.cluster.shards_per_pod == "auto"  # only then their number matters
        for dataset, shards in _by_dataset(assignment, output) if chosen else ():
            for shard in shards:
                if not shard.done:
                    counts[dataset.name] += 1
                    sized, size = sized + (shard.bytes is not None), size + (shard.bytes or 0)
        return pack(
            assignment.run, assignment.cluster, list(counts.values()), size / sized if sized else None
        )

    def on_kill(self) -> None:
        """Note that the task is to end: it then stops its Jobs before it makes more."""
        self.told_to_end = True

    def _go_on(self, assignment: ClusterRun, cluster: KubeCluster, context: Context) -> None:
        """Stop what was submitted, and fail, when the task is to end or the run has no time left."""
        try:
            in_time(assignment, context)
            if self.told_to_end and assignment.run.on_cancel == "stop":
                raise TaskFailed("ending on request: the Jobs are stopped")
        except (TaskFailed, TaskFailedForGood):
            cluster.stop(selector(assignment.run.campaign, assignment.run.name))
            raise

    def _give_access(self, assignment: ClusterRun, cluster: KubeCluster) -> tuple[str | None, dict[str, str]]:
        """Let pods reach their buckets: by a Secret, whose name is returned, or by variables alone."""
        from higgsdemo.kubernetes import jobs
        from higgsdemo.storage.connections import holds_secrets

        run, there = assignment.run, assignment.cluster
        environment = pod_credentials(run, there)
        if there.pod_identity:
            cluster.apply(jobs.service_account(assignment))
        if not holds_secrets(environment):
            return None, environment
        if any(name.endswith("AWS_SESSION_TOKEN") for name in environment):
            self.log.warning("the connection's keys are temporary: pods that start after their end fail")
        credentials = jobs.secret(assignment, environment)
        cluster.put_secret(credentials)
        return credentials["metadata"]["name"], {}


class WaitForJobsOperator(WaitingOperator):
    """Wait, without a worker, for the Jobs of ``submit_jobs``; judge them by the campaign's tolerance."""

    operator_extra_links = (PageLink(),)
    template_fields = (*WaitingOperator.template_fields, "submitted")
    stage = tasks.WAIT.stage

    def __init__(self, *, submitted: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.submitted = submitted

    def execute(self, context: Context) -> dict[str, Any]:
        from higgsdemo.triggers.jobs import JobsTrigger

        assignment = self.begin(context)
        if self.submitted is None:
            raise TaskFailedForGood(
                f"cluster {assignment.cluster.name}: submit_jobs has left nothing to wait for: was it marked "
                "as success by hand? Clear it, and it adopts what is there"
            )
        if not self.submitted["jobs"]:
            return self._judge(assignment)
        with fail_in_words():
            poll_seconds = provider_of(assignment).poll_seconds
        trigger = JobsTrigger(
            self.assignment,
            poll_seconds,
            end_of(assignment, context),
            sorted(self.submitted["jobs"]),
            self.submitted["shards"],
        )
        return self.wait(trigger, context)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Judge the Jobs once they have ended, were stopped, or are gone with their cluster."""
        assignment = read_assignment(self.assignment)
        event = event or {}
        if not event.get("final") or self._note_failures(assignment)[1]:
            check(event)
        return self._judge(assignment)

    def _judge(self, assignment: ClusterRun) -> dict[str, Any]:
        run, name = assignment.run, assignment.cluster.name
        totals, missing = self._note_failures(assignment)
        total = sum(totals.values())
        if excess := tell_excess(run, Counter(shard.dataset for shard in missing), totals):
            raise TaskFailedForGood(f"cluster {name}: {excess}; see {failures_key(name)} in {run.output}")
        done = total - len(missing)
        self.log.info("cluster %s: %d of %d shards done", name, done, total)
        counts = {"cluster_name": name, "shards": total, "done": done, "failed": len(missing)}
        return counts | {"deleting": begin_deletion(assignment, self.log.warning)}

    def _note_failures(self, assignment: ClusterRun) -> tuple[dict[str, int], list[Shard]]:
        """Note why shards have no result; return the number of all shards by dataset, and those without."""
        from higgsdemo.kubernetes.failures import failed_shards

        with fail_in_words():
            output = output_store(assignment)
            totals, missing = _without_result(assignment, output)
            failures = failed_shards(connect(assignment), assignment, missing) if missing else []
            key = failures_key(assignment.cluster.name)
            if failures or output.exists(key):  # those of an earlier wait are outdated
                output.write(key, json.dumps(failures, indent=1).encode())
        for failure in failures[:20]:
            said = "shard {shard} of {dataset} failed: {reason}".format_map(failure)
            self.log.error("%s", printable(said))
        return totals, missing


class CleanupJobsOperator(ClusterOperator):
    """Remove from the cluster only what has the campaign's labels."""

    stage = tasks.CLEAN.stage

    def execute(self, context: Context) -> dict[str, Any]:
        """Delete Jobs with their pods, ConfigMaps, Secrets, NetworkPolicies and the prepull DaemonSet."""
        assignment = self.begin(context)
        run, cluster = assignment.run, assignment.cluster
        if run.cleanup == "none":
            raise AirflowSkipException("cleanup is 'none': the Jobs stay")
        only = _only_run(run, dict(context["dag_run"].conf or {}))
        with fail_in_words():
            if provider_of(assignment).state().runs:
                connect(assignment).remove(selector(run.campaign, only))
        self.log.info("nothing of %s is left in %s", only or run.campaign, cluster.name)
        return {"cluster_name": cluster.name}


def _only_run(run: Run, conf: dict[str, Any]) -> str | None:
    """Return the run to remove; None for all, where a run that only cleans up names none."""
    return None if run.stages == ("cleanup",) and not conf.get("run_name") else run.name


def _by_dataset(assignment: ClusterRun, output: ObjectStore) -> Iterator[tuple[DatasetRef, Iterator[Shard]]]:
    """Yield the cluster's datasets with their listed shards, reading them meanwhile."""
    from higgsdemo.datasets.shards import cluster_shards

    datasets = {dataset.name: dataset for dataset in assignment.cluster.datasets}
    shards = cluster_shards(output, assignment.cluster.name)
    for name, of_dataset in groupby(shards, key=attrgetter("dataset")):
        yield datasets[name], of_dataset


def _to_do(
    shards: Iterable[Shard], listed: Counter[str], good: Container[str], lost: list[Shard]
) -> Iterator[Shard]:
    """Count all shards and yield those to do; `lost` takes those that have lost their result since."""
    for shard in shards:
        listed[shard.dataset] += 1
        if not shard.done:
            yield shard
        elif shard.name not in good:
            lost.append(shard)


def _without_result(assignment: ClusterRun, output: ObjectStore) -> tuple[dict[str, int], list[Shard]]:
    """Return how many shards of each dataset the cluster should run, and those that have no result."""
    from higgsdemo.datasets.shards import done_shards

    totals = Counter[str]()
    missing: list[Shard] = []
    for dataset, shards in _by_dataset(assignment, output):
        done = done_shards(output, dataset.name)
        for shard in shards:
            totals[dataset.name] += 1
            if shard.name not in done:
                missing.append(shard)
    return totals, missing
