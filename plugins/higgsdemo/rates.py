"""How fast a campaign's pods are: as its last whole run has shown, or else a rough value for its workload."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt, Le
from pydantic import BaseModel, ConfigDict, TypeAdapter

from higgsdemo.campaign import Cluster
from higgsdemo.datasets.packing import shards_per_pod
from higgsdemo.kubernetes.workloads import WORKLOADS
from higgsdemo.run import Run

if TYPE_CHECKING:
    from higgsdemo.storage.object_store import ObjectStore

STAGE_IN = 50e6  # B/s that a pod gets from a bucket, where the campaign sets no limit: the demo of 2019's
UNKNOWN_SIZE = 1e9  # B of a file: in doubt few shards a pod, since idle cores cost more than pods
_KEY = "rates.json"  # beside the folders of the campaign's runs

Rate = Annotated[float, Gt(0), Le(1e15)]


class Rates(BaseModel):
    """What one pod does in a second.

    :param workload: that was measured; another one's rates are different.
    :param stage_in: bytes; `analysis` likewise.
    :param shard: bytes of one, on average; None in what earlier versions have kept.
    :param pace: the time that a whole run took, divided by what follows from the rates alone: it has all that
        no rate tells, such as cores that pods share and tries that failed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    workload: str
    stage_in: Rate
    analysis: Rate
    pace: Rate = 1.0
    shard: Rate | None = None

    def seconds(self, run: Run, shards: float, size: float) -> float:
        """Return the seconds that a pod takes for so many shards of that many bytes, by the rates alone."""
        limit = run.download_limit_kbps * 1000 if run.download_limit_kbps else self.stage_in
        work = WORKLOADS[run.workload]
        each = work.shard_seconds + size / min(self.stage_in, limit) + size / self.analysis
        return work.start_seconds + shards * each


def built_in(run: Run) -> Rates:
    """Return the rates of a campaign without an earlier run; its own limit of downloads is reached."""
    limit = run.download_limit_kbps * 1000 if run.download_limit_kbps else STAGE_IN
    analysis = WORKLOADS[run.workload].bytes_a_second
    return Rates(workload=run.workload, stage_in=limit, analysis=analysis)


def pack(run: Run, cluster: Cluster, shards: Sequence[int], mean_bytes: float | None) -> int:
    """Return the number of shards per pod.

    It follows from the built-in rates, so that a task that is repeated makes the same Jobs.

    :param shards: of each dataset on the cluster.
    :param mean_bytes: of a shard; None where unknown.
    """
    rates, size = built_in(run), UNKNOWN_SIZE if mean_bytes is None else mean_bytes
    start = rates.seconds(run, 0, 0)
    return shards_per_pod(cluster, shards, start, rates.seconds(run, 1, size) - start)


def keep_rates(run: Run, rates: Rates) -> None:
    """Let the campaign's next run be predicted from these."""
    _folder(run).write(_KEY, rates.model_dump_json(indent=1).encode())


def recorded_rates(run: Run) -> Rates:
    """Return those of the campaign's last whole run; the built-in ones where there are none to be believed.

    :raises StorageError: when the bucket cannot be read.
    """
    from higgsdemo.storage.documents import read_document
    from higgsdemo.storage.object_store import DamagedError

    folder = _folder(run)
    try:
        if folder.exists(_KEY):
            known = read_document(folder, _KEY, TypeAdapter(Rates))
            if known.workload == run.workload:
                return known
    except DamagedError:
        pass
    return built_in(run)


def _folder(run: Run) -> "ObjectStore":
    from higgsdemo.storage.object_store import ObjectStore  # imports Airflow, which takes a command seconds

    return ObjectStore(run.output.rpartition("/")[0], run.output_connection)
