"""The datacard, read by an independent reader that knows Combine's format and no code of ours."""

import io
from typing import Any

import numpy as np
import pyhf
import pytest
import uproot

from higgsdemo.physics.discovery import discover
from higgsdemo.physics.normalisation import normalise
from higgsdemo.physics.workspace import workspace
from higgsdemo.publication.datacard import datacard
from result_documents import catalogue, merged, recorded, sample, stored, uncertainty


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    """Make a workspace with all kinds of uncertainty, and a sample that expects nothing where is fitted."""
    groups = ("higgs", "zz", "dy", "ttbar")
    known = catalogue(sample("data", "data", files=1), *(sample(group, group, files=1) for group in groups))
    known = known.model_copy(
        update={
            "luminosity_uncertainty": {2012: 0.026},
            "uncertainties": (
                uncertainty("scale", "higgs", "zz", up=1.01, down=0.99, kind="mass"),
                uncertainty("zz", "zz_2012", up=1.2),
                uncertainty("lepton", "higgs", "zz", up=1.05, down=0.95),
            ),
        }
    )
    flat = dict.fromkeys(range(12, 31), 4)
    results = [
        recorded("DATA", "x", 1000, {"4mu": flat | {18: 19}, "4e": flat | {18: 13}}),
        *(stored(name, "x", 1000, {"4mu": flat, "4e": flat}) for name in ("ZZ", "DY")),
        stored("HIGGS", "x", 1000, {"4mu": {17: 4, 18: 9}, "4e": {17: 3, 18: 9}}),
        stored("TTBAR", "x", 20_000, {"4mu": {2: 3}}),
    ]
    return workspace(normalise(merged(results).datasets, known, dict.fromkeys(known.datasets, 1)), known)


def read(card: bytes, shapes: bytes) -> dict[str, Any]:
    """Return the pyhf workspace of a card with shapes."""
    rows = [line.split() for line in card.decode().splitlines()]
    file = uproot.open(io.BytesIO(shapes))
    (bins, observed), (channels, processes, numbers, rates) = columns(rows)
    samples: dict[str, list[Any]] = {name: [] for name in bins}
    for n, (channel, process) in enumerate(zip(channels, processes, strict=True)):
        nominal = file[f"{channel}/{process}"]
        assert sum(nominal.values()) == pytest.approx(float(rates[n]))
        modifiers: list[dict[str, Any]] = []
        if nominal.variances().any():
            error = np.sqrt(nominal.variances()).tolist()
            modifiers.append({"name": f"mc_{channel}", "type": "staterror", "data": error})
        for cause, kind, *cells in (row for row in rows if len(row) > 2 and row[1] in ("lnN", "shape")):
            if cells[n] == "-":
                continue
            if kind == "lnN":
                low, high = map(float, cells[n].split("/"))
                modifiers.append({"name": cause, "type": "normsys", "data": {"lo": low, "hi": high}})
            else:
                up, down = (file[f"{channel}/{process}_{cause}{way}"].values() for way in ("Up", "Down"))
                ends = {"hi_data": up.tolist(), "lo_data": down.tolist()}
                modifiers.append({"name": cause, "type": "histosys", "data": ends})
        if int(numbers[n]) <= 0:
            modifiers.append({"name": "r", "type": "normfactor", "data": None})
        data = nominal.values().tolist()
        samples[channel].append({"name": process, "data": data, "modifiers": modifiers})
    data = {name: file[f"{name}/data_obs"].values().tolist() for name in bins}
    assert [sum(data[name]) for name in bins] == [float(number) for number in observed]
    return {
        "version": "1.0.0",
        "channels": [{"name": name, "samples": found} for name, found in samples.items()],
        "observations": [{"name": name, "data": data[name]} for name in bins],
        "measurements": [{"name": "m", "config": {"poi": "r", "parameters": []}}],
    }


def columns(rows: list[list[str]]) -> tuple[list[list[str]], list[list[str]]]:
    """Return names of channels and observed events; of each column channel, process, number and rate."""
    bins, channels = (row[1:] for row in rows if row[0] == "bin")
    processes, numbers = (row[1:] for row in rows if row[0] == "process")
    (observed,) = (row[1:] for row in rows if row[0] == "observation")
    (rates,) = (row[1:] for row in rows if row[0] == "rate")
    return [bins, observed], [channels, processes, numbers, rates]


def test_the_fit_of_the_card_is_that_of_the_workspace(written: dict[str, Any]) -> None:
    card, shapes = datacard(written)
    again = read(card, shapes)
    ours, theirs = discover(written), discover(again)
    assert theirs.observed_significance == pytest.approx(ours.observed_significance, abs=1e-3)
    assert theirs.expected_significance == pytest.approx(ours.expected_significance, abs=1e-3)
    assert theirs.signal_strength_interval == pytest.approx(ours.signal_strength_interval, abs=1e-3)
    kinds = {row.split()[1] for row in card.decode().splitlines()}
    assert {"lnN", "shape", "autoMCStats"} <= kinds


def test_a_process_that_expects_nothing_leaves_its_error_to_another(written: dict[str, Any]) -> None:
    models = [pyhf.Workspace(one).model() for one in (written, read(*datacard(written)))]
    ours, theirs = (
        [np.array(model.config.param_set(name).sigmas) for name in model.config.par_order if prefix in name]
        for model, prefix in zip(models, ("statistics_4", "mc_4"), strict=True)
    )
    assert np.concatenate(theirs) == pytest.approx(np.concatenate(ours))
    text = datacard(written)[0].decode()
    assert "ttbar_2012" not in text
