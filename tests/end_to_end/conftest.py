"""One set of real services for all end-to-end tests, and one undisturbed run of the demo to compare with."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from browser import Browser, browser_for
from clouds.gate import Gate
from demo.settings import REPOSITORY
from demo_stack import DAG, Stack, with_demo_files


class DemoRun(NamedTuple):
    """What `make demo` printed, and the folder it left its results in."""

    output: str
    name: str
    results: Path


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory, gate: Gate) -> Iterator[Stack]:
    """Airflow, the S3 server and localkube, running; `gate` tells Airflow which certificate clouds have.

    Beside the shipped campaigns there are `released`, a small one whose Jobs go on when nobody waits for
    them, `daily`, the same with a schedule, and `brief`, whose file may go.
    """
    folder = tmp_path_factory.mktemp("stack")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HIGGS_CONFIG", str(written(folder / "config")))
        environment.setenv("HIGGS_POLL_SECONDS", "1")  # of the clouds, which take no time here
        stack = Stack(with_demo_files(folder / ".run"))
        yield stack
        stack.stop()


def written(config: Path) -> Path:
    """Return a folder of campaigns."""
    shutil.copytree(REPOSITORY / "include" / "config", config)
    document = json.loads((config / f"{DAG}.json").read_text())
    document["at_trigger"] |= {
        "connections": ["clouds_google", "clouds_amazon"],
        "storage": ["s3://*", "gs://*"],
        "flavors": ["local-*", "n1-*", "m5.*"],
        "max_nodes": 10,
    }
    (config / f"{DAG}.json").write_text(json.dumps(document))
    (entry,) = [entry for entry in document["mapping"] if entry["name"] == "kubecon-demo-1"]
    entry |= {"name": "released-0", "datasets": entry["datasets"][:1], "max_shards": 1}
    released = document | {"on_cancel": "release", "mapping": [entry]}
    (config / "released.json").write_text(json.dumps(released))
    daily = released | {"schedule": "0 5 * * *", "mapping": [entry | {"name": "daily-0"}]}
    (config / "daily.json").write_text(json.dumps(daily))
    brief = document | {"mapping": [entry | {"name": "brief-0"}]}
    (config / "brief.json").write_text(json.dumps(brief))
    return config


@pytest.fixture(scope="package")
def demo_run(stack: Stack) -> DemoRun:
    """Return the demo campaign, run to its end by the command behind `make demo`."""
    output = stack.make("make demo")
    (name,) = re.findall(r"Campaign demo-local, run (\S+):", output)
    return DemoRun(output, name, stack.settings.results / "demo-local" / name)


@pytest.fixture(scope="module")
def browser(stack: Stack) -> Iterator[Browser]:
    """Yield a browser for that Airflow, for one file only: its event loop stands in others' way."""
    with browser_for(stack.settings) as browser:
        yield browser
