"""The fitted model as a datacard of Combine, the tool of CMS, with its shapes as a ROOT file.

It is the workspace in other words: `normsys` is lnN (down/up), `histosys` a shape, `staterror` the errors of
shapes, which `autoMCStats` reads. Processes that expect nothing, which Combine refuses, leave their
errors to another one of their channel.
"""

import io
from collections import defaultdict
from typing import Any

import hist
import numpy as np
import uproot

from higgsdemo.physics.workspace import FIT_RANGE, SIGNAL
from higgsdemo.run_folder import SHAPES


def datacard(workspace: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return the card, and the ROOT file of its shapes."""
    observed = {one["name"]: one["data"] for one in workspace["observations"]}
    columns: list[tuple[str, str, list[float]]] = []
    effects: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    content = io.BytesIO()
    with uproot.recreate(content) as file:
        for channel in workspace["channels"]:
            name = channel["name"]
            file[f"{name}/data_obs"] = _histogram(observed[name])
            kept = [sample for sample in channel["samples"] if any(sample["data"])]
            for sample, errors in zip(kept, _errors(channel["samples"], kept), strict=True):
                process = sample["name"]
                file[f"{name}/{process}"] = _histogram(sample["data"], errors)
                for modifier in sample["modifiers"]:
                    cause, data = modifier["name"], modifier["data"]
                    if modifier["type"] == "normsys":
                        effects[cause, "lnN"][len(columns)] = f"{data['lo']:.6g}/{data['hi']:.6g}"
                    elif modifier["type"] == "histosys":
                        effects[cause, "shape"][len(columns)] = "1"
                        file[f"{name}/{process}_{cause}Up"] = _histogram(data["hi_data"])
                        file[f"{name}/{process}_{cause}Down"] = _histogram(data["lo_data"])
                columns.append((name, process, sample["data"]))
        shapes = content.getvalue()
    return _card(columns, observed, effects).encode(), shapes


def _card(
    columns: list[tuple[str, str, list[float]]],
    observed: dict[str, list[float]],
    effects: dict[tuple[str, str], dict[int, str]],
) -> str:
    """Return the text: processes are numbered from 0 down if they are signal, else from 1 up."""
    processes = list(dict.fromkeys(process for _, process, _ in columns))
    signals = [process for process in processes if process.startswith(SIGNAL)]
    backgrounds = [process for process in processes if process not in signals]
    numbers = {process: -n for n, process in enumerate(signals)}
    numbers |= {process: n for n, process in enumerate(backgrounds, 1)}
    rows: list[list[object]] = [
        ["imax", len(observed)],
        ["jmax", len(processes) - 1],
        ["kmax", "*"],
        ["shapes", "*", "*", SHAPES, "$CHANNEL/$PROCESS", "$CHANNEL/$PROCESS_$SYSTEMATIC"],
        ["bin", *observed],
        ["observation", *(f"{sum(events):g}" for events in observed.values())],
        ["bin", *(channel for channel, _, _ in columns)],
        ["process", *(process for _, process, _ in columns)],
        ["process", *(numbers[process] for _, process, _ in columns)],
        ["rate", *(f"{sum(events):.9g}" for _, _, events in columns)],
    ]
    for (cause, kind), found in effects.items():
        rows.append([cause, kind, *(found.get(n, "-") for n in range(len(columns)))])
    rows += [[channel, "autoMCStats", 0] for channel in observed]
    return "".join(" ".join(map(str, row)) + "\n" for row in rows)


def _errors(samples: list[dict[str, Any]], kept: list[dict[str, Any]]) -> list[list[float]]:
    """Return the statistical errors of the kept samples; the first background has those of the others too."""
    found = {
        sample["name"]: np.array(modifier["data"])
        for sample in samples
        for modifier in sample["modifiers"]
        if modifier["type"] == "staterror"
    }
    names = [sample["name"] for sample in kept]
    heir = next(name for name in names if name in found)
    for name in found.keys() - set(names):
        found[heir] = np.hypot(found[heir], found[name])
    return [
        found.get(name, np.zeros(len(sample["data"]))).tolist()
        for name, sample in zip(names, kept, strict=True)
    ]


def _histogram(events: list[float], errors: list[float] | None = None) -> hist.Hist[hist.storage.Weight]:
    axis = hist.axis.Variable(np.linspace(*FIT_RANGE, len(events) + 1), name="mass")
    variances = np.square(errors) if errors else np.zeros(len(events))
    return hist.Hist(axis, storage=hist.storage.Weight(), data=np.stack([events, variances], axis=-1))
