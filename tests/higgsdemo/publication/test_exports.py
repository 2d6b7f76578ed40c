"""The spectra in the field's formats hold what the spectrum holds, and the field's tools can read them."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
import yaml
from hepdata_validator.full_submission_validator import FullSubmissionValidator

from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.normalisation import Spectrum, normalise
from higgsdemo.physics.uncertainties import sum_deviation
from higgsdemo.publication.hepdata import submission
from higgsdemo.publication.histograms import root_file
from higgsdemo.publication.yields_files import as_csv, as_latex, yields_lines
from result_documents import ALL, NOTE, catalogue, merged, recorded, sample, stored

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
    return normalise(merged(objects).datasets, KNOWN, {name: 1 for name in KNOWN.datasets})


def test_the_root_file_has_what_was_processed_by_year_and_channel_with_its_variances(
    spectrum: Spectrum,
) -> None:
    file = uproot.open(io.BytesIO(root_file(spectrum)))
    processed = {2011: ("data", "zz"), 2012: ("data", "higgs")}
    expected = {
        f"{year}/{channel}/{group}": spectrum.years[year][group][channel]
        for year, groups in processed.items()
        for channel in ALL
        for group in groups
    }
    every = ("data", "higgs", "zz")
    expected |= {f"all/{c}/{group}": spectrum.groups[group][c] for c in ALL for group in every}
    expected |= {f"all/all/{group}": spectrum.combined(group) for group in every}
    assert set(file.keys(cycle=False, filter_classname="TH1D")) == set(expected)
    for path, histogram in expected.items():
        assert file[path].values().tolist() == histogram.values().tolist()
        assert file[path].variances().tolist() == histogram.variances().tolist()
        assert file[path].axis().edges().tolist() == np.arange(70, 182, 3).tolist()
    entries = {path: file[path].member("fEntries") for path in ("2011/4mu/zz", "all/all/zz", "all/all/data")}
    assert entries == {"2011/4mu/zz": 2.0, "all/all/zz": 6.0, "all/all/data": 11.0}
    assert file["2011/4mu/zz"].values()[7] == 10.0  # 2 of 100 events, 500 / pb, 1 pb
    assert file["all/all/data"].values()[18] == 7.0


def test_the_yields_are_a_table_for_programs_and_one_for_papers(spectrum: Spectrum) -> None:
    """ZZ in 4mu: 2 of 100 events, 500 / pb and 1 pb are 10; the band's uncertainty with 20 unseen a bin."""
    lines = yields_lines(spectrum, KNOWN)
    rows = list(csv.DictReader(as_csv(lines).decode().splitlines()))
    found = {(row["group"], row["channel"], row["low_gev"]): row for row in rows}
    assert set(row["group"] for row in rows) == {"zz", "background", "higgs", "data"}
    zz, data = found["zz", "4mu", "70.0"], found["data", "all", "121.0"]
    assert float(zz["events"]) == 10.0
    unseen = 36 * (1.841 * 5) ** 2
    assert float(zz["to_events"]) - 10.0 == pytest.approx((2 * 25 + unseen) ** 0.5, rel=1e-3)
    assert [float(data[name]) for name in ("events", "from_events", "to_events")] == pytest.approx(
        [8, 5.23, 11.95], abs=0.02
    )
    table = as_latex(lines, KNOWN).decode().splitlines()
    assert table[0] == f"% {NOTE}"
    assert table[-1] == r"\end{tabular}"
    assert r"Observed & 8 & 3 & 0 & 11 \\" in table
    assert all(line.count("&") == 4 for line in table if "&" in line)
    assert table.count(r"$\mathrm{t}\bar{\mathrm{t}}$ & -- & -- & -- & -- \\") == 2


def test_uncertain_causes_are_the_same_in_all_bins_of_a_yield() -> None:
    """10% on two bins of 10 events each are 2 events, not √2; without an error of the simulation."""
    known = KNOWN.model_copy(update={"luminosity_uncertainty": {2011: 0.1, 2012: 0.1}})
    merge = merged([recorded("D11", "x", 100), stored("ZZ11", "x", 100, {"4mu": {18: 2, 19: 2}})])
    found = normalise(merge.datasets, known, {"D11": 1, "ZZ11": 1})
    of_window = slice(18, 20)
    error = sum_deviation(found, known, ["4mu"], ["zz"], of_window)
    assert error == pytest.approx((2 * 2 * 25 + 2.0**2) ** 0.5)


