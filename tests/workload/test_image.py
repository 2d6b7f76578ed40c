"""The image and the checkout run the same thing, and a pod starts with no more than it needs."""

import re
import subprocess
import sys
from pathlib import Path

from pod_process import INCLUDE

WORKLOAD = INCLUDE / "workload"
LOCK = INCLUDE.parent / "requirements.lock"


def pins(path: Path) -> set[str]:
    """Return the `name==version` of a requirements file; a package may have several versions, by Python's."""
    return set(re.findall(r"^[a-z0-9._-]+==[^\s;\\]+", path.read_text(), re.MULTILINE))


def test_the_image_installs_the_versions_that_the_project_is_locked_to() -> None:
    image = pins(WORKLOAD / "requirements.txt")
    assert {pin.split("==")[0] for pin in image} >= {"awkward", "numpy", "obstore", "redis", "uproot"}
    assert image - pins(LOCK) == set()


def test_a_pod_imports_only_what_its_image_holds() -> None:
    """Start-up is most of a small shard's cost, and what the image lacks would fail in the cluster only."""
    code = (
        "import sys, workload.__main__, workload.pod; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(INCLUDE)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(ended.stdout.split())
    direct = {"awkward", "numpy", "obstore", "uproot", "workload"}
    assert direct <= loaded
    heavy = {"airflow", "boto3", "hist", "matplotlib", "pandas", "pydantic", "scipy", "sympy", "vector"}
    ours = {"demo", "generator", "higgsdemo", "localkube"}
    assert loaded & (heavy | ours) == set()


def test_the_image_holds_every_module_and_starts_the_workload() -> None:
    dockerfile = (WORKLOAD / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["python", "-m", "workload"]' in dockerfile
    assert "COPY *.py /opt/higgsdemo/workload/" in dockerfile
    assert [path for path in WORKLOAD.rglob("*.py") if path.parent != WORKLOAD] == []
