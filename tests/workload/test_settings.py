from pathlib import Path

import pytest

from tables import cases
from workload.errors import Misconfigured
from workload.settings import Settings, read_settings


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "SHARD_MANIFEST": "/manifest/shards.jsonl",
        "JOB_COMPLETION_INDEX": "7",
        "INPUT_DIR": str(tmp_path),
        "OUTPUT_URL": "s3://bucket/results/",
        "DATASET": "Simulated_Test",
    }


def test_reads_what_the_contract_requires(environ: dict[str, str], tmp_path: Path) -> None:
    assert read_settings(environ) == Settings(
        manifest=Path("/manifest/shards.jsonl"),
        index=7,
        input_dir=tmp_path,
        output_url="s3://bucket/results",
        dataset="Simulated_Test",
        stream=False,
        test_mode=False,
        skip_existing=False,
        download_limit=None,
    )


@pytest.mark.parametrize(
    ("name", "field", "meant"),
    [
        ("READ", "stream", {"stream": True, "stage-in": False, "": False}),
        ("SELECTION", "rules", {"": "level4", "level4": "level4", "outreach": "outreach"}),
        ("DPATH", "test_mode", {"/dev/null": True, "/dev/shm": False, "/mnt/disks/ssd0": False, "": False}),
        ("SKIP_EXISTING", "skip_existing", {"True": True}),
        ("DOWNLOAD_LIMIT_KBPS", "download_limit", {"50000": 50e6}),
        ("TRIGGERS", "triggers", {"HLT_A HLT_B": ("HLT_A", "HLT_B"), "": ()}),
        ("DATATYPE", "data", {"data": True, "mc": False}),
    ],
)
def test_reads_what_the_contract_allows(
    environ: dict[str, str], name: str, field: str, meant: dict[str, object]
) -> None:
    assert {value: getattr(read_settings(environ | {name: value}), field) for value in meant} == meant


@cases
def test_a_wrong_variable_is_named(environ: dict[str, str], name: str, value: str, message: str) -> None:
    with pytest.raises(Misconfigured) as error:
        read_settings(environ | {name: value})
    assert str(error.value) == message
