"""The clusters that campaigns have requested, recorded in Airflow's Variables until they are gone.

A file may change, or be deleted, while its run has clusters, and a conf may name what no file does. The
record is written before the request, so that a deletion knows of a cluster that is only about to appear.
"""

import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from airflow.sdk import Variable

from higgsdemo.kubernetes.names import digest
from higgsdemo.run import ClusterRun, PlanError

Warn = Callable[..., object]  # as of the leftovers, whose module imports the Kubernetes client
PREFIX = "higgsdemo-cluster."
NAME = "higgsdemo_airflow"  # Variable: tells this Airflow's clusters from those of another in the same cloud
KEPT_PREPARED = timedelta(days=1)  # for a run to submit to a cluster; a forgotten one costs money
SETTLED_IN = 1.0  # s after which two first runs that have both chosen a name see the same one


def airflow_name() -> str:
    """Return the name of this Airflow, which its clusters carry; the first run that asks chooses it."""
    if Variable.get(NAME, default=None) is None:
        about = "Marks the clusters that campaigns of this Airflow make"
        Variable.set(NAME, secrets.token_hex(4), description=about)
        time.sleep(SETTLED_IN)
    return str(Variable.get(NAME))


def note(assignment: ClusterRun) -> None:
    """Record where a cluster is, whose, and since when: names and settings, no credentials."""
    cluster = assignment.cluster.model_copy(update={"datasets": ()})
    run = assignment.run.model_copy(update={"begun": datetime.now(UTC)})
    bare = assignment.model_copy(update={"cluster": cluster, "run": run})
    about = f"{assignment.cluster.provider} cluster {assignment.cluster.name}, until it is deleted"
    Variable.set(_key(assignment), bare.model_dump_json(), description=about)


def read_notes(warn: Warn) -> list[ClusterRun]:
    """Return all records, as runs of their clusters, but those that cannot be read."""
    notes = (_read(key, warn) for key in Variable.keys(prefix=PREFIX))
    return [note for note in notes if note]


def is_noted(assignment: ClusterRun) -> bool:
    """Return whether the cluster was requested and not deleted since."""
    return Variable.get(_key(assignment), default=None) is not None


def is_prepared(assignment: ClusterRun, warn: Warn) -> bool:
    """Return whether its last run leaves the cluster to another one, expected for `KEPT_PREPARED`."""
    note = _read(_key(assignment), warn)
    if note is None or "submit" in note.run.stages:
        return False
    return note.run.begun is None or datetime.now(UTC) - note.run.begun < KEPT_PREPARED


def forget(assignment: ClusterRun) -> None:
    """Remove the record of a cluster that is gone."""
    Variable.delete(_key(assignment))


def _read(key: str, warn: Warn) -> ClusterRun | None:
    """Return what any version of the project has recorded; None for no record, or one that is spoilt."""
    try:
        text = Variable.get(key, default=None)
        return ClusterRun.read(json.loads(text)) if text else None
    except (PlanError, ValueError) as error:
        warn("the Variable %s records a cluster, and cannot be read: look for that by hand: %s", key, error)
        return None


def _key(assignment: ClusterRun) -> str:
    cluster = assignment.cluster
    place = [cluster.provider, cluster.connection, cluster.location, cluster.project, cluster.name]
    return f"{PREFIX}{assignment.run.campaign}.{digest(place)}"
