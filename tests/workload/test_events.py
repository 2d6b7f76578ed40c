"""Files that are not what they should be are told apart from files that are."""

import re
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from lepton_events import FIELDS, Lepton, write_full
from workload import events
from workload.errors import BadInput
from workload.events import Wanted, read_events
from workload.pod import count
from workload.quartets import Candidates
from workload.rules import RULES

NEEDED = RULES["level4"].branches(optional=False)
COLUMNS = {"Muon": "pfRelIso04_all", "Electron": "pfRelIso03_all"}


def leptons(n: int, isolation: str) -> ak.Array:
    """Return lists of 0, 1, 2, 0, 1, 2, ... leptons whose values number them through."""
    counts = np.arange(n) % 3
    number = np.arange(counts.sum(), dtype=np.float32)
    columns: dict[str, Any] = {field: number for field in (*FIELDS[:8], isolation)}
    columns["charge"] = np.where(number % 2, 1, -1).astype(np.int32)
    return ak.zip({field: ak.unflatten(column, counts) for field, column in columns.items()})


def write(path: Path, n: int, drop: str = "", name: str = "Events") -> None:
    with uproot.recreate(path) as file:
        content = {collection: leptons(n, isolation) for collection, isolation in COLUMNS.items()}
        if drop:
            collection, field = drop.split("_", 1)
            content[collection] = ak.without_field(content[collection], field)
        file.mktree(name, {key: values.type.content for key, values in content.items()})
        file[name].extend(content)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shard.root"


def read(path: Path) -> list[events.Events]:
    return list(read_events(path, "s3://bucket/shard.root"))


