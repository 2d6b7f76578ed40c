"""The state of a run as the page and `watch` show it: from Airflow and the bucket."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from higgsdemo.kubernetes.progress import PODS
from higgsdemo.page.airflow_run import AirflowRun, CampaignDag, RunState, TaskState
from higgsdemo.page.pace import eta_of, pace, rate_of, slow_datasets
from higgsdemo.page.run_documents import JobsSeen
from higgsdemo.page.snapshot import Snapshot
from higgsdemo.reason import cause
from higgsdemo.run import ClusterRun
from higgsdemo.tasks import CLUSTER, CREATE, OUTLINE, PLAN, STATUS, STEPS

FAILURES_SHOWN = 100
ATTENTION = ("failed", "upstream_failed", "up_for_retry", "running", "deferred", "restarting", "queued")
"""States of mapped tasks in the order in which one stands for all."""

Counts = dict[str, Any]


def run_state(run: AirflowRun, seen: Snapshot, base: str) -> dict[str, Any]:
    """Return the state of one run as JSON values; `base` is the path of Airflow's web interface."""
    dag_url = f"{base}/dags/{quote(run.dag_id, safe='')}"
    url = f"{dag_url}/runs/{quote(run.run.run_id, safe='')}"
    failures, done = list(seen.failures), _done(run, seen)
    lost = {(one["dataset"], one["shard"]) for one in failures}
    clusters = [
        _cluster(position, assignment, run, seen, done, failures, url)
        for position, assignment in enumerate(run.assignments)
    ]
    planned = run.assignments[0].run if run.assignments else None
    total = _sum([cluster["shards"] for cluster in clusters])
    pods = _pods([cluster["pods"] for cluster in clusters])
    over = run.ended and seen.complete  # what is not read yet may still be done
    for one in (*clusters, {"shards": total, "pods": pods, "datasets": []}):
        for shards in (one["shards"], *(dataset["shards"] for dataset in one["datasets"])):
            shards["said"] = _said(shards, any(one["pods"].values()), over)
    return {
        "dag_id": run.dag_id,
        "title": run.title,
        "dag_url": dag_url,
        "run": _run(run.run)
        | {"url": url, "name": planned.name if planned else None, "ended_all": run.ended},
        "output": planned.output if planned else None,
        "files": list(seen.files),
        "stages": _stages(run.tasks, url),
        **_causes(run, url),
        "clusters": clusters,
        "total": total,
        "pods": pods,
        "pace": pace(run, seen, done),
        "reading": {key: getattr(seen, key) for key in ("read", "found", "complete", "error")},
        "chart": seen.chart,
        "discovery": seen.summary.get("discovery") if seen.summary else None,
        "account": seen.account,
        "slow": slow_datasets(clusters),
        "remarks": list(seen.remarks),
        "stragglers": [one for one in seen.stragglers if (one["dataset"], one["shard"]) not in lost],
        "failures": {"count": len(failures), "shown": failures[:FAILURES_SHOWN]},
    }


def _causes(run: AirflowRun, url: str) -> dict[str, Any]:
    """Which tasks have failed, and why, also those that are tried again; and what a person can do then."""
    failed = [task for task in run.tasks if task.state == "failed" and task.task_id != STATUS.task_id]
    failed = failed or [task for task in run.tasks if task.state == "failed"]  # it has found out by itself
    trying = [task for task in run.tasks if task.state == "up_for_retry" and task.reason]
    causes = []
    for task in (*failed, *trying):
        cluster = run.clusters[task.map_index] if 0 <= task.map_index < len(run.clusters) else None
        again = "" if task.state == "failed" else "; it is tried again"
        causes.append(
            {
                "cluster": cluster,
                "state": task.state,
                "text": f"{cause(task.task_id, cluster, task.reason)}{again}",
                "url": f"{url}/tasks/{task.task_id}{f'/mapped/{task.map_index}' if cluster else ''}",
            }
        )
    return {"causes": causes, "advice": _advice(run, failed)}


