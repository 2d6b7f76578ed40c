"""What the last tasks of a run leave in its folder, from results that lie in a bucket."""

import json
import re
from typing import Any

import pyhf
import pytest
from airflow.sdk.exceptions import AirflowSkipException

import result_documents
from clouds.tasks import merge, merge_and_plot
from higgsdemo.catalogue import load_catalogue
from higgsdemo.datasets.file_luminosity import Luminosities
from higgsdemo.datasets.shards import Shard, dump
from higgsdemo.operators.base import TaskFailed
from higgsdemo.operators.results import PlotOperator
from higgsdemo.page.run_documents import RUN_CHART
from higgsdemo.results.parsing import MAX_BYTES
from higgsdemo.run import ClusterRun, Run
from higgsdemo.run_folder import RECORD, shards_key
from higgsdemo.storage.object_store import ObjectStore
from planned_runs import dataset, planned
from result_documents import ALL
from stores import Kind

DEMO = load_catalogue("demo")
FOLDER = "out/run"


def counts(name: str) -> dict[str, dict[int, int]]:
    """Return the selected events of a dataset's one shard: flat background, a peak in signal and data."""
    sample = DEMO.datasets[name].sample
    peak = {"higgs": 200, "data": 1}.get(sample.group, 0)
    flat = {"zz": 20, "dy": 1}.get(sample.group, 0)
    bins = {bin: flat for bin in range(37) if flat} | ({18: peak} if peak else {})
    return {channel: bins if channel in sample.channels else {} for channel in ALL}


def lumi(name: str) -> dict[str, Any] | None:
    """Return what a list of shards says of a dataset's first file."""
    return Luminosities(DEMO).of(dataset(name), "x.root")


def run_of(kind: Kind, *names: str) -> ClusterRun:
    """Return a run over one shard of each dataset, with the results of all of them."""
    refs = [dataset(name, url=f"s3://in/{name}/", sample=DEMO.datasets[name].sample.name) for name in names]
    run = {"catalogue": "demo", "output": f"{kind.url}/{FOLDER}", "output_connection": "with_keys"}
    objects = [stored(name, "x", 6000, counts(name), lumi=lumi(name)) for name in names]
    shards = b"".join(dump(Shard(name, "x", f"s3://in/{name}/x.root", 1)) for name in names)
    assignment = planned(run=run, cluster={"datasets": refs})
    kind.put_all([*objects, (list_of(assignment), shards)])
    return assignment


def stored(*args: Any, **kwargs: Any) -> tuple[str, bytes]:
    key, raw = result_documents.stored(*args, **kwargs)
    return f"{FOLDER}/{key}", raw


def list_of(assignment: ClusterRun) -> str:
    return f"{FOLDER}/{shards_key(assignment.cluster.name)}"


def left(kind: Kind) -> list[str]:
    found = kind.keys()
    return sorted(name for key in found if "/" not in (name := key.removeprefix(f"{FOLDER}/")))


def read(assignment: ClusterRun, name: str) -> Any:
    return json.loads(ObjectStore(assignment.run.output, "with_keys").read(name))


def believed(assignment: ClusterRun) -> bool:
    """Whether the campaign's page takes the numbers of the plot as they are."""
    numbers = read(assignment, "spectrum.json")
    return bool(RUN_CHART.validate_python(numbers).model_dump(mode="json", exclude_unset=True) == numbers)


EVERYTHING = [
    *(
        "corrupt.json",
        "datacard.root",
        "datacard.txt",
        "hepdata.yaml",
        *(f"higgs{of}.{ending}" for of in ("", "_2e2mu", "_4e", "_4mu") for ending in ("png", "svg")),
        "histograms.root",
        *("scans.png", "scans.svg"),
    ),
    *("spectrum.json", "summary.json", "sums.json", "workspace.json", "yields.csv", "yields.tex"),
]


def test_a_run_leaves_the_plot_and_its_numbers_in_the_formats_of_the_field(s3: Kind) -> None:
    assignment = run_of(s3, *DEMO.datasets)
    merge_and_plot(assignment)
    assert left(s3) == EVERYTHING
    assert believed(assignment)
    found = read(assignment, "summary.json")["discovery"]
    assert found["statement"] is None
    assert 0 < found["signal_strength_interval"][0] < found["signal_strength"]
    model = pyhf.Workspace(read(assignment, "workspace.json")).model()
    assert sorted(model.config.channels) == sorted(ALL)
    assert "luminosity_2011" in model.config.par_names