def test_reads_every_event_once_in_order_and_in_double_precision(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(path, 1000)
    monkeypatch.setattr(events, "CHUNK_EVENTS", 300)
    chunks = read(path)
    assert [len(chunk.muons.counts) for chunk in chunks] == [300, 300, 300, 100]
    for i, collection in enumerate(COLUMNS):
        expected = leptons(1000, COLUMNS[collection])
        counts = np.concatenate([chunk[i].counts for chunk in chunks])
        assert counts.tolist() == ak.num(expected).tolist()
        for field in FIELDS:
            branch = field.replace("iso", COLUMNS[collection])
            whole = np.concatenate([chunk[i][branch] for chunk in chunks])
            assert whole.tolist() == ak.flatten(expected[branch]).tolist()
            assert whole.dtype == np.float64


def test_a_file_without_events_is_no_error(path: Path) -> None:
    write(path, 0)
    assert sum(len(chunk.muons.counts) for chunk in read(path)) == 0


@pytest.mark.parametrize("drop", ["Muon_pt", "Electron_pfRelIso03_all", "Electron_dzErr"])
def test_a_missing_branch_is_named(path: Path, drop: str) -> None:
    write(path, 10, drop=drop)
    with pytest.raises(BadInput) as error:
        read(path)
    assert str(error.value) == f"s3://bucket/shard.root: tree Events lacks {drop}"


def test_a_missing_tree_is_named_with_what_there_is(path: Path) -> None:
    write(path, 10, name="Runs")
    with pytest.raises(BadInput, match=r"^s3://bucket/shard.root: no tree Events, only Runs$"):
        read(path)


def test_a_file_without_any_object_has_no_tree(path: Path) -> None:
    uproot.recreate(path).close()
    with pytest.raises(BadInput, match=r"no tree Events, only an empty file"):
        read(path)


def test_events_that_are_no_tree_are_refused(path: Path) -> None:
    with uproot.recreate(path) as file:
        file["Events"] = np.histogram([1.0, 2.0])
    with pytest.raises(BadInput, match=r"Events is a TH1D, not a TTree"):
        read(path)


def test_a_branch_of_single_values_is_refused(path: Path) -> None:
    with uproot.recreate(path) as file:
        branches = {name: np.zeros(5, np.float32) for name in NEEDED}
        file.mktree("Events", {name: column.dtype for name, column in branches.items()})
        file["Events"].extend(branches)
    with pytest.raises(BadInput, match=r"branch Muon_pt is not a list of numbers per event"):
        read(path)


def test_branches_that_disagree_on_the_number_of_leptons_are_refused(path: Path) -> None:
    content = {name: ak.Array([[1.0], [1.0, 2.0] if not name.endswith("_phi") else [1.0]]) for name in NEEDED}
    with uproot.recreate(path) as file:
        file.mktree(
            "Events", {name: "var * float32" for name in content}, counter_name=lambda name: f"n_{name}"
        )
        file["Events"].extend(content)
    with pytest.raises(BadInput, match=r"branch Muon_phi has not as many values as Muon_pt"):
        read(path)


def test_an_empty_file_and_one_of_another_kind_are_refused(path: Path) -> None:
    for content in (b"", b"<html>not found</html>", b"root", bytes(1000)):
        path.write_bytes(content)
        with pytest.raises(BadInput, match=r"^s3://bucket/shard.root: not a readable ROOT file \(.+\)$"):
            read(path)


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file_is_refused_wherever_it_ends(path: Path, part: float) -> None:
    write(path, 3000)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(BadInput, match=r"not a readable ROOT file"):
        read(path)


LEPTON = Lepton(50.0, 0.5, 0.5, 1)
USED = {
    "level4": ("Muon_isGlobal", "Muon_isPFcand", "Electron_deltaEtaSC", "Electron_lostHits", "genWeight"),
    "outreach": ("genWeight",),
    "nanoaod-v9": ("genWeight",),
}


@pytest.mark.parametrize("rules", USED)
def test_branches_that_not_every_file_has_are_used_and_named(path: Path, rules: str) -> None:
    write_full(path, [([LEPTON], [LEPTON])] * 6, np.arange(6) - 1, {"HLT_A": [1, 0] * 3, "HLT_B": [0] * 6})
    wanted = Wanted(RULES[rules], triggers=("HLT_B", "HLT_A"))
    (some,) = read_events(path, "full", wanted=wanted)
    assert some.branches == (*USED[rules], "HLT_B", "HLT_A")
    assert some.triggered is not None
    assert some.triggered.tolist() == [True, False] * 3
    found = {"4mu": Candidates(np.array([0, 1, 2, 4]), np.full(4, 125.0)), "4e": NONE, "2e2mu": NONE}
    analysis = count([some, some], lambda muons, electrons: found)
    assert analysis.weights is not None
    assert (analysis.processed, analysis.weights["processed"]) == (12, 2 * (-1 + 0 + 1 + 2 + 3 + 4))
    assert analysis.histograms["4mu"][18] == 2 * 3
    assert analysis.weights["sums"]["4mu"][18] == 2 * (-1 + 1 + 3)
    assert analysis.weights["squares"]["4mu"][18] == 2 * (1 + 1 + 9)
    assert analysis.branches == some.branches


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Wanted(triggers=("HLT_A",)), "HLT_A: the campaign's triggers are"),
        (
            Wanted(RULES["nanoaod-v9"]),
            "Electron_deltaEtaSC, Electron_lostHits, Electron_mva",
        ),
    ],
)
def test_a_file_without_a_branch_that_the_campaign_needs_is_refused(
    path: Path, wanted: Wanted, reason: str
) -> None:
    write(path, 10)
    with pytest.raises(BadInput) as error:
        list(read_events(path, "reduced", wanted=wanted))
    assert str(error.value).startswith(f"reduced: tree Events lacks {reason}")


@pytest.mark.parametrize("weight", [np.nan, np.inf, -np.inf, 2e9])
def test_a_weight_that_is_no_number_is_refused_with_the_reason(path: Path, weight: float) -> None:
    write_full(path, [([], [])] * 3, [1.0, weight, weight])
    reason = f"genWeight of 2 events is not between -1e+09 and 1e+09: the first is {weight}"
    with pytest.raises(BadInput, match=rf"^s3://bucket/shard.root: {re.escape(reason)}$"):
        read(path)


NONE = Candidates(np.zeros(0, np.int64), np.zeros(0))
