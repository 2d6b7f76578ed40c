"""A campaign's file is checked, and a new one written, without an Airflow that runs."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from higgsdemo.campaign import load_campaign
from higgsdemo.command_line.__main__ import main
from higgsdemo.command_line.forecast import look_ahead
from higgsdemo.prediction import predict
from open_data import OpenData
from stores import Kind

CONFIG = Path(__file__).parents[3] / "include" / "config"


def checked(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    assert main(["check", "--json", *words]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_every_shipped_campaign_is_right_and_predicted_without_its_stores(
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = [str(path) for path in sorted(CONFIG.glob("*.json")) if not path.name.endswith(".schema.json")]
    told = {Path(one["file"]).stem: one for one in checked(capsys, "--offline", *files)}
    assert len(told) == len(files) > 5
    full = told["higgs-full"]
    assert full["predicted"]["pods"] == full["predicted"]["shards"] == 26_920
    assert [sum(datasets.values()) for datasets in full["clusters"].values()] == [2692] * 10
    assert sum(told["demo-local"]["clusters"]["kubecon-demo-0"].values()) == 28


@pytest.mark.parametrize("split", [False, True])
def test_data_are_listed_where_they_lie_and_shared_out_by_bytes(
    s3: Kind, tmp_path: Path, capsys: pytest.CaptureFixture[str], split: bool
) -> None:
    s3.put_all([(f"A/{n}.root", b"1234") for n in range(6)])
    cluster = {"provider": "local", "flavor": "local-1"}
    there: dict[str, Any] = {"datasets": [{"url": f"{s3.url}/A/", "name": "A"}]}
    document = {
        "storage": {"input": s3.url, "output": "s3://nowhere", "connection": "with_keys"},
        "workload": "command",
        "command": "true",
        "image": "registry.example.org/mine:1",
        **(there | {"split": "by-bytes"} if split else {}),
        "mapping": [
            {"name": "one", "nodes": 2, **cluster, **({} if split else there)},
            *([{"name": "two", **cluster}] if split else []),
        ],
    }
    (tmp_path / "mine.json").write_text(json.dumps(document))
    (told,) = checked(capsys, str(tmp_path / "mine.json"))
    assert told["clusters"] == ({"one": {"A": 4}, "two": {"A": 2}} if split else {"one": {"A": 6}})
    assert (told["predicted"]["shards"], told["predicted"]["bytes"]) == (6, 24)
    assert main(["check", str(tmp_path / "mine.json")]) == 0
    assert "mine.json: valid, " in capsys.readouterr().out


def test_a_record_is_looked_up_in_the_portal(
    open_data: OpenData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads((CONFIG / "cms-record.json").read_text())
    document["storage"] |= {"input": open_data.url, "portal": open_data.url}
    (tmp_path / "mine.json").write_text(json.dumps(document))
    files = [open_data.file(f"eos/{number}.root") for number in range(5)]
    open_data.record(30511, files, title="/Mu/A")
    (told,) = checked(capsys, str(tmp_path / "mine.json"))
    assert told["clusters"] == {"record-0": {"Mu-A": 4}}
    assert told["remarks"] == [
        'dataset Mu-A (data) is record 30511, "/Mu/A": 5 of 5 files match *.root, 3e-08 GB'
    ]
    open_data.record(30511, [file | {"availability": "ondemand"} for file in files])
    assert main(["check", str(tmp_path / "mine.json")]) == 2
    assert "lie on tape: request them on" in capsys.readouterr().err


def test_each_file_that_is_wrong_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "typo.json").write_text('{"storage": {}, "maping": []}')
    wrong = [str(tmp_path / "typo.json"), str(tmp_path / "none.json"), str(CONFIG / "demo-local.json")]
    assert main(["check", *wrong]) == 2
    told = capsys.readouterr()
    for message in (
        'has no field "maping"; did you mean "mapping"?',
        "none.json: the file cannot be read: No such file",
        "the Airflow connection 'higgs_s3' cannot be used: there is none of that name",
    ):
        assert message in told.err
    assert (told.out, "Traceback" in told.err) == ("", False)


def test_an_interrupt_ends_the_check_of_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(file: Path, offline: bool) -> None:
        raise KeyboardInterrupt(file)

    monkeypatch.setattr("higgsdemo.command_line.forecast.forecast", interrupt)
    assert main(["check", "one.json", "two.json"]) == 130
    assert capsys.readouterr().err.count("Interrupted.") == 1


@pytest.mark.parametrize("split", [False, True])
def test_what_nobody_knows_the_size_of_is_not_predicted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], split: bool
) -> None:
    document = json.loads((CONFIG / "demo-local.json").read_text())
    names = ["Simulated_TTbar_8TeV", "s3://mine/of-my-own/"]
    document["mapping"] = [{"name": name, "price_per_node_hour": 1} for name in ("one", "two")]
    if split:
        document |= {"datasets": names, "split": "by-bytes"}
    else:
        document["mapping"] = [document["mapping"][0] | {"datasets": names}]
    (tmp_path / "mine.json").write_text(json.dumps(document))
    assert main(["check", "--offline", str(tmp_path / "mine.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[2] for line in lines[1:]] == ["2 datasets, of unknown size"] * (1 + split)
    assert main(["plan", str(tmp_path / "mine.json"), "--offline", "--deadline", "2h"]) == 2
    assert "or nobody knows how many and how large: leave out --offline" in capsys.readouterr().err


def test_five_answers_make_a_campaign_and_a_wrong_one_is_asked_for_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for answers in ("\n" * 5, "mine\na b\nother\ns3://B\n\nimage\nImage x\n\nresults\n\nmy k8s\n\n"):
        monkeypatch.setattr("sys.stdin", io.StringIO(answers))
        assert main(["new", "--folder", str(tmp_path)]) == 0
    asked = capsys.readouterr().out
    there = "mine.json, which is there already"
    for wrong in (there, '"a b"', '"s3://B"', '"image"', '"Image"', '"results"', '"my k8s"'):
        assert wrong in asked
    assert {file.stem for file in tmp_path.iterdir()} == {"mine", "other"}
    (told,) = checked(capsys, "--offline", str(tmp_path / "mine.json"))
    assert told["clusters"] == {"on-mine": {"Simulated_Run2012B_DoubleMuParked": 6}}


def test_a_cluster_of_ones_own_needs_our_image_from_a_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Ours\nr.example.org/nanoaod:1\n"))
    answers = {"name": "m", "data": "s3://my-data/a/", "run": "r.example.org/a:1 python a.py"}
    answers |= {"output": "gs://my-results", "cluster": "my_cluster"}
    words = [word for key, value in answers.items() for word in (f"--{key}", value)]
    assert main(["new", "--folder", str(tmp_path), *words]) == 0
    made = load_campaign(tmp_path / "m.json")
    assert (made.command, made.stage_in_image) == ("python a.py", "r.example.org/nanoaod:1")
    assert made.clusters()[0].provider == "existing"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--name", "a b", 'it is "a b"; it becomes the DAG'),
        ("--data", "Simulated_Nothing", "Simulated_Nothing"),
        ("--run", "mine:1", 'it is "mine:1", without a command'),
        ("--output", "results", "it must be a bucket's URL"),
        ("--folder", "/no/such/folder", "does not exist"),
    ],
)
def test_an_answer_that_makes_no_campaign_writes_none(
    option: str,
    value: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n" * 5))
    assert main(["new", "--folder", str(tmp_path), option, value]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


PRICES = """provider,flavor,price_per_node_hour
gke,n1-highmem-16,0.95
eks,m5.4xlarge,0.77
eks,m5.large,0.2
"""


def test_the_cheapest_clusters_that_meet_a_deadline_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices, file = tmp_path / "prices.csv", CONFIG / "higgs-full.json"
    prices.write_text(f"\ufeff{PRICES}")  # as a spreadsheet may begin it
    words = ["plan", str(file), "--offline", "--prices", str(prices), "--deadline"]
    assert main([*words, "20m", "--json"]) == 0
    best, *_ = found = json.loads(capsys.readouterr().out)
    assert all(one["seconds"] <= 1200 for one in found)
    assert best["price"] == min(one["price"] for one in found)
    assert {one["flavor"] for one in found} == {"n1-highmem-16", "m5.4xlarge", "m5.large"}
    known = look_ahead(file, offline=True)
    row = next(one for one in found if (one["provider"], one["clusters"]) == ("gke", 10))
    for nodes in range(1, 100):  # no other number of nodes is in time, and cheaper
        shape = {"nodes": nodes, "price_per_node_hour": 0.95}
        whole = predict(known.run, [one.model_copy(update=shape) for one in known.clusters], known.size)
        assert (whole.seconds or 0) > 1200 or (whole.cost or 0) > row["price"] * 0.98
    assert main([*words, "1h30m"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.startswith("best ") for line in lines].index(True) == 1
    assert main([*words, "1m"]) == 1
    assert "no choice meets a deadline of 1m" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("prices", "deadline", "told"),
    [
        (None, "2h", "no flavor has a price: set price_per_node_hour or --prices"),
        (PRICES, "soon", '--deadline "soon": it must be hours and minutes, such as 90m, 2h or 1h30m'),
        (PRICES + "gke,mine,1\n", "2h", 'line 5: "gke,mine,1" is no offer: the columns are provider'),
        (PRICES + "gke,n1-highmem-16,-1\n", "2h", "line 5: "),
        (PRICES + "gke,n1-highmem-16,inf\n", "2h", "line 5: "),
        ("flavor;price\n1;2\n", "2h", "line 2: "),
        ("", "2h", "prices.csv: no flavor has a price"),
    ],
)
def test_what_no_clusters_can_be_chosen_by_is_told(
    prices: str | None, deadline: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["plan", str(CONFIG / "higgs-full.json"), "--offline", "--deadline", deadline]
    if prices is not None:
        (tmp_path / "prices.csv").write_text(prices)
        words += ["--prices", str(tmp_path / "prices.csv")]
    assert main(words) == 2
    assert told in capsys.readouterr().err