def test_an_event_that_two_files_of_data_have_is_counted_and_listed_once(s3: Kind) -> None:
    streams = "Simulated_Run2012B_DoubleMuParked", "Simulated_Run2012C_DoubleMuParked"
    assignment = run_of(s3, *streams)
    shared, other = ("2e2mu", 2012, 7, 42, 125.25), ("4mu", 2012, 7, 41, 91.0)
    for name, events in zip(streams, ([shared], [other, shared]), strict=True):
        key, raw = result_documents.named(name, "x", events)
        s3.put_all([(f"{FOLDER}/{key}", raw)])
    merge_and_plot(assignment)
    assert believed(assignment)
    summary = read(assignment, "summary.json")
    assert summary["yields"]["data"]["all"]["total"] == 2
    assert {name: summary["candidates"][name] for name in ("events", "repeated", "unnamed")} == {
        **{"events": 2, "repeated": 1, "unnamed": 0}
    }
    assert ObjectStore(assignment.run.output, "with_keys").read("candidates.csv").decode().splitlines() == [
        "run,section,event,channel,mass,dataset",
        f"2012,7,41,4mu,91.0,{streams[1]}",
        f"2012,7,42,2e2mu,125.25,{streams[0]}",
    ]
    drawn = read(assignment, "spectrum.json")["channels"]["all"]["data"]["counts"]
    assert (drawn[7], drawn[18], sum(drawn)) == (1, 1, 2)


@pytest.mark.parametrize("groups", [("data", "higgs"), ("higgs", "zz"), ("zz",)])
def test_a_run_over_a_part_of_the_samples_says_why_it_has_no_significance(
    s3: Kind, groups: tuple[str, ...]
) -> None:
    assignment = run_of(s3, *(name for name, known in DEMO.datasets.items() if known.sample.group in groups))
    merge_and_plot(assignment)
    assert left(s3) == [
        name for name in EVERYTHING if not name.startswith(("datacard", "scans", "workspace"))
    ]
    found = read(assignment, "summary.json")["discovery"]
    said = "the expectation is not complete: no event of simulated_dyjetstoll_7tev"
    assert found.pop("statement").startswith(said)
    assert not any(found.values())


def test_a_campaign_that_compares_draws_the_published_events_of_its_catalogue(s3: Kind) -> None:
    assignment, drawn = run_of(s3, "Simulated_Run2012B_DoubleMuParked"), set()
    for compare in (None, "published", "published"):
        run = assignment.run.model_copy(update={"catalogue": "cms-higgs", "compare": compare})
        merge_and_plot(assignment.model_copy(update={"run": run}))
        drawn.add(ObjectStore(assignment.run.output, "with_keys").read("higgs.svg"))
    assert len(drawn) == 2


def own_run(assignment: ClusterRun) -> ClusterRun:
    """Return the same run with an analysis of one's own."""
    histograms = ({"name": "mass", "bins": 3, "low": 60, "high": 120, "label": "Mass [GeV]"},)
    run = assignment.run.model_dump() | {"workload": "own", "histograms": histograms, "image": "mine:1"}
    return assignment.model_copy(update={"run": Run.model_validate(run)})


def test_an_own_analysis_leaves_its_histograms_and_nothing_of_the_higgs(s3: Kind) -> None:
    name = "Simulated_Run2012B_DoubleMuParked"
    own = own_run(run_of(s3, name))
    document = {"samplename": name, "shard": "x", "processed": 100, "histograms": {"mass": [1, 30, 2]}}
    s3.put_all([(f"{FOLDER}/results/{name}/x.json", json.dumps(document).encode())])
    merge_and_plot(own)
    assert believed(own)
    spectrum = [f"spectrum.{kind}" for kind in ("json", "png", "svg")]
    assert left(s3) == ["corrupt.json", *spectrum, "summary.json", "sums.json"]
    assert read(own, "spectrum.json")["channels"]["mass"]["data"]["counts"] == [1, 30, 2]
    summary = read(own, "summary.json")
    assert summary["shards"] == {"expected": 1, "done": 1, "failed": 0, "missing": 0}
    assert (summary["unassigned"], summary["yields"]) == ({name: {"mass": 33}}, {})


def test_the_files_of_a_command_are_listed_with_the_results_that_count(s3: Kind) -> None:
    name = "Simulated_Run2012B_DoubleMuParked"
    assignment = run_of(s3, name)
    run = assignment.run.model_dump() | {"workload": "command", "image": "mine:1", "command": "true"}
    own = assignment.model_copy(update={"run": Run.model_validate(run)})
    file = {"name": "t/skim.root", "size": 7, "sha256": "ab" * 32}
    document = json.dumps({"samplename": name, "processed": 0, "files": [file]}).encode()
    of_a_failed_attempt = (f"{FOLDER}/files/{name}/x/old.root", b"")
    s3.put_all([(f"{FOLDER}/results/{name}/{shard}.json", document) for shard in ("x", "stranger")])
    s3.put_all([of_a_failed_attempt])
    with pytest.raises(AirflowSkipException, match="describes no histograms"):
        merge_and_plot(own)
    assert believed(own)
    store = ObjectStore(own.run.output, "with_keys")
    url = f"{own.run.output}/files/{name}/x/t/skim.root"
    listed = store.read("files.jsonl").decode().splitlines()
    assert [json.loads(line) for line in listed] == [
        {"url": url, "size": 7, "sha256": "ab" * 32, "dataset": name, "shard": "x"}
    ]
    assert store.read("files.txt").decode() == f"{url}\n"


