"""The pod contract, kept by real processes: what comes out, and what the exit code says."""

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from higgsdemo.results.parsing import parse_result
from lepton_events import pair, write_full
from pod_process import Pod, shard
from s3_server import Bucket
from waiting import eventually
from workload import outreach
from workload.events import read_events
from workload.pod import analyse, count
from workload.result import HISTOGRAMS

BAD_INPUT, TRY_AGAIN, MISCONFIGURED = 65, 75, 78


@pytest.fixture
def broken_file(tmp_path: Path) -> Path:
    path = tmp_path / "broken_001.root"
    path.write_bytes(b"not a ROOT file at all")
    return path


@pytest.mark.parametrize("datatype", ["mc", "data"])
@pytest.mark.parametrize(
    ("weight", "lumi", "code"),
    [(-0.5, None, 0), (1.0, {"stream": "mu", "value": 1.5}, 65), (np.nan, None, 65)],
)
def test_weights_that_say_nothing_or_are_in_data_fail_the_shard_and_say_why(
    pod: Pod, tmp_path: Path, weight: float, lumi: dict[str, Any] | None, code: int, datatype: str
) -> None:
    """What no sample is named for counts as data, simulation or not."""
    path = tmp_path / "full.root"
    event = ([*pair(91.2, 45.6), *pair(30.0, 15.0, np.pi / 2)], [])  # of 121.2 GeV
    numbers = {name: [1, 2, 3, 4] for name in ("run", "luminosityBlock", "event")}
    bits = {"HLT_A": [1, 1, 0, 1], "HLT_B": [0] * 4}
    write_full(path, [event] * 4, [weight, 2.0, 3.0, weight], bits | numbers)
    pod.give(shard(path, lumi=lumi))
    pod.environ |= {"SELECTION": "nanoaod-v9", "TRIGGERS": "HLT_A HLT_B", "DATATYPE": datatype}
    ended = pod.run()
    assert ended.code == code
    if code:
        assert "genWeight" in ended.termination_message
        assert pod.results() == []
    else:
        document = pod.result("full")
        weights = document["weights"]
        assert (document["processed"], weights["processed"]) == (4, -0.5 + 2 + 3 - 0.5)
        assert document["mass4mu_8TeV_low"][17] == 3
        assert (weights["sums"]["4mu"][17], weights["squares"]["4mu"][17]) == (
            -0.5 + 2 - 0.5,
            0.25 + 4 + 0.25,
        )
        assert (document["selection"], document["branches"]) == (
            "nanoaod-v9",
            ["genWeight", "HLT_A", "HLT_B"],
        )
        assert "candidates" not in document  # of simulation
        assert parse_result("results/Simulated_Test/full.json", json.dumps(document).encode())


def test_data_with_too_many_candidates_or_without_numbers_name_none(pod: Pod, tmp_path: Path) -> None:
    event = ([*pair(91.2, 45.6), *pair(30.0, 15.0, np.pi / 2)], [])
    write_full(tmp_path / "nameless.root", [event], None)
    names = {name: np.arange(2001) for name in ("run", "luminosityBlock", "event")}
    write_full(tmp_path / "many.root", [event] * 2001, None, names)
    write_full(tmp_path / "most.root", [event] * 2000, None, {name: n[:2000] for name, n in names.items()})
    pod.give(*(shard(path) for path in sorted(tmp_path.glob("*.root"))))
    pod.environ["DATATYPE"] = "data"
    assert pod.run().code == 0
    assert ["candidates" in pod.result(name) for name in ("nameless", "many")] == [False, False]
    candidates = pod.result("most")["candidates"]
    assert candidates[1999][:4] == ["4mu", 1999, 1999, 1999]
    assert len(candidates) == 2000


def test_a_shard_becomes_one_result_document(pod: Pod, shard_file: Path) -> None:
    lumi = {"stream": "mu_stream_2012", "value": 11.5}
    entry = shard(shard_file, lumi=lumi)
    pod.give(entry)

    ended = pod.run()

    assert (ended.code, ended.stderr, ended.termination_message) == (0, "", "")
    document = pod.result("higgs_000")
    finished = datetime.fromisoformat(document.pop("finished"))
    assert timedelta(0) <= datetime.now(UTC) - finished < timedelta(minutes=2)
    seconds = document.pop("seconds")
    assert set(seconds) == {"stage_in", "compute"}
    assert min(seconds.values()) >= 0
    used = document.pop("used")
    assert 0 < used["cpu_seconds"] < 60
    assert 50e6 < used["memory"] < 1e9
    histograms = analyse(shard_file, "").histograms
    assert document == {
        "samplename": "Simulated_Test",
        "shard": "higgs_000",
        "url": entry["url"],
        "size": entry["size"],
        "processed": 500,
        **{HISTOGRAMS[channel]: counts.tolist() for channel, counts in histograms.items()},
        "lumi": lumi,
        "workload": "nanoaod/1",
        "selection": "level4",
        "bytes": entry["size"],
        "simulated": True,
    }
    assert sum(document["mass2mu2e_8TeV_low"]) > 50
    assert "higgs_000: " in ended.stdout


