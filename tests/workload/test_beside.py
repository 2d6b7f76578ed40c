"""A command in a container of its own, and beside it the sidecar that stages in and publishes for it."""

import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hist
import numpy as np
import pytest
import uproot

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.kubernetes.beside import SCRIPT
from higgsdemo.results.parsing import parse_result
from pod_process import Ended, Pod, shard
from tables import cases

TRY_AGAIN, BAD_INPUT, MISCONFIGURED = 75, 65, 78
LUMI = {"stream": "el_stream_2012", "value": 178306109.36}
COPY = 'cp "$INPUT_FILE" "$OUTPUT_DIR/copy.root"; echo "copied $SHARD"'


@dataclass
class Pair:
    """The two containers of a pod, as processes that share a directory."""

    pod: Pod
    asked: dict[str, Any]

    @property
    def files(self) -> Path:
        return self.pod.directory / "files"

    def __post_init__(self) -> None:
        self.work = self.pod.directory / "work"
        self.work.mkdir()
        self.asked = {
            "workload": "command/1",
            "files_url": self.files.as_uri(),
            "outputs": ["*"],
        } | self.asked

    def command(self, *words: str) -> "subprocess.Popen[str]":
        """Return the container of the command."""
        environment = {"PATH": os.environ["PATH"], "WORK_DIR": str(self.work), "DATASET": "Simulated_Test"}
        environment |= {"TERMINATION_MESSAGE_PATH": str(self.pod.directory / "termination")}
        return subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "sh", *words],
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    @contextmanager
    def beside(self) -> Iterator["subprocess.Popen[str]"]:
        """Yield the sidecar; it is asked to end at the end, and does so."""
        self.pod.environ |= {"WORK_DIR": str(self.work), "PUBLISH": json.dumps(self.asked)}
        process = self.pod.start("beside")
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=60)
            assert process.returncode == 0, said

    def run(self, line: str | list[str]) -> Ended:
        """Run a command for each shard of the pod."""
        words = ["/bin/sh", "-c", line] if isinstance(line, str) else line
        with self.beside():
            return self.pod.wait(self.command(*words))

    def published(self) -> list[str]:
        """Return the names of the files in the run's folder."""
        return sorted(str(path.relative_to(self.files)) for path in self.files.rglob("*") if path.is_file())


@pytest.fixture
def root_file(tmp_path: Path) -> Path:
    path = tmp_path / "a.root"
    path.write_bytes(b"events")
    return path


def pair(pod: Pod, *shards: dict[str, Any], **asked: Any) -> Pair:
    pod.give(*shards)
    return Pair(pod, asked)


def test_each_shard_leaves_its_files_and_a_document_that_names_them(pod: Pod, root_file: Path) -> None:
    both = pair(pod, *(shard(root_file, name, lumi=LUMI) for name in "abc"), outputs=["*.root"], logs=True)
    ended = both.run(f'{COPY}; mkdir "$OUTPUT_DIR/t"; touch "$OUTPUT_DIR/t/x.root" "$OUTPUT_DIR/no"')
    assert (ended.code, ended.stdout) == (0, "copied a\ncopied b\ncopied c\n")
    kept = ["command.log.gz", "copy.root", "t/x.root"]
    assert both.published() == [f"{name}/{file}" for name in "abc" for file in kept]
    raw = (pod.output / "b.json").read_bytes()
    document = parse_result("results/Simulated_Test/b.json", raw, [])
    assert (document.size, document.bytes, document.workload) == (6, 6, "command/1")
    assert document.lumi is not None
    copied, _, log = document.files
    assert (copied.name, copied.size, copied.sha256) == (
        "copy.root",
        6,
        hashlib.sha256(b"events").hexdigest(),
    )
    assert log.sha256 == hashlib.sha256((both.files / "b/command.log.gz").read_bytes()).hexdigest()
    assert {path.name for path in both.work.iterdir()} == {"begun", "end"}
    assert list(pod.input_dir.iterdir()) == []


def test_the_shell_tells_the_cpu_time_of_each_shard(pod: Pod, root_file: Path) -> None:
    """Process 1 of a container would also read the peak of its group."""
    both = pair(pod, *(shard(root_file, name) for name in "ab"))
    line = 'i=0; [ "$SHARD" = b ] || while [ $i -lt 300000 ]; do i=$((i+1)); done'
    assert both.run(line).code == 0
    used = [json.loads((pod.output / f"{name}.json").read_bytes())["used"] for name in "ab"]
    assert used[0]["cpu_seconds"] > used[1]["cpu_seconds"] + 0.05
    assert [one.get("memory") for one in used] == [None, None]


