"""What the pods of a run have done, according to their results, physics aside."""

from dataclasses import dataclass
from math import inf

from higgsdemo.results.document import Document


@dataclass(slots=True)
class Work:
    """What some results took.

    `held` are the seconds of all pods together, `first` and `last` those (since 1970) between which they ran.
    """

    shards: int = 0
    bytes: int = 0
    held: float = 0.0
    first: float = inf
    last: float = -inf

    def add(self, document: Document) -> None:
        """Count what a result took."""
        held = document.seconds.stage_in + document.seconds.compute
        self.shards, self.bytes, self.held = self.shards + 1, self.bytes + document.bytes, self.held + held
        if document.finished:
            ended = document.finished.timestamp()
            self.first, self.last = min(self.first, ended - held), max(self.last, ended)

    @property
    def seconds(self) -> float | None:
        """Seconds from the first pod's start to the last one's end; None where no result has them."""
        return self.last - self.first if self.last >= self.first else None
