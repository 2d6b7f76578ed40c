"""The local services start where they can, come back when they are killed, and all end together."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import waiting
from demo.__main__ import main
from demo.files import write_private
from demo.ports import Ports
from demo.session import Session, is_alive
from demo.settings import Settings
from demo.supervision import ServiceError, Supervision
from demo_stack import kill
from higgsdemo.command_line.ending import AWAY
from waiting import eventually


@pytest.fixture
def supervision(tmp_path: Path) -> Iterator[Supervision]:
    """Yield a supervisor that runs, without a service, on ports of its own."""
    write_private(tmp_path / "ports.json", _free_ports().model_dump_json())
    supervision = Supervision(Settings.load(tmp_path))
    supervision.start_supervisor()
    yield supervision
    supervision.stop()


def _free_ports() -> Ports:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ui, s3, localkube = (listener.getsockname()[1] for listener in listeners)
    for listener in listeners:
        listener.close()
    return Ports(ui=ui, s3=s3, localkube=localkube)


def answers(supervision: Supervision) -> bool:
    return waiting.answers(supervision.settings.s3_url)


def pid_of(supervision: Supervision, name: str) -> int:
    return next(state.pid for state in supervision.states() if state.name == name)


def s3_of(supervision: Supervision) -> psutil.Process:
    supervision.start(["s3"])
    eventually(lambda: answers(supervision), "the S3 server answers")
    return psutil.Process(pid_of(supervision, "s3"))


def test_only_the_services_asked_for_start_once_and_come_back_when_they_are_killed(
    supervision: Supervision,
) -> None:
    first = s3_of(supervision)
    assert [(s.name, s.pid > 0) for s in supervision.states()] == [
        ("s3", True),
        *((name, False) for name in ("localkube", "api-server", "scheduler", "dag-processor", "triggerer")),
    ]
    assert s3_of(supervision).pid == first.pid
    kill(first)
    eventually(lambda: not is_alive(first) and answers(supervision), "another one answers")
    assert pid_of(supervision, "s3") != first.pid


def test_before_localkube_is_up_no_shell_is_pointed_to_it(
    supervision: Supervision, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--state", str(supervision.settings.state), "env"]) == AWAY
    assert "The services are not running yet" in capsys.readouterr().err


def test_stopping_leaves_neither_process_nor_socket_nor_port(supervision: Supervision) -> None:
    s3_of(supervision)
    session = Session.remembered(supervision.session_file)
    assert session
    assert supervision.stop()
    assert session.members() == []
    assert supervision.states() == []
    assert not supervision.settings.control_socket.exists()
    assert supervision.settings.with_free_ports().ports == supervision.settings.ports
    assert not supervision.stop()


def test_a_supervisor_that_ends_runs_nothing(supervision: Supervision) -> None:
    supervision._call("supervisor.shutdown")
    assert eventually(lambda: supervision.states() == [], "it answers no more")


def test_a_start_after_a_crash_ends_what_was_left_running(supervision: Supervision) -> None:
    s3_of(supervision)
    session = Session.remembered(supervision.session_file)
    assert session
    members = session.members()
    kill(psutil.Process(session.leader))
    ports = supervision.settings.ports
    supervision.start_supervisor()
    assert not any(is_alive(member) for member in members)
    assert supervision.settings.ports == ports


def test_a_service_that_cannot_start_is_told_with_its_log(supervision: Supervision) -> None:
    supervision.settings.images.write_text("not JSON")
    supervision.start(["localkube"])

    def given_up() -> str | None:
        try:
            supervision.check()
        except ServiceError as error:
            return str(error)
        return None

    told = eventually(given_up, "localkube is given up", patience=240)
    assert told.startswith("The service localkube does not start. Its log ends with:\n")
    assert "images.json" in told


def test_no_secret_is_in_the_supervisors_configuration(supervision: Supervision) -> None:
    configuration = supervision.config_file.read_text()
    assert not [
        value for value in supervision.settings.secrets.model_dump().values() if value in configuration
    ]


@pytest.mark.parametrize(
    ("use", "stops"), [(Supervision.keep, False), (Supervision.in_use, False), (lambda _: None, True)]
)
def test_services_stop_when_nobody_uses_or_keeps_them(
    supervision: Supervision, use: Callable[[Supervision], object], stops: bool
) -> None:
    using = use(supervision)
    if hasattr(using, "__enter__"):
        with using:
            stopped = Supervision(supervision.settings).stop_unless_used()
    else:
        stopped = Supervision(supervision.settings).stop_unless_used()
    assert stopped is stops
    assert bool(supervision.states()) is not stops
