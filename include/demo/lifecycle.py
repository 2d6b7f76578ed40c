"""Bring the services up, healthy and with the demo's data in place, as fast as two cores allow."""

import ssl
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import httpx

from demo.demo_data import fill_bucket, generate, make_buckets, reads_demo
from demo.ports import ports_to_choose
from demo.services import AIRFLOW, FOUNDATIONS
from demo.settings import USER, Settings
from demo.supervision import ServiceError, Supervision
from higgsdemo.campaign import Campaign
from higgsdemo.command_line.airflow_api import Airflow, AirflowAwayError

_START_SECONDS = 600
"""Seconds that the services may take to become healthy, also on a busy machine."""

Say = Callable[[str], None]


def bring_up(supervision: Supervision, campaign: Campaign, say: Say, with_data: bool = True) -> None:
    """Start the services that do not run yet, and make and fill the campaign's buckets.

    Data and Airflow's database are made while the services start. Services started in vain are stopped again.

    :param with_data: False leaves the buckets empty: a rehearsal's S3 server has its own objects, and forgets
        results when it ends.
    :raises ServiceError, DataError: when that fails.
    """
    theirs = "Another command starts or stops these services: waiting ..."
    with supervision.alone(lambda: say(theirs)), ExitStack() as until_up:
        made = None
        if with_data and reads_demo(campaign):
            pool = until_up.enter_context(ThreadPoolExecutor(1))
            folder = supervision.settings.state / "demo-data"
            made = pool.submit(generate, folder, supervision.settings.environment())
        fresh = not supervision.states()
        if fresh:
            busy = "Another checkout starts its services: waiting until they have their ports ..."
            until_up.enter_context(ports_to_choose(lambda: say(busy)))
        went_down = with_data and supervision.session_file.exists()  # `stop` removes it
        known = supervision.settings.s3_url
        began = datetime.now(UTC)
        if fresh:
            say("Starting Airflow, an S3 server and localkube ...")
            supervision.start_supervisor()
        try:
            _bring_up(supervision, campaign, say, made)
            if fresh and not (went_down and supervision.settings.s3_url == known):
                wait_until(supervision, lambda: _runs_going_on(supervision.settings, began))
        except BaseException:
            if fresh:
                supervision.stop()
            raise
        say(f"Airflow, the S3 server and localkube are up ({(datetime.now(UTC) - began).seconds} s)")
        if supervision.settings.pod_endpoint:
            say(
                f"The S3 server listens on {supervision.settings.s3_host} and checks no keys: who reaches "
                "that address reads and writes all that is in it"
            )


def _bring_up(supervision: Supervision, campaign: Campaign, say: Say, data: Future[Path] | None) -> None:
    settings = supervision.settings
    supervision.write_images()
    supervision.start(service.name for service in FOUNDATIONS)
    token = settings.localkube_token
    wait_until(supervision, lambda: None if token.exists() else "localkube has made no token")
    supervision.start(service.name for service in AIRFLOW)
    wait_until(supervision, lambda: _foundations_missing(settings))
    make_buckets(settings, campaign)
    if data:
        files = fill_bucket(settings, campaign, data.result())
        say(f"{files} files of simulated collisions are in {campaign.storage.input}")
    with closing(airflow(settings)) as session:  # once: each loads certificates
        wait_until(supervision, lambda: _airflow_missing(session))


def _runs_going_on(settings: Settings, before: datetime) -> str | None:
    """Fail the runs that were stopped with the services: they would block the campaign's next one.

    Those that the machine's end interrupted go on, if the store is where their pods look for it. Airflow may
    fail a request while its scheduler takes the same runs up again.
    """
    with closing(airflow(settings)) as session:
        try:
            for dag_id, run_id in session.active_runs(before):
                session.fail(dag_id, run_id)
        except AirflowAwayError as error:
            return str(error)
    return None


def wait_until(supervision: Supervision, missing: Callable[[], str | None]) -> None:
    """Wait until nothing is missing; raise ServiceError when a service gives up, or it takes too long."""
    deadline = time.monotonic() + _START_SECONDS
    while what := missing():
        supervision.check()
        if time.monotonic() > deadline:
            logs = supervision.settings.logs
            raise ServiceError(f"After {_START_SECONDS} s still {what}; the logs are in {logs}")
        time.sleep(0.2)


def airflow(settings: Settings) -> Airflow:
    """Return a session with the local Airflow."""
    return Airflow(settings.ui_url, USER, settings.secrets.ui_password)


def _foundations_missing(settings: Settings) -> str | None:
    try:
        httpx.get(settings.s3_url, trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        return f"no S3 server answers at {settings.s3_url} ({error})"
    try:
        httpx.get(
            f"{settings.localkube_url}/localkube/clusters",
            headers={"Authorization": f"Bearer {settings.localkube_token.read_text().strip()}"},
            verify=ssl.create_default_context(cafile=settings.localkube_ca),
            trust_env=False,
        ).raise_for_status()
    except (httpx.HTTPError, OSError) as error:
        return f"no localkube answers at {settings.localkube_url} ({error})"
    return None


def _airflow_missing(session: Airflow) -> str | None:
    try:
        sick = [name for name, status in session.health().items() if status != "healthy"]
    except AirflowAwayError as error:
        return str(error)
    return f"Airflow's {', '.join(sick)} not healthy" if sick else None