def _advice(run: AirflowRun, failed: list[TaskState]) -> str | None:
    if not failed:
        return None
    if any(task.task_id == PLAN.task_id for task in failed):
        return "Mend it, and trigger the campaign again."
    of_clusters = any(task.task_id == step.task_id for task in failed for step in STEPS)
    first = f"{CREATE.task_id} of the cluster" if of_clusters else "what has failed"
    resume = "resume this run, or " if run.ended else ""
    return f"Mend it, then {resume}clear {first}, with what follows: what is done stays done."


def campaign_list(campaigns: Iterable[CampaignDag]) -> list[dict[str, Any]]:
    """Return campaigns with their latest runs."""
    return [{"dag_id": c.dag_id, "title": c.title, "runs": [_run(run) for run in c.runs]} for c in campaigns]


def _run(run: RunState) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "state": run.state,
        "started": run.started.timestamp() if run.started else None,
        "ended": run.ended.timestamp() if run.ended else None,
    }


def _cluster(
    position: int,
    assignment: ClusterRun,
    run: AirflowRun,
    seen: Snapshot,
    done: Mapping[tuple[str, str], int],
    failures: list[dict[str, Any]],
    url: str,
) -> dict[str, Any]:
    cluster = assignment.cluster
    jobs = seen.jobs.get(cluster.name, {})
    states = {task.task_id: task.state for task in run.tasks if task.map_index in (position, -1)}
    waiting = run.waits(position)
    listed = run.listed.get(cluster.name)
    datasets: list[dict[str, Any]] = []
    for ref in cluster.datasets:
        lost = sum((f["cluster"], f["dataset"]) == (cluster.name, ref.name) for f in failures)
        total = listed.get(ref.name, 0) if listed is not None else None
        of_jobs = jobs.get(ref.name, {}) if waiting else {}
        rate = rate_of(ref.name, done[cluster.name, ref.name], seen) if waiting and total else 0.0
        counts = _counts(total, done[cluster.name, ref.name], of_jobs, lost, rate)
        datasets.append({"name": ref.name, "sample": ref.sample, "shards": counts})
    return {
        **cluster.model_dump(include={"name", "provider", "location", "nodes"}),
        "steps": [
            {
                "name": step.name,
                "label": step.label,
                "state": states.get(step.task_id),
                "url": f"{url}/tasks/{step.task_id}/mapped/{position}",
            }
            for step in STEPS
        ],
        "waiting": next(filter(None, (job.get("waiting") for job in jobs.values())), None)
        if waiting
        else None,
        "shards": _sum([dataset["shards"] for dataset in datasets])
        | ({} if cluster.datasets else {"total": 0}),  # no shard falls to its share
        "pods": _pods([jobs.get(ref.name, {}).get("pods") for ref in cluster.datasets] if waiting else []),
        "datasets": datasets,
    }


def _done(run: AirflowRun, seen: Snapshot) -> dict[tuple[str, str], int]:
    """Return results by cluster and dataset; until all are read, at least as many as Jobs call done.

    Those of a split dataset are in one folder. Each cluster gets as many as its Jobs call done; the rest,
    which Jobs report a little later, goes to clusters with open shards.
    """
    homes: dict[str, list[tuple[str, int]]] = {}
    for assignment in run.assignments:
        name, listed = assignment.cluster.name, run.listed.get(assignment.cluster.name, {})
        for ref in assignment.cluster.datasets:
            homes.setdefault(ref.name, []).append((name, listed.get(ref.name, ref.files or 0)))
    done: dict[tuple[str, str], int] = {}
    for dataset, parts in homes.items():
        said = {
            cluster: seen.jobs.get(cluster, {}).get(dataset, {}).get("shards", {}).get("done", 0)
            for cluster, _ in parts
        }
        rest = max(seen.counted.get(dataset, 0), 0 if seen.complete else sum(said.values()))
        if len(parts) == 1:
            done[parts[0][0], dataset] = rest
            continue
        for cluster, size in parts:
            done[cluster, dataset] = min(said[cluster], size, rest)
            rest -= done[cluster, dataset]
        for cluster, size in parts:
            more = min(size - done[cluster, dataset], rest)
            done[cluster, dataset] += more
            rest -= more
    return done


