"""One run of a campaign: start it, show it to the end, and report its result."""

import time
from datetime import UTC, datetime
from functools import cached_property
from pathlib import PurePath
from secrets import token_hex
from typing import Any

from higgsdemo.command_line.airflow_api import Airflow, AirflowAwayError
from higgsdemo.command_line.ending import CommandError
from higgsdemo.command_line.view import State, View, why
from higgsdemo.command_line.watched import Check, Watched
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


class CampaignRunError(CommandError):
    """The campaign did not run, or failed; the message says why."""


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
    """Raise CampaignRunError when the file of a campaign, or of all, has failed to load since a time."""
    for file, error in airflow.import_errors(since).items():
        if PurePath(file).name in (f"{dag_id}.json", DAG_FILE):
            said = error.strip().removeprefix("airflow.exceptions.SerializationError: ")
            raise CampaignRunError(f"{file} does not load:\n{said}")
