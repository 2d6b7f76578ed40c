"""What localkube runs for each image name, as OCI image configurations: commands of this machine."""

import os
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from demo.files import read_content
from demo.settings import REPOSITORY

WORKLOAD_IMAGE = "higgsdemo/nanoaod:1"
_FORM = 'it must be such as {"registry.example.org/name:1": {"Entrypoint": ["python", "name.py"]}}'


class Image(BaseModel):
    """How an image is run, in the terms of the OCI specification."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    Entrypoint: list[str] = []
    Cmd: list[str] = []
    Env: list[str] = []
    WorkingDir: str = "/"


def workload_images() -> dict[str, Image]:
    """Return our image, and those of `examples/*/image.json`, which run in their own folder.

    :raises ValueError: naming the file that cannot be read.
    """
    env = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "PYTHONPATH": str(REPOSITORY / "include"),
        "PYTHONUNBUFFERED": "1",
    }
    variables = [f"{name}={value}" for name, value in env.items()]
    images = {WORKLOAD_IMAGE: Image(Entrypoint=[sys.executable, "-m", "workload"], Env=variables)}
    for path in sorted(REPOSITORY.glob("examples/*/image.json")):
        of_example = Image(Env=variables, WorkingDir=str(path.parent))
        for name, image in read_content(dict[str, Image], path, _FORM).items():
            images[name] = of_example.model_copy(update=image.model_dump(exclude_unset=True))
    return images
