"""The local services' state folder, ports and secrets, and how Airflow reaches them.

All state is in one folder (`.run/` of the checkout), to be looked at, deleted, or kept twice. Ports and
secrets are chosen once and stored there, so that links, kubeconfigs and passwords outlive a restart.
"""

import base64
import json
import os
import secrets
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from demo.files import locked, read_content, write_private
from demo.ports import ALL_HOSTS, HOST, Ports, check_address, outward_address
from higgsdemo.campaign import config_files, config_folder
from higgsdemo.campaign.load import CONFIG
from higgsdemo.catalogue.files import DATASETS
from higgsdemo.wording import did_you_mean, quote

REGION = "us-east-1"
REPOSITORY = Path(__file__).resolve().parents[2]
REHEARSAL = Path("rehearsal", "state")  # the state of a rehearsal's services, below that of the others

USER = "admin"

DATABASE = "HIGGS_DATABASE"  # environment variable: a database for Airflow instead of SQLite, as a URL
S3_HOST = "HIGGS_S3_HOST"  # environment variable: an address for the S3 server that pods elsewhere reach

_CHOICES = {DATABASE: "database.url", S3_HOST: "s3.host"}
"""For each variable, the file of the state folder that stores its value."""

Model = TypeVar("Model", bound=BaseModel)

_LONGEST_SOCKET_PATH = 90
"""Bytes. A Unix socket path ends at 104 (macOS) or 108 (Linux); the supervisor first binds a longer one."""


class Secrets(BaseModel):
    """Random passwords and signing keys of one state folder, made once."""

    model_config = ConfigDict(frozen=True)

    ui_password: str = Field(default_factory=lambda: secrets.token_urlsafe(12))
    s3_access_key: str = Field(default_factory=lambda: secrets.token_hex(10))
    s3_secret_key: str = Field(default_factory=lambda: secrets.token_urlsafe(30))
    api_secret_key: str = Field(default_factory=lambda: secrets.token_urlsafe(32))
    jwt_secret: str = Field(default_factory=lambda: secrets.token_urlsafe(48))
    fernet_key: str = Field(default_factory=lambda: base64.urlsafe_b64encode(os.urandom(32)).decode())


class StandIns(BaseModel):
    """What replaces a cloud.

    :param s3: module and arguments of the S3 server, which runs in the state folder.
    :param simulate: how localkube simulates the nodes of its clusters; None for pods that really run.
    :param pods: module and arguments of what then replaces the pods' containers.
    """

    model_config = ConfigDict(frozen=True)

    s3: tuple[str, ...] = ("demo.store", "--file", "s3.sqlite")
    simulate: dict[str, float] | None = None
    pods: tuple[str, ...] = ()

    @classmethod
    def chosen(cls, state: Path) -> Self:
        """Read those of a state folder, by default the demo's; raise ValueError when they cannot be read."""
        path = state / "stand-ins.json"
        return read_content(cls, path, "remove it to have those of the demo") if path.exists() else cls()

    def save(self, state: Path) -> None:
        """Choose these for the services of a state folder."""
        write_private(state / "stand-ins.json", self.model_dump_json(indent=2))


class Below:
    """The path of something below the state folder."""

    def __init__(self, *parts: str) -> None:
        self._parts = parts

    def __get__(self, settings: "Settings", kind: type) -> Path:
        return settings.state.joinpath(*self._parts)