@cases
def test_a_histogram_is_read_from_a_file(
    pod: Pod, root_file: Path, low: int, values: list[float], squares: list[float] | None, told: str | None
) -> None:
    edges = np.linspace(low, low + 3, len(values) + 1)
    made = hist.Hist(hist.axis.Variable(edges), storage="double" if squares is None else "weight")
    made[...] = values if squares is None else np.stack([values, squares], axis=-1)
    with uproot.recreate(root_file) as file:
        file["h"] = made
    asked = {"name": "m", "from": "out.root:h", "bins": 3, "low": 190456, "high": 190459}
    ended = pair(pod, shard(root_file), histograms=[asked]).run('cp "$INPUT_FILE" "$OUTPUT_DIR/out.root"')
    assert ended.termination_message.startswith(told or "")
    assert (ended.code == 0) is (told is None)
    if told is None:
        spec = HistogramSpec(name="m", bins=3, low=190456, high=190459)
        raw = (pod.output / "a.json").read_bytes()
        found = parse_result("results/Simulated_Test/a.json", raw, [spec]).filled["m"]
        assert (found.contents, found.squares) == (tuple(values), tuple(squares or values))
        counted = squares in (None, values)
        assert (json.loads(raw)["histograms"]["m"] == values) is counted


@pytest.mark.parametrize("name", ["{}.csv", "x-{}-5f2e.csv.gz"])
def test_awk_adds_up_the_columns_of_csv_files_three_a_pod(pod: Pod, tmp_path: Path, name: str) -> None:
    shards = []
    for number in range(3):
        path = tmp_path / name.format(number)
        lines = "".join(f"{row},{row * number}\n" for row in range(100))
        path.write_bytes(gzip.compress(lines.encode()) if path.suffix == ".gz" else lines.encode())
        shards.append(shard(path, path.name.partition(".")[0]))
    line = (
        'case "$INPUT_FILE" in *.csv) read=cat;; *.csv.gz) read=zcat;; esac\n'
        """$read "$INPUT_FILE" | awk -F, '{n += $2} END {print n > (ENVIRON["OUTPUT_DIR"] "/sum.txt")}'"""
    )
    both = pair(pod, *shards, outputs=["*.txt"])
    assert both.run(line).code == 0
    sums = [(both.files / one["name"] / "sum.txt").read_text() for one in shards]
    assert sums == ["0\n", "4950\n", "9900\n"]


@pytest.mark.parametrize(
    ("said", "code"), [('{"processed": 6}', 0), ('{"processed": 9}', TRY_AGAIN), ("{}", TRY_AGAIN)]
)
def test_a_command_is_told_its_shard_and_says_that_it_has_read_no_more(
    pod: Pod, root_file: Path, said: str, code: int
) -> None:
    both = pair(pod, shard(root_file, "a-b_c", entries=[3, 9], lumi=LUMI))
    line = 'echo "$INPUT_URL|$SHARD|$FIRST_EVENT|$LAST_EVENT|$LUMINOSITY|$DATASET|$1"; ls "$OUTPUT_DIR"'
    line += f"; echo '{said}' >$OUTPUT_DIR/result.json"
    ended = both.run(["/bin/sh", "-c", line, "sh", "it's $HOME"])
    told = f"{root_file.as_uri()}|a-b_c|3|8|{json.dumps(LUMI)}|Simulated_Test|it's $HOME\n"
    assert (ended.code, ended.stdout) == (code, told)
    if code:
        assert "has read the 6 events from 3 alone" in ended.termination_message
    else:
        assert (pod.result("a-b_c")["entries"], pod.result("a-b_c")["processed"]) == ([3, 9], 6)


def test_shards_that_fail_take_no_neighbour_along(pod: Pod, root_file: Path, tmp_path: Path) -> None:
    gone = {"name": "gone", "url": (tmp_path / "absent.root").as_uri(), "size": 6}
    both = pair(pod, gone, *(shard(root_file, name) for name in ("a", "odd", "b")), bad_input_codes=[3])
    ended = both.run(f'{COPY}; [ "$SHARD" != odd ] || {{ echo oh no; exit 3; }}')
    assert (ended.code, pod.results(), both.published()) == (
        BAD_INPUT,
        ["a.json", "b.json"],
        ["a/copy.root", "b/copy.root"],
    )
    gone_line, odd_line, last = ended.termination_message.splitlines()
    assert gone_line.startswith("gone: ")
    assert odd_line == "odd: the command ended with exit code 3: oh no"
    assert last == "2 of 4 shards are bad"


@cases
def test_a_failure_has_its_reason(
    pod: Pod, root_file: Path, line: str, asked: dict[str, Any], code: int, reason: str
) -> None:
    both = pair(pod, shard(root_file), **asked)
    ended = both.run(line)
    assert (ended.code, pod.results()) == (code, [])
    assert re.fullmatch(reason, ended.termination_message), ended.termination_message


def test_links_are_not_followed_since_they_may_lead_to_the_keys_of_the_stores(
    pod: Pod, root_file: Path
) -> None:
    line = 'cd "$OUTPUT_DIR"; echo x >x; ln -s /proc/self/environ env; ln -s /etc etc; mkfifo pipe'
    both = pair(pod, shard(root_file))
    assert (both.run(line).code, both.published()) == (0, ["a/x"])


