"""The summary tells of every expected shard, and its table reads on any terminal."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.discovery import Discovery
from higgsdemo.physics.normalisation import normalise
from higgsdemo.publication.summary import FAILURES_LISTED, MISSING_LISTED, FailedShard, Summary, summarise
from higgsdemo.publication.yields_table import yields_table
from higgsdemo.results.merge import Names
from result_documents import NOTE, catalogue, merged, recorded, sample, stored

KNOWN = catalogue(
    sample("mu", "data", channels=("4mu", "2e2mu"), files=2), sample("h", "higgs", files=2), note=NOTE
)
HIGGS = ["thrown-away", "x", "y", "z"]
EXPECTED = {"kubecon-demo-0": {"MU": ["x", "y"], "OWN": ["x"]}, "kubecon-demo-1": {"H": HIGGS}}
OBJECTS = [
    recorded("MU", "x", 40, {"4mu": {7: 3, 18: 1}}, bytes=7, seconds={"stage_in": 1, "compute": 2}),
    stored("H", "x", 100, {"4mu": {18: 4}, "4e": {18: 9}}, bytes=5, seconds={"stage_in": 3, "compute": 4}),
    stored("OWN", "x", 9, {"4e": {0: 2}}),
    stored("H", "thrown-away", 0, test_mode=True),
    ("results/H/y.json", b"{"),
]
FAILURES = [
    {
        "cluster": "kubecon-demo-0",
        "dataset": "MU",
        "shard": "y",
        "url": "s3://in/y.root",
        "reason": "OOM\x1bKilled",
    },
    {"cluster": "kubecon-demo-0", "dataset": "MU", "shard": "x", "reason": "failed, and then succeeded"},
]
ZERO = [0.0, pytest.approx(1.841, abs=1e-3)]
ONE = [pytest.approx(0.173, abs=1e-3), pytest.approx(3.300, abs=1e-3)]
"""Garwood intervals (PDG, Statistics)."""


def yielded(*values: float) -> dict[str, float]:
    return dict(zip(("total", "total_error", "window", "window_error"), values, strict=True))


NONE = yielded(0.0, 0.0, 0.0, 0.0)


def summary(
    objects: list[tuple[str, bytes]] | None = None,
    expected: dict[str, Names] | None = None,
    known: Catalogue = KNOWN,
    **kwargs: Any,
) -> Summary:
    merge, asked = merged(OBJECTS if objects is None else objects), expected or EXPECTED
    counts = {dataset: len(set(shards)) for names in asked.values() for dataset, shards in names.items()}
    spectrum = normalise(merge.datasets, known, counts)
    return summarise("higgs", "run-1", known, merge, spectrum, asked, **kwargs)


def test_the_document_as_a_whole() -> None:
    found = summary(
        failures=FAILURES,
        left_out={"H": ["old", "of-a-part"]},
        discovery=Discovery(3.5, 3.25, 1.125, (0.75, 1.5)),
        started=datetime(2019, 5, 21, 9, 0, tzinfo=UTC),
        finished=datetime(2019, 5, 21, 9, 5, tzinfo=UTC),
    )
    corrupt = "not JSON (EOF while parsing an object at line 1 column 1)"
    work = {"events": 0, "bytes": 0, "stage_in_seconds": 0.0, "compute_seconds": 0.0, "test_mode_shards": 0}
    exposure = {"year": 2012, "full_pb": 1000.0, "beyond_pb": 0.0}
    assert json.loads(found.to_json()) == {
        "campaign": "higgs",
        "run": "run-1",
        "catalogue": "small",
        "title": "A small catalogue",
        "note": NOTE,
        "started": "2019-05-21T09:00:00Z",
        "finished": "2019-05-21T09:05:00Z",
        "shards": {"expected": 7, "done": 4, "failed": 2, "missing": 1},
        "coverage": pytest.approx(3 / 7),
        "work": work
        | {
            "events": 149,
            "bytes": 12,
            "stage_in_seconds": 4.0,
            "compute_seconds": 6.0,
            "test_mode_shards": 1,
        },
        "yields": {
            "data": {**dict.fromkeys(("4mu", "all"), yielded(4.0, 2.0, 1.0, 1.0)), "2e2mu": NONE},
            "higgs": {
                **dict.fromkeys(("4mu", "all"), yielded(20.0, 10.0, 20.0, 10.0)),
                **dict.fromkeys(("4e", "2e2mu"), NONE),
            },
        },
        "yields_by_year": {"2012": json.loads(found.to_json())["yields"]},
        "data_intervals": {
            "4mu": {"total": [pytest.approx(2.086, abs=1e-3), pytest.approx(7.163, abs=1e-3)], "window": ONE},
            "2e2mu": {"total": ZERO, "window": ZERO},
            "all": {"total": [pytest.approx(2.086, abs=1e-3), pytest.approx(7.163, abs=1e-3)], "window": ONE},
        },
        "discovery": {
            "observed_significance": 3.5,
            "expected_significance": 3.25,
            "signal_strength": 1.125,
            "signal_strength_interval": [0.75, 1.5],
            "statement": None,
        },
        "higgs_peak_gev": [124.0, 127.0],
        "luminosity": [
            exposure | {"channel": "4mu", "covered_pb": 500.0},
            exposure | {"channel": "4e", "covered_pb": 0.0},
            exposure | {"channel": "2e2mu", "covered_pb": 500.0},
        ],
        "stated_luminosity_pb": {"stream": 1.0},
        "weights": {"h": {"4mu": 5.0, "4e": 0.0, "2e2mu": 5.0}},
        "absent_samples": [],
        "lacking": {},
        "unassigned": {"OWN": {"4mu": 0, "4e": 2, "2e2mu": 0}},
        "clusters": {
            "kubecon-demo-0": {"expected": 3, "done": 2, "failed": 1, "missing": 0},
            "kubecon-demo-1": {"expected": 4, "done": 2, "failed": 1, "missing": 1},
        },
        "datasets": {
            "H": {
                "sample": "h",
                "group": "higgs",
                "shards": {"expected": 4, "done": 2, "failed": 1, "missing": 1},
                "work": work
                | {"events": 100, "bytes": 5, "stage_in_seconds": 3.0, "compute_seconds": 4.0}
                | {"test_mode_shards": 1},
            },
            "MU": {
                "sample": "mu",
                "group": "data",
                "shards": {"expected": 2, "done": 1, "failed": 1, "missing": 0},
                "work": work | {"events": 40, "bytes": 7, "stage_in_seconds": 1.0, "compute_seconds": 2.0},
            },
            "OWN": {
                "sample": None,
                "group": None,
                "shards": {"expected": 1, "done": 1, "failed": 0, "missing": 0},
                "work": work | {"events": 9},
            },
        },
        "failures": [
            FAILURES[0] | {"reason": "OOM\\u001bKilled", "log": []},
            {
                "cluster": "kubecon-demo-1",
                "dataset": "H",
                "shard": "y",
                "url": None,
                "reason": f"results/H/y.json: {corrupt}",
                "log": [],
            },
        ],
        "missing": {"H": ["z"]},
        "predicted": None,
        "took": None,
        "left_out": 2,
        "unexpected": {"H": ["of-a-part", "old"]},
        "corrupt": {"results/H/y.json": f"results/H/y.json: {corrupt}"},
    }


@pytest.mark.parametrize(("number", "said"), [(1, "1 result is"), (250, "250 results are")])
def test_results_that_are_left_out_are_told_and_the_first_of_them_named(number: int, said: str) -> None:
    names = [f"{position:03}" for position in range(number)]
    found = summary(left_out={"H": names})
    assert f"{said} left out: no list of this run names their shards" in yields_table(found).splitlines()
    assert (found.left_out, found.unexpected) == (number, {"H": names[:MISSING_LISTED]})


def test_what_is_written_is_read_again() -> None:
    written = summary(failures=FAILURES)
    assert Summary.model_validate_json(written.to_json()) == written


def test_the_counts_are_exact_where_the_lists_are_cut() -> None:
    names = [f"{number:05d}" for number in range(FAILURES_LISTED + MISSING_LISTED + 20)]
    failed = names[: FAILURES_LISTED + 10]
    found = summary(
        objects=[],
        expected={"one": {"MU": names}},
        failures=[FailedShard(cluster="one", dataset="MU", shard=name, reason="evicted") for name in failed],
    )
    expected = {"expected": len(names), "done": 0, "failed": len(failed), "missing": len(names) - len(failed)}
    assert found.shards.model_dump() == expected
    assert [failure.shard for failure in found.failures] == failed[:FAILURES_LISTED]
    assert found.missing == {"MU": names[len(failed) : len(failed) + MISSING_LISTED]}


def test_a_shard_that_two_clusters_were_to_run_is_one_shard() -> None:
    found = summary(expected={"one": {"MU": ["x"]}, "two": {"MU": ["x", "y"]}})
    assert found.shards.model_dump() == {"expected": 2, "done": 1, "failed": 0, "missing": 1}
    assert {name: counts.expected for name, counts in found.clusters.items()} == {"one": 1, "two": 2}


def test_the_table_of_a_partial_campaign_says_what_is_missing() -> None:
    assert yields_table(summary(failures=FAILURES)) == "\n".join(
        [
            "Simulated data, not CMS collisions",
            "4 of 7 shards done, 2 failed, 1 missing",
            "1 shard run in test mode: no events were read",
            "Events             70 to 181 GeV  121 to 130 GeV",
            "Pseudo-data          4 +3.2 −1.9     1 +2.3 −0.8",
            "Expected           20.00 ± 10.00   20.00 ± 10.00",
            "  Higgs (125 GeV)  20.00 ± 10.00   20.00 ± 10.00",
        ]
    )


@pytest.mark.parametrize(
    ("discovery", "told"),
    [
        (
            Discovery(3.63, 3.68, 0.953, (0.6, 1.384)),
            ["Significance: 3.6σ observed, 3.7σ expected", "Signal strength: 0.95 +0.43 −0.35"],
        ),
        (
            Discovery(expected_significance=3.68, statement="no event of data was analysed"),
            ["Significance: 3.7σ expected", "No observed significance: no event of data was analysed"],
        ),
        (
            Discovery(statement="no luminosity is covered"),
            ["No observed significance: no luminosity is covered"],
        ),
    ],
)
def test_the_table_ends_with_the_significance_or_why_there_is_none(
    discovery: Discovery, told: list[str]
) -> None:
    assert yields_table(summary(discovery=discovery)).splitlines()[-len(told) :] == told


def test_the_table_names_samples_without_events() -> None:
    found = summary(objects=OBJECTS[:1], expected={"one": {"MU": ["x"], "H": ["x"]}})
    assert yields_table(found).splitlines()[1:3] == [
        "1 of 2 shards done, 0 failed, 1 missing",
        "No events of h",
    ]


def test_files_that_lack_branches_which_others_have_are_told() -> None:
    full = {"branches": ["Muon_isGlobal", "genWeight"]}
    objects = [
        recorded("MU", "x", 40, branches=["Muon_isGlobal"]),
        recorded("MU", "y", 40),
        stored("H", "x", 100, **full),
        stored("H", "y", 100, **full),
        stored("H", "z", 100, branches=["Muon_isGlobal"]),
        stored("H", "thrown-away", 0, test_mode=True),
    ]
    found = summary(objects)
    assert found.lacking == {"Muon_isGlobal": {"MU": 1}, "genWeight": {"H": 1}}
    lines = yields_table(found).splitlines()
    assert "1 shard of MU lacks Muon_isGlobal, which the selection uses in others" in lines
    assert "1 shard of H lacks genWeight, which the selection uses in others" in lines
    assert (
        summary([stored("H", "x", 100, **full), recorded("MU", "x", branches=full["branches"][:1])]).lacking
        == {}
    )


def test_shards_of_a_cluster_that_never_listed_them_are_missing() -> None:
    merge = merged(OBJECTS[:1])
    spectrum = normalise(merge.datasets, KNOWN, {"MU": 1, "H": 2})
    found = summarise("higgs", "run-1", KNOWN, merge, spectrum, {"one": {"MU": ["x"]}, "two": {}})
    assert found.shards.model_dump() == {"expected": 3, "done": 1, "failed": 0, "missing": 2}
    assert yields_table(found).splitlines()[1:3] == [
        "1 of 3 shards done, 0 failed, 2 missing",
        "No events of h",
    ]


def test_errors_of_the_groups_add_in_quadrature() -> None:
    both = catalogue(sample("h", "higgs", files=1), sample("zz", "zz", files=1))
    objects = [stored("H", "x", 1000, {"4mu": {18: 9}}), stored("ZZ", "x", 1000, {"4mu": {18: 16}})]
    table = yields_table(summary(objects, {"one": {"H": ["x"], "ZZ": ["x"]}}, both))
    assert table.splitlines()[1:] == [
        "Expected            25.00 ± 5.00    25.00 ± 5.00",
        "  Higgs (125 GeV)    9.00 ± 3.00     9.00 ± 3.00",
        "  ZZ                16.00 ± 4.00    16.00 ± 4.00",
    ]


def test_the_table_of_a_campaign_of_data_alone_says_what_the_expectation_lacks() -> None:
    real = KNOWN.model_copy(update={"note": None})
    found = summary([OBJECTS[0], stored("MU", "y", 1)], {"one": {"MU": ["x", "y"]}}, real)
    assert yields_table(found).splitlines() == [
        "No events of h",
        "Events  70 to 181 GeV  121 to 130 GeV",
        "Data      4 +3.2 −1.9     1 +2.3 −0.8",
    ]


def test_data_that_were_not_analysed_are_not_called_none() -> None:
    found = summary([stored("H", "x", 1000, {"4mu": {18: 9}})], {"one": {"H": ["x"]}})
    assert yields_table(found).splitlines()[1:] == [
        "Events             70 to 181 GeV  121 to 130 GeV",
        "Expected             9.00 ± 3.00     9.00 ± 3.00",
        "  Higgs (125 GeV)    9.00 ± 3.00     9.00 ± 3.00",
    ]
    assert (list(found.yields), found.data_intervals) == (["higgs"], {})


def test_of_a_run_without_any_event_the_table_is_what_is_known_of_it() -> None:
    why = Discovery(statement="no luminosity is covered")
    assert yields_table(summary([], {"one": {"H": ["x"]}}, discovery=why)).splitlines() == [
        NOTE,
        "0 of 1 shards done, 0 failed, 1 missing",
        "No events of h",
        "No observed significance: no luminosity is covered",
    ]