def test_the_rules_may_be_those_of_the_outreach_example(pod: Pod, shard_file: Path) -> None:
    pod.environ["SELECTION"] = "outreach"
    pod.give(shard(shard_file))
    assert pod.run().code == 0
    document = pod.result("higgs_000")
    found = {channel: sum(document[name]) for channel, name in HISTOGRAMS.items()}
    expected = count(read_events(shard_file, ""), outreach.select).histograms
    assert found == {channel: int(counts.sum()) for channel, counts in expected.items()}
    assert found != {channel: int(n.sum()) for channel, n in analyse(shard_file, "").histograms.items()}


def test_an_index_may_have_many_shards_and_a_name_the_length_of_a_files(pod: Pod, shard_file: Path) -> None:
    names = ["k" * 228, "s_0", "s_1"]
    pod.give(*(shard(shard_file, name) for name in names))
    assert pod.run().code == 0
    assert pod.results() == [f"{name}.json" for name in names]
    assert {pod.result(name)["processed"] for name in names} == {500}


def test_a_repeat_overwrites_its_own_result_and_a_download_limit_changes_nothing_but_the_time(
    pod: Pod, shard_file: Path
) -> None:
    pod.give(shard(shard_file))
    pod.run()
    first = pod.result("higgs_000")
    assert first["lumi"] is None  # simulation has none of its own
    pod.environ["DOWNLOAD_LIMIT_KBPS"] = "50000"
    assert pod.run().code == 0
    assert pod.results() == ["higgs_000.json"]
    assert timeless(pod.result("higgs_000")) == timeless(first)


def test_dev_null_downloads_and_computes_nothing(pod: Pod, shard_file: Path, broken_file: Path) -> None:
    pod.environ["DPATH"] = "/dev/null"
    pod.give(shard(shard_file), shard(broken_file))
    assert pod.run().code == 0
    for path in (shard_file, broken_file):
        document = pod.result(path.stem)
        assert (document["test_mode"], document["processed"]) == (True, 0)
        assert document["bytes"] == path.stat().st_size
        assert [document[name] for name in HISTOGRAMS.values()] == [[0] * 37] * 3
    assert list(pod.input_dir.iterdir()) == []


def test_bad_shards_are_reported_after_the_good_ones_have_their_results_and_no_file_stays(
    pod: Pod, shard_file: Path, broken_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.root").touch()
    bad = shard(broken_file), shard(broken_file, "also_broken"), shard(tmp_path / "empty.root")
    pod.give(bad[0], shard(shard_file, "good"), *bad[1:])

    ended = pod.run()

    assert ended.code == BAD_INPUT
    assert (pod.results(), list(pod.input_dir.iterdir())) == (["good.json"], [])
    first, second, third, summary = ended.termination_message.splitlines()
    assert f": {broken_file.as_uri()}: not a readable ROOT file (" in first
    assert second.startswith(f"also_broken: {broken_file.as_uri()}: not a readable ROOT file (")
    assert "empty.root: not a readable ROOT file" in third
    assert summary == ended.reason == "3 of 4 shards are bad"
    assert "Traceback" not in ended.stderr


def test_a_termination_message_that_is_too_long_is_cut_fairly(pod: Pod) -> None:
    """Kubernetes keeps 4096 bytes; a short line stays whole, the long ones share what is left."""
    nowhere = ["short", *("µ" * 400 for _ in range(30))]
    pod.give(*({"name": f"s{i}", "url": f"file:///nowhere/{name}"} for i, name in enumerate(nowhere)))
    message = pod.run().termination_message
    first, *cut, summary = message.splitlines()
    assert (first, summary) == ("s0: file:///nowhere/short: no such object", "31 of 31 shards are bad")
    lengths = {len(line.encode()) for line in cut}
    assert 199 <= min(lengths) <= max(lengths) <= min(lengths) + 1  # no character is cut in two
    assert 4096 - 2 * len(cut) < len(message.encode()) <= 4096
    assert [line.partition(":")[0] for line in cut] == [f"s{i + 1}" for i in range(len(cut))]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"url": "file:///nowhere/higgs.root"}, "file:///nowhere/higgs.root: no such object"),
        ({"size": 10}, "has changed since it was listed (10 bytes then, "),
        ({"size": "10"}, "size '10' is not a number of bytes"),
    ],
)
def test_an_entry_that_does_not_match_an_object_is_bad_input(
    pod: Pod, shard_file: Path, change: dict[str, Any], reason: str
) -> None:
    pod.give(shard(shard_file) | change)
    ended = pod.run()
    assert ended.code == BAD_INPUT
    assert reason in ended.reason
    assert (pod.results(), list(pod.input_dir.iterdir())) == ([], [])


