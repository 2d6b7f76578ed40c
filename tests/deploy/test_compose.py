"""docker-compose.yaml, as far as it can be tried without an engine.

Docker's own program reads it and says what it comes to; then every image, path, user, command, address and
connection is held against what is really there, and the commands of Airflow and Redis are tried.
"""

import json
import os
import re
import shlex
import stat
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from demo.ports import free_port
from higgsdemo.campaign import Campaign, load_campaign
from higgsdemo.kubernetes.pods import USER
from higgsdemo.kubernetes.workloads import OUR_IMAGE
from redis_server import redis_command
from waiting import eventually

Service = dict[str, Any]
ONE_SHOT = {"airflow-init", "data", "owners", "s3-user", "workload-image"}
AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer", "airflow-init", "data"}


@pytest.fixture(scope="module")
def environment(repository: Path) -> dict[str, str]:
    """Return the secrets that a new `.env` has."""
    made = subprocess.run(
        [sys.executable, str(repository / "deploy/make_env.py")], capture_output=True, text=True, check=True
    )
    return dict(line.split("=", 1) for line in made.stdout.splitlines())


@pytest.fixture(scope="module")
def compose(repository: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Return what `docker compose config` makes of the file."""
    done = config(repository, environment)
    assert done.returncode == 0, done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    return content


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Service]:
    found: dict[str, Service] = compose["services"]
    return found


@pytest.fixture(scope="module")
def campaign(repository: Path) -> Campaign:
    return load_campaign(repository / "include/config/demo-k3s.json")


def config(repository: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [
            str(Path(sys.executable).parent / "docker-compose"),
            *("--env-file", os.devnull, "config", "--format", "json"),
        ],
        cwd=repository,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def command_words(service: Service) -> list[str]:
    return [word.replace("$$", "$") for word in service.get("command") or ()]


def test_the_parts_of_the_deployment_are_there(services: dict[str, Service]) -> None:
    assert set(services) - ONE_SHOT == {
        *("api-server", "scheduler", "dag-processor", "triggerer"),
        *("postgres", "redis", "s3", "k3s"),
    }


def test_every_secret_is_random_and_none_has_a_default(
    repository: Path, environment: dict[str, str], services: dict[str, Service]
) -> None:
    example = (repository / ".env.example").read_text()
    assert set(re.findall(r"(?m)^([A-Z0-9_]+)=$", example)) == set(environment)
    assert len(set(environment.values())) == len(environment)
    assert min(map(len, environment.values())) >= 44
    for name in environment:
        without = config(repository, {key: value for key, value in environment.items() if key != name})
        assert without.returncode != 0
        assert name in without.stderr
    unused = [name for name, value in environment.items() if value not in json.dumps(services)]
    assert unused == []


def test_the_env_file_is_never_committed_and_for_its_owner_alone(repository: Path, tmp_path: Path) -> None:
    assert ".env" in (repository / ".gitignore").read_text().split()
    with (tmp_path / ".env").open("w") as taking:
        subprocess.run([sys.executable, str(repository / "deploy/make_env.py")], stdout=taking, check=True)
    assert only_mine(tmp_path / ".env")


def only_mine(path: Path) -> bool:
    return stat.S_IMODE(path.stat().st_mode) == 0o600


def test_images_are_pinned(services: dict[str, Service]) -> None:
    for name, service in services.items():
        tag = service["image"].rpartition(":")[2]
        assert re.search(r"\d", tag), f"{name} has no version: {service['image']}"
        assert ("build" in service) == service["image"].startswith("higgsdemo/"), name


def test_what_runs_on_is_restarted_and_has_a_health_check_that_others_wait_for(
    services: dict[str, Service],
) -> None:
    for name, service in services.items():
        runs_on = name not in ONE_SHOT
        assert ("healthcheck" in service) == runs_on, name
        assert (service.get("restart") == "unless-stopped") == runs_on, name
        for needed, how in service.get("depends_on", {}).items():
            ends = needed in ONE_SHOT
            assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy")


def test_nobody_is_root_but_the_node_and_who_gives_volumes_away(services: dict[str, Service]) -> None:
    of_root = {n for n, s in services.items() if str(s.get("user", "0")).partition(":")[0] in ("0", "root")}
    assert of_root == {"k3s", "owners"}
    assert {name for name, service in services.items() if service.get("privileged")} == {"k3s"}
    assert services["owners"]["cap_add"] == ["CHOWN"]
    assert all(services[name]["cap_drop"] == ["ALL"] for name in {*AIRFLOW, "owners"})


def test_only_the_web_interface_is_published_and_only_on_this_machine(services: dict[str, Service]) -> None:
    published = {
        n: [(p["host_ip"], p["target"]) for p in s["ports"]] for n, s in services.items() if "ports" in s
    }
    assert published == {"api-server": [("127.0.0.1", 8080)]}


def test_every_path_of_the_checkout_is_there(compose: dict[str, Any], services: dict[str, Service]) -> None:
    for service in services.values():
        for volume in service.get("volumes", ()):
            if volume["type"] == "bind":
                assert Path(volume["source"]).is_dir()
                assert volume["read_only"]
            else:
                assert volume["source"] in compose["volumes"]
        if build := service.get("build"):
            assert Path(build["context"], build["dockerfile"]).is_file()
    workload = next(v for v in services["workload-image"]["volumes"] if v["target"] == "/workload")
    assert (Path(workload["source"]) / "Dockerfile").is_file()


def test_the_image_copies_what_there_is_and_the_context_holds_it(repository: Path) -> None:
    dockerfile = (repository / "deploy/airflow/Dockerfile").read_text()
    copied = {word for line in re.findall(r"(?m)^COPY (.*)$", dockerfile) for word in line.split()[:-1]}
    allowed = {
        line[1:] for line in (repository / ".dockerignore").read_text().split() if line.startswith("!")
    }
    assert copied == allowed
    assert all((repository / name).exists() for name in copied)
    makefile = (repository / "Makefile").read_text()
    (uv,) = re.findall(r"uv==([0-9.]+)", dockerfile)
    assert f"UV_VERSION := {uv}\n" in makefile


def test_every_command_of_airflow_is_one(services: dict[str, Service]) -> None:
    from airflow.cli.cli_parser import get_parser

    commands = [
        command_words(services[name]) for name in ("api-server", "scheduler", "dag-processor", "triggerer")
    ]
    checks = [
        s["healthcheck"]["test"][1:] for n, s in services.items() if n in AIRFLOW and "healthcheck" in s
    ]
    commands += [check for check in checks if check[0] == "airflow"]
    script = command_words(services["airflow-init"])[-1]
    commands.append(shlex.split(script.splitlines()[0]))
    assert len(commands) == 7
    for program, *arguments in commands:
        assert program == "airflow"
        assert callable(get_parser().parse_args(arguments).func)


def test_every_option_of_airflow_is_one(services: dict[str, Service]) -> None:
    from airflow.configuration import conf

    variables = services["scheduler"]["environment"]
    options = [re.fullmatch(r"AIRFLOW__([A-Z_]+?)__([A-Z_]+)", name) for name in variables]
    named = [(match[1].lower(), match[2].lower()) for match in options if match]
    assert len(named) > 10
    known = conf.configuration_description
    assert [name for name in named if name[1] not in known.get(name[0], {}).get("options", {})] == []


def test_every_module_that_is_run_is_there(services: dict[str, Service]) -> None:
    assert command_words(services["data"])[:2] == ["python", "-m"]
    assert find_spec(command_words(services["data"])[2]) is not None


def test_the_script_that_prepares_airflow_leaves_password_and_kubeconfig(
    services: dict[str, Service], tmp_path: Path
) -> None:
    script = command_words(services["airflow-init"])[-1].replace("airflow db migrate\n", "")
    for folder in ("/opt/airflow", "/k3s"):
        (tmp_path / folder[1:]).mkdir(parents=True)
        script = script.replace(f" {folder}/", f" {tmp_path}{folder}/")
    (tmp_path / "k3s/kubeconfig.yaml").write_text("server: https://127.0.0.1:6443\n")
    subprocess.run(
        ["bash", "-euc", script],
        env={"PATH": os.environ["PATH"], "AIRFLOW_PASSWORD": 'a "quoted" password'},
        check=True,
    )
    airflow = tmp_path / "opt/airflow"
    assert json.loads((airflow / "passwords.json").read_text()) == {"admin": 'a "quoted" password'}
    assert (airflow / "kubeconfig").read_text() == "server: https://k3s:6443\n"
    assert all(map(only_mine, (airflow / "passwords.json", airflow / "kubeconfig")))
    assert services["k3s"]["environment"]["K3S_KUBECONFIG_MODE"] == "640"  # for the group of root, Airflow's
    variables = services["api-server"]["environment"]
    assert variables["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"] == "/opt/airflow/passwords.json"
    connection = json.loads(variables["AIRFLOW_CONN_K3S"])
    assert connection["extra"]["kube_config_path"] == "/opt/airflow/kubeconfig"
    assert "--tls-san=k3s" in command_words(services["k3s"])


def test_redis_starts_as_it_is_told_to_and_asks_for_the_password(services: dict[str, Service]) -> None:
    redis_command()
    *shell, script = command_words(services["redis"])
    port = free_port()
    assert script.endswith("| redis-server -")
    server = subprocess.Popen(
        [*shell, f"{script} --port {port} --bind 127.0.0.1"],
        env={"PATH": os.environ["PATH"], "REDIS_PASSWORD": "of-the-test"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with Redis(port=port, password="of-the-test") as client:
            eventually(lambda: answers(client), "Redis answers")
            assert client.config_get("save", "maxmemory") == {"save": "", "maxmemory": str(256 << 20)}
        with Redis(port=port) as stranger, pytest.raises(RedisError, match=r"(?i)authenticat"):
            stranger.ping()
    finally:
        os.killpg(server.pid, 9)
        server.wait()


def answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


def test_the_campaign_finds_its_connections_and_its_pods_their_servers(
    services: dict[str, Service], campaign: Campaign
) -> None:
    variables = services["scheduler"]["environment"]
    (cluster,) = campaign.clusters()
    for connection in (campaign.storage.connection, campaign.storage.live, cluster.connection):
        assert json.loads(variables[f"AIRFLOW_CONN_{str(connection).upper()}"])
    address = {name: services[name]["networks"]["default"]["ipv4_address"] for name in ("s3", "redis")}
    assert campaign.storage.pod_endpoint == f"http://{address['s3']}:9000"
    assert json.loads(variables["AIRFLOW_CONN_HIGGS_REDIS"])["host"] == address["redis"]


def test_pods_are_a_user_that_reads_the_input_and_writes_the_output(
    services: dict[str, Service], environment: dict[str, str], campaign: Campaign, tmp_path: Path
) -> None:
    holders = {name for name, one in services.items() if environment["S3_ROOT_PASSWORD"] in json.dumps(one)}
    assert holders == {"s3", "s3-user", "data"}
    (script,) = command_words(services["s3-user"])
    mc = tmp_path / "mc"
    mc.write_text('#!/bin/sh\n{ echo "$*"; case "$*" in *"user add"*) cat;; esac; } >> "$0.log"\n')
    mc.chmod(0o755)
    keys = {name: environment[name] for name in ("S3_ACCESS_KEY", "S3_SECRET_KEY")}
    script = script.replace("/tmp/policy.json", f"{tmp_path}/policy.json")
    subprocess.run(
        ["sh", "-euc", script], env={"PATH": f"{tmp_path}:{os.environ['PATH']}", **keys}, check=True
    )
    assert (tmp_path / "mc.log").read_text().splitlines()[1:] == [
        "admin user add local",
        *keys.values(),
        f"admin policy attach local campaigns --user {keys['S3_ACCESS_KEY']}",
    ]
    login = json.loads(services["scheduler"]["environment"]["AIRFLOW_CONN_HIGGS_S3"])
    assert [login["login"], login["password"]] == list(keys.values())
    reads, writes = json.loads((tmp_path / "policy.json").read_text())["Statement"]
    buckets = [url.removeprefix("s3://") for url in (campaign.storage.input, campaign.storage.output)]
    for statement, bucket in zip((reads, writes), buckets, strict=True):
        assert statement["Resource"] == [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    assert set(reads["Action"]) == {"s3:GetBucketLocation", "s3:ListBucket", "s3:GetObject"}
    assert not any("*" in action or "Policy" in action for action in writes["Action"])


def test_k3s_is_the_same_node_after_down_and_up(
    compose: dict[str, Any], services: dict[str, Service]
) -> None:
    kept = {volume["target"]: volume["source"] for volume in services["k3s"]["volumes"]}
    assert services["k3s"]["hostname"] == "k3s"
    assert {"/var/lib/rancher/k3s", "/etc/rancher/node"} <= set(kept)
    assert set(kept.values()) <= set(compose["volumes"])


def test_k3s_gets_the_image_that_the_campaign_runs(services: dict[str, Service], campaign: Campaign) -> None:
    (cluster,) = campaign.clusters()
    assert (campaign.image, cluster.image_pull_policy) == (None, "Never")
    output = next(w for w in command_words(services["workload-image"]) if w.startswith("--output="))
    assert f"name=docker.io/{OUR_IMAGE},dest=/images/" in output
    shared = {
        name: next(v["target"] for v in services[name]["volumes"] if v["source"] == "images")
        for name in ("workload-image", "k3s", "owners")
    }
    assert shared["k3s"] == "/var/lib/rancher/k3s/agent/images"
    assert USER != 0
