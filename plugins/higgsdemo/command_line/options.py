"""The options that several commands share: of which Airflow, of which campaign, and what a run changes."""

import os
from collections.abc import Callable
from contextlib import closing
from functools import wraps
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from higgsdemo.campaign.document import check_document, parse_json, read_document
from higgsdemo.campaign.load import dag_id_problem
from higgsdemo.campaign.model import Campaign
from higgsdemo.campaign.original import OriginalList
from higgsdemo.campaign.problems import CampaignError, problems_of
from higgsdemo.campaign.resolve import with_defaults
from higgsdemo.campaign.trigger_conf import CAMPAIGN_KEYS, SOURCE, check_conf
from higgsdemo.command_line.airflow_api import Airflow
from higgsdemo.wording import quote

URL, USER, PASSWORD, TOKEN = (f"HIGGS_AIRFLOW_{name}" for name in ("URL", "USER", "PASSWORD", "TOKEN"))
"""Environment variables. Secrets are no options, which every process of the machine can read."""

KEYS = ("--access-key", "--secret-key")
Command = Callable[..., int | None]

run = click.argument("run", required=False)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
follow = click.option("--follow", "-f", is_flag=True, help="Show the run until it ends, and its result.")
campaign = click.option(
    *("--campaign", "-c"),
    metavar="ID",
    envvar="HIGGS_CAMPAIGN",
    show_envvar=True,
    help="The campaign: the name of its file without .json.",
)
_mapping = click.option(
    "--dataset-mapping",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Clusters and datasets of this file, of 2019 or ours, instead of the campaign's; the campaign is by "
    "default the one of its name.",
)


def with_airflow(command: Command) -> Command:
    """Give a command a session with the Airflow that its options name, as `airflow`."""

    @click.option(
        "--airflow",
        "url",
        metavar="URL",
        envvar=URL,
        show_envvar=True,
        required=True,
        help="Airflow's address.",
    )
    @click.option(
        "--user",
        envvar=USER,
        show_envvar=True,
        help=f"Who logs in, with the password in {PASSWORD}; not needed with a token in {TOKEN}.",
    )
    @wraps(command)
    def connected(*, url: str, user: str | None, **options: Any) -> int | None:
        token, password = os.environ.get(TOKEN), os.environ.get(PASSWORD)
        for name, value in (("--airflow", url), (TOKEN, token or "")):
            if not value.isprintable():  # libraries would repeat it, and a token is a secret
                raise click.UsageError(f"{name} has a character that cannot be printed, perhaps a line end")
        if not token and not (user and password):
            raise click.UsageError(f"to log in to {url}, set {USER} and {PASSWORD}, or {TOKEN}")
        with closing(Airflow(url.rstrip("/"), user or "", password or "", token)) as airflow:
            return command(airflow=airflow, **options)

    return connected


def of_campaign(command: Command) -> Command:
    """Give a command the id of a campaign, as `dag_id`."""

    @campaign
    @_mapping
    @wraps(command)
    def chosen(*, campaign: str | None, dataset_mapping: Path | None, **options: Any) -> int | None:
        return command(dag_id=_dag_id(campaign, dataset_mapping), **options)

    return chosen


