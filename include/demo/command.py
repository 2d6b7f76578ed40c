"""The frame of the commands behind `make`: how they end, and the campaign that several of them run."""

import json
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from types import FrameType
from typing import Any

from demo.airflow_api import AirflowError
from demo.campaign_run import CampaignRun, CampaignRunError
from demo.demo_data import DataError
from demo.lifecycle import airflow
from demo.supervision import ServiceError, Supervision
from demo.view import View
from higgsdemo.campaign import Campaign, CampaignError
from higgsdemo.wording import printable_lines

INTERRUPTED = 130
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


def carry_out(command: Callable[[], int]) -> int:
    """Run a command and return its exit code; report errors in a sentence.

    A terminal that closes interrupts it like Ctrl-C, so that it stops what it has started.
    """
    for sort in _ENDINGS:
        if signal.getsignal(sort) != signal.SIG_IGN:  # as `nohup` sets it
            signal.signal(sort, _interrupt)
    try:
        return command()
    except (AirflowError, CampaignError, CampaignRunError, DataError, ServiceError, ValueError) as error:
        print("", *printable_lines(str(error)), sep="\n", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return INTERRUPTED


def parse_conf(text: str) -> dict[str, Any]:
    """Return a trigger's conf from JSON text; raise ValueError when it is not a JSON object."""
    try:
        conf = json.loads(text)
    except ValueError as error:
        raise ValueError(f"the conf is not JSON: {error}") from None
    if not isinstance(conf, dict):
        raise ValueError('the conf must be a JSON object, such as {"max_shards": 2}')
    return conf


def run_campaign(
    supervision: Supervision, dag_id: str, campaign: Campaign, conf: dict[str, Any], view: View
) -> CampaignRun:
    """Run a campaign to its end, and report its result."""
    with closing(airflow(supervision.settings)) as session:
        run = CampaignRun(supervision, session, dag_id, campaign, conf)
        run.start()
        view.say(f"Campaign {dag_id}, run {run.run_id}: {run.url}")
        run.follow(view)
        view.print("", run.report(), "")
    return run


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    for sort in _ENDINGS:  # one is enough: what stops the services must not be stopped itself
        signal.signal(sort, signal.SIG_IGN)
    raise KeyboardInterrupt
