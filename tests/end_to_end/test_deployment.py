"""The demo on the parts of a deployment, PostgreSQL and Redis, and the way of a newcomer to an own analysis.

One set of services for all of it. The second campaign is the one that README tells people to write, and it is
run by the commands that README tells them to type.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message

from demo.bucket import Bucket
from demo.ports import free_port
from demo.settings import REPOSITORY
from demo_stack import DAG, Stack, eventually, with_demo_files
from documents import below
from postgres_server import PASSWORD, USER, PostgresServer
from redis_server import PASSWORD as REDIS_PASSWORD
from redis_server import RedisServer, redis_command

README = REPOSITORY / "README.md"
OWN = "Your own analysis, on your own cluster"
MAIL = {
    "notifier": "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
    "kwargs": {
        "smtp_conn_id": "mail",
        "to": "shift@example.org",
        "subject": "{{ dag.dag_id }}, {{ run_id }}: done",
        "html_content": "The plot is there.",
    },
}


class Mailbox(Message):
    """Keeps the messages that the SMTP server gets."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Any] = []

    def handle_message(self, message: Any) -> None:
        self.messages.append(message)


class Deployed:
    """The demo's services on a PostgreSQL, with a Redis and an SMTP server beside them."""

    def __init__(self, folder: Path, postgres: PostgresServer, redis: RedisServer, mailbox: Mailbox) -> None:
        self.postgres, self.redis, self.mailbox = postgres, redis, mailbox
        self.home = folder / "home"
        self.stack = Stack(with_demo_files(folder / ".run"))

    def shell(self, script: str) -> str:
        """Return what a shell in the checkout prints; it fails with the first command that does."""
        variables = {**os.environ, "HIGGS_STATE": str(self.stack.settings.state), "HOME": str(self.home)}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=REPOSITORY,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def query(self, text: str) -> list[Any]:
        """Rows of Airflow's database."""
        url = f"host=127.0.0.1 port={self.postgres.port} user={USER} dbname=postgres"
        with psycopg2.connect(url, password=PASSWORD) as connection, connection.cursor() as cursor:
            cursor.execute(text)
            return list(cursor.fetchall())


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    redis_program, postgres = redis_command(), PostgresServer()
    folder = tmp_path_factory.mktemp("deployed")
    redis = RedisServer(redis_program, folder)
    mailbox = Mailbox()
    mail = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    mail.start()
    connections = {
        "COPIES": {"conn_type": "redis", "host": "127.0.0.1", "port": redis.port, "password": REDIS_PASSWORD},
        "MAIL": {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": mail.port,
            "extra": {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.org"},
        },
    }
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HIGGS_DATABASE", postgres.url)
        environment.setenv("HIGGS_POLL_SECONDS", "1")  # of the own cluster, whose shards take no time
        environment.setenv("HIGGS_CONFIG", str(written(folder / "config")))
        for name, connection in connections.items():
            environment.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))
        made = Deployed(folder, postgres, redis, mailbox)
        yield made
        made.stack.stop()
    mail.stop()
    redis.stop()
    postgres.stop()


def written(config: Path) -> Path:
    """Return a folder of campaigns: the demo's, with a live copy and a mail at its end, and README's."""
    config.mkdir()
    demo = json.loads((REPOSITORY / f"include/config/{DAG}.json").read_text())
    demo["storage"]["live"] = "copies"
    demo["notifications"] = {"on_success": [MAIL]}
    (config / f"{DAG}.json").write_text(json.dumps(demo))
    (own,) = below(README, OWN, "json")
    there = '"connection": "my_cluster"'
    image = {
        "registry.example.org/": "higgsdemo/",
        there: f'{there}, "image_pull_policy": "Never"',
    }
    (config / "my-dimuon.json").write_text(replaced(own, image))
    return config


def replaced(text: str, placeholders: dict[str, str]) -> str:
    """README's text with its placeholders filled in, each of which must be there."""
    for placeholder, value in placeholders.items():
        assert placeholder in text
        text = text.replace(placeholder, value)
    return text


