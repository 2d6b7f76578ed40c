"""The summary tells of every expected shard, and its table reads on any terminal."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.discovery import Discovery
from higgsdemo.physics.normalisation import normalise
from higgsdemo.publication.summarise import FAILURES_LISTED, MISSING_LISTED, LeftOut, summarise
from higgsdemo.publication.summary import FailedShard, Summary
from higgsdemo.publication.yields_table import yields_table
from result_documents import NOTE, Names, catalogue, expecting, merged, recorded, sample, stored

KNOWN = catalogue(
    sample("mu", "data", channels=("4mu", "2e2mu"), files=2), sample("h", "higgs", files=2), note=NOTE
)
HIGGS = ["thrown-away", "x", "y", "z"]
EXPECTED = {"kubecon-demo-0": {"MU": ["x", "y"], "OWN": ["x"]}, "kubecon-demo-1": {"H": HIGGS}}
OBJECTS = [
    recorded(
        *("MU", "x", 40, {"4mu": {7: 3, 18: 1}}),
        bytes=7,
        seconds={"stage_in": 1, "compute": 2},
        certified={"events": 30, "sections": [[1, [[1, 2]]]]},
    ),
    stored("H", "x", 100, {"4mu": {18: 4}, "4e": {18: 9}}, bytes=5, seconds={"stage_in": 3, "compute": 4}),
    stored("OWN", "x", 9, {"4e": {0: 2}}),
    stored("H", "thrown-away", 0, test_mode=True),
    ("results/H/y.json", b"{"),
]
REVIEWED = Path(__file__).parents[1] / "manifests" / "summary.json"
FAILURES = [
    {"cluster": "kubecon-demo-0", "dataset": "MU", "shard": "y", "reason": "OOM\x1bKilled"}
    | {"url": "s3://in/y.root"},
    {"cluster": "kubecon-demo-0", "dataset": "MU", "shard": "x", "reason": "failed, and then succeeded"},
]


def rounded(value: Any) -> Any:
    """Return a document with its numbers in three decimals."""
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return round(value, 3) if isinstance(value, float) else value


def summary(
    objects: list[tuple[str, bytes]] | None = None,
    expected: dict[str, Names] | None = None,
    known: Catalogue = KNOWN,
    **kwargs: Any,
) -> Summary:
    listed = expecting(expected or EXPECTED)
    merge = merged(OBJECTS if objects is None else objects, expected=listed)
    counts = {dataset: number for dataset, (number, _) in listed.datasets().items()}
    spectrum = normalise(merge.datasets, known, counts)
    candidates = merge.candidates.table(known)
    return summarise(
        "higgs", "run-1", known, merge, spectrum, listed.clusters, candidates=candidates, **kwargs
    )


def left_out(*shards: str) -> LeftOut:
    """Return what is noted of results of H that nobody expects."""
    found = LeftOut()
    for shard in shards:
        found.add("H", f"results/H/{shard}.json")
    return found


def test_the_document_as_a_whole() -> None:
    found = summary(
        failures=FAILURES,
        left_out=left_out("of-a-part", "old"),
        discovery=Discovery(
            *(3.5, 3.25, 1.125, (0.75, 1.5), None, ((0.0, 12.25), (1.125, 0.0))),
            uncertainties=("zz",),
            masses=((125.0, 0.25, 0.125),),
        ),
        started=datetime(2019, 5, 21, 9, 0, tzinfo=UTC),
        finished=datetime(2019, 5, 21, 9, 5, tzinfo=UTC),
    )
    assert rounded(json.loads(found.to_json())) == json.loads(REVIEWED.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("number", "said"), [(1, "1 result is"), (250, "250 results are")])
def test_results_that_are_left_out_are_told_and_the_first_of_them_named(number: int, said: str) -> None:
    names = [f"{position:03}" for position in range(number)]
    found = summary(left_out=left_out(*names))
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
            "30 of 40 events of data are certified",
            "4 events of data not named by their results: one that two datasets share counts twice",
            "Events             70 to 181 GeV  121 to 130 GeV",
            "Pseudo-data          4 +3.2 −1.9     1 +2.3 −0.8",
            "Expected           20.00 ± 10.00   20.00 ± 10.00",
            "  Higgs (125 GeV)  20.00 ± 10.00   20.00 ± 10.00",
        ]
    )


def test_the_table_ends_with_the_significance() -> None:
    found = summary(discovery=Discovery(3.63, 3.68, 0.953, (0.6, 1.384), uncertainties=("trigger",)))
    told = ["Significance: 3.6σ observed, 3.7σ expected", "Signal strength: 0.95 +0.43 −0.35"]
    assert yields_table(found).splitlines()[-2:] == told


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
    same = [stored("H", "x", 100, **full), recorded("MU", "x", branches=full["branches"][:1])]
    assert summary(same).lacking == {}


def test_shards_of_a_cluster_that_never_listed_them_are_missing() -> None:
    merge = merged(OBJECTS[:1], expected=expecting({"one": {"MU": ["x"]}}))
    spectrum = normalise(merge.datasets, KNOWN, {"MU": 1, "H": 2})
    found = summarise("higgs", "run-1", KNOWN, merge, spectrum, ("one", "two"))
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
        "30 of 40 events of data are certified",
        "4 events of data not named by their results: one that two datasets share counts twice",
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
