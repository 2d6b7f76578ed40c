"""Runs one campaign through Airflow: triggers its DAG, shows it to the end, and says how it ended."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from demo.airflow_api import FINISHED, Airflow, AirflowAwayError, TaskInstance
from demo.bucket import Bucket
from demo.demo_data import bucket_name
from demo.progress import Follower, Progress
from demo.supervision import Supervision
from demo.view import View
from higgsdemo.campaign import Campaign, apply_conf
from higgsdemo.prediction import account_table
from higgsdemo.publication.summary import Summary
from higgsdemo.publication.yields_table import yields_table

_PARSE_SECONDS = 90
"""Seconds the dag processor gets to find a DAG."""

_AWAY_SECONDS = 120
"""Seconds for which Airflow or the S3 server may not answer; a killed one is back in about 10."""

_REST = 5
"""Times as long as a look took is rested after it: listing the results takes longer the more there are."""

_LONGEST_REST = 15.0
"""Seconds."""

_LOG_LINES = 12
"""Lines shown of a failed task's log."""


class CampaignRunError(Exception):
    """The campaign did not run, or not to a good end; says why."""


class CampaignRun:
    """One run of one campaign.

    `conf` is what the DAG is triggered with; a name for the run is added unless it has one. Raises
    CampaignError when the campaign cannot be run with it.
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
        self.run_id = str(conf.get("run_name") or f"{datetime.now(UTC):demo-%Y%m%dt%H%M%S}")
        self.conf = conf | {"run_name": self.run_id}
        self._supervision = supervision
        self._airflow = airflow
        changed, _ = apply_conf(campaign, self.conf)
        self._clusters = [cluster.name for cluster in changed.clusters()]
        bucket = bucket_name(changed.storage.output)
        below = changed.storage.output.removeprefix(f"s3://{bucket}").strip("/")
        self._bucket = Bucket(settings, bucket)
        self._folder = "/".join(filter(None, (below, dag_id, self.run_id)))
        self.url = f"{settings.ui_url}/dags/{dag_id}/runs/{self.run_id}"
        plot = "spectrum" if changed.histograms else "higgs"
        self._files = ("summary.json", f"{plot}.png", f"{plot}.svg")
        self.results = settings.results / dag_id / self.run_id

    def start(self) -> None:
        """Trigger the DAG once Airflow has read it. Raises CampaignRunError when it does not."""
        deadline = time.monotonic() + _PARSE_SECONDS
        while not self._triggered():
            self._supervision.check()
            if time.monotonic() > deadline:
                raise CampaignRunError(f"Airflow finds no DAG {self.dag_id}; is there such a campaign?")
            time.sleep(0.3)

    def follow(self, view: View) -> None:
        """Show the run until it ends. Raises CampaignRunError when it fails."""
        follower = Follower(
            self._airflow, self._bucket, self.dag_id, self.run_id, self._clusters, self._folder
        )
        answered = time.monotonic()
        progress = Progress("queued")
        while progress.run_state not in FINISHED:
            began = time.monotonic()
            try:
                progress = follower.look()
                answered = time.monotonic()
                view.show(progress)
            except (AirflowAwayError, BotoCoreError, ClientError) as error:
                self._supervision.check()
                if time.monotonic() - answered > _AWAY_SECONDS:
                    raise CampaignRunError(f"{error}; given up after {_AWAY_SECONDS} s") from error
            time.sleep(max(1.0, min(_REST * (time.monotonic() - began), _LONGEST_REST)))
        if progress.run_state == "failed":
            raise CampaignRunError(self._failure(follower))

    def summary(self) -> Summary:
        """What came of the run.

        Raises CampaignRunError when shards are missing or a file of the results is not there.
        """
        try:
            summary = Summary.model_validate_json(self._bucket.read(f"{self._folder}/summary.json"))
        except ClientError as error:
            raise CampaignRunError(f"The run has left no summary in the bucket: {error}") from error
        if lost := [name for name in self._files if not (self.results / name).exists()]:
            raise CampaignRunError(f"The run has left no {' and no '.join(lost)} in {self.results}")
        done, expected = summary.shards.done, summary.shards.expected
        if done < expected:
            raise CampaignRunError(f"{expected - done} of {expected} shards have no result")
        return summary

    def report(self) -> str:
        """The yields, what the run took, and where the plot is. Raises CampaignRunError as `summary` does."""
        plot = self.results / self._files[1]
        shown = plot.relative_to(Path.cwd()) if plot.is_relative_to(Path.cwd()) else plot
        summary = self.summary()
        account = account_table(summary.predicted, summary.took)
        return f"{yields_table(summary)}\n\n{account}\n\nPlot: {shown}"

    def _triggered(self) -> bool:
        try:
            if not self._airflow.has_dag(self.dag_id):
                if errors := self._airflow.import_errors():
                    name, trace = next(iter(errors.items()))
                    raise CampaignRunError(f"{name} does not load:\n{trace.strip()}")
                return False
            self._airflow.trigger(self.dag_id, self.run_id, self.conf)
        except AirflowAwayError:
            return False
        return True

    def _failure(self, follower: Follower) -> str:
        parts = [f"The run {self.run_id} of {self.dag_id} failed."]
        for task in follower.failed_tasks():
            lines = "\n".join(f"    {line}" for line in follower.complaints(task, _LOG_LINES))
            parts.append(f"  {_title(task)} failed:\n{lines}")
        return "\n".join([*parts, f"All of it, when the services are up: {self.url}"])


def parse_conf(text: str) -> dict[str, Any]:
    """A trigger's conf from JSON text. Raises ValueError when it is no JSON object."""
    try:
        conf = json.loads(text)
    except ValueError as error:
        raise ValueError(f"the conf is not JSON: {error}") from None
    if not isinstance(conf, dict):
        raise ValueError('the conf must be a JSON object, such as {"max_shards": 2}')
    return conf


def _title(task: TaskInstance) -> str:
    if task.map_index < 0:
        return task.task_id
    return f"{task.task_id} [{task.label or task.map_index}]"