def test_the_demo_campaign_runs_on_postgres_with_a_copy_in_redis_and_a_mail_at_its_end(
    deployed: Deployed,
) -> None:
    stack = deployed.stack
    run = stack.trigger("on-postgres")
    assert stack.finish(run) == "success"
    assert stack.summary(run)["shards"] == {"expected": 76, "done": 76, "failed": 0, "missing": 0}
    assert stack.summary(run)["higgs_peak_gev"] == [124.0, 127.0]

    states = deployed.query("select dag_id, run_id, state from dag_run")
    assert states == [(DAG, run, "success")]
    assert not (stack.settings.airflow_home / "airflow.db").exists()

    copies = deployed.redis.client.hgetall(f"{DAG}/{run}")
    results = {document["url"]: document for document in (json.loads(raw) for _, raw in stack.results(run))}
    assert {url: json.loads(copy) for url, copy in copies.items()} == results

    message = eventually(lambda: deployed.mailbox.messages and deployed.mailbox.messages[0], "a mail arrives")
    assert (message["To"], message["Subject"]) == ("shift@example.org", f"{DAG}, {run}: done")


def test_no_secret_of_the_deployment_is_in_a_log(deployed: Deployed) -> None:
    """After the run above, whose pods had the password of Redis."""
    logs = [path for path in deployed.stack.settings.state.rglob("*.log") if path.is_file()]
    assert logs
    secrets = (REDIS_PASSWORD, PASSWORD, PASSWORD.replace(" ", "%20"))
    assert [
        path for path in logs if any(secret in path.read_text(errors="replace") for secret in secrets)
    ] == []


def test_a_newcomer_runs_their_own_analysis_on_their_own_cluster(deployed: Deployed) -> None:
    stack = deployed.stack
    own_cluster(deployed)
    muons = Bucket(stack.settings, "my-data")
    for bucket in (muons, Bucket(stack.settings, "my-results")):
        bucket.create()
    source = stack.settings.state / "demo-data"
    folder = deployed.home / "files"
    for path in sorted(source.rglob("Run2012B_DoubleMuParked*/*.root"))[:6]:
        (folder / "muons").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / "muons")
    assert muons.upload(folder) == 6

    on_this_machine, _build, start, trigger = below(README, OWN, "bash")
    assert on_this_machine == "make demo CAMPAIGN=dimuon\n"
    secrets = stack.settings.secrets
    placeholders = {
        "ACCESS_KEY": secrets.s3_access_key,
        "SECRET_KEY": secrets.s3_secret_key,
        "https://s3.example.org": stack.settings.s3_url,
    }
    deployed.shell(replaced(start, placeholders))
    told = deployed.shell('eval "$(make env)"\n' + trigger)
    assert "6 of 6 shards done" in told

    results = Bucket(stack.settings, "my-results")
    files = {key.rpartition("/")[2]: key for key, _ in results.objects("my-dimuon/")}
    assert results.read(files["spectrum.png"]).startswith(b"\x89PNG\r\n")
    summary = json.loads(results.read(files["summary.json"]))
    assert summary["shards"] == {"expected": 6, "done": 6, "failed": 0, "missing": 0}
    numbers = json.loads(results.read(files["spectrum.json"]))["channels"]["dimuon_mass"]["data"]["counts"]
    assert sum(numbers) == summary["unassigned"]["muons"]["dimuon_mass"] > 10_000
    highest = 60 + numbers.index(max(numbers))
    assert highest <= 91.19 < highest + 1


def own_cluster(deployed: Deployed) -> None:
    """Make a cluster that is there already, and its kubeconfig where people have theirs."""
    stack = deployed.stack
    kubeconfig = deployed.home / ".kube" / "config"
    kubeconfig.parent.mkdir(parents=True)
    with stack.localkube() as admin:
        made = admin.post("clusters", json={"name": "theirs", "nodes": 1, "cpu": "2", "memory": "4Gi"})
        kubeconfig.write_text(json.dumps(made.raise_for_status().json()["kubeconfig"]))
