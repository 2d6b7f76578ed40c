"""Register with Airflow when scheduled campaigns run: never for a time before their file existed.

Airflow's own cron timetable begins with the slot before a new DAG's first parse when that was not long ago:
for ``@yearly`` all of January. A ``start_date`` would prevent that, but also block the tasks of a run that is
older than the file's latest change.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable
from pendulum import instance


class NextSlotTimetable(CronTriggerTimetable):
    """The slots of a cron expression, in UTC, after a moment; a backfill takes any.

    :param cron: a cron expression, or a preset of one.
    :param since: when the present version of the campaign's file was saved.
    """

    def __init__(self, cron: str, since: datetime) -> None:
        super().__init__(cron, timezone="UTC")
        self.since = since

    def serialize(self) -> dict[str, Any]:
        """Return the arguments from which Airflow recreates it."""
        return {"cron": self._expression, "since": self.since.isoformat()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> NextSlotTimetable:
        return cls(data["cron"], datetime.fromisoformat(data["since"]))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next slot; the latest where several have passed since the last run."""
        if not restriction.catchup:
            restriction = restriction._replace(earliest=instance(self.since))
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )


TIMETABLES: list[Any] = [NextSlotTimetable]


class HiggsSchedule(AirflowPlugin):
    """The timetable of campaigns with a schedule."""

    name = "higgs_schedule"
    timetables = TIMETABLES