def test_what_is_too_large_for_a_result_is_corrupt_and_what_is_damaged_is_left_out(
    s3: Kind, capsys: pytest.CaptureFixture[str]
) -> None:
    name, other = "Simulated_TTbar_8TeV", "Simulated_ZZTo4L_7TeV"
    assignment = run_of(s3, name, other)
    failures = f"{FOLDER}/failures/{assignment.cluster.name}.json"
    s3.put_all([(f"{FOLDER}/results/{other}/x.json", b" " * (MAX_BYTES + 1)), (failures, b'[{"shard": 1}]')])
    s3.put_all([(f"{FOLDER}/{RECORD}", b'{"planned": "yesterday"}')])
    merge(assignment)
    summary = read(assignment, "summary.json")
    key = f"results/{other}/x.json"
    assert summary["corrupt"] == {
        key: f"{key}: the object has 1048577 bytes, a result document at most 1048576"
    }
    assert summary["shards"] == {"expected": 2, "done": 1, "failed": 1, "missing": 0}
    told = capsys.readouterr().out
    for damaged in (failures, f"{FOLDER}/{RECORD}"):
        assert f"{damaged} is not what a run writes there" in told


NONE: dict[str, list[int]] = {channel: [0] * 37 for channel in ALL}
SUM = {
    **dict.fromkeys(("shards", "computed", "processed", "bytes", "with_events"), 1),
    **{"luminosity": {}, "seconds": {}, "branches": {}, "counts": NONE},
    "weights": {"processed": 1, "sums": NONE, "squares": NONE},
}


@pytest.mark.parametrize(
    ("saved", "why"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ([], "Input should be a valid dictionary"),
        ({"A": {}}, "A.shards: Field required"),
        ({"A": SUM | {"shards": -1}}, "A.shards: Input should be greater"),
        ({"A": SUM | {"counts": {"4mu": [1 << 70] * 37}}}, "A.counts.4mu.0: Input should be less"),
        ({"A": SUM | {"counts": {"4mu": [[1]] * 37}}}, "A.counts.4mu.0: Input should be a valid integer"),
        ({"A": SUM | {"counts": dict.fromkeys(ALL, [0] * 36)}}, "A: other histograms"),
        ({"A": SUM | {"counts": {}}}, "A: other histograms"),
    ],
)
def test_sums_that_are_damaged_are_refused_by_the_plot(s3: Kind, saved: object, why: str) -> None:
    assignment = run_of(s3, "Simulated_TTbar_8TeV")
    content = saved if isinstance(saved, str) else json.dumps(saved)
    s3.put_all([(f"{FOLDER}/sums.json", content.encode())])
    plot = PlotOperator(task_id="task", assignments=[assignment.model_dump(mode="json")])
    refused = rf"sums\.json is not what a run writes there: {re.escape(why)}.*clear merge_results"
    with pytest.raises(TaskFailed, match=refused):
        plot.execute({})


def test_a_run_that_goes_on_where_another_ended_tells_of_its_own_work_alone(s3: Kind) -> None:
    name = "Simulated_TTbar_8TeV"
    assignment = run_of(s3, name)
    earlier, later = (
        stored(name, shard, 6000, counts(name), finished=f"2026-01-0{day}T00:00:00Z", bytes=7)
        for shard, day in (("x", 1), ("y", 3))
    )
    shards = b"".join(dump(Shard(name, shard, f"s3://in/{name}/{shard}.root", 1)) for shard in "xy")
    record = json.dumps({"planned": "2026-01-02T00:00:00+00:00"}).encode()
    s3.put_all([earlier, later, (list_of(assignment), shards), (f"{FOLDER}/{RECORD}", record)])
    merge_and_plot(assignment)
    summary = read(assignment, "summary.json")
    assert summary["shards"]["done"] == 2
    assert (summary["took"]["shards"], summary["took"]["bytes"]) == (1, 7)


PARTS = {"x_0000-3000": (0, 3000), "x_3000-6000": (3000, 6000)}


