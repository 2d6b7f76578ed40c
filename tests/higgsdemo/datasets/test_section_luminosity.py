"""The luminosity of certified sections: tables as brilcalc writes them, what data cover, and what is told."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from higgsdemo.catalogue import Catalogue, CatalogueError
from higgsdemo.datasets.certified import Sections, dump, unite
from higgsdemo.datasets.section_luminosity import all_sections, certified_luminosity, sum_recorded, table_of
from higgsdemo.physics.exposure import Exposure, exposures, tell_sections
from higgsdemo.storage.object_store import ObjectStore
from planned_runs import dataset
from result_documents import catalogue, merged, sample
from result_documents import recorded as of_data
from stores import Kind
from tables import cases

HEADER = "#run:fill,ls,time,beamstatus,E(GeV),delivered(/ub),recorded(/ub),avgpu,source"
LINES = [
    "#Data tag : v1 , Norm tag: None",
    HEADER,
    *(
        f"{run}:2486,{ls}:{ls},04/05/12 01:00:00,STABLE BEAMS,4000,2e6,{run + ls}e6,9.1,HFOC"
        for run in (1, 2)
        for ls in (1, 2, 3, 5)
    ),
    "#Summary:",
    "#nfill,nrun,nls,ncms,totdelivered(/ub),totrecorded(/ub)",
    "#1,2,8,8,16000000,34000000",
]
"""A section has as many 1/pb as its run and its own number together."""
KNOWN = catalogue(
    sample("mu", "data", channels=("4mu", "2e2mu"), files=2), sample("e", "data", channels=("4e",), files=1)
)
COUNTED = {"MU": 2, "E": 1}


@pytest.fixture
def known(tmp_path: Path) -> Catalogue:
    """Return the small catalogue with this table."""
    return with_table(tmp_path, *LINES)


def with_table(folder: Path, *lines: str) -> Catalogue:
    path = folder / "2012lumibyls.csv"
    path.write_text("\n".join(lines))
    return KNOWN.model_copy(update={"luminosity_by_section": {2012: str(path)}})


def certified(events: int, *sections: Any) -> dict[str, Any]:
    return {"certified": {"events": events, "sections": sections}}


def test_sections_that_several_files_cover_count_once(known: Catalogue) -> None:
    merge = merged(
        [
            of_data("MU", "x", 9, **certified(3, [1, [[1, 2]]])),
            of_data("MU", "y", 9, **certified(2, [1, [[2, 3]]], [2, [[5, 9]]])),
            of_data("E", "x", 9, **certified(1, [2, [[1, 1]]])),
        ]
    )
    muons = (2 + 3 + 4) + 7
    assert exposures(merge.datasets, known, COUNTED) == (
        Exposure(2012, "4mu", 1000, muons, by_section=True, unknown_sections=4),
        Exposure(2012, "4e", 1000, 3, by_section=True),
        Exposure(2012, "2e2mu", 1000, muons, by_section=True, unknown_sections=4),
    )
    assert tell_sections(exposures(merge.datasets, known, COUNTED), {2012: 34.0}) == [
        "2012: 16 (4mu), 3 (4e), 16 (2e2mu) of 34 /pb in certified sections",
        "2012: 4 certified sections of the data have no luminosity in the table",
    ]


@pytest.mark.parametrize("others", [{}, {"test_mode": True}])
def test_data_that_do_not_tell_their_sections_have_the_luminosity_that_they_state(
    known: Catalogue, others: dict[str, Any]
) -> None:
    """But shards in test mode have read nothing."""
    x = of_data("MU", "x", 9, **certified(3, [1, [[1, 1]]]))
    y = of_data("MU", "y", 0 if others else 9, **others)
    found, *_ = exposures(merged([x, y]).datasets, known, COUNTED)
    assert (found.by_section, found.covered_pb) == ((True, 2.0) if others else (False, 1000.0))
    assert tell_sections([found], {}) == []


SECTIONS = st.dictionaries(
    st.integers(1, 3), st.sets(st.integers(1, 6), min_size=1).map(lambda s: unite((n, n) for n in s))
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SECTIONS))
def test_the_luminosity_is_the_sum_over_each_section_of_any_part(
    known: Catalogue, parts: list[Sections]
) -> None:
    places = {
        (run, n) for part in parts for run, ranges in part.items() for a, b in ranges for n in range(a, b + 1)
    }
    table = table_of(known, 2012) or {}
    in_table = {(run, n) for run, n in places if run < 3 and n in (1, 2, 3, 5)}
    wanted = sum(run + n for run, n in in_table), len(places - in_table)
    assert sum_recorded(table, all_sections(parts)) == pytest.approx(wanted)


def test_what_is_certified_is_the_union_over_the_datasets_of_a_run(known: Catalogue, s3: Kind) -> None:
    output = ObjectStore(f"{s3.url}/run", "with_keys")
    output.write("certified/A.json", dump({1: ((1, 2),)}))
    output.write("certified/B.json", dump({1: ((2, 3),), 2: ((1, 9),)}))
    refs = [dataset(name, sample="mu", certified="c.json") for name in "AB"]
    others = [dataset("C", sample="mu"), dataset("D", certified="c.json")]
    assert certified_luminosity(output, refs + others, known) == {2012: (2 + 3 + 4) + (3 + 4 + 5 + 7)}
    assert certified_luminosity(output, refs, KNOWN) == {}


@pytest.mark.parametrize("unit", ["nb", "pb", "fb"])
def test_a_table_may_have_another_unit(tmp_path: Path, unit: str) -> None:
    """Also where it is put together from several."""
    tables = "#run:fill,ls,recorded(/ub)", "6:1,3:3,5e6", f"#run:fill,ls,recorded(/{unit})", "7:1,3:3,0.5"
    known = with_table(tmp_path, *tables)
    assert table_of(known, 2012) == {6: {3: 5}, 7: {3: 0.5 * {"nb": 1e-3, "pb": 1, "fb": 1e3}[unit]}}
    assert table_of(known, 2011) is None


@cases
def test_a_wrong_table_is_refused_with_its_line(tmp_path: Path, lines: list[str], told: str) -> None:
    with pytest.raises(CatalogueError, match=f"{re.escape('2012lumibyls.csv' + told)}$"):
        table_of(with_table(tmp_path, *lines), 2012)


def test_a_table_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    absent = KNOWN.model_copy(update={"luminosity_by_section": {2012: "cms/none.csv"}})
    for known in (absent, with_table(tmp_path, HEADER, '"' + "x" * 200_000)):
        with pytest.raises(CatalogueError, match=r"\.csv, the luminosity by section, cannot be read"):
            table_of(known, 2012)
