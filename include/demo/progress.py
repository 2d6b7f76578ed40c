"""How far a campaign is: the states of its tasks from Airflow, and its shards from the bucket.

A shard counts as done when its result lies in the bucket. That is exact at any moment, whatever was killed
and started again, and asks nothing of the clusters.
"""

import json
from collections import Counter
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from demo.airflow_api import Airflow, TaskInstance
from demo.bucket import Bucket

Shard = tuple[str, str]
"""The names of a dataset and of a shard of it."""

ATTENTION = ("failed", "upstream_failed", "up_for_retry", "running", "restarting", "deferred", "queued")
"""Task states in the order in which one stands for several tasks."""


@dataclass(frozen=True)
class ClusterProgress:
    """One cluster's tasks by name with their states (None: not yet scheduled), and its shards."""

    name: str
    tasks: dict[str, str | None]
    shards: int
    done: int


@dataclass(frozen=True)
class Progress:
    """A campaign at one moment."""

    run_state: str
    clusters: list[ClusterProgress] = field(default_factory=list)
    tasks: dict[str, str | None] = field(default_factory=dict)

    @property
    def shards(self) -> int:
        """Shards listed so far."""
        return sum(cluster.shards for cluster in self.clusters)

    @property
    def done(self) -> int:
        """Shards that have their result."""
        return sum(cluster.done for cluster in self.clusters)


class Follower:
    """Follows one run of a campaign.

    `clusters` are the names of its clusters, in the order in which the DAG maps over them; `folder` is its
    folder in the bucket, with no slash at its end.
    """

    def __init__(
        self, airflow: Airflow, bucket: Bucket, dag_id: str, run_id: str, clusters: list[str], folder: str
    ) -> None:
        self._airflow = airflow
        self._bucket = bucket
        self._dag_id = dag_id
        self._run_id = run_id
        self._folder = folder
        self._clusters = clusters
        self._order: list[str] = []
        self._listed: dict[str, frozenset[Shard]] = {}

    def look(self) -> Progress:
        """The run as it is now. Raises AirflowAwayError or botocore's errors when one does not answer."""
        self._order = self._order or self._airflow.task_order(self._dag_id)
        state = self._airflow.run_state(self._dag_id, self._run_id)
        tasks = sorted(self._airflow.tasks(self._dag_id, self._run_id), key=self._place)
        outside = [task for task in tasks if "." not in task.task_id]
        done = self._done()
        clusters = []
        for index, name in enumerate(self._clusters):
            shards = self._shards(name)
            states = {
                task.task_id.partition(".")[2]: task.state
                for task in tasks
                if "." in task.task_id and task.map_index in (index, -1)
            }
            clusters.append(ClusterProgress(name, states, len(shards), len(shards & done)))
        return Progress(state, clusters, _states(outside))

    def failed_tasks(self) -> list[TaskInstance]:
        """The tasks that failed themselves, not for another's failure."""
        return [task for task in self._airflow.tasks(self._dag_id, self._run_id) if task.state == "failed"]

    def complaints(self, task: TaskInstance, limit: int) -> list[str]:
        """What a task said last, at most `limit` lines: its errors, or the end of its log."""
        return self._airflow.complaints(self._dag_id, self._run_id, task, limit)

    def _place(self, task: TaskInstance) -> int:
        return self._order.index(task.task_id) if task.task_id in self._order else len(self._order)

    def _shards(self, cluster: str) -> frozenset[Shard]:
        """The cluster's shards, known once the cluster has listed them."""
        if cluster not in self._listed:
            try:
                lines = self._bucket.read(f"{self._folder}/shards/{cluster}.jsonl").splitlines()
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("NoSuchKey", "NoSuchBucket"):
                    raise
                return frozenset()
            shards = (json.loads(line) for line in lines)
            self._listed[cluster] = frozenset((shard["dataset"], shard["name"]) for shard in shards)
        return self._listed[cluster]

    def _done(self) -> frozenset[Shard]:
        prefix = f"{self._folder}/results/"
        paths = (key.removeprefix(prefix).rpartition("/") for key, _ in self._bucket.objects(prefix))
        return frozenset((dataset, name.removesuffix(".json")) for dataset, _, name in paths)


def _states(tasks: list[TaskInstance]) -> dict[str, str | None]:
    """The state of each task outside the cluster group; of a mapped one, that which needs most attention."""
    found: dict[str, Counter[str | None]] = {}
    for task in tasks:
        found.setdefault(task.task_id, Counter())[task.state] += 1
    return {
        name: next((state for state in ATTENTION if states[state]), states.most_common(1)[0][0])
        for name, states in found.items()
    }
