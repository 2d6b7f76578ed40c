"""Stage-in and publishing around an analysis in its own container: `python -m workload stage-in|publish`.

The image of 2019 analyses one local file and writes one local document. The container before it brings the
shard to `INPUT_DIR/shard.root` and its luminosity to `INPUT_DIR/lumi.json`; the container after it publishes
the document at RESULT_FILE under the shard's name.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from workload.errors import Misconfigured, TryAgain
from workload.live import LiveCopy
from workload.manifest import Shard, read_shards
from workload.settings import Settings, required
from workload.stage_in import stage_in
from workload.storage import exists, put
from workload.throttle import Throttle

WORKLOAD = "aod/1"
DONE = "has-result"
"""The file in `INPUT_DIR` that tells the containers after stage-in to do nothing."""
LARGEST_RESULT = 1 << 20
"""Bytes; a result document has about a thousand."""

Report = Callable[[str], None]


def bring(settings: Settings, report: Report) -> None:
    """Stage in the index's shard for the next container; raise `WorkloadError` when that fails."""
    shard = _only_shard(settings)
    if settings.skip_existing and exists(_result_url(settings, shard)):
        (settings.input_dir / DONE).touch()
        report(f"{shard.name}: has a result already")
        return
    throttle = Throttle(settings.download_limit) if settings.download_limit else None
    size = stage_in(shard, settings.input_dir / "shard.root", throttle)
    (settings.input_dir / "lumi.json").write_text(json.dumps(shard.lumi))
    report(f"{shard.name}: {size} bytes staged in")


def publish(settings: Settings, environ: Mapping[str, str], report: Report) -> None:
    """Publish the document that the analysis wrote; raise `WorkloadError` when that fails."""
    shard = _only_shard(settings)
    if (settings.input_dir / DONE).exists():
        return
    path = Path(required(environ, "RESULT_FILE"))
    document = _document(path)
    document |= {"shard": shard.name, "url": shard.url, "workload": WORKLOAD}
    if shard.size is not None:
        document["size"] = shard.size
    content = json.dumps(document).encode()
    put(_result_url(settings, shard), content)
    LiveCopy(settings.live_url, settings.live_key, report).tell(shard.url, content)
    report(f"{shard.name}: published")


def _result_url(settings: Settings, shard: Shard) -> str:
    return f"{settings.output_url}/{shard.name}.json"


def _only_shard(settings: Settings) -> Shard:
    shards = read_shards(settings.manifest, settings.index)
    if len(shards) > 1:
        raise Misconfigured(
            f"completion index {settings.index} has {len(shards)} shards: an analysis in a container of its "
            "own takes one"
        )
    return shards[0]


def _document(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_RESULT + 1)
        document = json.loads(content) if len(content) <= LARGEST_RESULT else None
    except (OSError, ValueError) as error:
        raise TryAgain(f"the analysis has left no result: {path}: {error}") from error
    if not isinstance(document, dict):
        raise TryAgain(f"the analysis has left no result: {path} is not a JSON object of a few kB")
    return document
