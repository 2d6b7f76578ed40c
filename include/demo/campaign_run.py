"""Run one campaign through Airflow: trigger its DAG, show it to the end, and report the result."""

import time
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from demo.airflow_api import Airflow, AirflowAwayError
from demo.supervision import Supervision
from demo.view import State, View, why
from demo.watch import Watched
from higgsdemo.campaign import Campaign, apply_conf
from higgsdemo.prediction import account_table
from higgsdemo.publication.summary import Summary
from higgsdemo.publication.yields_table import yields_table
from higgsdemo.run import GROWING
from higgsdemo.run_folder import FILE_URLS, SUMMARY, picture_key

_PARSE_SECONDS = 300
"""Seconds that the dag processor gets to find a DAG: ten times what it needs on two cores."""

DAG_FILE = "higgs.py"
"""The file of `dags/` that makes a DAG of each campaign."""


class CampaignRunError(Exception):
    """The campaign did not run, or failed; the message says why."""


class CampaignRun:
    """One run of one campaign, with a run id that is new to Airflow, also when `conf` names a run to resume.

    :param conf: what the DAG is triggered with; the run's name is its id unless `conf` has one.
    :raises CampaignError: when the campaign cannot be run with `conf`.
    """

    def __init__(
        self,
        supervision: Supervision,
        airflow: Airflow,
        dag_id: str,
        campaign: Campaign,
        conf: dict[str, Any],
    ) -> None:
        settings = supervision.settings
        self.dag_id = dag_id
        self.run_id = f"{datetime.now(UTC):demo-%Y%m%dt%H%M%S}-{token_hex(2)}"
        self._supervision = supervision
        self._airflow = airflow
        changed, options = apply_conf(campaign, conf)
        name = options.run_name or (GROWING if changed.growing else self.run_id)
        self.conf = conf if changed.growing else conf | {"run_name": name}
        self.submits = "submit" in options.stages
        self._stages = options.stages
        self.url = f"{settings.ui_url}/dags/{dag_id}/runs/{self.run_id}"
        plots = [picture_key(changed.counted is not None, ending) for ending in ("png", "svg")]
        self._files = (SUMMARY, *([FILE_URLS] if changed.counted == [] else plots))
        self.results = settings.results / dag_id / name

    def start(self) -> None:
        """Trigger the DAG once Airflow has read it; raise CampaignRunError when it does not."""
        began = datetime.now(UTC)
        deadline = time.monotonic() + _PARSE_SECONDS
        while not self._triggered(began):
            self._supervision.check()
            if time.monotonic() > deadline:
                log = self._supervision.settings.logs / "dag-processor.log"
                raise CampaignRunError(
                    f"{self.dag_id} has not been read yet by Airflow, after {_PARSE_SECONDS} s; see {log}"
                )
            time.sleep(0.3)

    def follow(self, view: View) -> None:
        """Show the run until it ends; raise CampaignRunError when it fails."""
        state: State = {}
        for state in Watched(self._airflow, self.dag_id, self.run_id).follow(self._supervision.check):
            view.show(state)
        if state["run"]["state"] == "failed":
            failed = f"The run {self.run_id} of {self.dag_id} failed."
            raise CampaignRunError("\n".join([failed, *why(state), f"All of it: {self.url}"]))

    def summary(self) -> Summary:
        """Return the run's summary; raise CampaignRunError when a result file is missing."""
        if lost := [name for name in self._files if not (self.results / name).exists()]:
            raise CampaignRunError(f"The run has left no {' and no '.join(lost)} in {self.results}")
        return Summary.model_validate_json((self.results / SUMMARY).read_bytes())

    def report(self) -> str:
        """Return yields, what the run took and the plot's path; without a submit stage, what the run did.

        :raises CampaignRunError: as `summary` does.
        """
        if not self.submits:
            return f"Stages done: {', '.join(self._stages)}. Only the stage submit leaves yields and a plot."
        made = self.results / self._files[1]
        shown = made.relative_to(Path.cwd()) if made.is_relative_to(Path.cwd()) else made
        what = "Files" if made.name == FILE_URLS else "Plot"
        summary = self.summary()
        account = account_table(summary.predicted, summary.took)
        return f"{yields_table(summary)}\n\n{account}\n\n{what}: {shown}"

    def _triggered(self, began: datetime) -> bool:
        """Trigger the DAG if it exists. An earlier import error may be of a file that is mended by now."""
        try:
            if not self._airflow.has_dag(self.dag_id):
                for file, error in self._airflow.import_errors(began).items():
                    if Path(file).name in (f"{self.dag_id}.json", DAG_FILE):
                        raise CampaignRunError(f"{file} does not load:\n{error.strip()}")
                return False
            self._airflow.trigger(self.dag_id, self.run_id, self.conf)
        except AirflowAwayError:
            return False
        return True
