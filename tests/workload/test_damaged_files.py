"""However a file was damaged, a pod says so or has the right result; it neither hangs nor grows."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mutations import mutated
from pod_process import Pod, shard

FILES = int(os.environ.get("DAMAGED_FILES", "80"))  # `make damaged` takes 200
MEMORY = 512 << 20  # bytes; numpy and uproot take a quarter of it before they read anything
MEASURED = """
import resource, subprocess, sys
code = subprocess.run([sys.executable, "-m", "workload"]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
BAD_INPUT = 65
SAME_PHYSICS = ("processed", "mass4mu_8TeV_low", "mass4e_8TeV_low", "mass2mu2e_8TeV_low")


def physics(result: dict[str, Any]) -> dict[str, Any]:
    return {field: result[field] for field in SAME_PHYSICS}


@pytest.mark.parametrize("how", ["stage-in", "stream"])
@pytest.mark.timeout(120)  # a file that hangs stops all that come after it
def test_a_damaged_file_is_refused_or_counted_right(
    pod: Pod, shard_file: Path, tmp_path: Path, how: str
) -> None:
    pod.environ["READ"] = how
    content = shard_file.read_bytes()
    files = {"undamaged": content, **{f"seed-{seed}": mutated(content, seed)[1] for seed in range(FILES)}}
    for name, damaged in files.items():
        (tmp_path / f"{name}.root").write_bytes(damaged)
    pod.give(*(shard(tmp_path / f"{name}.root") for name in files if files[name]))
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED], env=pod.environ, capture_output=True, text=True, check=False
    )
    assert ended.returncode == BAD_INPUT, ended.stderr
    assert int(ended.stdout.split()[-1]) * 1024 < MEMORY
    right = physics(pod.result("undamaged"))
    results = [name.removesuffix(".json") for name in pod.results()]
    assert {name: physics(pod.result(name)) for name in results} == dict.fromkeys(results, right)
    refused = [name for name in files if files[name] and name not in results]
    assert len(refused) > FILES / 2
    assert [name for name in refused if f"{name}: file://" not in ended.stdout] == []
