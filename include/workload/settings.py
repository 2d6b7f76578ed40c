"""The pod contract's environment, read and checked once, so that nothing else looks into `os.environ`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workload.errors import Misconfigured
from workload.storage import WRITABLE_SCHEMES, split

RULES = ("level4", "outreach", "nanoaod-v9")
"""The rule sets of the selection (`workload.rules`, which needs numpy)."""

TEST_MODE_DPATH = "/dev/null"
"""The `dpath` that means: download, discard, compute nothing."""

STAGE_IN, STREAM = "stage-in", "stream"
"""The ways to read a shard: copied to the pod first, or range by range where it lies."""


@dataclass(frozen=True)
class Settings:
    """What one pod is asked to do.

    `download_limit` is in bytes per second; `test_mode` downloads and discards. `stream` reads shards where
    they lie instead of staging them in. `rules` are the selection's. `certified` is the file of the
    sections that count; events need one of `triggers`, if there are any. Of `data`, results name the
    candidates. `live_url` and `live_key` are a Redis server and the hash in it that gets a copy of each
    result.
    """

    manifest: Path
    index: int
    input_dir: Path
    output_url: str
    dataset: str
    stream: bool
    test_mode: bool
    skip_existing: bool
    download_limit: float | None
    rules: str = RULES[0]
    certified: Path | None = None
    triggers: tuple[str, ...] = ()
    data: bool = False
    live_url: str | None = None
    live_key: str = "data"

    def result_url(self, shard: str) -> str:
        """Return where the result of a shard goes."""
        return f"{self.output_url}/{shard}.json"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the pod contract's variables.

    SAMPLE is for other images; this analysis selects data and simulation alike.

    :raises Misconfigured: naming the variable at fault.
    """
    input_dir, skip = Path(required(environ, "INPUT_DIR")), environ.get("SKIP_EXISTING", "")
    if not input_dir.is_dir():
        raise Misconfigured(f"INPUT_DIR {input_dir} is not a directory")
    return Settings(
        manifest=Path(required(environ, "SHARD_MANIFEST")),
        index=_completion_index(environ),
        input_dir=input_dir,
        output_url=_output_url(environ),
        dataset=required(environ, "DATASET"),
        stream=_choice("READ", environ.get("READ") or STAGE_IN, (STAGE_IN, STREAM)) == STREAM,
        test_mode=environ.get("DPATH") == TEST_MODE_DPATH,
        skip_existing=_choice("SKIP_EXISTING", skip.lower() or "false", ("true", "false")) == "true",
        download_limit=_download_limit(environ),
        rules=_choice("SELECTION", environ.get("SELECTION") or RULES[0], RULES),
        certified=Path(certified) if (certified := environ.get("CERTIFIED_JSON")) else None,
        triggers=tuple(environ.get("TRIGGERS", "").split()),
        data=environ.get("DATATYPE") == "data",
        live_url=environ.get("LIVE_URL") or None,
        live_key=environ.get("LIVE_KEY") or "data",  # its name in 2019
    )


def required(environ: Mapping[str, str], name: str) -> str:
    """Return the value of a variable; raise `Misconfigured` when it is not set."""
    value = environ.get(name, "")
    if not value:
        raise Misconfigured(f"environment variable {name} is not set")
    return value


def _output_url(environ: Mapping[str, str]) -> str:
    value = required(environ, "OUTPUT_URL").rstrip("/")
    try:
        split(f"{value}/result.json", WRITABLE_SCHEMES)
    except ValueError as error:
        raise Misconfigured(f"OUTPUT_URL: {error}") from error
    return value


def _completion_index(environ: Mapping[str, str]) -> int:
    value = required(environ, "JOB_COMPLETION_INDEX")
    if not value.isdecimal():
        raise Misconfigured(f"JOB_COMPLETION_INDEX is {value!r}, not a whole number from 0")
    return int(value)


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise Misconfigured(f"{name} is {value!r}; allowed are {', '.join(allowed[:-1])} and {allowed[-1]}")
    return value


def _download_limit(environ: Mapping[str, str]) -> float | None:
    value = environ.get("DOWNLOAD_LIMIT_KBPS", "")
    if not value:
        return None
    if not value.isdecimal() or int(value) == 0:
        raise Misconfigured(f"DOWNLOAD_LIMIT_KBPS is {value!r}, not a whole number of kB/s from 1")
    return int(value) * 1000.0
