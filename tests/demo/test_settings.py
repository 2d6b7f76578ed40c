"""Ports and secrets are made once, kept private and remembered; nobody else's are taken."""

import json
import os
import shutil
import socket
import stat
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from demo.files import write_private
from demo.ports import Ports, ports_to_choose
from demo.services import SERVICES
from demo.settings import Settings, campaign_file
from waiting import answers, eventually


def test_secrets_are_random_remembered_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    first = Settings.load(tmp_path / "one")
    again = Settings.load(tmp_path / "one")
    other = Settings.load(tmp_path / "two")
    assert first == again
    assert not set(first.secrets.model_dump().values()) & set(other.secrets.model_dump().values())
    modes = [stat.S_IMODE((tmp_path / "one" / name).stat().st_mode) for name in ("", "secrets.json")]
    assert modes == [0o700, 0o600]


def test_two_first_commands_have_the_same_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_slowly(path: Path, text: str) -> None:
        time.sleep(0.05)
        write_private(path, text)

    monkeypatch.setattr("demo.settings.write_private", write_slowly)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(Settings.load, [tmp_path] * 2)
    assert first == second


def test_ports_are_the_well_known_ones_unless_somebody_has_them(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path)
    assert settings.ports == Ports(ui=8080, s3=9000, localkube=7443)
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        taken = somebody.getsockname()[1]
        write_private(tmp_path / "ports.json", Ports(s3=taken).model_dump_json())
        moved = Settings.load(tmp_path).with_free_ports()
    assert moved.ports.s3 != taken
    assert len(set(moved.ports.model_dump().values())) == 3
    assert Settings.load(tmp_path).ports == moved.ports


def test_a_port_that_somebody_has_on_all_interfaces_is_taken_too(tmp_path: Path) -> None:
    with socket.create_server(("", 0)) as somebody:
        taken = somebody.getsockname()[1]
        write_private(tmp_path / "ports.json", Ports(ui=taken).model_dump_json())
        assert Settings.load(tmp_path).with_free_ports().ports.ui != taken


def test_one_port_is_not_given_to_two_services(tmp_path: Path) -> None:
    write_private(tmp_path / "ports.json", Ports(ui=45123, s3=45123, localkube=45123).model_dump_json())
    assert len(set(Settings.load(tmp_path).with_free_ports().ports.model_dump().values())) == 3


def test_the_s3_server_listens_where_it_is_told_and_all_that_lead_to_it_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.load(tmp_path)
    assert (settings.s3_host, settings.pod_endpoint) == ("127.0.0.1", None)
    monkeypatch.setenv("HIGGS_S3_HOST", "127.0.0.2")
    with socket.create_server(("127.0.0.2", 0)) as somebody:
        taken = somebody.getsockname()[1]
        write_private(tmp_path / "ports.json", Ports(s3=taken).model_dump_json())
        settings.choose()
        settings = Settings.load(tmp_path).with_free_ports()
    assert settings.ports.s3 != taken
    assert settings.s3_url == settings.pod_endpoint == f"http://127.0.0.2:{settings.ports.s3}"
    assert "127.0.0.2" in settings.environment()["NO_PROXY"].split(",")
    (tmp_path / "localkube").mkdir()
    settings.localkube_token.write_text("token")
    assert (
        json.loads(settings.connections()["AIRFLOW_CONN_HIGGS_S3"])["extra"]["endpoint_url"]
        == settings.s3_url
    )
    server = subprocess.Popen(
        SERVICES["s3"].command(settings),
        cwd=tmp_path,
        env=settings.environment() | {"PYTHONWARNINGS": "ignore"},
    )
    try:
        eventually(lambda: answers(settings.s3_url), "the S3 server answers at the address")
        assert not answers(f"http://127.0.0.1:{settings.ports.s3}")
    finally:
        server.terminate()
        server.wait()
    monkeypatch.setenv("HIGGS_S3_HOST", "0.0.0.0")
    settings.choose()
    assert settings.s3_url == f"http://127.0.0.1:{settings.ports.s3}"
    assert not str(settings.pod_endpoint).startswith("http://0.0.0.0")
    monkeypatch.delenv("HIGGS_S3_HOST")
    settings.choose()
    assert settings.pod_endpoint is None


