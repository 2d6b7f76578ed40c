"""The command behind `make up`, `down`, `status`, `env` and `demo`."""

import shlex
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from demo.command import run_campaign
from demo.lifecycle import bring_up
from demo.services import airflow_environment
from demo.settings import REHEARSAL, REPOSITORY, USER, Settings, campaign_file
from demo.supervision import ServiceError, Supervision
from higgsdemo.campaign import apply_conf, load_campaign
from higgsdemo.command_line import options
from higgsdemo.command_line.ending import carry_out
from higgsdemo.command_line.view import view_for

DEMO = "demo-local"
STATE = "HIGGS_STATE"  # environment variable: another state folder of the services than .run

_console = Console(highlight=False)


@click.group()
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    envvar=STATE,
    default=REPOSITORY / ".run",
    help=f"Folder of the services' state; by default {STATE}, or .run.",
)
@click.pass_context
def commands(context: click.Context, state: Path) -> None:
    """Airflow and what it needs, on this machine."""
    context.obj = Supervision(Settings.load(state))


@commands.command()
@click.option("--campaign", default=DEMO, help=f"Whose data to put in place; by default of {DEMO}.")
@click.pass_obj
def up(supervision: Supervision, campaign: str) -> None:
    """Start the services, put the demo's data in place, and say how to reach everything."""
    with view_for(_console) as view, supervision.in_use():
        bring_up(supervision, load_campaign(campaign_file(campaign)), view.say)
        supervision.keep()
        view.print(_addresses(supervision.settings))


@commands.command()
@click.pass_obj
def down(supervision: Supervision) -> None:
    """Stop the services, those of a rehearsal too."""
    rehearsal = supervision.settings.state / REHEARSAL
    ran = False
    for each in (supervision, *([Supervision(Settings.load(rehearsal))] if rehearsal.exists() else [])):
        with each.alone():
            ran = each.stop() or ran
    _console.print("The services are stopped." if ran else "The services were not running.")


@commands.command()
@click.pass_obj
def status(supervision: Supervision) -> int:
    """Show the services; return the exit code, 1 when some of them do not run."""
    states = supervision.states()
    if not states:
        _console.print("The services are not running; `make up` starts them.")
        return 0
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for column in ("service", "state", "process"):
        table.add_column(column)
    for state in states:
        table.add_row(state.name, state.state.lower(), str(state.pid or ""))
    _console.print(table)
    _console.print(f"\n{_addresses(supervision.settings)}", markup=False, soft_wrap=True)
    return 0 if all(state.state == "RUNNING" for state in states) else 1


@commands.command()
@click.pass_obj
def env(supervision: Supervision) -> None:
    """Print what points this shell's `airflow` and `higgsdemo` to the local services: eval "$(make env)"."""
    settings = supervision.settings
    if not supervision.states() or not settings.localkube_token.exists():
        raise ServiceError("The services are not running yet; `make up` starts them.")
    common = settings.environment()
    login = {options.URL: settings.ui_url, options.USER: USER, options.PASSWORD: settings.secrets.ui_password}
    variables = airflow_environment(settings) | settings.connections() | login
    for name, value in (variables | {key: common[key] for key in ("PATH", "PYTHONPATH")}).items():
        print(f"export {name}={shlex.quote(value)}")


@commands.command()
@options.with_conf
@click.pass_obj
def run(supervision: Supervision, dag_id: str, conf: dict[str, Any]) -> None:
    """Run a campaign and show it; the services stop at the end unless `make up` started them."""
    began = time.monotonic()
    campaign = load_campaign(campaign_file(dag_id))
    apply_conf(campaign, conf)
    with view_for(_console) as view:
        try:
            with supervision.in_use():
                bring_up(supervision, campaign, view.say)
                run_campaign(supervision, dag_id, conf, view)
            view.say(f"Done in {time.monotonic() - began:.0f} s.")
        finally:
            if supervision.stop_unless_used():
                view.say("All services are stopped; `make up` keeps them running, to look around and click.")
            else:
                view.say(f"Airflow runs on at {supervision.settings.ui_url}; `make down` stops everything.")


def _addresses(settings: Settings) -> str:
    pods = settings.pod_endpoint
    return "\n".join(
        (
            f"  Airflow      {settings.ui_url}   user {USER}, password {settings.secrets.ui_password}",
            f"  Kubernetes   kubectl --kubeconfig {settings.kubeconfig} --context CLUSTER get pods,jobs -A",
            f"  S3           {settings.s3_url}   keys in {settings.state / 'secrets.json'}",
            *([f"               pods of other clusters: storage.pod_endpoint {pods}"] if pods else []),
            f"  Logs         {settings.logs}",
        )
    )


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command, and return its exit code."""
    return carry_out(lambda: commands.main(arguments, "python -m demo", standalone_mode=False))


if __name__ == "__main__":
    sys.exit(main())
