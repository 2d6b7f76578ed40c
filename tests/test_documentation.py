"""Every command in the documentation is one: what can be tried here is, the rest is listed with why.

The way of a newcomer through README is walked by `tests/end_to_end/test_deployment.py`, and the commands of
`make` by the other tests there; here each is at least a target, with arguments that are understood.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

from documents import ROOT, below, blocks, documents
from higgsdemo.campaign import load_campaign, parse_campaign
from higgsdemo.command_line.__main__ import higgsdemo
from higgsdemo.dag import build

NOT_TRIED = {
    "docker": "needs Docker's engine; docker-compose.yaml is read by its own program in tests/deploy",
    "helm": "needs the chart, which is in no package registry",
    "gcloud": "changes an account of Google's cloud",
}
"""Programs whose commands are not tried, and why."""

KUBECTL = {"apply", "create", "describe", "get"}
"""What the documentation has kubectl do; tests/cluster/test_kubectl.py and tests/deploy do all of it."""

COMMANDS = re.compile(rf"({'|'.join(NOT_TRIED)}|make|higgsdemo|airflow|kubectl|python3?) ")


def commands() -> list[tuple[str, str]]:
    """Document and text of every command in a block of bash, lines that go on put together."""
    found = []
    for block in (block for path in documents() for block in blocks(path) if block.language == "bash"):
        text = re.sub(r"\\\n\s*", "", block.text)
        lines: list[str] = []
        for line in text.splitlines():
            if lines and not complete(lines[-1]):
                lines[-1] += f"\n{line}"
            elif line.strip():
                lines.append(line)
        found += [(block.document, line) for line in lines]
    return found


def complete(line: str) -> bool:
    try:
        shlex.split(line, comments=True)
    except ValueError:  # a quotation that goes on in the next line
        return False
    return True


def words_of(line: str) -> list[str]:
    """Return the words of a command, without the variables before it and where its output goes."""
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z0-9_]+=.*", words[0]):
        del words[0]
    return words[: words.index(">")] if ">" in words else words


ALL = commands()


@pytest.mark.parametrize(("document", "line"), ALL, ids=[f"{d}: {line[:60]}" for d, line in ALL])
def test_a_command_is_understood(document: str, line: str) -> None:
    program, *arguments = words_of(line)
    if program in NOT_TRIED:
        return
    match program:
        case "make":
            of_make(arguments)
        case "higgsdemo":
            name, *options = arguments
            assert higgsdemo.commands[name].make_context(name, ["--airflow", "http://there", *options]).params
        case "airflow":
            of_airflow(arguments)
        case "kubectl":
            of_kubectl(arguments)
        case "python3":
            assert subprocess.run([sys.executable, *arguments], cwd=ROOT, check=False).returncode == 0
        case "python":
            assert arguments[0] == "-m"
            assert find_spec(arguments[1]) is not None
        case "eval":
            assert arguments in (["$(make env)"], ["$(_HIGGSDEMO_COMPLETE=bash_source higgsdemo)"])
        case _:
            pytest.fail(f"{document}: no test knows {program}")


def of_make(arguments: list[str]) -> None:
    """Every target is one, and so is every variable."""
    variables = dict(word.split("=", 1) for word in arguments if "=" in word)
    targets = [word for word in arguments if "=" not in word]
    makefile = (ROOT / "Makefile").read_text()
    for target in targets:
        assert re.search(rf"(?m)^{target}:", makefile), target
    for name in variables:
        assert f"$({name})" in makefile or f"$${name}" in makefile, name


def test_make_hands_a_conf_on_as_it_is_written(tmp_path: Path) -> None:
    """By a virtual environment whose python repeats its arguments."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
    python.chmod(0o755)
    for stamp in (tmp_path / ".installed", tmp_path / "bin" / "higgsdemo"):
        stamp.touch()
    conf = '{"run_name": "a\\"$b",\n "max_shards": 2}'
    command = ["make", "demo", f"CONF={conf.replace('$', '$$')}", f"VENV={os.path.relpath(tmp_path, ROOT)}"]
    done = subprocess.run(
        [*command, "OPTIONS=--clusters a"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\0")[-5:-1] == ["--conf", conf, "--clusters", "a"]


def test_make_help_fits_a_terminal_and_begins_with_what_users_run() -> None:
    text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = text.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert lines.index("Run campaigns") < lines.index("Change the code")
    assert lines[lines.index("Run campaigns") + 1].startswith("  make demo ")


def of_airflow(arguments: list[str]) -> None:
    from airflow.cli.cli_parser import get_parser

    try:
        assert callable(get_parser().parse_args(arguments).func)
    except (SystemExit, argparse.ArgumentError) as error:
        pytest.fail(f"airflow {shlex.join(arguments)}: {error}")


def of_kubectl(arguments: list[str]) -> None:
    words = [word for word in arguments if not word.startswith("-")]
    assert KUBECTL & set(words)
    files = [word for word in arguments if word.endswith((".yaml", ".yml"))]
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_every_block_of_commands_is_marked_as_one() -> None:
    unmarked = [
        f"{block.document}, {block.heading}: {block.text.splitlines()[0]}"
        for path in documents()
        for block in blocks(path)
        if block.language == "" and COMMANDS.match(block.text)
    ]
    assert unmarked == []


def test_whatever_is_not_tried_is_still_written_down() -> None:
    programs = {words_of(line)[0] for _, line in ALL}
    assert set(NOT_TRIED) <= programs


def test_the_picture_of_the_dag_is_the_dag() -> None:
    """An arrow of Airflow that others imply, as that of a value from `plan`, need not be drawn."""
    dag = build("demo-local", load_campaign(ROOT / "include/config/demo-local.json"))

    def after(task: str) -> set[str]:
        following = dag.get_task(task).downstream_task_ids
        return following.union(*map(after, following))

    needed = {
        (task.removeprefix("cluster."), following.removeprefix("cluster."))
        for task in dag.task_ids
        for following in dag.get_task(task).downstream_task_ids
        if not any(following in after(other) for other in dag.get_task(task).downstream_task_ids)
    }
    (picture,) = below(ROOT / "README.md", "The Higgs demo as Airflow DAGs", "mermaid")
    rows = [line.split(" --> ") for line in picture.splitlines()]
    assert {(one.strip(), next_) for row in rows for one, next_ in pairwise(row)} == needed


def test_every_message_that_troubleshooting_quotes_is_one() -> None:
    rows = re.findall(r"(?m)^\| (.*?) \|", (ROOT / "docs/troubleshooting.md").read_text())
    quoted = [message for row in rows for message in re.findall(r"\*([^*]+)\*", row)]
    assert len(quoted) > 8
    sources = [
        *(ROOT / "plugins").rglob("*.py"),
        *(ROOT / "plugins").rglob("page.js"),
        *(ROOT / "include").rglob("*.py"),
    ]
    said = "\n".join(path.read_text() for path in sources)
    assert [message for message in quoted if message not in said] == []


def test_every_block_of_json_is_json_and_a_campaign_where_it_is_whole() -> None:
    import json

    seen = 0
    for block in (block for path in documents() for block in blocks(path) if block.language == "json"):
        text = block.text.replace("…", "x")
        document = json.loads(text if text.lstrip().startswith("{") else f"{{{text}}}")
        if "mapping" in document and "storage" in document:
            parse_campaign(document, block.document)
            seen += 1
    assert seen == 1


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = path.read_text()
    for target in re.findall(r"\]\(([^)#\s]*)(?:#[^)]*)?\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if target and "://" not in target:
            assert (path.parent / target).exists(), f"{path.name}: {target}"


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_every_file_that_is_named_is_there(path: Path) -> None:
    named = re.findall(
        r"`((?:deploy|docs|examples|include|plugins|tests|dags)/[A-Za-z0-9_./-]+)`", path.read_text()
    )
    exceptions = {"include/config/my-dimuon.json", "include/datasets/cms-higgs/lumi/"}  # made by people
    assert [name for name in named if name not in exceptions and not (ROOT / name).exists()] == []


def test_no_page_holds_both_sides_of_a_merge() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("[!.]*/**/*.md")]
    assert [page.name for page in pages if re.search("(?m)^(<{7}|>{7}) ", page.read_text())] == []