def _counts(total: int | None, found: int, jobs: JobsSeen, lost: int, rate: float) -> Counts:
    """Return shards by state; `total` is None before they are listed.

    A result in the bucket is a shard done, whatever its Job says, which lags behind and counts whole pods.
    Results beyond those of pods that are through are of pods that have failed or run.
    """
    done = found if total is None else min(found, total)
    rest = (total or done) - done
    said = jobs.get("shards", {})
    beyond = max(done - said.get("done", 0), 0)
    of_failed = said.get("failed", 0)
    failed, beyond = _without_result(of_failed, beyond, said.get("surely", min(of_failed, 1)))
    running, _ = _without_result(said.get("running", 0), beyond, jobs.get("pods", {}).get("running", 0))
    failed = min(max(lost, failed), rest)
    running = min(running, rest - failed)
    pending = rest - failed - running
    return {
        "total": total,
        "done": done,
        "running": running,
        "failed": failed,
        "pending": pending,
        "rate": rate,
        "eta": eta_of(running + pending, rate),
    }


def _without_result(shards: int, results: int, least: int) -> tuple[int, int]:
    """Return how many shards of pods lack a result, at least so many, and the results that others have."""
    lacking = max(shards - results, min(least, shards))
    return lacking, results - (shards - lacking)


def _said(shards: Counts, watched: bool, over: bool) -> str:
    """Return the counts in one line.

    :param watched: whether pods have been seen: before, nobody knows what runs.
    :param over: whether nothing more will run.
    """
    done, running, failed, pending = (shards[key] for key in ("done", "running", "failed", "pending"))
    known = done + running + failed + pending
    if shards["total"] is None and not known:
        return "shards not listed yet"
    whole = "" if shards["total"] is not None else "at least "
    said = f"{done:,} of {whole}{known:,} shards done, {failed:,} failed"
    if not running + pending:
        return said
    if over:
        return f"{said}, {pending:,} never ran"
    return f"{said}, {running:,} running, {pending:,} pending" if watched else f"{said}, {pending:,} to do"


def _sum(parts: list[Counts]) -> Counts:
    total = {key: sum(part[key] or 0 for part in parts) for key in ("done", "running", "failed", "pending")}
    rate = sum(part["rate"] for part in parts)
    known = parts and all(part["total"] is not None for part in parts)
    return {
        "total": sum(part["total"] or 0 for part in parts) if known else None,
        **total,
        "rate": rate,
        "eta": eta_of(total["running"] + total["pending"], rate),
    }


def _pods(parts: Iterable[Mapping[str, int] | None]) -> dict[str, int]:
    found = [part for part in parts if part]
    return {phase: sum(part.get(phase, 0) for part in found) for phase in PODS}


def _stages(tasks: tuple[TaskState, ...], url: str) -> list[dict[str, Any]]:
    """Return the stages of the run, each with the most important state of its task instances."""
    states: dict[str, list[str | None]] = {}
    for task in tasks:
        states.setdefault(task.task_id.partition(".")[0], []).append(task.state)
    return [
        {
            "name": stage.name,
            "label": stage.label,
            "state": _standing(states[stage.name]),
            "url": f"{url}/tasks/{'group/' if stage is CLUSTER else ''}{stage.name}",
        }
        for stage in OUTLINE
        if stage.name in states
    ]


def _standing(states: list[str | None]) -> str | None:
    for state in ATTENTION:
        if state in states:
            return state
    if None in states or "scheduled" in states:
        return None if not any(states) else "running"
    return "success" if "success" in states else states[0]
