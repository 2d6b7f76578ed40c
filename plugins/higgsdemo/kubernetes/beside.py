"""The containers of a command: its image's, and ours beside it as a sidecar, which alone sees credentials.

The shell that runs the command for each shard is a few lines in the container's own `command`, so it needs no
file in the image and no init container that brings one. The two containers speak through files in WORK_DIR
(`workload.beside`), since any shell can do that, and a file stays readable when one side is late. They share
nothing else that a command can write: ours would run what it finds in its home, with its credentials.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from higgsdemo.campaign import DatasetRef
from higgsdemo.catalogue import load_catalogue
from higgsdemo.kubernetes.containers import (
    INPUT_DIR,
    MANIFEST,
    NOBODY,
    UNPRIVILEGED,
    Manifest,
    certified_variable,
    container,
    contract_container,
    variables,
)
from higgsdemo.kubernetes.workloads import WORKLOADS
from higgsdemo.run import ClusterRun, Run

ANALYSIS, SIDECAR = "analysis", "beside"
WORK_DIR = "/work"
SIDECAR_ASKS = {"cpu": "10m", "memory": "64Mi"}
"""What is set aside for a sidecar; it may use as much as the command, which idles while a store is slow."""

SCRIPT = Path(__file__).with_suffix(".sh").read_text(encoding="utf-8")
"""Runs its arguments once a shard, until the sidecar says that all is done, and how the container ends."""


def containers(
    assignment: ClusterRun, dataset: DatasetRef, environment: Mapping[str, str], secret_name: str | None
) -> Manifest:
    """Return the containers of a pod that runs a command; ours writes results and files."""
    run, cluster = assignment.run, assignment.cluster
    of_sidecar = {**environment, "WORK_DIR": WORK_DIR, "PUBLISH": json.dumps(_publish(run, dataset))}
    work = {"name": "work", "mountPath": WORK_DIR}
    sidecar = contract_container(SIDECAR, run.stage_in_image, cluster, of_sidecar, secret_name)
    sidecar |= {"args": [SIDECAR], "restartPolicy": "Always"}
    sidecar["resources"] = {"requests": SIDECAR_ASKS, "limits": sidecar["resources"]["limits"]}
    sidecar["volumeMounts"] = [*sidecar["volumeMounts"], work]
    reading = {"name": "input", "mountPath": INPUT_DIR, "readOnly": True}
    mounts: list[Manifest] = [reading, work, MANIFEST] if dataset.certified else [reading, work]
    command = container(ANALYSIS, run.image, cluster, _variables(run, dataset), *mounts)
    command["command"] = ["/bin/sh", "-c", SCRIPT, "sh", *map(_literal, _words(run))]
    if runs_as_image(run):  # its authors may have it write where it likes
        command["securityContext"] = UNPRIVILEGED
        sidecar["securityContext"] = NOBODY | sidecar["securityContext"]
    else:
        command["volumeMounts"] = [*command["volumeMounts"], {"name": "command-tmp", "mountPath": "/tmp"}]
        command["env"] = [*variables({"HOME": "/tmp"}), *command["env"]]
    return {"initContainers": [sidecar], "containers": [command]}


def runs_as_image(run: Run) -> bool:
    """Return whether the command runs as the image's own user."""
    return "image" in (run.run_as, WORKLOADS[run.workload].run_as)


def _words(run: Run) -> list[str]:
    command = run.command or list(WORKLOADS[run.workload].command)
    return ["/bin/sh", "-c", command] if isinstance(command, str) else command


def _variables(run: Run, dataset: DatasetRef) -> dict[str, str]:
    """Return what of a command's environment is the same for all shards of a dataset."""
    environment = {"WORK_DIR": WORK_DIR, "DATASET": dataset.name}
    environment |= {"SAMPLE": dataset.sample, "DATATYPE": dataset.datatype, **certified_variable(dataset)}
    if sample := load_catalogue(run.catalogue).samples.get(dataset.sample):
        environment["YEAR"] = str(sample.year)
    return environment | {name: _literal(value) for name, value in run.env.items()}


def _literal(text: str) -> str:
    """Keep Kubernetes from filling in what it takes for a reference to a variable."""
    return text.replace("$", "$$")


def _publish(run: Run, dataset: DatasetRef) -> dict[str, Any]:
    """Return what the sidecar is asked to do with what the command leaves."""
    asked: dict[str, Any] = {
        "workload": f"{run.workload}/1",
        "files_url": run.files(dataset.name),
        "outputs": run.outputs or list(WORKLOADS[run.workload].outputs),
    }
    if run.bad_input_codes:
        asked["bad_input_codes"] = run.bad_input_codes
    if run.max_output_gb is not None:
        asked["most_bytes"] = int(run.max_output_gb * 1e9)
    if found := [one.model_dump(exclude={"label"}) for one in run.histograms if one.from_]:
        asked["histograms"] = found
    if run.logs:
        asked["logs"] = True
    return asked