class Settings(BaseModel):
    """Paths, ports and secrets of one state folder."""

    model_config = ConfigDict(frozen=True)

    logs: ClassVar[Below] = Below("logs")  # one for each service
    airflow_home: ClassVar[Below] = Below("airflow")  # Airflow's database and task logs
    database_mark: ClassVar[Below] = Below("airflow", "migrated-for")  # the version of the database
    images: ClassVar[Below] = Below("images.json")  # what localkube runs for each image name
    localkube_state: ClassVar[Below] = Below("localkube")
    kubeconfig: ClassVar[Below] = Below("localkube", "kubeconfig")  # one context for each running cluster
    localkube_ca: ClassVar[Below] = Below("localkube", "ca.crt")
    localkube_token: ClassVar[Below] = Below("localkube", "admin.token")  # made at its first start

    state: Path
    ports: Ports
    secrets: Secrets
    stand_ins: StandIns = StandIns()

    @classmethod
    def load(cls, state: Path) -> Self:
        """Read the folder's ports and secrets; when new, make them and the folder, for its owner alone.

        :raises ValueError: naming what cannot be made or read.
        """
        state = state.absolute()
        for folder in (state, state / "logs", state / "airflow"):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise ValueError(
                    f"The services' state has no place: {folder} cannot be made ({error.strerror})"
                ) from None
        with locked(state / "made.lock"):  # two commands may be the first
            return cls(
                state=state,
                ports=_remembered(Ports, state / "ports.json"),
                secrets=_remembered(Secrets, state / "secrets.json"),
                stand_ins=StandIns.chosen(state),
            )

    def with_free_ports(self) -> Self:
        """Return and store the settings with another port for each that somebody else listens on.

        Only to be called while the services are down, or their own ports look taken.
        """
        ports = self.ports.free(self.s3_host)
        write_private(self.state / "ports.json", ports.model_dump_json(indent=2))
        return self.model_copy(update={"ports": ports})

    @property
    def ui_url(self) -> str:
        """Airflow's web interface and REST API."""
        return f"http://{HOST}:{self.ports.ui}"

    @property
    def s3_url(self) -> str:
        """The S3 server, for Airflow and for pods on this machine."""
        return f"http://{HOST if self.s3_host == ALL_HOSTS else self.s3_host}:{self.ports.s3}"

    @property
    def s3_host(self) -> str:
        """The address that the S3 server listens on, as chosen when the services last started."""
        return self._chosen(S3_HOST) or HOST

    @property
    def pod_endpoint(self) -> str | None:
        """The S3 server for pods of other clusters; None while only this machine reaches it."""
        if self.s3_host == HOST:
            return None
        host = outward_address() if self.s3_host == ALL_HOSTS else self.s3_host
        return f"http://{host}:{self.ports.s3}"

    @property
    def localkube_url(self) -> str:
        """localkube's admin API and, below it, the Kubernetes API of each cluster."""
        return f"https://{HOST}:{self.ports.localkube}"

    @property
    def results(self) -> Path:
        """The folder where runs leave a copy of their summary and plot, beside the state folder."""
        return self.state.parent / "results"

    @property
    def database(self) -> str:
        """The URL of Airflow's database, as chosen when the services last started."""
        here = f"sqlite:///{self.airflow_home / 'airflow.db'}?timeout=60"  # s: others may write meanwhile
        return self._chosen(DATABASE) or here

    @property
    def database_version(self) -> str:
        """What tells databases apart: where one is, and the dependencies that it was made with."""
        of_lock = (REPOSITORY / "requirements.lock").read_bytes()
        return sha256(of_lock + self.database.encode()).hexdigest()

    def choose(self) -> None:
        """Store what the environment chooses, until the services start again; they must be down now.

        Airflow's own variable for the database is not read: in a shell it may name that of another Airflow.

        :raises ValueError: when the S3 server cannot listen on the chosen address.
        """
        if host := os.environ.get(S3_HOST):
            check_address(S3_HOST, host)
        for variable, name in _CHOICES.items():
            (self.state / name).unlink(missing_ok=True)
            if value := os.environ.get(variable):
                write_private(self.state / name, value)

    def _chosen(self, variable: str) -> str | None:
        path = self.state / _CHOICES[variable]
        return path.read_text() if path.exists() else None

    @property
    def control_socket(self) -> Path:
        """Where the supervisor listens: in the state folder, or in /tmp when that path is too long."""
        path = self.state / "supervisor.sock"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
            return path
        return Path(tempfile.gettempdir()) / f"higgs-{sha256(os.fsencode(path)).hexdigest()[:12]}.sock"

    def environment(self) -> dict[str, str]:
        """Return the environment that all services share.

        It is the caller's, without what would make the services use another Airflow, cluster or AWS account;
        a folder stays the one that the caller means, although services run in the state folder.
        """
        strange = ("AIRFLOW__", "AIRFLOW_HOME", "AWS_", "KUBECONFIG", "PYTHON")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
        kept |= {name: os.path.abspath(kept[name]) for name in (CONFIG, DATASETS) if kept.get(name)}
        local = ",".join(dict.fromkeys((HOST, "localhost", self.s3_host)))
        return kept | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": f"{REPOSITORY / 'plugins'}{os.pathsep}{REPOSITORY / 'include'}",
            "PYTHONUNBUFFERED": "1",
            "NO_PROXY": f"{kept['NO_PROXY']},{local}" if kept.get("NO_PROXY") else local,
            "no_proxy": f"{kept['no_proxy']},{local}" if kept.get("no_proxy") else local,
        }

    def connections(self) -> dict[str, str]:
        """Return Airflow's connections to the local services, as environment variables.

        :raises FileNotFoundError: before localkube has made its token.
        """
        localkube: dict[str, object] = {"ca": str(self.localkube_ca)}
        if self.stand_ins.simulate:
            localkube["simulate"] = self.stand_ins.simulate
        return {
            "AIRFLOW_CONN_HIGGS_S3": json.dumps(
                {
                    "conn_type": "aws",
                    "login": self.secrets.s3_access_key,
                    "password": self.secrets.s3_secret_key,
                    "extra": {"endpoint_url": self.s3_url, "region_name": REGION},
                }
            ),
            "AIRFLOW_CONN_LOCALKUBE_DEFAULT": json.dumps(
                {
                    "conn_type": "http",
                    "host": f"https://{HOST}",
                    "port": self.ports.localkube,
                    "password": self.localkube_token.read_text().strip(),
                    "extra": localkube,
                }
            ),
        }


def campaign_file(dag_id: str) -> Path:
    """Return the file of a campaign, in `include/config` or the folder that `HIGGS_CONFIG` names.

    :raises ValueError: when there is none, with a list of those that exist.
    :raises CampaignError: for a folder that cannot be listed.
    """
    folder = config_folder(REPOSITORY / "dags")
    files = {path.stem: path for path in config_files(folder)}
    if dag_id not in files:
        hint, known = did_you_mean(dag_id, files), ", ".join(files) or "none"
        raise ValueError(
            f"There is no campaign {quote(dag_id)} in {folder}{hint} (the campaigns are {known})"
        )
    return files[dag_id]


def _remembered(model: type[Model], path: Path) -> Model:
    if path.exists():
        return read_content(model, path, "remove it, and it is recreated")
    made = model()
    write_private(path, made.model_dump_json(indent=2))
    return made