def test_an_environment_that_breaks_the_contract_is_named(pod: Pod) -> None:
    pod.environ["INPUT_DIR"] = "/nowhere"
    ended = pod.run()
    assert (ended.code, ended.reason) == (MISCONFIGURED, "INPUT_DIR /nowhere is not a directory")
    assert ended.termination_message == ended.reason


def test_a_results_directory_that_cannot_be_written_is_tried_again(pod: Pod, shard_file: Path) -> None:
    pod.output.write_text("a file where the results' directory should be")
    pod.give(shard(shard_file))
    ended = pod.run()
    assert ended.code == TRY_AGAIN
    assert ended.reason.startswith(f"cannot write {pod.output.as_uri()}/higgs_000.json: ")


def test_reads_from_and_writes_to_s3_and_keeps_what_is_there_where_told_so(
    pod: Pod, bucket: Bucket, shard_file: Path
) -> None:
    in_bucket(pod, bucket, shard_file)
    assert pod.run().code == 0
    key = "results/Simulated_Test/higgs_000.json"
    assert bucket.keys() == ["input/higgs_000.root", key]
    assert json.loads(bucket.read(key))["processed"] == 500
    bucket.write(key, b"kept")
    pod.environ["SKIP_EXISTING"] = "true"
    assert pod.run().code == 0
    assert bucket.read(key) == b"kept"


def test_a_key_that_s3_does_not_have_is_bad_input(pod: Pod, bucket: Bucket, shard_file: Path) -> None:
    in_bucket(pod, bucket, shard_file)
    bucket.client.delete_object(Bucket=bucket.name, Key="input/higgs_000.root")
    ended = pod.run()
    assert ended.code == BAD_INPUT
    assert ended.reason == f"s3://{bucket.name}/input/higgs_000.root: no such object"


def test_a_bucket_for_results_that_is_not_there_is_tried_again_and_no_secret_printed(
    pod: Pod, bucket: Bucket, shard_file: Path
) -> None:
    in_bucket(pod, bucket, shard_file)
    pod.environ["OUTPUT_URL"] = "s3://no-such-bucket/results"
    ended = pod.run()
    assert ended.code == TRY_AGAIN
    assert ended.reason.startswith("cannot write s3://no-such-bucket/results/higgs_000.json: ")
    assert bucket.environ["AWS_SECRET_ACCESS_KEY"] not in ended.stdout + ended.stderr


def test_keys_may_hold_any_character(pod: Pod, bucket: Bucket, shard_file: Path) -> None:
    keys = ["a b/c+d=e,f.root", "per%20cent%.root", "hash#and?.root", "x/ümläut.root"]
    for key in keys:
        bucket.write(key, shard_file.read_bytes())
    pod.give(*(shard(shard_file, key[0]) | {"url": f"s3://{bucket.name}/{key}"} for key in keys))
    pod.environ |= bucket.environ
    assert pod.run().code == 0
    assert [pod.result(key[0])["processed"] for key in keys] == [500] * 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_pod_stopped_in_the_middle_leaves_no_half_result_and_the_next_one_completes_the_index(
    pod: Pod, tmp_path: Path, shard_file: Path, number: signal.Signals
) -> None:
    large = tmp_path / "large.root"
    large.write_bytes(bytes(4 << 20))
    pod.environ["DOWNLOAD_LIMIT_KBPS"] = "1"  # after the first MiB, which comes at once
    pod.give(shard(shard_file, "first"), shard(large, "second"))
    process = pod.start()
    eventually(lambda: any(pod.input_dir.iterdir()) and pod.results() == ["first.json"])

    process.send_signal(number)
    ended = pod.wait(process)

    assert pod.results() == ["first.json"]
    assert pod.result("first")["processed"] == 500
    if number == signal.SIGTERM:
        assert (ended.code, ended.reason) == (143, "stopped by SIGTERM")
        assert ended.termination_message == ended.reason
    else:
        assert ended.code == -signal.SIGKILL
    del pod.environ["DOWNLOAD_LIMIT_KBPS"]
    pod.give(shard(shard_file, "first"), shard(shard_file, "second"))
    assert pod.run().code == 0
    assert pod.result("second")["processed"] == 500
    assert list(pod.input_dir.iterdir()) == []


def timeless(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in ("finished", "seconds", "used")}


def in_bucket(pod: Pod, bucket: Bucket, path: Path) -> None:
    """Let the pod work on a copy of a file in a bucket and write its results there."""
    key = f"input/{path.name}"
    bucket.write(key, path.read_bytes())
    pod.give(shard(path) | {"url": f"s3://{bucket.name}/{key}"})
    pod.environ |= {**bucket.environ, "OUTPUT_URL": f"s3://{bucket.name}/results/Simulated_Test"}