@pytest.mark.parametrize("host", ["192.0.2.1", "localhost", "127.0.0.1:9000", "-", "::1"])
def test_an_address_that_is_none_of_this_machine_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("HIGGS_S3_HOST", host)
    with pytest.raises(ValueError, match=r"HIGGS_S3_HOST is .* must be an IPv4 address of this machine"):
        Settings.load(tmp_path).choose()


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("ports.json", '{"ui": "eighty"}', "ports\\.json cannot be read .* remove it, and it is recreated"),
        ("ports.json", '{"ui": 80800}', "ports\\.json cannot be read \\(ui: .* less than or equal to 65535"),
        ("stand-ins.json", '{"s3": 1}', "stand-ins\\.json cannot be read \\(s3: .*; remove it to have those"),
    ],
)
def test_a_file_that_is_broken_is_named(tmp_path: Path, file: str, text: str, told: str) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(ValueError, match=told):
        Settings.load(tmp_path)


def test_a_campaigns_file_is_found_where_higgs_config_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIGGS_CONFIG", str(tmp_path))
    with pytest.raises(ValueError, match=r"\(the campaigns are none\)"):
        campaign_file("demo-local")
    (tmp_path / "theirs.json").write_text("{}")
    assert campaign_file("theirs") == tmp_path / "theirs.json"
    with pytest.raises(ValueError, match=r'no campaign "demo-local" .*\(the campaigns are theirs\)'):
        campaign_file("demo-local")


def test_a_long_path_moves_the_control_socket_where_it_fits(tmp_path: Path) -> None:
    short = Settings.load(Path("/tmp") / f"higgs-test-{os.getpid()}")
    deep = Settings.load(tmp_path / ("d" * 60) / ("e" * 60))
    assert short.control_socket == short.state / "supervisor.sock"
    assert len(os.fsencode(deep.control_socket)) < 100
    shutil.rmtree(short.state)


def test_services_do_not_see_somebodys_airflow_cloud_or_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AIRFLOW__CORE__EXECUTOR", "AIRFLOW_HOME", "AWS_PROFILE", "KUBECONFIG", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, "somebody's")
    monkeypatch.setenv("AIRFLOW_CONN_MINE", "aws://")
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.setenv("HIGGS_CONFIG", "mine/config")
    monkeypatch.chdir(tmp_path)
    environment = Settings.load(tmp_path).environment()
    assert "somebody's" not in environment.values()
    assert environment["AIRFLOW_CONN_MINE"] == "aws://"
    assert environment["NO_PROXY"] == "example.org,127.0.0.1,localhost"
    assert environment["HIGGS_CONFIG"] == str(tmp_path / "mine" / "config")


def test_airflow_reaches_the_local_services_by_two_connections(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path)
    settings.localkube_state.mkdir()
    settings.localkube_token.write_text("t0ken\n")
    connections = {name: json.loads(text) for name, text in settings.connections().items()}
    assert connections == {
        "AIRFLOW_CONN_HIGGS_S3": {
            "conn_type": "aws",
            "login": settings.secrets.s3_access_key,
            "password": settings.secrets.s3_secret_key,
            "extra": {"endpoint_url": "http://127.0.0.1:9000", "region_name": "us-east-1"},
        },
        "AIRFLOW_CONN_LOCALKUBE_DEFAULT": {
            "conn_type": "http",
            "host": "https://127.0.0.1",
            "port": 7443,
            "password": "t0ken",
            "extra": {"ca": str(tmp_path / "localkube" / "ca.crt")},
        },
    }


def test_two_checkouts_choose_their_ports_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # where no other checkout chooses any
    chose, waits = threading.Event(), threading.Event()

    def other() -> None:
        with ports_to_choose(waits.set):
            chose.set()

    with ports_to_choose():
        waiting = threading.Thread(target=other)
        waiting.start()
        assert waits.wait(10)
        assert not chose.is_set()
    assert chose.wait(10)
    waiting.join()
