"""What the pods of a run have done, according to their results, physics aside."""

from collections import Counter
from dataclasses import dataclass, field
from math import inf

from higgsdemo.results.document import Document
from higgsdemo.results.used import Spread

_SHORTEST = 0.1  # s of a computation whose cores are told: CPU time is counted in steps of 0.01 s


@dataclass(slots=True)
class Work:
    """What some results took.

    `stage_in` and `compute` are the seconds of all pods together, `first` the one (since 1970) when the first
    began, `ends` those when the last one of each cluster ended.
    `read` and `written` are bytes by cluster; `memory` and `cores` those that shards used, where they say so.
    """

    shards: int = 0
    stage_in: float = 0.0
    compute: float = 0.0
    first: float = inf
    ends: dict[str | None, float] = field(default_factory=dict)
    read: Counter[str | None] = field(default_factory=Counter)
    written: Counter[str | None] = field(default_factory=Counter)
    memory: Spread = field(default_factory=Spread)
    cores: Spread = field(default_factory=Spread)

    def add(self, document: Document, size: int, cluster: str | None) -> None:
        """Count what a result took; `size` is that of its document, in bytes."""
        held = document.seconds.stage_in + document.seconds.compute
        self.shards += 1
        self.stage_in += document.seconds.stage_in
        self.compute += document.seconds.compute
        self.read[cluster] += document.bytes
        self.written[cluster] += size + sum(file.size for file in document.files)
        if document.finished:
            ended = document.finished.timestamp()
            self.first = min(self.first, ended - held)
            self.ends[cluster] = max(self.ends.get(cluster, ended), ended)
        if document.used.memory:
            self.memory.add(document.used.memory)
        if document.used.cpu_seconds is not None and document.seconds.compute >= _SHORTEST:
            self.cores.add(document.used.cpu_seconds / document.seconds.compute)

    @property
    def held(self) -> float:
        """Seconds of all pods together."""
        return self.stage_in + self.compute

    @property
    def seconds(self) -> float | None:
        """Seconds from the first pod's start to the last one's end; None where no result has them."""
        return max(self.ends.values()) - self.first if self.ends else None
