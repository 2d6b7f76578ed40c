"""The spectra in the field's formats hold what the spectrum holds, and the field's tools can read them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
import yaml
from hepdata_validator.full_submission_validator import FullSubmissionValidator

from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.normalisation import GROUPS, Spectrum, normalise
from higgsdemo.publication.hepdata import submission
from higgsdemo.publication.histograms import root_file
from higgsdemo.results.merge import Merge
from result_documents import ALL, NOTE, catalogue, recorded, sample, stored

KNOWN = catalogue(
    sample("d11", "data", 2011, files=1),
    sample("d12", "data", 2012, files=1),
    sample("zz11", "zz", 2011, files=1),
    sample("h12", "higgs", 2012, files=1),
    note=NOTE,
    luminosity_pb={2011: 500.0, 2012: 1000.0},
)


@pytest.fixture(scope="module")
def spectrum() -> Spectrum:
    objects = [
        recorded("D11", "x", 100, {"4mu": {18: 2}}),
        recorded("D12", "x", 100, {"4mu": {18: 5, 19: 1}, "4e": {0: 3}}),
        stored("ZZ11", "x", 100, {"4mu": {7: 2}, "2e2mu": {7: 4}}),
        stored("H12", "x", 100, {"4e": {18: 9}}),
    ]
    return normalise(Merge.of(objects), KNOWN, {name: 1 for name in KNOWN.datasets})


def test_the_root_file_has_every_group_by_year_and_channel_with_its_variances(spectrum: Spectrum) -> None:
    file = uproot.open(io.BytesIO(root_file(spectrum)))
    expected = {
        f"{year}/{channel}/{group}": spectrum.years[year][group][channel]
        for year in (2011, 2012)
        for channel in ALL
        for group in GROUPS
    }
    expected |= {f"all/{c}/{group}": spectrum.groups[group][c] for c in ALL for group in GROUPS}
    expected |= {f"all/all/{group}": spectrum.combined(group) for group in GROUPS}
    assert set(file.keys(cycle=False, filter_classname="TH1D")) == set(expected)
    for path, histogram in expected.items():
        assert file[path].values().tolist() == histogram.values().tolist()
        assert file[path].variances().tolist() == histogram.variances().tolist()
        assert file[path].axis().edges().tolist() == np.arange(70, 182, 3).tolist()
    assert file["2011/4mu/zz"].values()[7] == 10.0  # 2 of 100 events, 500 / pb, 1 pb
    assert file["all/all/data"].values()[18] == 7.0


@pytest.fixture(scope="module")
def tables(spectrum: Spectrum) -> list[Any]:
    return list(yaml.safe_load_all(submission(spectrum, KNOWN)))


def values(tables: list[Any], name: str, group: int) -> list[Any]:
    (table,) = (table for table in tables if table.get("name") == name)
    return list(table["dependent_variables"][group]["values"])


def test_the_tables_are_a_valid_submission_to_hepdata(spectrum: Spectrum, tmp_path: Path) -> None:
    path = tmp_path / "hepdata.yaml"
    path.write_bytes(submission(spectrum, KNOWN))
    validator = FullSubmissionValidator()
    assert validator.validate(file=str(path)), validator.get_messages()


def test_what_the_data_are_stands_first(tables: list[Any]) -> None:
    assert tables[0] == {"comment": f"A small catalogue. {NOTE}"}
    assert [table["name"] for table in tables[1:]] == [
        "Four-lepton mass, all, 2011 and 2012",
        *(f"Four-lepton mass, {channel}, {year}" for year in (2011, 2012) for channel in ALL),
    ]


def test_data_have_garwood_intervals_and_simulation_its_statistical_error(tables: list[Any]) -> None:
    both = "Four-lepton mass, all, 2011 and 2012"
    assert values(tables, both, 0)[18] == {
        "value": 7,
        "errors": [
            {
                "label": "stat",
                "asymerror": {"minus": pytest.approx(-2.58, abs=5e-3), "plus": pytest.approx(3.77, abs=5e-3)},
            }
        ],
    }
    assert values(tables, "Four-lepton mass, 2e2mu, 2011", GROUPS.index("zz"))[7] == {
        "value": 20.0,
        "errors": [{"symerror": 10.0, "label": "MC stat"}],
    }
    assert values(tables, both, GROUPS.index("zz"))[8] == {"value": 0.0}


def test_tables_state_the_energy_of_their_years(tables: list[Any]) -> None:
    energies = {table["name"][18:]: table["keywords"][2]["values"] for table in tables[1:]}
    assert energies["all, 2011 and 2012"] == [7000.0, 8000.0]
    assert energies["4e, 2012"] == [8000.0]


def test_a_catalogue_without_a_note_is_titled_alone(spectrum: Spectrum) -> None:
    real: Catalogue = KNOWN.model_copy(update={"note": None})
    assert next(yaml.safe_load_all(submission(spectrum, real))) == {"comment": "A small catalogue"}
