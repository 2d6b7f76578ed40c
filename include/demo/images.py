"""What localkube runs for each image name, as OCI image configurations: commands of this machine."""

import os
import sys
from pathlib import Path
from typing import Any

from demo.settings import REPOSITORY

WORKLOAD_IMAGE = "higgsdemo/nanoaod:1"


def workload_images() -> dict[str, dict[str, Any]]:
    """Return our image, and where those of the examples are, which may change while the services run."""
    env = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "PYTHONPATH": str(REPOSITORY / "include"),
        "PYTHONUNBUFFERED": "1",
    }
    variables = {"Env": [f"{name}={value}" for name, value in env.items()]}
    ours = {"Entrypoint": [sys.executable, "-m", "workload"], "WorkingDir": "/"}
    return {WORKLOAD_IMAGE: variables | ours, str(REPOSITORY / "examples/*/image.json"): variables}