@pytest.mark.parametrize("now", [["x"], list(PARTS)], ids=["whole", "in two"])
def test_results_of_parts_of_a_file_that_is_cut_otherwise_now_are_left_out_and_told(
    s3: Kind, now: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that goes on with another `shard_events` finds the results of the former parts in the folder."""
    name = "Simulated_TTbar_8TeV"
    assignment = run_of(s3, name)
    parts = [
        stored(name, part, stop - start, counts(name), entries=[start, stop])
        for part, (start, stop) in PARTS.items()
    ]
    thirds = [stored(name, f"x_{n}000-{n + 2}000", 2000, entries=[n, n + 2000]) for n in (0, 2, 4)]
    shards = (Shard(name, shard, "s3://in/x.root", 1, entries=PARTS.get(shard)) for shard in now)
    s3.put_all([*parts, *thirds, (list_of(assignment), b"".join(map(dump, shards)))])
    merge_and_plot(assignment)
    summary = read(assignment, "summary.json")
    assert (summary["work"]["events"], summary["shards"]["done"]) == (6000, len(now))
    others = sorted({"x", *PARTS, *(key.rpartition("/")[2][:-5] for key, _ in thirds)} - set(now))
    assert (summary["left_out"], summary["unexpected"]) == (len(others), {name: others})
    told = f"{len(others)} results are left out: no list of this run names their shards"
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"processed": -1}, "processed: "),
        ({"size": 2}, "the document is of a file of 2 bytes, and the "),
    ],
)
def test_results_that_are_corrupt_are_named_and_count_against_the_tolerance(
    s3: Kind, fields: dict[str, int], told: str
) -> None:
    """As is that of another file which bore the name before, such as in another bucket."""
    good, bad = "Simulated_TTbar_8TeV", "Simulated_ZZTo4e_8TeV"
    assignment = run_of(s3, good, bad)
    document = result_documents.document(bad, 6000, counts(bad)) | fields
    s3.put_all([(f"{FOLDER}/results/{bad}/x.json", json.dumps(document).encode())])

    def merged(tolerance: int) -> Any:
        run = assignment.run.model_copy(update={"tolerance": tolerance})
        return merge(assignment.model_copy(update={"run": run}))

    name = assignment.cluster.name
    assert merged(0)["excess"] == [f"cluster {name}: 1 of 2 shards have no result, 0 may fail"]
    assert merged(1)["excess"] == []
    assert (merged(1)["shards"]["done"], merged(1)["shards"]["failed"]) == (1, 1)
    key = f"results/{bad}/x.json"
    assert read(assignment, "summary.json")["corrupt"][key].startswith(f"{key}: {told}")


def test_results_of_a_cluster_that_has_listed_nothing_wait_for_its_list(s3: Kind) -> None:
    name = "Simulated_TTbar_8TeV"
    assignment = run_of(s3, name)
    other = assignment.cluster.model_copy(
        update={"name": "other", "datasets": (dataset("Simulated_DYJetsToLL_8TeV", files=12),)}
    )
    s3.put_all([stored("Simulated_DYJetsToLL_8TeV", "x", 6000, counts("Simulated_DYJetsToLL_8TeV"))])
    assignments = [assignment, assignment.model_copy(update={"cluster": other})]
    merge_and_plot(*assignments)
    summary = read(assignment, "summary.json")
    assert summary["shards"] == {"expected": 13, "done": 1, "failed": 0, "missing": 12}
    assert summary["unexpected"] == {"Simulated_DYJetsToLL_8TeV": ["x"]}
    assert summary["clusters"]["other"] == {"expected": 0, "done": 0, "failed": 0, "missing": 0}
    shard = Shard("Simulated_DYJetsToLL_8TeV", "x", "s3://in/x.root", 1)
    s3.put_all([(list_of(assignments[1]), dump(shard))])
    merge_and_plot(*assignments)
    summary = read(assignment, "summary.json")
    assert summary["shards"] == {"expected": 2, "done": 2, "failed": 0, "missing": 0}
    assert (summary["left_out"], summary["unexpected"]) == (0, {})


def test_an_own_analysis_that_reads_whole_files_for_parts_of_them_is_told_so(s3: Kind) -> None:
    name = "Simulated_Run2012B_DoubleMuParked"
    own = own_run(run_of(s3, name))
    document = {"samplename": name, "processed": 6000, "histograms": {"mass": [1, 30, 2]}}
    shards = (Shard(name, part, "s3://in/x.root", 1, entries=entries) for part, entries in PARTS.items())
    s3.put_all([(list_of(own), b"".join(map(dump, shards)))])
    s3.put_all([(f"{FOLDER}/results/{name}/{part}.json", json.dumps(document).encode()) for part in PARTS])
    merge_and_plot(own)
    summary = read(own, "summary.json")
    assert summary["shards"] == {"expected": 2, "done": 0, "failed": 2, "missing": 0}
    assert summary["failures"][0]["reason"].endswith(
        "entries is missing: the shard is events 0 to 3000 of its file, and an image that does not say so "
        "has read all of it; run it without shard_events"
    )
