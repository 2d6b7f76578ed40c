"""Stage-in: copy a shard to the pod's own disk or memory, chunk by chunk, so that memory stays small."""

from pathlib import Path

from workload.errors import TryAgain
from workload.manifest import Shard
from workload.remote import open_remote
from workload.storage import reason
from workload.throttle import Throttle


def stage_in(shard: Shard, target: Path, throttle: Throttle | None = None) -> int:
    """Download a shard to `target`, which may be `/dev/null`.

    :returns: the number of bytes.
    :raises BadInput: when the object does not exist or is not the one that was listed.
    :raises TryAgain: when storage, network or disk fail.
    """
    remote = open_remote(shard, throttle)
    size, chunks = remote.content()
    try:
        with target.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
    except OSError as error:
        raise TryAgain(f"cannot stage in {shard.url}: {reason(error)}") from error
    if remote.received != size:
        raise TryAgain(f"{shard.url}: connection ended after {remote.received} of {size} bytes")
    return size