@pytest.fixture(scope="module")
def tables(spectrum: Spectrum) -> list[Any]:
    return list(yaml.safe_load_all(submission(spectrum, KNOWN)))


def columns(tables: list[Any], name: str) -> dict[str, Any]:
    (table,) = (table for table in tables if table.get("name") == f"Four-lepton mass, {name}")
    return {column["header"]["name"].partition(",")[0]: column for column in table["dependent_variables"]}


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
    both = columns(tables, "all, 2011 and 2012")
    assert both["Data"]["values"][18] == {
        "value": 7,
        "errors": [
            {
                "label": "stat",
                "asymerror": {"minus": pytest.approx(-2.58, abs=5e-3), "plus": pytest.approx(3.77, abs=5e-3)},
            }
        ],
    }
    assert columns(tables, "2e2mu, 2011")["ZZ"]["values"][7] == {
        "value": 20.0,
        "errors": [{"symerror": 10.0, "label": "MC stat"}],
    }
    assert both["ZZ"]["values"][8] == {"value": 0.0}


def test_tables_state_the_energy_of_their_years(tables: list[Any]) -> None:
    energies = {table["name"][18:]: table["keywords"][2]["values"] for table in tables[1:]}
    assert energies["all, 2011 and 2012"] == [7000.0, 8000.0]
    assert energies["4e, 2012"] == [8000.0]


def luminosities(column: Any) -> dict[str, Any]:
    assert {one["units"] for one in column["qualifiers"]} == {"GeV", "fb$^{-1}$"}
    return {one["name"]: one["value"] for one in column["qualifiers"] if one["name"] != "SQRT(S)"}


def test_tables_state_the_luminosity_that_their_data_cover(tables: list[Any]) -> None:
    assert luminosities(columns(tables, "4e, 2011")["ZZ"]) == {"Luminosity of 2011": 0.5}
    assert luminosities(columns(tables, "all, 2011 and 2012")["Data"]) == {
        "Luminosity of 2011": 0.5,
        "Luminosity of 2012": 1.0,
    }


def test_nothing_is_published_of_what_was_not_processed() -> None:
    """The data of 2012 are those of the electron trigger alone; one of two shards of ZZ has a result."""
    known = catalogue(
        sample("mu", "data", channels=("4mu", "2e2mu"), files=1),
        sample("e", "data", channels=("4e",), files=1),
        sample("zz", "zz", channels=("4mu", "4e")),
        sample("h", "higgs"),
    )
    merge = merged([recorded("E", "x", 100, {"4e": {18: 1}}), stored("ZZ", "x", 100)])
    partial = normalise(merge.datasets, known, {"MU": 1, "E": 1, "ZZ": 2, "H": 2})
    front, *tables = yaml.safe_load_all(submission(partial, known))
    assert front == {
        "comment": "A small catalogue. 33.3% of the shards, 2 samples missing, 0 of 1000 /pb (2012, 4mu)"
    }
    assert {table["name"][18:]: list(columns(tables, table["name"][18:])) for table in tables} == {
        "all, 2012": ["Data", "ZZ"],
        "4mu, 2012": ["ZZ"],
        "4e, 2012": ["Data", "ZZ"],
    }
    assert luminosities(columns(tables, "all, 2012")["Data"]) == {"Luminosity of 2012": "0.0-1.0"}
    file = uproot.open(io.BytesIO(root_file(partial)))
    found = {path for path in file.keys(cycle=False, filter_classname="TH1D") if path.startswith("2012/")}
    assert found == {"2012/4mu/zz", "2012/4e/zz", "2012/4e/data"}


def test_of_nothing_there_is_no_table() -> None:
    nothing = normalise(merged([]).datasets, KNOWN, {"D11": 1})
    assert list(yaml.safe_load_all(submission(nothing, KNOWN))) == [
        {
            "comment": f"A small catalogue. {NOTE}. 0.0% of the shards, 1 sample missing, "
            "0 of 500 /pb (2011, 4mu), 0 of 1000 /pb (2012, 4mu)"
        }
    ]
    assert uproot.open(io.BytesIO(root_file(nothing))).keys() == []


def test_a_catalogue_without_a_note_is_titled_alone(spectrum: Spectrum) -> None:
    real: Catalogue = KNOWN.model_copy(update={"note": None})
    assert next(yaml.safe_load_all(submission(spectrum, real))) == {"comment": "A small catalogue"}