def with_conf(command: Command) -> Command:
    """Give a command the id of a campaign, and what a run of it is triggered with, as `dag_id` and `conf`."""

    @campaign
    @_mapping
    @click.option(
        *("--clusters", "--cluster"),
        metavar="NAMES",
        multiple=True,
        help="Only these clusters, with commas between them.",
    )
    @click.option("--max-shards", type=int, help="Only the first so many shards of each dataset.")
    @click.option("--run-name", metavar="NAME", help="Name of the run's folder, instead of the run's id.")
    @click.option("--compare", metavar="NAME", help="Show published events of the catalogue beside the data.")
    @click.option(
        "--set",
        "changes",
        multiple=True,
        metavar="KEY=VALUE",
        help="Another value of the campaign for this run, as JSON or text: cleanup=none, "
        "storage.input=s3://mine. May be repeated.",
    )
    @click.option("--conf", default="{}", metavar="JSON", help="All of these as the run's conf.")
    @wraps(command)
    def chosen(
        *,
        campaign: str | None,
        dataset_mapping: Path | None,
        clusters: tuple[str, ...],
        changes: tuple[str, ...],
        conf: str,
        **options: Any,
    ) -> int | None:
        told = {key: options.pop(key) for key in ("max_shards", "run_name", "compare")}
        told["clusters"] = [name for names in clusters for name in names.split(",")] or None
        of_file = _conf_of(dataset_mapping) if dataset_mapping else {}
        known = of_file | parse_conf(conf) | {key: value for key, value in told.items() if value is not None}
        for change in changes:
            _change(known, change)
        check_conf(known)
        return command(dag_id=_dag_id(campaign, dataset_mapping), conf=known, **options)

    return chosen


def refuse_keys(command: Command) -> Command:
    """Say of the original's options for keys what has taken their place."""

    def refuse(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise click.UsageError(
                f"{parameter.opts[0]} is not taken: every process of this machine could read it. An Airflow "
                "connection has the keys, once for all runs: airflow connections add aws_default --conn-type "
                "aws --conn-login ACCESS_KEY --conn-password SECRET_KEY"
            )

    for key in KEYS:
        command = click.option(key, hidden=True, expose_value=False, callback=refuse)(command)
    return command


def parse_conf(text: str) -> dict[str, Any]:
    """Return a trigger's conf from JSON text; raise ValueError when it is not a proper JSON object."""
    try:
        conf = parse_json(text)
    except ValueError as error:
        raise ValueError(f"the conf is not JSON: {error}") from None
    if not isinstance(conf, dict):
        raise ValueError('the conf must be a JSON object, such as {"max_shards": 2}')
    check_document(conf, SOURCE, root="it")
    return conf


def _dag_id(campaign: str | None, mapping: Path | None) -> str:
    if name := campaign or (mapping and mapping.stem):
        if problem := dag_id_problem(name):
            raise click.UsageError(f"the campaign {problem}")
        return name
    raise click.UsageError("which campaign? Name it with --campaign, or a file with --dataset-mapping")


def _conf_of(file: Path) -> dict[str, Any]:
    """Return what makes a campaign run the clusters and datasets of a file; raise ValueError if it cannot."""
    document = read_document(file)
    check_document(document, str(file), root="the file")
    if isinstance(document, list):
        return {"mapping": OriginalList(document).document["mapping"]}
    try:
        campaign = Campaign.model_validate(document)
    except ValidationError as error:
        raise CampaignError(str(file), problems_of(error)) from None
    if campaign.datasets:
        raise ValueError(
            f"{file}: its datasets are for all clusters together, which a run cannot be given: make it a "
            "campaign of its own in Airflow's folder of campaigns"
        )
    mapping = [with_defaults(campaign.defaults, entry) for entry in campaign.mapping]
    return {key: document[key] for key in CAMPAIGN_KEYS if key in document} | {"mapping": mapping}


def _change(conf: dict[str, Any], change: str) -> None:
    """Set one value, given as KEY=VALUE; a key may be that of a field inside: storage.input."""
    path, equals, text = change.partition("=")
    *outer, key = path.split(".")
    if not equals or not all((*outer, key)):
        raise click.UsageError(f"--set {quote(change)}: it must be KEY=VALUE, such as cleanup=none")
    for name in outer:
        conf = conf.setdefault(name, {})
        if not isinstance(conf, dict):
            raise click.UsageError(f"--set {quote(change)}: {name} has no fields")
    try:
        conf[key] = parse_json(text)
    except ValueError as error:
        if text.startswith(("[", "{")):
            raise click.UsageError(f"--set {path} is not JSON: {error}") from None
        conf[key] = text
