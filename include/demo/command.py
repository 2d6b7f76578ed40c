"""A campaign run through the local services, as several of the commands behind `make` do."""

import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo.lifecycle import airflow
from demo.supervision import Supervision
from higgsdemo.command_line.airflow_api import Airflow, AirflowAwayError
from higgsdemo.command_line.campaign_run import CampaignRun, CampaignRunError, refuse_unread
from higgsdemo.command_line.view import View

_PARSE_SECONDS = 300
"""Seconds that the dag processor gets to find a DAG: ten times what it needs on two cores."""


def run_campaign(supervision: Supervision, dag_id: str, conf: dict[str, Any], view: View) -> CampaignRun:
    """Run a campaign to its end, and report its result."""
    with closing(airflow(supervision.settings)) as session:
        run = CampaignRun(session, dag_id, conf, supervision.check)
        start(supervision, session, run)
        view.say(f"Campaign {dag_id}, run {run.run_id}: {run.url}")
        run.follow(view)
        results, here = supervision.settings.results, Path.cwd()
        folder = results.relative_to(here) if results.is_relative_to(here) else results
        view.print("", run.report(str(folder)), "")
        return run


def start(supervision: Supervision, session: Airflow, run: CampaignRun) -> None:
    """Start a run once Airflow has read its DAG; raise CampaignRunError when it does not.

    An earlier import error may be of a file that is mended by now.
    """
    began, deadline = datetime.now(UTC), time.monotonic() + _PARSE_SECONDS
    while True:
        try:
            if session.has_dag(run.dag_id):
                run.start()
                return
            refuse_unread(session, run.dag_id, began)
        except AirflowAwayError:
            pass
        supervision.check()
        if time.monotonic() > deadline:
            log = supervision.settings.logs / "dag-processor.log"
            raise CampaignRunError(
                f"{run.dag_id} has not been read yet by Airflow, after {_PARSE_SECONDS} s; see {log}"
            )
        time.sleep(0.3)
