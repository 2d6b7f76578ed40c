"""The command's answers when nothing runs, or nothing can; what ends it ends what it has started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo.__main__ import main
from demo.services import QUIET
from demo.settings import REHEARSAL, REPOSITORY, Settings
from demo.supervision import Supervision

WAITS = """
import signal, sys, time
from higgsdemo.command_line.ending import carry_out

def command():
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        signal.raise_signal(signal.SIGHUP)  # the second one, of make
        print("stopped", flush=True)
    return 0

sys.exit(carry_out(command))
"""


def test_a_command_is_ready_without_having_imported_what_takes_seconds() -> None:
    code = (
        "import sys, demo.__main__, higgsdemo.command_line.__main__; "
        "sys.exit(str({'airflow', 'scipy'} & {*sys.modules}))"
    )
    paths = {"PYTHONPATH": os.pathsep.join(str(REPOSITORY / part) for part in ("plugins", "include"))}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=os.environ | paths, capture_output=True, text=True, check=False)
    assert done.stderr == "set()\n"


def test_airflow_is_quiet_about_a_graph_that_nobody_asks_for() -> None:
    code = "import airflow.utils.dot_renderer as dots; assert dots.graphviz is None"
    for quiet, told in (("", True), (QUIET, False)):
        variables = os.environ | {"PYTHONWARNINGS": quiet}
        done = subprocess.run(
            [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
        )
        assert ("graphviz" in done.stdout + done.stderr) is told


def test_down_and_status_say_that_nothing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--state", str(tmp_path), "down"]) == 0
    assert main(["--state", str(tmp_path), "status"]) == 0
    assert capsys.readouterr().out == (
        "The services were not running.\nThe services are not running; `make up` starts them.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--conf", "{"], "the conf is not JSON: "),
        (["--conf", "[]"], 'the conf must be a JSON object, such as {"max_shards": 2}'),
        (["--conf", '{"maping": []}'], 'has no key "maping"; did you mean "mapping"?'),
        (["--campaign", "demo-lokal"], 'did you mean "demo-local"? (the campaigns are cms-open-data-2012, '),
    ],
)
def test_a_hopeless_run_is_refused_before_anything_starts(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--state", str(tmp_path), "run", "--campaign", "demo-local", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "supervisord.conf").exists()


def begun(code: str) -> "subprocess.Popen[str]":
    command = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": f"{REPOSITORY}/plugins:{REPOSITORY}/include"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert command.stdout
    assert command.stdout.readline() == "begun\n"
    return command


@pytest.mark.parametrize("sort", [signal.SIGHUP, signal.SIGTERM])
def test_a_terminal_that_closes_lets_a_command_stop_what_it_has_started(sort: signal.Signals) -> None:
    not_by_nohup = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"  # as the tests may be
    command = begun(f"{not_by_nohup}{WAITS}")
    assert command.stdout
    command.send_signal(sort)
    assert command.stdout.read() == "stopped\n"
    assert command.wait() == 130


def test_what_nohup_starts_goes_on_when_the_terminal_closes() -> None:
    ignoring = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{WAITS}"
    command = begun(ignoring.replace("sleep(60)", "sleep(1)"))
    assert command.stdout
    command.send_signal(signal.SIGHUP)
    assert command.stdout.read() == "stopped\n"
    assert command.wait() == 0


def test_down_ends_the_services_of_a_rehearsal_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rehearsal = Supervision(Settings.load(tmp_path / REHEARSAL))
    rehearsal.start_supervisor()
    assert main(["--state", str(tmp_path), "down"]) == 0
    assert rehearsal.states() == []
    assert capsys.readouterr().out == "The services are stopped.\n"


def test_a_state_folder_that_cannot_be_made_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["--state", str(tmp_path / "file" / "state"), "status"]) == 2
    assert f"{tmp_path}/file/state cannot be made (Not a directory)" in capsys.readouterr().err
