"""Stage-in: copy a shard to the pod's own disk or memory, chunk by chunk, so that memory stays small."""

import zlib
from pathlib import Path

from workload.errors import TryAgain
from workload.manifest import Shard
from workload.remote import open_remote
from workload.storage import reason
from workload.throttle import Throttle


def stage_in(shard: Shard, target: Path, throttle: Throttle | None = None) -> int:
    """Download a shard to `target`, which may be `/dev/null`; return the number of bytes.

    :raises BadInput: when the object does not exist or is not the one that was listed.
    :raises TryAgain: when storage, network or disk fail, or the content is not that of the checksum.
    """
    remote = open_remote(shard, throttle)
    size, chunks = remote.content()
    adler = 1  # of no bytes
    try:
        with target.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
                if shard.checksum:
                    adler = zlib.adler32(chunk, adler)
    except OSError as error:
        raise TryAgain(f"cannot stage in {shard.url}: {reason(error)}") from error
    if remote.received != size:
        raise TryAgain(f"{shard.url}: connection ended after {remote.received} of {size} bytes")
    if shard.checksum and shard.checksum != (found := f"adler32:{adler:08x}"):
        raise TryAgain(f"{shard.url}: it has come damaged: {found}, and its record says {shard.checksum}")
    return size