@pytest.mark.parametrize("name", ["result.json", "../0.log", "../0.code"])
def test_a_link_in_the_place_of_what_the_sidecar_reads_is_not_followed(
    pod: Pod, root_file: Path, name: str
) -> None:
    secret = pod.directory / "secret"
    secret.write_text('{"key": "hidden"}')
    both = pair(pod, shard(root_file))
    ended = both.run(f'rm -f "$OUTPUT_DIR/{name}"; ln -s {secret} "$OUTPUT_DIR/{name}"; exit 1')
    assert (ended.code, "hidden" in ended.termination_message) == (TRY_AGAIN, False)


def test_a_shard_with_a_result_is_not_begun_again(pod: Pod, root_file: Path) -> None:
    both = pair(pod, shard(root_file, "a"), shard(root_file, "b"))
    pod.output.mkdir()
    (pod.output / "a.json").write_text("of an earlier try")
    pod.environ["SKIP_EXISTING"] = "true"
    assert (both.run(COPY).code, both.published()) == (0, ["b/copy.root"])
    assert (pod.output / "a.json").read_text() == "of an earlier try"


def test_a_pod_that_is_stopped_ends_at_once_and_what_is_half_done_does_not_count(
    pod: Pod, root_file: Path
) -> None:
    both = pair(pod, shard(root_file, "a"), shard(root_file, "b"))
    with both.beside():
        command = both.command("/bin/sh", "-c", f"{COPY}; [ $SHARD = a ] || {{ echo asleep; sleep 600; }}")
        assert command.stdout is not None
        assert [command.stdout.readline() for _ in range(3)][-1] == "asleep\n"
        command.send_signal(signal.SIGTERM)
        assert command.wait(timeout=60) == 143
        command.stdout.close()
    assert "b.json" not in pod.results()
    assert set(both.published()) <= {"a/copy.root"}


def test_a_second_attempt_touches_no_file_of_the_first_which_ends_with_half_of_its_own(
    pod: Pod, root_file: Path, tmp_path: Path
) -> None:
    """What the first leaves last has other content, and no document: that would be too large."""
    first = pair(pod, shard(root_file))
    told = {"OUTPUT_URL": pod.output.as_uri(), "ATTEMPT": "again-5f2e"}
    second = pair(Pod(tmp_path / "second", told), shard(root_file), files_url=first.files.as_uri())
    assert second.run(COPY).code == 0
    too_large = """cd "$OUTPUT_DIR"; echo half > copy.root; printf '{"x": "%01048400d"}' 0 > result.json"""
    assert first.run(too_large).code == BAD_INPUT
    assert first.published() == ["a/again-5f2e/copy.root", "a/copy.root"]
    (file,) = parse_result("results/Simulated_Test/a.json", (pod.output / "a.json").read_bytes(), []).files
    assert hashlib.sha256((first.files / "a" / file.name).read_bytes()).hexdigest() == file.sha256


def test_a_sidecar_that_was_started_again_ends_the_pod(pod: Pod, root_file: Path) -> None:
    both = pair(pod, shard(root_file))
    (both.work / "begun").touch()
    ended = both.run(COPY)
    assert (ended.code, pod.results()) == (TRY_AGAIN, [])
    assert "was started again" in ended.termination_message


@pytest.mark.parametrize("taken", ["1", "1 end.part"])
def test_a_sidecar_that_cannot_write_ends_the_pod_once_what_is_done_is_published(
    pod: Pod, root_file: Path, taken: str
) -> None:
    """A folder of that name refuses it as a full disk does."""
    both = pair(pod, shard(root_file, "a"), shard(root_file, "b"))
    ended = both.run(f'{COPY}; cd "$OUTPUT_DIR/.."; mkdir {taken}')
    assert (ended.code, pod.results(), both.published()) == (TRY_AGAIN, ["a.json"], ["a/copy.root"])
    assert ended.termination_message.startswith("the pod cannot go on: [Errno 17] File exists")


def test_a_file_whose_name_is_no_unicode_is_refused_in_words(pod: Pod, root_file: Path) -> None:
    ended = pair(pod, shard(root_file)).run("""touch "$OUTPUT_DIR/$(printf 'a\\377')" """)
    assert (ended.code, pod.results()) == (BAD_INPUT, [])
    assert "Traceback" not in ended.stderr


def test_what_is_wrong_with_the_sidecar_ends_the_pod(pod: Pod, root_file: Path) -> None:
    both = pair(pod, shard(root_file), colour="red")
    ended = both.run(COPY)
    assert (ended.code, "colour" in ended.termination_message) == (MISCONFIGURED, True)


def test_another_word_is_refused(pod: Pod, root_file: Path) -> None:
    pod.give(shard(root_file))
    ended = pod.run("analyse")
    assert (ended.code, ended.reason) == (MISCONFIGURED, "there is no 'analyse': it is beside or nothing")
