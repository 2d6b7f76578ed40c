"""The command behind `make up`, `down`, `status`, `env`, `demo` and `watch`."""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Table

from demo.airflow_api import Airflow
from demo.command import carry_out, parse_conf, run_campaign
from demo.lifecycle import airflow, bring_up
from demo.services import airflow_environment
from demo.settings import REHEARSAL, REPOSITORY, USER, Settings, campaign_file
from demo.supervision import ServiceError, Supervision
from demo.view import view_for
from demo.watch import Watched, show_live, show_once
from higgsdemo.campaign import apply_conf, load_campaign

DEMO = "demo-local"
STATE = "HIGGS_STATE"  # environment variable: another state folder of the services than .run

Command = Callable[[argparse.Namespace, Supervision, Console], int]


def main(arguments: list[str] | None = None) -> int:
    """Run one command, and return its exit code."""
    options = _parser().parse_args(arguments)
    command: Command = options.command

    def chosen() -> int:
        return command(options, Supervision(Settings.load(options.state)), Console(highlight=False))

    return carry_out(chosen)


def up(options: argparse.Namespace, supervision: Supervision, console: Console) -> int:
    """Start the services, put the demo's data in place, and say how to reach everything."""
    with view_for(console) as view, supervision.in_use():
        bring_up(supervision, load_campaign(campaign_file(DEMO)), view.say)
        supervision.keep()
        view.print(_addresses(supervision.settings))
    return 0


def down(options: argparse.Namespace, supervision: Supervision, console: Console) -> int:
    """Stop the services, those of a rehearsal too."""
    rehearsal = supervision.settings.state / REHEARSAL
    ran = False
    for each in (supervision, *([Supervision(Settings.load(rehearsal))] if rehearsal.exists() else [])):
        with each.alone():
            ran = each.stop() or ran
    console.print("The services are stopped." if ran else "The services were not running.")
    return 0


def status(options: argparse.Namespace, supervision: Supervision, console: Console) -> int:
    """Show the services; return the exit code, 1 when some of them do not run."""
    states = supervision.states()
    if not states:
        console.print("The services are not running; `make up` starts them.")
        return 0
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for column in ("service", "state", "process"):
        table.add_column(column)
    for state in states:
        table.add_row(state.name, state.state.lower(), str(state.pid or ""))
    console.print(table)
    console.print(f"\n{_addresses(supervision.settings)}", markup=False, soft_wrap=True)
    return 0 if all(state.state == "RUNNING" for state in states) else 1


def env(options: argparse.Namespace, supervision: Supervision, console: Console) -> int:
    """Print what points this shell's `airflow` to the local services: eval "$(make env)"."""
    if not supervision.states():
        raise ServiceError("The services are not running; `make up` starts them.")
    settings = supervision.settings
    common = settings.environment()
    variables = airflow_environment(settings) | settings.connections()
    for name, value in (variables | {key: common[key] for key in ("PATH", "PYTHONPATH")}).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def run(options: argparse.Namespace, supervision: Supervision, console: Console) -> int:
    """Run a campaign and show it; the services stop at the end unless `make up` started them."""
    began = time.monotonic()
    campaign = load_campaign(campaign_file(options.campaign))
    conf = parse_conf(options.conf)
    apply_conf(campaign, conf)
    with view_for(console) as view:
        try:
            with supervision.in_use():
                bring_up(supervision, campaign, view.say)
                run_campaign(supervision, options.campaign, campaign, conf, view)
            view.say(f"Done in {time.monotonic() - began:.0f} s.")
        finally:
            if supervision.stop_unless_used():
                view.say("All services are stopped; `make up` keeps them running, to look around and click.")
            else:
                view.say(f"Airflow runs on at {supervision.settings.ui_url}; `make down` stops everything.")
    return 0


def watch(options: argparse.Namespace, supervision: Supervision, console: Console) -> int:
    """Show a run by cluster and in total, live or once, of the local Airflow or the named one."""
    with closing(_session(options.airflow, supervision)) as session:
        watched = Watched(session, options.campaign, options.run or None)
        if options.once or options.json:
            return show_once(watched, console, options.json)
        return show_live(watched, view_for(console))


def _session(url: str, supervision: Supervision) -> Airflow:
    """Open the Airflow at a URL with the login of the environment; without a URL, the local one."""
    if not url:
        if not supervision.states():
            raise ServiceError("The services are not running; `make up` starts them.")
        return airflow(supervision.settings)
    try:
        return Airflow(url, os.environ["HIGGS_AIRFLOW_USER"], os.environ["HIGGS_AIRFLOW_PASSWORD"])
    except KeyError as missing:
        raise ValueError(f"to log in to {url}, set the environment variable {missing}") from None


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument(
        "--state",
        type=Path,
        default=os.environ.get(STATE) or REPOSITORY / ".run",
        help=f"folder of the services' state; by default {STATE}, or .run",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in (up, down, status, env, run, watch):
        added = commands.add_parser(command.__name__, help=command.__doc__)
        added.set_defaults(command=command)
        if command in (run, watch):
            added.add_argument(
                "--campaign", default=DEMO, help="a file of include/config, without its ending"
            )
        if command is watch:
            added.add_argument(
                "--run", default="", help="the run's id in Airflow, or its name; the latest by default"
            )
            added.add_argument("--airflow", default="", help="URL of another Airflow than the local one")
            added.add_argument("--once", action="store_true", help="show it as it is now, and end")
            added.add_argument("--json", action="store_true", help="the same as JSON")
        if command is run:
            added.add_argument("--conf", default="{}", help="what the DAG is triggered with, as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
