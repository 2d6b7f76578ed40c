"""A run's folder in a bucket, and those that follow it for the page."""

import json
from collections.abc import Callable
from typing import Any, ClassVar

from airflow_runs import HIGGS, airflow_run
from higgsdemo.datasets.shards import Shard, dump
from higgsdemo.page.airflow_run import AirflowRun
from higgsdemo.page.follower import Followers
from higgsdemo.page.snapshot import Snapshot
from higgsdemo.run_folder import shards_key
from higgsdemo.storage.object_store import LARGEST_READ, ObjectStore
from result_documents import document
from s3_server import Bucket
from waiting import eventually

RUN = "demo-local/one"
MERGED = {"state": "success", "tasks": {"merge_results": "success"}}
CHANNEL = {"data": {"counts": [1], "low": [0.2], "high": [3.3]}, "stack": {}, "error": [0]}
CHART = dict(title="", note=None, luminosity="", coverage=1.0, absent=[], channels={"all": CHANNEL})


class Folder:
    """An empty run's folder, which the Airflow connection `higgs_s3` leads to, and those that follow it."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket, self.url = bucket, f"s3://{bucket.name}/{RUN}"
        self.run = airflow_run(output=self.url)
        self.followers = Followers()

    def put(self, key: str, content: object) -> None:
        """Write an object: bytes as they are, anything else as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.bucket.write(f"{RUN}/{key}", body)

    def result(self, name: str, *args: Any, dataset: str = HIGGS, **fields: Any) -> None:
        self.put(f"results/{dataset}/{name}.json", document(dataset, *args, **fields))

    def listed(
        self, *names: str, dataset: str = HIGGS, cluster: str = "", **entries: tuple[int, int]
    ) -> None:
        """Write the list of a cluster, by default of that of the dataset; `entries` are parts of files."""
        shards = [*(Shard(dataset, name, f"s3://in/{name}.root", 1) for name in names)]
        shards += [
            Shard(dataset, name, "s3://in/cut.root", 1, entries=part) for name, part in entries.items()
        ]
        key = shards_key(cluster or f"kubecon-demo-{int(dataset == HIGGS)}")
        self.put(key, b"".join(map(dump, shards)))

    def fill(self, results: int) -> None:
        """Put listed results."""
        names = [f"{number:05}" for number in range(results)]
        self.listed(*names)
        content = json.dumps(document(HIGGS, 100, {"4mu": {18: 1}})).encode()
        self.bucket.write_all((f"{RUN}/results/{HIGGS}/{name}.json", content) for name in names)

    def look(self) -> Snapshot:
        return self.followers.look(self.run)

    def seen(self, enough: Callable[[Snapshot], object], run: AirflowRun | None = None) -> Snapshot:
        """Return the first snapshot that is enough."""
        look = self.followers.look
        return eventually(lambda: seen if enough(seen := look(run or self.run)) else None, patience=120)

    def complete(self) -> Snapshot:
        return self.seen(lambda seen: seen.complete)


class CountedStore(ObjectStore):
    reads: ClassVar[list[str]] = []

    def read(self, key: str, limit: int = LARGEST_READ) -> bytes:
        self.reads.append(key)
        return super().read(key, limit)
