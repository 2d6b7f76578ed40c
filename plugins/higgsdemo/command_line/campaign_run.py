"""One run of a campaign: start it, follow it by the API of its page in Airflow, and report its result."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import PurePath
from secrets import token_hex
from typing import Any

from higgsdemo.command_line.airflow_api import FINISHED, Airflow, AirflowAwayError, AirflowError
from higgsdemo.command_line.ending import CommandError
from higgsdemo.command_line.view import State, View, why
from higgsdemo.prediction import account_table
from higgsdemo.publication.summary import Summary
from higgsdemo.publication.yields_table import yields_table
from higgsdemo.run_folder import FILE_URLS, SUMMARY, picture_key

_SHOWN = (picture_key(False, "png"), picture_key(True, "png"), FILE_URLS)
"""What a run leaves for people: the first of these that it has."""

DAG_FILE = "higgs.py"
"""The file of `dags/` that makes a DAG of each campaign."""

_LOST_SECONDS = 90.0
"""Seconds for which a busy Airflow may not answer: its SQLite waits up to 60 for a lock."""

_LOOK_SECONDS = 1.0
_UNREADABLE_SECONDS = 30.0  # seconds after which a finished run whose folder cannot be read is given up

_AWAY_SECONDS = 120.0  # seconds that Airflow may not answer; a killed one is back in about 10

Check = Callable[[], None]


class CampaignRunError(CommandError):
    """The campaign did not run, or failed; the message says why."""


class Watched:
    """One run of a campaign, by default the latest; raises AirflowError when there is none."""

    def __init__(self, airflow: Airflow, dag_id: str, run_id: str | None) -> None:
        self._airflow = airflow
        self._dag_id = dag_id
        runs = [] if run_id else airflow.campaign(dag_id)["runs"]
        if not run_id and not runs:
            raise AirflowError(f"{dag_id} has not run yet")
        self._run_id = run_id or str(runs[0]["run_id"])

    def look(self) -> State:
        """Return the run as it is now, as far as the server has read its results."""
        return self._airflow.campaign_run(self._dag_id, self._run_id)

    def look_whole(self) -> State:
        """Return the run once the server has read all existing results."""
        while True:
            state = self.look()
            if state["reading"]["complete"] or state["reading"]["error"] or not state["clusters"]:
                return state
            time.sleep(0.2)

    def follow(self, check: Check = lambda: None) -> Iterator[State]:
        """Yield the run again and again until it has ended and is read completely, or cannot be.

        :param check: called while Airflow is away.
        :raises AirflowAwayError: when it is away for too long.
        """
        answered = readable = time.monotonic()
        while True:
            try:
                state = self.look()
            except AirflowAwayError as error:
                check()
                if time.monotonic() - answered > _AWAY_SECONDS:
                    raise AirflowAwayError(f"{error}; given up after {_AWAY_SECONDS:.0f} s") from error
            else:
                answered = time.monotonic()
                yield state
                ended, reading = state["run"]["state"] in FINISHED, state["reading"]
                if not ended or not reading["error"]:
                    readable = answered
                given_up = answered - readable > _UNREADABLE_SECONDS
                if ended and (reading["complete"] or not state["clusters"] or given_up):
                    return
            time.sleep(_LOOK_SECONDS)


def show_live(watched: Watched, view: View) -> State:
    """Show the run until it ends; return its last state."""
    state: State = {}
    with view:
        for state in watched.follow():
            view.show(state)
        if error := state["reading"]["error"]:
            view.say(error)
        view.say(f"run {state['run']['run_id']}: {state['run']['state']}")
    return state


class CampaignRun:
    """A run with an id that is new to Airflow, also when `conf` names a run to resume.

    :param conf: what the DAG is triggered with; without a name there, the run has its id for a name.
    :param check: called while Airflow is away.
    """

    def __init__(
        self, airflow: Airflow, dag_id: str, conf: dict[str, Any], check: Check = lambda: None
    ) -> None:
        self.dag_id = dag_id
        self.run_id = f"{datetime.now(UTC):run-%Y%m%dt%H%M%S}-{token_hex(2)}"
        self.conf = conf
        self.url = f"{airflow.url}/dags/{dag_id}/runs/{self.run_id}"
        self.submits = "submit" in (conf.get("stages") or ["submit"])
        self._airflow = airflow
        self._check = check
        self._state: State = {}

    def start(self) -> None:
        """Trigger the DAG; again if the answer was lost, which may have started the run."""
        began = time.monotonic()
        while True:
            try:
                return self._airflow.trigger(self.dag_id, self.run_id, self.conf)
            except AirflowAwayError:
                if time.monotonic() - began > _LOST_SECONDS:
                    raise
            time.sleep(1)

    def follow(self, view: View) -> State:
        """Show the run until it ends, and return its last state; raise CampaignRunError when it fails."""
        for state in Watched(self._airflow, self.dag_id, self.run_id).follow(self._check):
            self._state = state
            view.show(state)
        if self._state["run"]["state"] == "failed":
            failed = f"The run {self.run_id} of {self.dag_id} failed."
            raise CampaignRunError("\n".join([failed, *why(self._state), f"All of it: {self.url}"]))
        return self._state

    @cached_property
    def summary(self) -> Summary:
        """The summary of a run that has ended; raises CampaignRunError when a file is missing."""
        for what, names in (("summary", (SUMMARY,)), ("plot and no list of files", _SHOWN)):
            if not set(names) & set(self._state["files"]):
                raise CampaignRunError(f"The run has left no {what} in {self._state['output']}")
        return Summary.model_validate_json(self._airflow.file(self.dag_id, self.run_id, SUMMARY))

    def report(self, folder: str | None = None) -> str:
        """Return yields, what the run took and where the plot is; without submit, what the run did.

        :param folder: that has a copy of the runs' files; by default that of the bucket is named.
        :raises CampaignRunError: as `summary` does.
        """
        if not self.submits:
            stages = ", ".join(self.conf["stages"])
            return f"Stages done: {stages}. Only the stage submit leaves yields and a plot."
        summary = self.summary
        made = next(name for name in _SHOWN if name in self._state["files"])
        where = f"{folder}/{self.dag_id}/{self._state['run']['name']}" if folder else self._state["output"]
        account = account_table(summary.predicted, summary.took)
        what = "Files" if made == FILE_URLS else "Plot"
        return f"{yields_table(summary)}\n\n{account}\n\n{what}: {where}/{made}"


def refuse_unread(airflow: Airflow, dag_id: str, since: datetime) -> None:
    """Raise CampaignRunError when the file of a campaign, or of all, or their folder has not loaded lately.

    :param since: earlier errors may be of what is mended by now.
    """
    for file, error in airflow.import_errors(since).items():
        path = PurePath(file)
        if path.name in (f"{dag_id}.json", DAG_FILE) or path.suffix not in (".json", ".py"):
            said = error.strip().removeprefix("airflow.exceptions.SerializationError: ")
            raise CampaignRunError(f"{file} does not load:\n{said}")
