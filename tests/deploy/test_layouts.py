"""The project in an Airflow that has its plugins, DAGs and settings in places of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

BUILD = "import runpy, sys; print(runpy.run_path(sys.argv[1])['built'])"


def test_campaigns_and_catalogues_may_lie_below_the_dags_and_the_plugins_elsewhere(
    repository: Path, tmp_path: Path
) -> None:
    shutil.copytree(repository / "dags", tmp_path / "dags")
    shutil.copytree(repository / "plugins", tmp_path / "unpacked" / "plugins")
    for name in ("config", "datasets"):
        shutil.copytree(repository / "include" / name, tmp_path / "dags" / "include" / name)
    environment = os.environ | {
        "PYTHONPATH": str(tmp_path / "unpacked" / "plugins"),
        "HIGGS_CONFIG": str(tmp_path / "dags/include/config"),
        "HIGGS_DATASETS": str(tmp_path / "dags/include/datasets"),
        "_AIRFLOW_PARSING_CONTEXT_DAG_ID": "demo-local",  # as in the process of one of its tasks
    }
    command = [sys.executable, "-c", BUILD, str(tmp_path / "dags" / "higgs.py")]
    built = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert built.stdout.strip() == "{'demo-local'}", built.stderr
